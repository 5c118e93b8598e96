"""The door for Python programs: what `import upconv` offers."""
