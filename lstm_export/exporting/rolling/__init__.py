"""The recorded steps of a time loop become one scan, in torch's own graph."""
