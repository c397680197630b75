"""The simulated service over HTTP, on loopback, with quotas and faults.

Point any AWS client at it::

    casesnb sandbox --port 8700
    export AWS_ENDPOINT_URL_CONNECTCASES=http://127.0.0.1:8700
    aws connectcases list-domains
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import socket
import struct
import sys
import threading
import time
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from casesnb.sandbox.faults import FAULTS, ON_THE_WIRE, Fault, Faulty
from casesnb.sandbox.service.cases import ORDERS
from casesnb.sandbox.service.model import shapes
from casesnb.wire.address import is_loopback
from casesnb.wire.limits import Quota, quota
from casesnb.wire.responder import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerRequest
    from tornado.iostream import IOStream

    from casesnb.sandbox.world import World

_STALL = 60.0  # seconds that a stalled body keeps its client waiting
_DRIP = 0.05  # seconds between two bytes of one that drips
_REFUSING = 0.8  # seconds without a listening socket


class Buckets:
    """AWS's token buckets, one for each operation."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, share: float = 1.0
    ) -> None:
        self._clock = clock
        self._share = share
        self._left: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, service: str, operation: str) -> bool:
        """Whether a call is within the quota; it counts if it is."""
        allowed: Quota = quota(service, operation)
        now = self._clock()
        left, since = self._left.get((service, operation), (float(allowed.burst), now))
        left = min(
            float(allowed.burst), left + (now - since) * allowed.rate * self._share
        )
        within = left >= 1
        self._left[service, operation] = (left - within, now)
        return within


