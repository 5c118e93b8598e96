"""Findings from a model: rules, the engine that runs them, and reports."""
