"""ATen's operators as layers, whichever file holds their calls."""
