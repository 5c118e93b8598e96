"""Model files in, Models out: one folder a format, `formats` tells them apart."""
