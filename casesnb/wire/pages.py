"""Pages as raw bytes: the one loop on ``nextToken`` that serves every list call.

botocore's parser loses what it does not know, turns half a page into an empty
one and spends most of a page's time; so the body is taken before it is parsed.
Signing, retries and errors stay botocore's, for any client.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import weakref
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore import xform_name

from casesnb.wire.advice import LOCKED_OUT, advise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from casesnb.wire.client import Client


class PageError(ValueError):
    """An answer that is not a whole page: the load stops rather than fall short."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, its bytes as they came, and the call that earned it.

    Parameters
    ----------
    operation : str
        The operation, such as ``"GetCaseAuditEvents"``.
    params : Mapping
        The call's parameters, the token among them.
    number : int
        The page's place in its listing, from 0.
    body : bytes
        The body as it came.
    next_token : str or None
        The token of the next page; None at the end.
    date : str or None
        The service's own clock, from the answer's ``Date`` header.
    retries : int
        How often botocore asked again.
    throttles : int
        How many of the answers said that we ask too fast.
    """

    operation: str
    params: Mapping[str, Any]
    number: int
    body: bytes
    next_token: str | None = None
    date: str | None = None
    retries: int = 0
    throttles: int = 0

    def items(self, member: str) -> list[Any]:
        """Return the page's list, null items and all.

        Parameters
        ----------
        member : str
            The answer's member that holds the list.

        Returns
        -------
        list
            The items as JSON gives them.

        Raises
        ------
        PageError
            If the answer holds no such list.
        """
        items = json.loads(self.body).get(member)
        if not isinstance(items, list):
            raise PageError(f"{self} holds no list of {member}. Load it again.")
        return items

    @property
    def sent_at(self) -> dt.datetime | None:
        """When the service sent it, UTC; None where it did not say so readably."""
        try:
            sent = parsedate_to_datetime(self.date or "")
        except ValueError:
            return None
        return sent.replace(tzinfo=sent.tzinfo or dt.UTC).astimezone(dt.UTC)

    def __str__(self) -> str:
        """Name the page for a person: what was asked, which page, with which token."""
        token = self.params.get("nextToken") or self.params.get("NextToken")
        about = ", ".join(
            f"{name} {value}"
            for name, value in self.params.items()
            if name.endswith("Id") and isinstance(value, str)
        )
        earned = f" (token {_short(token)})" if token else ""
        return (
            f"{self.operation} page {self.number + 1}{earned} of {about or 'the list'}"
        )


class _Envelope(msgspec.Struct):
    nextToken: str | None = None  # noqa: N815 - AWS's name
    NextToken: str | None = None  # in the service that names users and queues


class _Capture(threading.local):
    """What the hook saw during this thread's call, and what ends its asking."""

    seen: dict[str, Any] | None = None
    stop: threading.Event | None = None


_capture = _Capture()
_hooked: weakref.WeakSet[Any] = weakref.WeakSet()
_hook_lock = threading.Lock()
_envelope = msgspec.json.Decoder(_Envelope)


class LoadStopped(Exception):  # noqa: N818 - nobody's error: the load was told to stop
    """A request that was not sent, since its load had been stopped."""


def ask_until(stop: threading.Event) -> None:
    """Let this thread send no request, and no retry of one, once `stop` is set."""
    _capture.stop = stop


def iter_pages(client: Client, operation: str, /, **params: Any) -> Iterator[Page]:
    """Yield every page of a listing, following ``nextToken`` to its end."""
    seen: set[str] = set()
    page = ask(client, operation, params)
    yield page
    named = _token_name(client, operation)
    while page.next_token:
        if page.next_token in seen:
            raise PageError(
                f"The service sent one token twice, last with {page}, so the listing "
                "has no end. Load it again from the first page."
            )
        seen.add(page.next_token)
        page = ask(
            client, operation, {**params, named: page.next_token}, page.number + 1
        )
        yield page


def _token_name(client: Client, operation: str) -> str:
    meta = getattr(client, "meta", None)
    if meta is None:
        return "nextToken"
    asked = meta.service_model.operation_model(operation).input_shape
    return "NextToken" if "NextToken" in asked.members else "nextToken"


def ask(
    client: Client, operation: str, params: Mapping[str, Any], number: int = 0
) -> Page:
    """Make one call and return its answer as raw bytes."""
    method = getattr(client, xform_name(operation), None)
    if method is None:
        raise TypeError(
            f"{type(client).__name__} is no boto3 client that can {operation}. Give "
            "what cn.connect(...) returns."
        )
    _hook(client)
    seen: dict[str, Any] = {}
    _capture.seen = seen
    try:
        parsed = method(**params)
    except Exception as error:
        # It stays boto3's own error; its traceback tells which page it was about.
        asked = Page(operation, params, number, b"")
        error.add_note(f"casesnb was asking for {asked}.")
        advise(error)
        raise
    finally:
        _capture.seen = None
    # A client that answers without HTTP (a Stubber, a fake) has only the parsed form.
    body = seen["body"] if "body" in seen else as_body(parsed)
    page = Page(
        operation,
        params,
        number,
        body,
        date=seen.get("date"),
        retries=parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0),
        throttles=seen.get("throttles", 0),
    )
    try:
        token = _token(body)
    except (ValueError, RecursionError) as error:
        raise PageError(
            f"{page} is not whole JSON ({error}). Something between you and the "
            "service cut or replaced it: load it again."
        ) from error
    return replace(page, next_token=token)


def _token(body: bytes) -> str | None:
    try:
        envelope = _envelope.decode(body)
    except ValueError:
        # Python takes what msgspec does not: half of a surrogate pair.
        envelope = msgspec.convert(
            json.loads(body, parse_constant=_refused), type=_Envelope
        )
    return envelope.nextToken or envelope.NextToken or None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def error_code(error: BaseException) -> str:
    """Return an error's name as AWS gives it, or as Python does."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)


def is_locked_out(error: BaseException) -> bool:
    """Return whether no other request would be answered either, until one signs in."""
    return error_code(error) in LOCKED_OUT


def _hook(client: Client) -> None:
    """Watch `client`'s answers, once, if it has events to watch."""
    if client in _hooked:
        return
    with _hook_lock:
        meta = getattr(client, "meta", None)
        if meta is not None and client not in _hooked:
            service = meta.service_model.service_id.hyphenize()
            meta.events.register(f"before-parse.{service}", _take_body)
            # Retries are signed again, and pacing has waited by then.
            meta.events.register_last(f"before-sign.{service}", _refuse_if_stopped)
            _hooked.add(client)


def _refuse_if_stopped(**_: Any) -> None:
    if _capture.stop is not None and _capture.stop.is_set():
        raise LoadStopped


def _take_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    seen = _capture.seen
    if seen is None:  # somebody else's call on the same client
        return
    status = response_dict["status_code"]
    if status == 429:
        seen["throttles"] = seen.get("throttles", 0) + 1
    if status < 300:
        seen["body"] = response_dict["body"]
        seen["date"] = response_dict["headers"].get("date")
        response_dict["body"] = b"{}"


def as_body(parsed: Mapping[str, Any]) -> bytes:
    """Return an answer that boto3 has parsed as the JSON it may have come from."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if "SDK_UNKNOWN_MEMBER" in value:
                return {value["SDK_UNKNOWN_MEMBER"]["name"]: {}}
            return {k: plain(v) for k, v in value.items() if k != "ResponseMetadata"}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dt.datetime):
            return value.isoformat()
        return value

    return json.dumps(plain(dict(parsed)), ensure_ascii=False).encode()


def _short(text: str, width: int = 24) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
