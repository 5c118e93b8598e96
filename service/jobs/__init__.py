"""Durable jobs: what is asked for is kept until it is done, once, by children that are confined."""
