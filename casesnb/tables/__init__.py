"""Bytes to frames: the only place that knows AWS's JSON."""
