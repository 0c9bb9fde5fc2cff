"""What torch's tracer cannot follow, recorded while a module is traced: recurrent layers, packed
sequences, loops over time."""
