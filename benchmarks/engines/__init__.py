"""Models of one operator, run in the engines that pip can install, beside their profiles."""
