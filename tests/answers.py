"""Small responders for tests: answers by operation, pages by token, plain clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import casesnb as cn

DATE = "Mon, 02 Mar 2026 12:00:00 GMT"


def event(number: int, **members: Any) -> dict[str, Any]:
    """One audit event, a minute after the one before it."""
    hour, minute = divmod(number, 60)
    return {
        "eventId": f"e{number}",
        "type": "Case.Updated" if number else "Case.Created",
        "performedTime": f"2026-03-{1 + hour // 24:02}T{hour % 24:02}:{minute:02}:00Z",
        "fields": [
            {
                "eventFieldId": "title",
                "oldValue": {"stringValue": f"t{number - 1}"},
                "newValue": {"stringValue": f"t{number}"},
            }
        ],
        "performedBy": {"iamPrincipalArn": "arn:aws:iam::111122223333:role/desk"},
        **members,
    }


def reply(value: Any, status: int = 200, **headers: str) -> cn.raw.Response:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    named = {"content-type": "application/json", "date": DATE, **headers}
    return cn.raw.Response(status, named, body)


class Pages:
    """Answers the audit call with `events`, page by page, and keeps what was asked."""

    def __init__(self, events: list[Any], *, newest_first: bool = False) -> None:
        self.events = events[::-1] if newest_first else events
        self.asked: list[cn.raw.Request] = []

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        self.asked.append(request)
        body = json.loads(request.body or b"{}")
        start = int(body.get("nextToken", "from-0").removeprefix("from-"))
        stop = start + body.get("maxResults", 25)
        answer: dict[str, Any] = {"auditEvents": self.events[start:stop]}
        if stop < len(self.events):
            answer["nextToken"] = f"from-{stop}"
        return reply(answer)


@cache
def _one_client() -> Any:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        return _ANSWERING[0](request)

    return cn.connect(answer)


_ANSWERING: list[Callable[[cn.raw.Request], cn.raw.Response]] = []


def asking(answer: Callable[[cn.raw.Request], cn.raw.Response]) -> Any:
    """Return the one client, now answered by `answer`: a new one takes longer."""
    _ANSWERING[:] = [answer]
    return _one_client()


@contextmanager
def over_http(answer: Callable[[cn.raw.Request], cn.raw.Response]) -> Iterator[str]:
    """Serve `answer` on loopback for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            size = int(self.headers.get("content-length", 0))
            tail = url.path.rpartition("/")[2]
            name = {
                "audit-history": "GetCaseAuditEvents",
                "domains-list": "ListDomains",
            }
            request = cn.raw.Request(
                name.get(tail, tail), "POST", url.path, url.query, self.rfile.read(size)
            )
            response = answer(request)
            self.send_response_only(response.status)
            for key, value in response.headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
