"""What a model makes of its input's sizes and places: for rules, and for an audit."""
