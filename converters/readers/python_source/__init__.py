"""Python source and notebooks, read by their syntax tree alone: nothing is imported, nothing runs.

Model repositories often keep the weights elsewhere; what their code says of upsampling can be
checked all the same, where the arguments are literal, defaulted or constants of the file.

- `text` finds the code in a file, `notebook` that of a notebook's cells;
- `walking` enters the names of its tree into `scopes`, which knows what each is bound to;
- `values` knows which expressions are constant;
- `signatures` is the table of calls that are looked for, `calls` finds them;
- `torch_layers`, `keras_layers`, `gluon_layers`, `tensorflow_calls` and `caffe_layers` make
  operators of calls;
- `chains` connects the layers of Sequential models;
- `reader` puts a Model together.
"""
