"""A model that asks an engine how it reads: whole numbers in, and every other reading shows."""
