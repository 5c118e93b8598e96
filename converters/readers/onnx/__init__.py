"""ONNX: a bounds-checked walk of the file, its operators of all opsets, sizes kept as formulas."""
