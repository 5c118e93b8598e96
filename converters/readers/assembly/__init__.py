"""The workshop that all readers build their Models in."""
