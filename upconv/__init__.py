"""The layers that make feature maps larger: checked, converted to ONNX, and proven equal."""
