"""Frames to what people look at: pictures, the explorer, reports."""
