"""Use cases as plain functions: from a request to a result, printing nothing."""
