"""Whole modules and checkpoints that were pickled, as layers without a graph.

- `modules` makes layers of a pickled module's attributes;
- `reader` puts a Model together.
"""
