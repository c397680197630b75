"""Page tokens: opaque, and good only for the request that earned them."""

from __future__ import annotations

import base64
import hashlib


class TokenError(ValueError):
    """A token that this request did not earn."""


def new_token(position: int, bound_to: str, *, copy: int = 0) -> str:
    """Return a token for a place in a listing."""
    packed = copy << 48 | position
    seal = _hash(f"{packed}:{bound_to}".encode())
    hidden = packed ^ _mask(seal, bound_to)
    return base64.urlsafe_b64encode(seal + hidden.to_bytes(8)).decode()


def read_token(token: str, bound_to: str) -> int:
    """Return the place that a token stands for."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except ValueError as error:
        raise TokenError(token) from error
    seal, hidden = raw[:16], int.from_bytes(raw[16:24])
    if len(raw) != 24:
        raise TokenError(token)
    packed = hidden ^ _mask(seal, bound_to)
    if _hash(f"{packed}:{bound_to}".encode()) != seal:
        raise TokenError(token)
    return packed & ((1 << 48) - 1)


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _mask(seal: bytes, bound_to: str) -> int:
    return int.from_bytes(_hash(seal + bound_to.encode())[:8])
