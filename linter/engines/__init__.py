"""What inference engines refuse or read otherwise, as data, with the evidence for each."""
