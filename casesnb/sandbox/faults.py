"""What can go wrong on the wire, each by its name, so that it can be rehearsed."""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import cycle
from typing import TYPE_CHECKING, Any

from casesnb.sandbox.randomness import Dice
from casesnb.wire.responder import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from casesnb.sandbox.service.service import Service
    from casesnb.wire.responder import Request

FAULTS = {
    "throttle": "429 ThrottlingException",
    "error_500": "500 InternalServerException",
    "error_500_retry_after": "500 InternalServerException with Retry-After: 1",
    "error_503": "503 from something in between, not JSON",
    "signed_out": "403 ExpiredTokenException: the credentials are too old",
    "refused": "the connection is cut, and for a moment none is accepted",
    "reset": "the connection is reset in the middle of the body",
    "stalled": "half of the body comes, then nothing",
    "dripping": "half of the body comes, then a byte at a time without an end",
    "truncated": "200 with half of the JSON",
    "not_json": "200 with a page of HTML",
    "other_json": "200 with the JSON of something in between",
    "compressed": "200 with a compressed body, which nobody asked for",
    "empty_page": "no event, and a token",
    "short_page": "fewer events than asked for, and a token",
    "repeated_token": "the token that was sent comes back",
    "endless_tokens": "a new token, by which the same page comes again",
    "expired_token": "400: the token is too old",
    "page_drift": "the page begins with the last event of the page before",
    "null_event": "a null among the events",
    "null_field": "a null among an event's fields",
    "null_member": "a member that is null rather than absent",
    "unknown_value": "a value of a kind that nobody knows yet",
    "two_values": "a value of two kinds at once",
    "unknown_event_type": "an event of a type that nobody knows yet",
    "unknown_item_type": "a related item of a type that nobody knows yet",
    "extra_members": "members that nobody knows yet",
    "epoch_times": "times as seconds since 1970",
    "offset_times": "times with an offset from UTC",
    "nanosecond_times": "times to the nanosecond",
}
"""Every fault and what it does."""

ON_THE_WIRE = frozenset({"refused", "reset", "stalled", "dripping"})
"""The faults that only a server can make, since no answer holds them."""

_AUDIT = "GetCaseAuditEvents"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: which, how often at most, and how likely.

    Parameters
    ----------
    name : str
        One of `FAULTS`.
    count : int or None, default 1
        How often at most; None is without end.
    probability : float, default 1.0
        How likely on each request that it could strike.
    operation : str or None, default "GetCaseAuditEvents"
        The operation that it strikes; None is any.

    Raises
    ------
    ValueError
        If there is no such fault, or a number is out of range.

    Examples
    --------
    >>> Fault.parse("throttle:5:0.5")
    Fault(name='throttle', count=5, probability=0.5, operation='GetCaseAuditEvents')
    """

    name: str
    count: int | None = 1
    probability: float = 1.0
    operation: str | None = _AUDIT

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(
                f"{self.name!r} is no fault. There are: {', '.join(FAULTS)}."
            )
        if (self.count is not None and self.count < 0) or not (
            0 <= self.probability <= 1
        ):
            raise ValueError(
                f"count={self.count}, probability={self.probability}: give a count "
                "from 0 and a probability from 0 to 1."
            )

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault as the command line writes it.

        Parameters
        ----------
        text : str
            ``name``, ``name:count`` or ``name:count:probability``; a count of
            ``always`` is without end.

        Returns
        -------
        Fault
            The fault.

        Raises
        ------
        ValueError
            If it cannot be read.
        """
        name, _, rest = text.partition(":")
        count, _, probability = rest.partition(":")
        try:
            often = None if count == "always" else int(count or 1)
            likely = float(probability or 1)
        except ValueError:
            raise ValueError(
                f"{text!r} is not NAME[:COUNT[:PROBABILITY]]. Give a whole number or "
                "'always', and a number from 0 to 1."
            ) from None
        return cls(name, often, likely)


