"""From a torch module to ONNX: recurrent lowering, graph checks, the bundle."""
