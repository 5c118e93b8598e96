"""MXNet: symbols in JSON, of every version from 0.8 on, and their .params."""
