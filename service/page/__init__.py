"""The page: the same jobs for people with a browser."""
