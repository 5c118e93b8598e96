"""PyTorch's files, read without PyTorch and without running anything in them.

`state` has the weights, `aten` the operators, `exported`, `script` and `pickled` the three kinds
of files with a program, and `reader` tells them apart; each knows only those before it.
"""
