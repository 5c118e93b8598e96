"""Shape arithmetic while a graph is read: small constant tensors, and sizes that stay formulas.

Operations have NumPy's names and plain arguments; what they are called in a format, and where their
arguments stand in it, is its reader's to know.
"""
