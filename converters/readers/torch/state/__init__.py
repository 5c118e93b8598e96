"""Weights of PyTorch models: stored tensors, and the names they bear."""
