"""What rules know of layers beyond their operators."""
