"""Programs of torch.export, from `.pt2` archives."""
