"""Data sets that are computed. Integers and plain arithmetic alone make them, so that their bytes
are the same on every machine."""
