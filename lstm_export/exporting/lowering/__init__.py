"""From what was captured to ONNX operators, for a target."""
