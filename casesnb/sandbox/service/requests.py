"""A request that was read, the page of a listing that it asks for, and refusals."""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ServiceError(Exception):
    """An error that the service answers with."""

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.members = {"message": message, **members}


def not_found(kind: str, name: str) -> ServiceError:
    """Return the error for what is not there."""
    return ServiceError(
        "ResourceNotFoundException",
        f"{kind} {name} not found",
        resourceId=name,
        resourceType=kind,
    )


class Asked:
    """A request that was read."""

    __slots__ = ("_seed", "members", "operation", "service")

    def __init__(
        self, seed: int, service: str, operation: str, members: Mapping[str, Any]
    ) -> None:
        self._seed = seed
        self.service = service
        self.operation = operation
        self.members = members

    def __getitem__(self, name: str) -> Any:
        return self.members[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member, or what stands for it where it was left out."""
        return self.members.get(name, default)

    def page(
        self,
        member: str,
        listed: Sequence[Any],
        default: int,
        shown: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Return the page of a listing that is asked for, and the token of the next."""
        size = self.get("MaxResults" if self._is_connect else "maxResults", default)
        start = self.place()
        items = list(islice(listed, start, start + size))
        page = {member: [shown(item) for item in items] if shown else items}
        if start + size < len(listed):
            page[self._token_name] = self.token(start + size)  # type: ignore[assignment]
        return page

    def place(self) -> int:
        """Return how many items of the listing came before."""
        token = self.get(self._token_name)
        if not token:
            return 0
        try:
            return read_token(token, self._bound)
        except TokenError:
            raise ServiceError(
                "ValidationException", f"Invalid {self._token_name}."
            ) from None

    def token(self, place: int, *, copy: int = 0) -> str:
        """Return a token by which the listing goes on from a place."""
        return new_token(place, self._bound, copy=copy)

    @property
    def _is_connect(self) -> bool:
        return self.service == "connect"

    @property
    def _token_name(self) -> str:
        return "NextToken" if self._is_connect else "nextToken"

    @property
    def _bound(self) -> str:
        """What a token of this request is good for."""
        members = {k: v for k, v in self.members.items() if k.lower() != "nexttoken"}
        bound_to = [self._seed, self.service, self.operation, members]
        return json.dumps(bound_to, sort_keys=True)


# Page tokens are opaque, and good only for the request that earned them.


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
