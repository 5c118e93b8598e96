"""A check from its files to its findings: search, rules, cache, baseline."""