class SandboxServer:
    """The simulated service over HTTP, for as long as the block lasts.

    On loopback it refuses requests whose ``Host`` names another machine, so that
    no page of a stranger can read it through your browser.

    Parameters
    ----------
    world : World
        The world.
    host : str, default "127.0.0.1"
        The address to listen on: loopback, unless you say otherwise.
    port : int, default 0
        The port; 0 is any that is free.
    order : str, default "newest first"
        How audit events come: see `World.service`.
    quotas : bool or float, default False
        Whether AWS's published quotas apply; a number is a share of them.
    latency : float, default 0
        Seconds before each answer.
    faults : iterable of Fault or str
        What goes wrong: see `casesnb.sandbox.faults.FAULTS`.

    Raises
    ------
    ModuleNotFoundError
        If tornado is not installed.

    Examples
    --------
    >>> import casesnb as cn
    >>> with SandboxServer(cn.sandbox.World(seed=7)) as server:
    ...     client = cn.connect(endpoint_url=server.url)
    ...     len(cn.load_domains(client))
    2
    """

    def __init__(
        self,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        order: str = "newest first",
        quotas: bool | float = False,
        latency: float = 0.0,
        faults: Iterable[Fault | str] = (),
    ) -> None:
        try:
            import tornado.httpserver  # noqa: F401 - or say now that it is missing
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "The sandbox over HTTP needs tornado: pip install tornado. "
                "In this process cn.connect(world) needs nothing."
            ) from None
        if not 0 <= port <= 65_535:
            raise ValueError(
                f"port={port}: give 1 to 65535, or 0 for any that is free."
            )
        if not 0 <= latency < math.inf:
            raise ValueError(f"latency={latency}: give seconds, such as 0.08.")
        if not 0 <= float(quotas) < math.inf:
            raise ValueError(f"quotas={quotas}: give a share of AWS's, such as 0.5.")
        if isinstance(faults, str):
            raise TypeError(
                f"faults={faults!r} is one text. Give several in a list: [{faults!r}]."
            )
        self.world = world
        self.host = host
        self.port = port
        self.n_requests = 0
        self.faulty = Faulty(
            world.service(order=order),
            [
                Fault.parse(fault) if isinstance(fault, str) else fault
                for fault in faults
            ],
        )
        self._buckets = Buckets(share=float(quotas)) if quotas else None
        self._latency = latency
        self._http: HTTPServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stalled: set[Any] = set()
        self._is_refusing = False

    @property
    def url(self) -> str:
        """Where it answers, such as ``http://127.0.0.1:8700``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def struck(self) -> list[str]:
        """The faults that struck so far, by name."""
        return list(self.faulty.struck)

    def __enter__(self) -> Self:
        """Start to listen."""
        started = threading.Event()
        failed: list[BaseException] = []

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            try:
                self._listen()
            except OSError as error:
                failed.append(error)
                return
            finally:
                started.set()
            await self._stop.wait()
            assert self._http is not None  # noqa: S101 - it listens
            self._http.stop()
            for task in self._tasks:
                task.cancel()
            for stream in list(self._stalled):
                stream.close()
            await self._http.close_all_connections()

        self._thread = threading.Thread(
            target=asyncio.run, args=(main(),), name="sandbox", daemon=True
        )
        self._thread.start()
        started.wait()
        if failed:
            self._thread.join()
            raise OSError(
                f"Nothing can listen at {self.url} ({failed[0]}). Give an address of "
                "this machine, such as 127.0.0.1, and another port, or 0 for any."
            ) from failed[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and let go of the port and the thread."""
        assert self._loop is not None  # noqa: S101 - it was entered
        assert self._thread is not None  # noqa: S101
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _listen(self) -> None:
        from tornado.httpserver import HTTPServer

        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.create_server(
            (self.host, self.port), family=family, backlog=256, reuse_port=False
        )
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        self._http = HTTPServer(self._asked)
        self._http.add_socket(listening)

    # ---------------------------------------------------------------- one request

    def _asked(self, http: HTTPServerRequest) -> None:
        self.n_requests += 1
        service, operation = _route(str(http.method), http.path)
        request = Request(
            operation, str(http.method), http.path, http.query, http.body, service
        )
        if is_loopback(self.host) and not _is_asked_here(http.headers.get("host")):
            response = self.faulty.service.error(
                request,
                "AccessDeniedException",
                f"The Host header names another machine. Ask at {self.url}.",
            )
            _send(http, response)
            return
        if self._buckets is not None and not self._buckets.take(service, operation):
            response = self.faulty.service.error(
                request, "ThrottlingException", "Rate exceeded"
            )
            struck = None
        else:
            response, struck = self.faulty.answer(request)
        if not self._latency and struck not in ON_THE_WIRE:
            _send(http, response)
            return
        task = asyncio.ensure_future(self._answer_later(http, response, struck))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(
        self, http: HTTPServerRequest, response: Response, struck: str | None
    ) -> None:
        if self._latency:
            await asyncio.sleep(self._latency)
        if struck in ON_THE_WIRE:
            await self._break(http.connection.stream, response, str(struck))  # type: ignore[union-attr]
        else:
            _send(http, response)

    async def _break(self, stream: IOStream, response: Response, fault: str) -> None:
        """Break the connection itself."""
        from tornado.iostream import StreamClosedError

        if fault == "refused":
            if self._is_refusing:  # two were asked for at the same time
                _reset(stream)
                return
            assert self._http is not None  # noqa: S101 - it listens
            self._is_refusing = True
            self._http.stop()  # first, for whoever is reset may ask again at once
            _reset(stream)
            await self._http.close_all_connections()
            await asyncio.sleep(_REFUSING)
            self._is_refusing = False
            self._listen()
            return
        head = _start_line(response.status) + "".join(
            f"{name}: {value}\r\n" for name, value in response.headers.items()
        )
        n_bytes = sys.maxsize if fault == "dripping" else len(response.body)
        length = f"content-length: {n_bytes}\r\n\r\n"
        half = response.body[: len(response.body) // 2]
        await stream.write(head.encode() + length.encode() + half)
        if fault in {"stalled", "dripping"}:
            self._stalled.add(stream)
            with contextlib.suppress(asyncio.CancelledError, StreamClosedError):
                await (_drip(stream) if fault == "dripping" else asyncio.sleep(_STALL))
            self._stalled.discard(stream)
        _reset(stream)


@lru_cache(maxsize=4096)
def _route(method: str, path: str) -> tuple[str, str]:
    """Return the service and the operation of a path; both APIs share one address."""
    for service in ("connectcases", "connect"):
        operation = shapes(service).operation(method, path)
        if operation is not None:
            return service, operation
    return "connectcases", "Unknown"


def _is_asked_here(host: str | None) -> bool:
    """Whether a Host header names this machine; a client of old may send none."""
    try:
        return host is None or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:  # such as a bracket without its other half
        return False


def _send(http: HTTPServerRequest, response: Response) -> None:
    from tornado.httputil import HTTPHeaders, ResponseStartLine

    connection: Any = http.connection
    headers = HTTPHeaders(
        {**response.headers, "content-length": str(len(response.body))}
    )
    line = ResponseStartLine("HTTP/1.1", response.status, _reason(response.status))
    connection.write_headers(line, headers, response.body)
    connection.finish()


def _start_line(status: int) -> str:
    return f"HTTP/1.1 {status} {_reason(status)}\r\n"


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase


async def _drip(stream: IOStream) -> None:
    while True:
        await stream.write(b" ")
        await asyncio.sleep(_DRIP)


def _reset(stream: IOStream) -> None:
    """Close a connection so that the other side gets a reset, not an end."""
    with contextlib.suppress(OSError, AttributeError):
        stream.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    stream.close()


# -------------------------------------------------------------- the command line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell a parser the arguments of ``casesnb sandbox``."""
    add = parser.add_argument
    add("--port", type=int, default=8700, help="the port; 0 is any that is free")
    add("--host", default="127.0.0.1", help="the address; loopback by default")
    add("--seed", type=int, default=0, help="which world")
    add("--cases", type=int, default=40, help="how many cases it has")
    add("--domains", type=int, default=2, help="how many Cases domains it has")
    add(
        "--order",
        type=_order,
        default="newest",
        help="of events: newest, oldest, mixed",
    )
    add("--quotas", action="store_true", help="keep to AWS's published quotas")
    add("--latency", type=float, default=0.0, help="seconds before each answer")
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:COUNT[:PROBABILITY]]",
        help=f"break on purpose, as often as given: {', '.join(FAULTS)}",
    )


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _order(word: str) -> str:
    for order in ORDERS:
        if word and order.startswith(word):
            return order
    raise argparse.ArgumentTypeError(f"{word!r} is none of newest, oldest and mixed.")


def serve(
    server: SandboxServer,
    *,
    say: Callable[[str], object] = print,
    until: threading.Event | None = None,
) -> None:
    """Serve a world over HTTP until it is interrupted."""
    world = server.world
    with server:
        domain_id, case_id = world.showcase if world.n_cases else ("-", "-")
        reach = (
            "This machine only."
            if is_loopback(server.host)
            else f"ANYBODY WHO REACHES {server.host} CAN ASK. It holds invented data only."
        )
        say(f"A simulated Amazon Connect Cases service (seed {world.seed}) answers at")
        say(f"  {server.url}   {reach} Ctrl-C stops it.\n")
        say(f"  export AWS_ENDPOINT_URL_CONNECTCASES={server.url}")
        say(f"  export AWS_ENDPOINT_URL_CONNECT={server.url}")
        say("  export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any")
        say("  export AWS_DEFAULT_REGION=us-east-1")
        say(
            "  aws connectcases get-case-audit-events "
            f"--domain-id {domain_id} --case-id {case_id}"
        )
        with contextlib.suppress(KeyboardInterrupt):
            (until or threading.Event()).wait()
