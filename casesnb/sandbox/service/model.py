"""AWS's own service model: which request is which operation, and what is allowed.

Routes, required members, types, lengths, ranges, enums, unions and errors are read
from the model that botocore ships; nothing is copied from it.
"""

from __future__ import annotations

import json
import re
from functools import cache, cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

from botocore.loaders import create_loader
from botocore.model import ServiceModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

    from casesnb.wire.responder import Request

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class Refusal(NamedTuple):
    """An error as the model describes it."""

    status: int  # the HTTP status
    code: str  # the error's name
    headers: dict[str, str]  # its members that travel as headers
    body: dict[str, Any]  # its other members


class Shapes:
    """One service's model."""

    def __init__(self, service: str) -> None:
        # Not by a session, which asks for this machine's profile first.
        described = create_loader().load_service_model(service, "service-2")
        self._model = ServiceModel(described, service)
        self._checks: dict[str, Any] = {}
        self._making = RLock()

    @cached_property
    def _routes(self) -> list[tuple[str, re.Pattern[str], str]]:
        routes = []
        for name in self._model.operation_names:
            http = self._model.operation_model(name).http
            path = http["requestUri"].partition("?")[0]
            pattern = re.sub(
                r"\\\{(\w+)(?:\\\+)?\\\}", r"(?P<\1>[^/]+)", re.escape(path.rstrip("/"))
            )
            routes.append((http["method"], re.compile(pattern + "/?"), name))
        # Fixed words before placeholders: /domains/x/cases-search is not a case.
        return sorted(routes, key=lambda route: route[1].pattern.count("(?P<"))

    def operation(self, method: str, path: str) -> str | None:
        """Return the operation that a request asks for."""
        for its_method, pattern, name in self._routes:
            if its_method == method and pattern.fullmatch(path):
                return name
        return None

    def read(
        self, operation: str, request: Request
    ) -> tuple[dict[str, Any], list[str]]:
        """Return a request's members, and what is wrong with them."""
        model = self._model.operation_model(operation)
        shape = model.input_shape
        if shape is None:
            return {}, []
        members: dict[str, Any] = {}
        wrong: list[str] = []
        if request.body:
            try:
                body = json.loads(request.body)
            except (ValueError, RecursionError):
                return {}, ["The request body is not JSON."]
            if not isinstance(body, dict):
                return {}, ["The request body is not a JSON object."]
            members |= {
                name: body[self._wire_name(name, member)]
                for name, member in shape.members.items()
                if "location" not in member.serialization
                and body.get(self._wire_name(name, member)) is not None
            }
        route = next(route for route in self._routes if route[2] == operation)
        found = route[1].fullmatch(request.path)
        in_path = found.groupdict() if found else {}
        query = parse_qs(request.query, keep_blank_values=True)
        for name, member in shape.members.items():
            place = member.serialization.get("location")
            wire_name = self._wire_name(name, member)
            if place == "uri" and wire_name in in_path:
                members[name] = unquote(in_path[wire_name])
            elif place == "querystring" and wire_name in query:
                members[name] = _from_query(member, query[wire_name])
        wrong.extend(self._check(shape)(members, ""))
        return members, wrong

    def wrong(self, operation: str, answer: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with an answer, by the model."""
        shape = self._model.operation_model(operation).output_shape
        return [] if shape is None else list(self._check(shape)(answer, ""))

    def refusal(self, operation: str | None, code: str, **members: Any) -> Refusal:
        """Return an error as the model has it for an operation."""
        nearest = {
            "ValidationException": (
                "InvalidParameterException",
                "InvalidRequestException",
            ),
            "InternalServerException": ("InternalServiceException",),
            "ResourceNotFoundException": ("InvalidRequestException",),
        }
        names = (code, *nearest.get(code, ()))
        shapes = {
            shape.name: shape
            for shape in (self._operation_errors(operation) if operation else ())
        }
        for name in names:
            if name in shapes:
                return self._refusal(shapes[name], members)
        for name in names:  # not listed for the operation, but every service has it
            if name in self._model.shape_names:
                return self._refusal(self._model.shape_for(name), members)
        status = {"ThrottlingException": 429, "AccessDeniedException": 403}
        return Refusal(status.get(code, 400), code, {}, dict(members))

    def _operation_errors(self, operation: str) -> list[Any]:
        return list(self._model.operation_model(operation).error_shapes)

    def _refusal(self, shape: Any, members: Mapping[str, Any]) -> Refusal:
        headers, body = {}, {}
        for name, member in shape.members.items():
            found = members.get(name, members.get(name[:1].lower() + name[1:]))
            if found is None:
                continue
            if member.serialization.get("location") == "header":
                headers[member.serialization["name"].lower()] = str(found)
            else:
                body[name] = found
        status = shape.metadata["error"]["httpStatusCode"]
        return Refusal(status, shape.name, headers, body)

    @staticmethod
    def _wire_name(name: str, member: Shape) -> str:
        return str(member.serialization.get("name", name))

    # ------------------------------------------------------------ what is allowed

    def _check(self, shape: Any) -> Any:
        """Return the check of a shape, made once."""
        # One thread at a time: another would find the half-made check of a shape
        # that holds itself.
        with self._making:
            if shape.name not in self._checks:

                def later(value: Any, at: str) -> Iterator[str]:
                    yield from self._checks[shape.name](value, at)

                self._checks[shape.name] = later  # for a shape that holds itself
                make = getattr(self, f"_check_{shape.type_name}", self._check_number)
                self._checks[shape.name] = make(shape)
            return self._checks[shape.name]

    def _check_structure(self, shape: Any) -> Any:
        checks = {name: self._check(member) for name, member in shape.members.items()}
        required = frozenset(shape.required_members)
        union = bool(getattr(shape, "is_tagged_union", False))

        def check(value: Any, at: str) -> Iterator[str]:
            if not isinstance(value, dict):
                yield f"{at or 'The request'} must be an object."
                return
            for name in required:
                if value.get(name) is None:
                    yield f"{_dot(at, name)} must not be null."
            if union and len(value) != 1:
                yield f"{at} must have exactly one member, not {len(value)}."
            for name, member in value.items():
                if name not in checks:
                    yield f"{_dot(at, name)} is unknown."
                elif member is not None:
                    yield from checks[name](member, _dot(at, name))

        return check

    def _check_list(self, shape: Any) -> Any:
        check_member = self._check(shape.member)
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max")

        def check(value: Any, at: str) -> Iterator[str]:
            if not isinstance(value, list):
                yield f"{at} must be a list."
                return
            if len(value) < low or (high is not None and len(value) > high):
                yield f"{at} must have {low} to {high} members, not {len(value)}."
            for i, member in enumerate(value):
                if member is not None:  # Cases' lists may be sparse
                    yield from check_member(member, f"{at}[{i}]")

        return check

    def _check_map(self, shape: Any) -> Any:
        check_key, check_value = self._check(shape.key), self._check(shape.value)

        def check(value: Any, at: str) -> Iterator[str]:
            if not isinstance(value, dict):
                yield f"{at} must be a map."
                return
            for key, member in value.items():
                yield from check_key(key, f"{at}'s key")
                if member is not None:
                    yield from check_value(member, _dot(at, key))

        return check

    def _check_string(self, shape: Any) -> Any:
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
        enum = frozenset(shape.metadata.get("enum", ()))
        written = shape.metadata.get("pattern")
        pattern = _compiled(written)

        def check(value: Any, at: str) -> Iterator[str]:
            if not isinstance(value, str):
                yield f"{at} must be a string."
            elif len(value) < low or (high is not None and len(value) > high):
                yield f"{at} must be {low} to {high} characters long, not {len(value)}."
            elif enum and value not in enum:
                yield f"{at} must be one of {', '.join(sorted(enum))}."
            elif pattern and not pattern.fullmatch(value):
                yield f"{at} must match {written}."

        return check

    def _check_number(self, shape: Any) -> Any:
        whole = shape.type_name in {"integer", "long", "short", "byte"}
        low, high = shape.metadata.get("min"), shape.metadata.get("max")

        def check(value: Any, at: str) -> Iterator[str]:
            kinds = (int,) if whole else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                yield f"{at} must be a {'whole ' if whole else ''}number."
            elif (low is not None and value < low) or (
                high is not None and value > high
            ):
                yield f"{at} must be {low} to {high}, not {value}."

        return check

    def _check_boolean(self, _: Any) -> Any:
        def check(value: Any, at: str) -> Iterator[str]:
            if not isinstance(value, bool):
                yield f"{at} must be true or false."

        return check

    def _check_timestamp(self, shape: Any) -> Any:
        as_text = shape.serialization.get("timestampFormat") == "iso8601"

        def check(value: Any, at: str) -> Iterator[str]:
            if as_text and not (isinstance(value, str) and _TIME.fullmatch(value)):
                yield f"{at} must be a time in ISO 8601."
            if not as_text and not isinstance(value, (int, float)):
                yield f"{at} must be a time in seconds."

        return check


@cache
def shapes(service: str) -> Shapes:
    """Return a service's model, read once."""
    return Shapes(service)


def _compiled(written: str | None) -> re.Pattern[str] | None:
    """Return a pattern, or None where it is not Python's: AWS writes Java's too."""
    try:
        return re.compile(written) if written else None
    except re.error:
        return None


def _dot(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _from_query(member: Any, texts: list[str]) -> Any:
    if member.type_name == "list":
        return texts
    if member.type_name in {"integer", "long"}:
        try:
            return int(texts[0])
        except ValueError:
            return texts[0]  # the check says what it must be
    return texts[0]
