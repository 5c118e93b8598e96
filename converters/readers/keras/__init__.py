"""Keras models from their files: `.keras` archives, HDF5 files, and architectures as JSON.

Neither Keras nor TensorFlow is imported, and nothing in a file is run.
"""
