"""Frames to frames: pure, engine-neutral (Narwhals), no AWS and no plotting."""
