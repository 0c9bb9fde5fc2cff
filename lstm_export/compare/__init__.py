"""Tensors against tensors: the parity rule, its results as data, the inputs to compare on."""
