"""TorchScript archives, read without running them: the code in them is parsed, and followed.

- `code` finds functions and classes in the archive's `code/**.py`, `debug` their users' lines;
- `objects` reads attributes and constants from the archive's pickles;
- `machine`, `interpreter`, `expressions` and `pieces` follow the code, with sizes for numbers;
- `plain`, `containers` and `numbers` are what functions on numbers, lists and sizes mean;
- `overloads` tells which of ATen's operators a call means, `output_shapes` what it gives;
- `calls` hands the calls on tensors to the lowerings that .pt2 files go through;
- `inputs` and `reader` put a Model together.
"""
