"""Passes over a model: from a Model to a Model."""
