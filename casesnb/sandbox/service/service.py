"""The simulated service: pure, a world and a request in, an answer's bytes out.

Amazon Connect Cases' read operations, and those of Amazon Connect that give names.
Every request and every answer is held against botocore's own service model.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from casesnb.sandbox.contact_centre import to_ms
from casesnb.sandbox.randomness import as_uuid, digest
from casesnb.sandbox.service import cases as cases_answers
from casesnb.sandbox.service import connect as connect_answers
from casesnb.sandbox.service.cases import ORDERS, CasesAnswers
from casesnb.sandbox.service.connect import ConnectAnswers
from casesnb.sandbox.service.model import shapes
from casesnb.sandbox.service.requests import Asked, ServiceError
from casesnb.wire.responder import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from casesnb.sandbox.service.source import Source
    from casesnb.wire.responder import Request

_ANSWERS_KEPT = 4096


class Service:
    """Answers requests about a world as Amazon Connect Cases would."""

    def __init__(self, world: Source, *, order: str = ORDERS[0]) -> None:
        self.world = world
        self.order = order
        self._answers = _answers(world, order)
        self._now = to_ms(world.now)
        self._date = format_datetime(world.now.replace(microsecond=0), usegmt=True)
        self._kept: OrderedDict[object, bytes] = OrderedDict()

    @property
    def provenance(self) -> dict[str, Any]:
        """Where answers come from, for manifests."""
        return {**self.world.provenance, "order": self.order}

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        kept = self._kept.get(request)
        if kept is not None:
            return self._response(request, 200, kept)
        model = shapes(request.service)
        operation = model.operation(request.method, request.path)
        try:
            if operation is None:
                raise ServiceError(
                    "UnknownOperationException",
                    f"{request.method} {request.path} is no operation.",
                )
            answer = self._answers.get((request.service, operation))
            if answer is None:
                raise ServiceError(
                    "AccessDeniedException",
                    f"User: anonymous is not authorized to perform: {operation}. The "
                    "simulated service answers read operations only.",
                )
            asked, wrong = model.read(operation, request)
            if wrong:
                raise ServiceError("ValidationException", " ".join(wrong))
            found = answer(Asked(self.world.seed, request.service, operation, asked))
        except ServiceError as error:
            refusal = model.refusal(operation, error.code, **error.members)
            headers = {"x-amzn-errortype": refusal.code, **refusal.headers}
            body = _json(refusal.body)
            return self._response(request, refusal.status, body, headers)
        wrong = model.wrong(str(operation), found)
        if wrong:
            raise AssertionError(f"The sandbox's answer to {request} is wrong: {wrong}")
        body = _json(found)
        self._keep(request, body)
        return self._response(request, 200, body)

    def error(
        self, request: Request, code: str, message: str, **members: Any
    ) -> Response:
        """Return an error as the service would send it."""
        model = shapes(request.service)
        operation = model.operation(request.method, request.path)
        refusal = model.refusal(operation, code, message=message, **members)
        headers = {"x-amzn-errortype": refusal.code, **refusal.headers}
        return self._response(request, refusal.status, _json(refusal.body), headers)

    def _response(
        self,
        request: Request,
        status: int,
        body: bytes,
        more: Mapping[str, str] | None = None,
    ) -> Response:
        asked = as_uuid(digest(self.world.seed, self._now, request.path, request.body))
        headers = {
            "content-type": "application/json",
            "date": self._date,
            "x-amzn-requestid": asked,
        }
        return Response(status, headers | dict(more or {}), body)

    def _keep(self, request: Request, body: bytes) -> None:
        self._kept[request] = body
        if len(self._kept) > _ANSWERS_KEPT:
            self._kept.popitem(last=False)

    def place(self, request: Request) -> int:
        """Return how many items of its listing came before a page."""
        return self._asked(request).place()

    def token(self, request: Request, place: int, *, copy: int = 0) -> str:
        """Return a token by which a request's listing goes on from a place."""
        return self._asked(request).token(place, copy=copy)

    def _asked(self, request: Request) -> Asked:
        model = shapes(request.service)
        operation = str(model.operation(request.method, request.path))
        members, _ = model.read(operation, request)
        return Asked(self.world.seed, request.service, operation, members)


def _answers(
    world: Source, order: str
) -> dict[tuple[str, str], Callable[[Asked], dict[str, Any]]]:
    """Return what answers each operation, by service and name."""
    cases, connect = CasesAnswers(world, order), ConnectAnswers(world)
    return {
        **{
            ("connectcases", name): partial(answer, cases)
            for name, answer in cases_answers.ANSWERS.items()
        },
        **{
            ("connect", name): partial(answer, connect)
            for name, answer in connect_answers.ANSWERS.items()
        },
    }


OPERATIONS = (
    *(("connectcases", name) for name in cases_answers.ANSWERS),
    *(("connect", name) for name in connect_answers.ANSWERS),
)
"""The operations that are answered, by service and name."""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
