"""The pictures, one noun a file: each draws on one Axes and returns it."""
