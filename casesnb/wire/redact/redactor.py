"""The engine: a request, an answer or a column of values, as a redaction has them.

It walks what AWS's own model says an operation asks and answers, and gives each
value to its rule. What the model does not know is replaced.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

import botocore.session

from casesnb.wire.redact.leaks import LeakChecker
from casesnb.wire.redact.pseudonyms import SHAPE
from casesnb.wire.redact.rules import (
    BUILT_IN_STATUSES,
    BY_MEMBER,
    BY_SHAPE,
    FIELDS,
    ITEM_MEMBERS,
    LABELS,
    RULES,
    VALUE_SHAPES,
    WORDS,
)
from casesnb.wire.responder import Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel, Shape

    from casesnb.wire.redact.redaction import Redaction

_SERVICES = ("connectcases", "connect")
_ARN = re.compile(r"arn:([^:]*):([^:]*):([^:]*):([^:]*):(.*)", re.DOTALL)
_REGION = re.compile(r"[a-z]{2}(-[a-z]{2,9}){1,2}-\d{1,2}")
_ACCOUNT = re.compile(r"\d{12}")
_NO_ACCOUNT = re.compile(r"000\d{9}")  # the pseudonym of one
_SERVICE_ROLE = "AWSServiceRoleForAmazonConnect"
_DAY = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", re.ASCII
)
_MOMENT = re.compile(rf"(?=.{{16,}})(?:{_DAY.pattern})|{_HTTP_DATE.pattern}", re.ASCII)
_SMALL = re.compile(r"\d{1,3}|1000|\d{1,2}\.\d", re.ASCII)
# A Region, the size of a page, the file of a request.
_ALWAYS_PUBLIC = re.compile(
    rf"{_REGION.pattern}|{_SMALL.pattern}|[0-9a-f]{{16}}\.json", re.ASCII
)
_ENDING = re.compile(
    r"\.(csv|docx?|jpe?g|msg|pdf|png|txt|wav|xlsx?|zip)$", re.IGNORECASE
)
# What tells in a text who people are, by its rule.
_IN_TEXT = re.compile(
    r"(?P<arn>arn:aws[\w-]*:[^\s\"'<>,;]+)"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<identifier>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?P<account>(?<![\w.])[1-9]\d{11}(?!\w))"
    r"|(?P<phone>(?<![\w.])(?:\+|00?)[1-9](?:[ ()/.-]{0,2}\d){6,14}(?!\w))"
)
_FIRST, _LAST = "first of ", "last of "
_NAMES = {"AgentFirstName": _FIRST, "AgentLastName": _LAST}
_PARTS = re.compile(r"[/:?&=,]")


class _Context(NamedTuple):
    """What is known of a value from what stands beside it."""

    field_id: str = ""
    person: str = ""


_Walk = Callable[["Redactor", Any, _Context], Any]


class Redactor:
    """Replaces values under one redaction, and remembers them for the leak checker."""

    def __init__(self, redaction: Redaction, *, is_reversible: bool = False) -> None:
        self.redaction = redaction
        self.pseudonyms = redaction.pseudonyms()
        self.originals: dict[str, str] | None = {} if is_reversible else None
        self._kept = frozenset(redaction.keep)
        self._back = dt.timedelta(
            weeks=self.pseudonyms.weeks() if redaction.times == "shift" else 0
        )
        # Most values come again and again.
        self.replace = lru_cache(maxsize=20_000)(self._replace)
        self.is_public = lru_cache(maxsize=20_000)(self._is_public)
        self.leaks = LeakChecker(
            is_public=self.is_public,
            identifying=[rule.name for rule in RULES if rule.is_identifying],
            allow=redaction.allow,
        )

    # -------------------------------------------------------------- one value

    def _replace(self, rule: str, value: str, label: str = "") -> str:
        """Return the pseudonym of a value by its rule; empty text stays empty."""
        if not value:
            return value
        if rule in self._kept:
            self.leaks.keep(value)
            return value
        made = REPLACE[rule](self, value, label or LABELS.get(rule) or rule.title())
        if not self._stays(rule, value):
            self.leaks.add(rule, value)
            if self.originals is not None:
                self.originals[made] = value
        return made

    def _stays(self, rule: str, value: str) -> bool:
        """Say whether a value may be written as it is, whatever became of it."""
        match rule:
            case "identifier" | "field_id":
                return value in FIELDS or value in ITEM_MEMBERS
            case "time":
                return self.time(value) is not None
            case "word":
                return value in _words() or bool(_REGION.fullmatch(value))
            case "text" | "value":
                return self.redaction.free_text not in ("drop", "words")
        return False

    def field_value(self, field_id: str, text: str) -> str:
        """Return the text of a field's value, as the field's rule has it."""
        rule = FIELDS.get(field_id) or ITEM_MEMBERS.get(
            field_id, "text" if "." in field_id else "value"
        )
        if rule not in {"option", "value", "text"}:
            return self.replace(rule, text)
        stays = rule == "option" and text.casefold() in BUILT_IN_STATUSES
        if self._keeps(field_id) or (stays and field_id != "case_reason"):
            kept = str((self._back and self.time(text)) or text)
            self.leaks.keep(kept)
            return kept
        return self.replace(rule, text, LABELS.get(field_id, ""))

    def _keeps(self, field_id: str) -> bool:
        known = self._kept
        return field_id in known or self.pseudonyms.identifier(field_id) in known

    def option_name(self, field_id: str, name: str) -> str:
        """Return the name of a field's option, which stays if its values do."""
        built_in = field_id == "status" and name.casefold() in BUILT_IN_STATUSES
        if self._keeps(field_id) or built_in:
            self.leaks.keep(name)
            return name
        return self.replace("option", name, "Option")

    def field_name(self, field_id: str, name: str) -> str:
        """Return the name of a field, which stays if it is AWS's own."""
        if _is_own_name(field_id, name):
            self.leaks.keep(name)
            return name
        return self.replace("field_name", name)

    def person_name(self, name: str) -> str:
        """Return what to call a person of whom no more than the name is known."""
        return f"Agent {self.replace('person', name, _LAST)}"

    def unknown(self, value: Any) -> Any:
        """Return a value of JSON that no rule knows."""
        return _unknown(self, value, _Context())

    def unknown_members(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return members that AWS's model does not have."""
        return {
            self.replace("unknown", name): self.unknown(value)
            for name, value in members.items()
        }

    @property
    def back(self) -> dt.timedelta:
        """By how much times are moved back."""
        return self._back

    def time(self, value: Any) -> Any:
        """Return a time, moved if times are; None where it is no time."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not math.isfinite(value):
                return None
            return value - self._back.total_seconds() if self._back else value
        if not isinstance(value, str):
            return None
        if _DAY.fullmatch(value):
            if not self._back:
                return value
            try:
                day = dt.date.fromisoformat(value[:10]) - self._back
            except (ValueError, OverflowError):
                return None
            return day.isoformat() + value[10:]
        if _HTTP_DATE.fullmatch(value):
            moved = parsedate_to_datetime(value) - self._back
            return format_datetime(moved, usegmt=True) if self._back else value
        return None

    def _is_public(self, text: str) -> bool:
        """Say whether a whole text is AWS's own words, times and pseudonyms alone."""
        if text in _words() or _MOMENT.fullmatch(text):
            return True
        return all(
            part in _words()
            or _ALWAYS_PUBLIC.fullmatch(part)
            or (
                (
                    SHAPE.fullmatch(part)
                    or _NO_ACCOUNT.fullmatch(part)
                    or _is_service_role(part)
                )
                and not self.leaks.is_original(part)
            )
            for part in _PARTS.split(unquote(text))
        )

    # -------------------------------------------------- a request and its answer

    def exchange(
        self, request: Request, response: Response
    ) -> tuple[Request, Response]:
        """Return a request and its answer as they may be written."""
        operation = _operation(request.service, request.operation)
        at = _in_path(operation, request)
        return self._request(request, operation, at), self._response(
            response, request.service, operation, at
        )

    def params(self, service: str, operation: str, params: Mapping[str, Any]) -> Any:
        """Return what was asked for, by the names that boto3 takes."""
        walk = _walk_of(service, _operation(service, operation), "input")
        return walk(self, dict(params), _Context())

    def _request(
        self, request: Request, operation: OperationModel | None, at: _Context
    ) -> Request:
        walk = _walk_of(request.service, operation, "input")
        return replace(
            request,
            operation=request.operation if operation else "Unknown",
            path=self._path(request, operation, at),
            query=self._query(request, operation, at),
            body=self._json(request.body, walk, at),
            service=request.service if request.service in _SERVICES else "unknown",
        )

    def _path(
        self, request: Request, operation: OperationModel | None, at: _Context
    ) -> str:
        found, members = _match(operation, request.path)
        if found is None:
            return "/".join(
                part
                if part in _words()
                else quote(self.replace("unknown", unquote(part)))
                for part in request.path.split("/")
            )
        path, done = [], 0
        for number, (_, walk) in enumerate(members, 1):
            value = walk(self, unquote(found[number]), at)
            path += [request.path[done : found.start(number)], quote(value, safe="~")]
            done = found.end(number)
        return "".join([*path, request.path[done:]])

    def _query(
        self, request: Request, operation: OperationModel | None, at: _Context
    ) -> str:
        walks = _query_walks(operation)
        asked = []
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            walk = walks.get(name)
            if walk is None:
                name, walk = self.replace("unknown", name), _unknown
            number = value if value.isdecimal() and walk is _number else None
            asked.append((name, number or walk(self, value, at)))
        return urlencode(asked, quote_via=quote)

    def _response(
        self,
        response: Response,
        service: str,
        operation: OperationModel | None,
        at: _Context,
    ) -> Response:
        way = "output" if response.status < 300 else "error"
        headers = {}
        for name, value in response.headers.items():
            kept = self._header(name.lower(), value)
            if kept is not None:
                headers[name.lower()] = kept
        walk = _walk_of(service, operation, way)
        return Response(response.status, headers, self._json(response.body, walk, at))

    def _header(self, name: str, value: str) -> str | None:
        match name:
            case "date":
                return cast("str | None", self.time(value))
            case "content-type" | "x-amzn-errortype":
                word = value.partition(":" if name.startswith("x") else ";")[0].strip()
                return word if word in _words() else None
            case "retry-after":
                return value if _SMALL.fullmatch(value) else None
        return None

    def _json(self, body: bytes, walk: _Walk, at: _Context) -> bytes:
        if not body:
            return body
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            # Half a body, a proxy's page: there is nothing to tell its parts by.
            return b""
        try:
            made = walk(self, value, at)
            text = json.dumps(made, separators=(",", ":"), ensure_ascii=False)
            return text.encode()
        except RecursionError:  # deeper than any answer of AWS
            return b""
        except UnicodeEncodeError:  # half of a surrogate pair, in a text that stays
            return json.dumps(made, separators=(",", ":")).encode()

    # ---------------------------------------------------------- kinds of text

    def free_text(self, value: str, label: str) -> str:
        """Return free text as the policy has it."""
        policy = self.redaction.free_text
        if policy == "drop":
            return self.pseudonyms.labelled(label, value)
        if policy == "words":
            return self.pseudonyms.words(value)
        if callable(policy):
            made = policy(value)
            if not isinstance(made, str):
                raise TypeError(
                    f"free_text= returned {type(made).__name__}. Give a function that "
                    "returns the text that may be written."
                )
        else:
            made = _IN_TEXT.sub(self._found, value)
        self.leaks.keep(made)
        return made

    def _found(self, found: re.Match[str]) -> str:
        return self.replace(found.lastgroup or "", found[0])


# -------------------------------------------------------------- what rules do


def _arn(redactor: Redactor, value: str, _: str) -> str:
    found = _ARN.fullmatch(value)
    if found is None:
        return redactor.replace("identifier", value)
    partition, service, region, account, resource = found.groups()
    head = [
        part if part in _words() or _REGION.fullmatch(part) else _part(redactor, part)
        for part in (partition, service, region)
    ]
    if _ACCOUNT.fullmatch(account):
        account = redactor.replace("account", account)
    elif account not in _words():
        account = _part(redactor, account)
    parts = re.split(r"([/:])", resource)
    return ":".join(["arn", *head, account, "".join(_part(redactor, p) for p in parts)])


def _part(redactor: Redactor, part: str) -> str:
    if part in _words() or part in "/:":
        return part
    if part.startswith(_SERVICE_ROLE):
        rest = part.removeprefix(_SERVICE_ROLE)
        return _SERVICE_ROLE + (rest and f"_{redactor.pseudonyms.letters(rest)}")
    return redactor.replace("identifier", part)


def _is_service_role(part: str) -> bool:
    rest = part.removeprefix(_SERVICE_ROLE).removeprefix("_")
    return part.startswith(_SERVICE_ROLE) and (not rest or bool(SHAPE.fullmatch(rest)))


def _field_id(redactor: Redactor, value: str, _: str) -> str:
    item, dot, member = value.partition(".")
    if value in ITEM_MEMBERS or not dot:
        return redactor.replace("identifier", value)
    item = item if item in _words() else redactor.pseudonyms.letters(item, 8)
    return f"{item}.{redactor.pseudonyms.letters(member, 8)}"


def _identifier(redactor: Redactor, value: str, _: str) -> str:
    if value in FIELDS or value in ITEM_MEMBERS:
        return value
    return redactor.pseudonyms.identifier(value)


def _file_name(redactor: Redactor, value: str, label: str) -> str:
    ending = _ENDING.search(value)
    return f"{label} {redactor.pseudonyms.number(value)}" + (
        ending[0].lower() if ending else ""
    )


def _person(redactor: Redactor, value: str, label: str) -> str:
    if label.startswith(_FIRST):
        return "Agent"
    if label.startswith(_LAST):  # of the person whose username is known
        return redactor.pseudonyms.number(label.removeprefix(_LAST) or value)
    return f"agent-{redactor.pseudonyms.number(value)}"


def _text(redactor: Redactor, value: str, label: str) -> str:
    return redactor.free_text(value, label)


def _labelled(redactor: Redactor, value: str, label: str) -> str:
    return redactor.pseudonyms.labelled(label, value)


def _word(redactor: Redactor, value: str, _: str) -> str:
    stays = value in _words() or _REGION.fullmatch(value)
    return value if stays else redactor.replace("unknown", value)


REPLACE: dict[str, Callable[[Redactor, str, str], str]] = {
    "identifier": _identifier,
    "field_id": _field_id,
    "arn": _arn,
    "account": lambda r, value, _: r.pseudonyms.account(value),
    "person": _person,
    "email": lambda r, value, _: f"{r.pseudonyms.number(value)}@example.invalid",
    "phone": _labelled,
    "custom_entity": _labelled,
    "domain_name": _labelled,
    "queue_name": _labelled,
    "search_term": _labelled,
    "template_name": _labelled,
    "field_name": _labelled,
    "name": _labelled,
    "option": _labelled,
    "value": _text,
    "text": _text,
    "file_name": _file_name,
    "tag": _labelled,
    "token": lambda r, value, _: r.pseudonyms.letters(value, 32),
    "time": lambda r, value, _: r.time(value) or r.replace("unknown", value),
    "word": _word,
    "unknown": lambda r, value, _: r.pseudonyms.letters(value, 12),
}
"""What each rule makes of a text."""

# ------------------------------------------------------------ walks of the model


def _unknown(redactor: Redactor, value: Any, at: _Context) -> Any:
    match value:
        case dict():
            return {
                key if key in _words() else redactor.replace("unknown", key): _unknown(
                    redactor, inner, at
                )
                for key, inner in value.items()
            }
        case list():
            return [_unknown(redactor, inner, at) for inner in value]
        case str():
            return redactor.replace("unknown", value)
        case None:
            return None
        case bool():
            return False
    return 0


def _number(redactor: Redactor, value: Any, at: _Context) -> Any:
    if isinstance(value, bool) or (
        isinstance(value, (int, float)) and math.isfinite(value)
    ):
        return value
    if value in ("NaN", "Infinity", "-Infinity", "true", "false"):
        return value
    return _unknown(redactor, value, at)


def _timestamp(redactor: Redactor, value: Any, at: _Context) -> Any:
    if isinstance(value, str) and value:
        return redactor.replace("time", value)
    moved = redactor.time(value)
    return _unknown(redactor, value, at) if moved is None else moved


def _by_rule(rule: str, shape: str, words: frozenset[str]) -> _Walk:
    def walk(redactor: Redactor, value: Any, at: _Context) -> Any:
        if not isinstance(value, str):
            return _unknown(redactor, value, at)
        if value in words:
            return value
        if shape in _NAMES:
            return redactor.replace(rule, value, f"{_NAMES[shape]}{at.person}")
        if shape in VALUE_SHAPES or shape in {"FieldOptionValue", "Value"}:
            return redactor.field_value(at.field_id, value)
        if shape == "FieldOptionName":
            return redactor.option_name(at.field_id, value)
        if shape == "FieldName":
            return redactor.field_name(at.field_id, value)
        return redactor.replace(rule, value, LABELS.get(shape, ""))

    return walk


def _is_own_name(field_id: str, name: str) -> bool:
    return field_id in FIELDS and name.casefold().replace(" ", "_") == field_id


def _walk(shape: Shape, member: str, above: tuple[str, ...] = ()) -> _Walk:
    """Return what redacts a value of `shape`."""
    name = shape.name
    if name in above:

        def later(redactor: Redactor, value: Any, at: _Context) -> Any:
            return _deeper(shape, member)(redactor, value, at)

        return later
    above = (*above, name)
    match shape.type_name:
        case "structure":
            return _structure(shape, above)
        case "list":
            each = _walk(shape.member, member, above)  # type: ignore[attr-defined]
            return lambda redactor, value, at: (
                [None if v is None else each(redactor, v, at) for v in value]
                if isinstance(value, list)
                else _unknown(redactor, value, at)
            )
        case "map":
            key = _walk(shape.key, member, above)  # type: ignore[attr-defined]
            inner = _walk(shape.value, member, above)  # type: ignore[attr-defined]
            return lambda redactor, value, at: (
                {key(redactor, k, at): inner(redactor, v, at) for k, v in value.items()}
                if isinstance(value, dict)
                else _unknown(redactor, value, at)
            )
        case "boolean" | "integer" | "long" | "float" | "double":
            return _number
        case "timestamp":
            return _timestamp
        case "string":
            rule = BY_SHAPE.get(name) or BY_MEMBER.get(member, "unknown")
            words = frozenset(getattr(shape, "enum", ()))
            return _by_rule("word" if words else rule, name, words)
    return _unknown


@cache
def _deeper(shape: Shape, member: str) -> _Walk:
    return _walk(shape, member)


def _structure(shape: Shape, above: tuple[str, ...]) -> _Walk:
    found = shape.members  # type: ignore[attr-defined]
    walks = {
        inner.serialization.get("name", name): _walk(inner, name, above)
        for name, inner in found.items()
    }
    of_field = [
        n for n, s in found.items() if s.name in {"FieldId", "AuditEventFieldId"}
    ]
    of_person = "Username" in found

    def walk(redactor: Redactor, value: Any, at: _Context) -> Any:
        if not isinstance(value, dict):
            return _unknown(redactor, value, at)
        if of_field and isinstance(value.get(of_field[0]), str):
            at = _Context(value[of_field[0]], at.person)
        if of_person and isinstance(value.get("Username"), str):
            at = _Context(at.field_id, value["Username"])
        made = {}
        for name, inner in value.items():
            known = walks.get(name)
            if known is None:
                made[redactor.replace("unknown", name)] = _unknown(redactor, inner, at)
            else:
                made[name] = None if inner is None else known(redactor, inner, at)
        return made

    return walk


# ------------------------------------------------------------------- the model


@cache
def _models() -> dict[str, ServiceModel]:
    session = botocore.session.Session()
    return {name: session.get_service_model(name) for name in _SERVICES}


@cache
def _words() -> frozenset[str]:
    """Return the words of the operations that read, and those of our own."""
    found = set(WORDS)

    def read(shape: Shape | None, above: tuple[str, ...]) -> None:
        if shape is None or shape.name in above:
            return
        above = (*above, shape.name)
        found.update(getattr(shape, "enum", ()))
        for name, inner in getattr(shape, "members", {}).items():
            found.update({name, inner.serialization.get("name", name)})
            read(inner, above)
        read(getattr(shape, "member", None), above)
        read(getattr(shape, "value", None), above)

    for service, model in _models().items():
        for name in model.operation_names:
            if service == "connectcases" or name in _OF_CONNECT:
                operation = model.operation_model(name)
                found.add(name)
                found.update(operation.http["requestUri"].split("?")[0].split("/"))
                read(operation.input_shape, ())
                read(operation.output_shape, ())
        for shape in model.error_shapes:
            found.add(shape.name)
            read(shape, ())
    return frozenset(found)


_OF_CONNECT = frozenset(
    {
        *("ListInstances", "ListIntegrationAssociations", "ListQueues", "ListUsers"),
        *("SearchUsers", "DescribeUser", "DescribeQueue", "DescribeInstance"),
    }
)
"""The operations of Connect that casesnb asks, and those near them."""


@cache
def _operation(service: str, name: str) -> OperationModel | None:
    model = _models().get(service)
    known = model is not None and name in model.operation_names
    return model.operation_model(name) if known and model else None


@cache
def _walk_of(service: str, operation: OperationModel | None, way: str) -> _Walk:
    if way == "error":
        walks = {
            name: _walk(inner, name)
            for shape in (_models()[service].error_shapes if operation else ())
            for name, inner in shape.members.items()  # type: ignore[attr-defined]
        }
        as_text = _by_rule("text", "Message", frozenset())
        as_word = _by_rule("word", "", frozenset())
        walks |= {"message": as_text, "Message": as_text}
        walks |= {"__type": as_word, "code": as_word, "Code": as_word}

        def error(redactor: Redactor, value: Any, at: _Context) -> Any:
            if not isinstance(value, dict):
                return _unknown(redactor, value, at)
            return {
                name if name in walks else redactor.replace("unknown", name): (
                    None
                    if inner is None
                    else walks.get(name, _unknown)(redactor, inner, at)
                )
                for name, inner in value.items()
            }

        return error
    shape = getattr(operation, f"{way}_shape", None)
    return _unknown if shape is None else _walk(shape, "")


@cache
def _query_walks(operation: OperationModel | None) -> dict[str, _Walk]:
    shape = operation.input_shape if operation else None
    found = {}
    for name, inner in getattr(shape, "members", {}).items():
        if inner.serialization.get("location") == "querystring":
            one = inner.member if inner.type_name == "list" else inner
            found[inner.serialization.get("name", name)] = _walk(one, name)
    return found


@cache
def _uri(
    operation: OperationModel | None,
) -> tuple[re.Pattern[str] | None, tuple[tuple[str, _Walk], ...]]:
    """Return what reads an operation's path, and what redacts each of its members."""
    if operation is None:
        return None, ()
    template = operation.http["requestUri"].partition("?")[0]
    of_uri = {
        inner.serialization.get("name", name): (name, _walk(inner, name))
        for name, inner in getattr(operation.input_shape, "members", {}).items()
    }
    pieces = re.split(r"\{([^}+]+)\+?\}", template)
    pattern = "".join(
        "([^/]+)" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )
    return re.compile(pattern), tuple(of_uri[name] for name in pieces[1::2])


def _match(
    operation: OperationModel | None, path: str
) -> tuple[re.Match[str] | None, tuple[tuple[str, _Walk], ...]]:
    pattern, members = _uri(operation)
    return pattern.fullmatch(path) if pattern else None, members


def _in_path(operation: OperationModel | None, request: Request) -> _Context:
    """Return what a request's path says of the values in its answer."""
    found, members = _match(operation, request.path)
    names = [member for member, _ in members]
    if found is None or "fieldId" not in names:
        return _Context()
    return _Context(field_id=unquote(found[names.index("fieldId") + 1]))
