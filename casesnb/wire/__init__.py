"""Bytes: who answers a request, how fast we ask, what we keep of the answer."""
