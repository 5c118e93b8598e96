"""Models of the project's own: made from the conditions of the profiles, each with a twin."""
