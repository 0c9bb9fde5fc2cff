"""ONNX graphs on their way to a file: tidying, opsets, checks."""
