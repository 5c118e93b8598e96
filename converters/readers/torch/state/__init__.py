"""Weights of PyTorch models: stored tensors, and the files that hold them beside a program.

- `element_types` and `stored` say what a tensor is made of, and where it lies in a file;
- `pickles` runs a pickle's opcodes over inert stand-ins: nothing is imported, nothing called;
- `globals` says which globals a file of weights may name;
- `checkpoint` finds the tensors in pickled files, `safetensors` those in files of that name;
- `state_dict` and `given_weights` hold their names against a model's;
- `sniffing` tells PyTorch's files by their first bytes.
"""
