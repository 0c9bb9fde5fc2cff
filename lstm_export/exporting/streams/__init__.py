"""The stream graph of a module: recurrent states in and out, and proof that it is the module."""
