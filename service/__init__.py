"""The front doors: the command line and everything else people and machines talk to."""
