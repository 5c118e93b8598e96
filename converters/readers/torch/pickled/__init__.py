"""PyTorch's pickles (checkpoints, state dicts, whole modules), read without unpickling them.

- `machine` runs a pickle's opcodes over inert stand-ins: nothing is imported, nothing called;
- `names` says which globals a file of weights may name;
- `checkpoint` finds tensors and modules, in archives and in files of the time before them;
- `modules` makes layers of a pickled module's attributes;
- `reader` puts a Model together.
"""
