"""Fixes of findings: what to write instead, and the edits that write it."""
