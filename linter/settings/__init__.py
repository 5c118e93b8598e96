"""What a user may set: configuration files and their keys."""
