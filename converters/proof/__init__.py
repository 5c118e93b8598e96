"""The proof that an ONNX file computes what its source model says."""
