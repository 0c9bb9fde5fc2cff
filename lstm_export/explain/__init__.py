"""What a bundle's recurrent layers do on a series: their gates, their memory, what each gate is
for. Needs NumPy and onnxruntime alone."""
