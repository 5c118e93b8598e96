"""TensorFlow graphs from their files: frozen GraphDefs, SavedModels, and TF1 graphs with their
checkpoints. TensorFlow is not imported, and nothing in a file is run.
"""