class Faulty:
    """A service that breaks on purpose, as it is told to.

    Parameters
    ----------
    service : Service
        The service underneath.
    faults : iterable of Fault
        What goes wrong; the first that can strike a request does.

    Examples
    --------
    >>> from casesnb.sandbox import World
    >>> from casesnb.wire.responder import Request
    >>> broken = Faulty(World(seed=7).service(), [Fault("throttle", operation=None)])
    >>> asked = Request("ListDomains", "POST", "/domains-list")
    >>> broken(asked).status, broken(asked).status
    (429, 200)
    """

    def __init__(self, service: Service, faults: Iterable[Fault]) -> None:
        self.service = service
        self.faults = tuple(faults)
        self.struck: list[str] = []
        self._left = [fault.count for fault in self.faults]
        self._dice = Dice(service.world.seed, "faults")
        self._lock = threading.Lock()

    @property
    def provenance(self) -> dict[str, Any]:
        """Where answers come from, for manifests."""
        names = [fault.name for fault in self.faults]
        return {**self.service.provenance, "faults": names}

    def __call__(self, request: Request) -> Response:
        """Answer one request, or fail to.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        Response
            The answer, broken if a fault struck.

        Raises
        ------
        ConnectionError
            Where a server would have cut the connection.
        """
        response, struck = self.answer(request)
        if struck in ON_THE_WIRE:
            raise ConnectionError(f"The sandbox's fault {struck!r} struck.")
        return response

    def answer(self, request: Request) -> tuple[Response, str | None]:
        """Answer one request, and name the fault that struck it.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        response : Response
            The answer, broken unless the fault is one of `ON_THE_WIRE`.
        struck : str or None
            The fault's name.
        """
        response = self.service(request)
        if not self.faults:
            return response, None
        for i, fault in enumerate(self.faults):
            if fault.operation not in (None, request.operation):
                continue
            with self._lock:
                if self._left[i] == 0 or not self._dice.chance(fault.probability):
                    continue
                broken = (
                    response
                    if fault.name in ON_THE_WIRE
                    else _BREAKS[fault.name](self.service, request, response)
                )
                if broken is None:
                    continue
                left = self._left[i]
                self._left[i] = None if left is None else left - 1
                self.struck.append(fault.name)
            return broken, fault.name
        return response, None


def _throttle(service: Service, request: Request, _: Response) -> Response:
    return service.error(request, "ThrottlingException", "Rate exceeded")


def _error_500(service: Service, request: Request, _: Response) -> Response:
    return service.error(request, "InternalServerException", "Internal error")


def _error_500_later(service: Service, request: Request, _: Response) -> Response:
    return service.error(
        request, "InternalServerException", "Internal error", retryAfterSeconds=1
    )


def _error_503(_: Service, __: Request, response: Response) -> Response:
    headers = {**response.headers, "content-type": "text/html"}
    return Response(503, headers, b"<html><body>Service Unavailable</body></html>")


def _signed_out(_: Service, __: Request, response: Response) -> Response:
    code = "ExpiredTokenException"  # of no operation, so the model does not know it
    body = b'{"message":"The security token included in the request is expired"}'
    return Response(403, {**response.headers, "x-amzn-errortype": code}, body)


