"""Signatures of reports: Ed25519 over every byte before the last line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    PrivateKey = Ed25519PrivateKey | str | os.PathLike[str]
    PublicKey = Ed25519PublicKey | str | os.PathLike[str]


def signed(message: bytes, key: PrivateKey) -> tuple[str, str]:
    """Return the public key and the signature, as hexadecimal digits."""
    private = _key(key, is_private=True)
    return raw_key(private.public_key()), private.sign(message).hex()


def raw_key(key: PublicKey) -> str:
    """Return a public key as hexadecimal digits."""
    made: str = _key(key, is_private=False).public_bytes_raw().hex()
    return made


def is_signed(message: bytes, signature: str, key: PublicKey) -> bool:
    """Whether the holder of a key signed a message."""
    public = _key(key, is_private=False)
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(bytes.fromhex(signature), message)
    except InvalidSignature:
        return False
    return True


def _key(key: object, *, is_private: bool) -> Any:
    """Return a key, read from a PEM file where its path is given."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
        from cryptography.hazmat.primitives.serialization import (
            load_pem_private_key,
            load_pem_public_key,
        )
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Signatures need the package cryptography. Install it with "
            "pip install 'casesnb[sign]'."
        ) from error
    kind = ed25519.Ed25519PrivateKey if is_private else ed25519.Ed25519PublicKey
    word = "private" if is_private else "public"
    made: object = key
    if isinstance(key, (str, os.PathLike)):
        pem = Path(key).expanduser().read_bytes()
        try:
            made = (
                load_pem_private_key(pem, None)
                if is_private
                else load_pem_public_key(pem)
            )
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{key} holds no {word} key in PEM without a password. Make one by "
                "openssl genpkey -algorithm ed25519, or give the key itself."
            ) from error
    if not isinstance(made, kind):
        raise TypeError(
            f"{key!r:.80} is no {word} Ed25519 key. Give one of cryptography, or the "
            "path of a PEM file that holds one."
        )
    return made
