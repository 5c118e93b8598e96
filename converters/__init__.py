"""Model files in, ONNX out."""
