"""`forecast.onnx`: a one-step forecaster that goes on from its own forecasts, in one run."""
