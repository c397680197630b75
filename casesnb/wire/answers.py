"""What an answer must hold, by AWS's own model: what lacks it is somebody else's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel

members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NoAnswer(ValueError):  # noqa: N818 - it says what the answer is not
    """A whole JSON that is not the answer to what was asked."""


def check_answer(operation: OperationModel, body: bytes) -> None:
    """Raise if a body lacks the lists, or all else, that its operation answers."""
    shape = operation.output_shape
    if shape is None or not shape.members:
        return
    held = dict(_lists_of(body))
    lists = [
        name
        for name in shape.required_members
        if shape.members[name].type_name == "list"
    ]
    for name in lists:
        if not held.get(name):
            raise NoAnswer(f"holds no list of {name}")
    if not lists and held.keys().isdisjoint(shape.members):
        raise NoAnswer(f"holds nothing that {operation.name} answers")


def _lists_of(body: bytes) -> Iterator[tuple[str, bool]]:
    """Yield each member of a body, and whether it is a list."""
    try:
        for name, value in members.decode(body).items():
            yield name, bytes(value).startswith(b"[")
    except msgspec.DecodeError:  # half of a surrogate pair, say
        read: Any = json.loads(body)
        for name, value in read.items() if isinstance(read, dict) else ():
            yield name, isinstance(value, list)
