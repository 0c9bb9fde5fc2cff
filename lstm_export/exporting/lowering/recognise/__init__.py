"""ONNX Scan whose body is an LSTM, GRU or RNN cell, as the fused operator."""
