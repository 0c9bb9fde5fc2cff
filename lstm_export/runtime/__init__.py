"""Running a bundle with numpy and onnxruntime, nothing else."""
