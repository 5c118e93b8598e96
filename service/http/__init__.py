"""The HTTP door: uploads in, jobs, progress and results out."""