def _truncated(_: Service, __: Request, response: Response) -> Response | None:
    if response.status != 200:
        return None
    return Response(200, response.headers, response.body[: len(response.body) // 2])


def _not_json(_: Service, __: Request, response: Response) -> Response:
    headers = {**response.headers, "content-type": "text/html"}
    return Response(200, headers, b"<html><body>Sign in to the network</body></html>")


def _other_json(_: Service, __: Request, response: Response) -> Response:
    return Response(200, response.headers, b'{"status":"ok"}')


def _compressed(_: Service, __: Request, response: Response) -> Response | None:
    if response.status != 200:
        return None
    return Response(200, response.headers, gzip.compress(response.body))


def _empty_page(
    service: Service, request: Request, response: Response
) -> Response | None:
    def empty(page: dict[str, Any]) -> bool:
        place = service.place(request)
        page["auditEvents"] = []
        page["nextToken"] = service.token(request, place, copy=1)
        return True

    return _edited(response, empty)


def _short_page(
    service: Service, request: Request, response: Response
) -> Response | None:
    def shorten(page: dict[str, Any]) -> bool:
        kept = len(page["auditEvents"]) // 2
        if not kept:
            return False
        del page["auditEvents"][kept:]
        page["nextToken"] = service.token(request, service.place(request) + kept)
        return True

    return _edited(response, shorten)


def _repeated_token(
    _: Service, request: Request, response: Response
) -> Response | None:
    def repeat(page: dict[str, Any]) -> bool:
        sent = json.loads(request.body or b"{}").get("nextToken")
        if sent:
            page["nextToken"] = sent
        return bool(sent)

    return _edited(response, repeat)


def _endless_tokens(
    service: Service, request: Request, response: Response
) -> Response | None:
    def go_on(page: dict[str, Any]) -> bool:
        place = service.place(request)
        page["nextToken"] = service.token(request, place, copy=next(_copies))
        return True

    return _edited(response, go_on)


_copies = cycle(range(2, 60_000))


def _expired_token(service: Service, request: Request, _: Response) -> Response | None:
    if not json.loads(request.body or b"{}").get("nextToken"):
        return None
    return service.error(request, "ValidationException", "The nextToken has expired.")


def _page_drift(
    service: Service, request: Request, response: Response
) -> Response | None:
    """Answer as if one event had come in since the page before."""
    if response.status != 200 or not (place := service.place(request)):
        return None
    asked = json.loads(request.body)
    asked["nextToken"] = service.token(request, place - 1)
    return service(replace(request, body=json.dumps(asked).encode()))


def _each_event(edit: Callable[[dict[str, Any]], bool]) -> Any:
    """Return a break that edits the first event that it can."""

    def broken(_: Service, __: Request, response: Response) -> Response | None:
        return _edited(
            response, lambda page: any(edit(event) for event in page["auditEvents"])
        )

    return broken


def _every_time(rewrite: Callable[[str], object]) -> Any:
    """Return a break that writes every time of a page another way."""

    def broken(_: Service, __: Request, response: Response) -> Response | None:
        def edit(page: dict[str, Any]) -> bool:
            for event in page["auditEvents"]:
                event["performedTime"] = rewrite(event["performedTime"])
            return bool(page["auditEvents"])

        return _edited(response, edit)

    return broken


def _null_event(page: dict[str, Any]) -> bool:
    page["auditEvents"].insert(len(page["auditEvents"]) // 2, None)
    return True


def _null_field(event: dict[str, Any]) -> bool:
    event["fields"].append(None)
    return True


def _null_member(event: dict[str, Any]) -> bool:
    if "mergeMetadata" in event:
        return False
    event["mergeMetadata"] = None
    return True


def _value(union: Mapping[str, Any]) -> Callable[[dict[str, Any]], bool]:
    def edit(event: dict[str, Any]) -> bool:
        event["fields"].append({"eventFieldId": "sandbox-odd", "newValue": dict(union)})
        return True

    return edit


def _event_type(event: dict[str, Any]) -> bool:
    event["type"] = "Case.Pondered"
    return True


def _item_type(event: dict[str, Any]) -> bool:
    if "relatedItemType" in event:
        event["relatedItemType"] = "WorkPlan"
    return "relatedItemType" in event


def _extra_members(event: dict[str, Any]) -> bool:
    event["reviewedBy"] = {"name": "nobody yet"}
    return True


def _edited(
    response: Response, edit: Callable[[dict[str, Any]], bool]
) -> Response | None:
    """Return an audit page after `edit`, or None where there was nothing to edit."""
    if response.status != 200:
        return None
    page = json.loads(response.body)
    if "auditEvents" not in page or not edit(page):
        return None
    body = json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(200, response.headers, body)


def _epoch(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _offset(time: str) -> str:
    moment = datetime.fromisoformat(time)
    zone = timezone(timedelta(hours=5, minutes=30))
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


_BREAKS: dict[str, Any] = {
    "throttle": _throttle,
    "error_500": _error_500,
    "error_500_retry_after": _error_500_later,
    "error_503": _error_503,
    "signed_out": _signed_out,
    "truncated": _truncated,
    "not_json": _not_json,
    "other_json": _other_json,
    "compressed": _compressed,
    "empty_page": _empty_page,
    "short_page": _short_page,
    "repeated_token": _repeated_token,
    "endless_tokens": _endless_tokens,
    "expired_token": _expired_token,
    "page_drift": _page_drift,
    "null_event": lambda _, __, response: _edited(response, _null_event),
    "null_field": _each_event(_null_field),
    "null_member": _each_event(_null_member),
    "unknown_value": _each_event(_value({"listValue": ["a", "b"]})),
    "two_values": _each_event(_value({"stringValue": "1", "doubleValue": 1.0})),
    "unknown_event_type": _each_event(_event_type),
    "unknown_item_type": _each_event(_item_type),
    "extra_members": _each_event(_extra_members),
    "epoch_times": _every_time(_epoch),
    "offset_times": _every_time(_offset),
    "nanosecond_times": _every_time(lambda time: time[:-1] + "000000Z"),
}
