"""One call of a client: paced, in time, stopped when told to, its answer as it came.

botocore's parser loses what it does not know, turns half a page into an empty
one and spends most of a page's time; so the body is taken before it is parsed.
Signing, retries and errors stay botocore's, for any client.
"""

from __future__ import annotations

import contextvars
import logging
import math
import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore import UNSIGNED, xform_name

from casesnb.wire.errors import LoadStopped, LoadTimeout, PageError, is_throttle
from casesnb.wire.limits import Limiter, check_pace, limiter
from casesnb.wire.responder import as_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.client import BaseClient as Client

    from casesnb.wire.limits import Pace
    from casesnb.wire.responder import Request

ANSWER_TIME = 120.0
"""Seconds from a request to the end of its answer; botocore bounds each read only."""

N_CUT = 3
"""How often a page is asked for, at most, whose answer is cut short."""

_LOOK = 0.25  # seconds between two looks at whether the load was stopped
_log = logging.getLogger("casesnb")


class Until(threading.Event):
    """Until when a load asks: it is set, or its time is over."""

    def __init__(self, timeout: float | None = None) -> None:
        super().__init__()
        if timeout is not None and not timeout > 0:
            raise ValueError(
                f"timeout={timeout!r} is no time. Give seconds above 0, or None for as "
                "long as it takes."
            )
        self.timeout = timeout
        self.ends_at = math.inf if timeout is None else time.monotonic() + timeout


@dataclass(slots=True)
class Answer:
    """What came of one call, and what the hooks saw of it."""

    read: Callable[[bytes], str | None]
    request: Request | None = None
    body: bytes | None = None  # None where the client answers without HTTP
    parsed: Mapping[str, Any] | None = None
    date: str | None = None
    next_token: str | None = None
    problem: Exception | None = None  # why the body is no whole page
    n_retries: int = 0
    n_throttles: int = 0
    is_refused: bool = False  # the last answer said that we ask too fast
    asked_at: float | None = None  # since when an answer is awaited
    is_left: bool = False  # nobody waits for it any more

    def take(self, body: bytes) -> None:
        """Take what came, and read its token."""
        self.body = body
        try:
            self.next_token = self.read(body)
        except (ValueError, RecursionError) as error:
            self.problem = error


class _Here(threading.local):
    """What this thread asks, and until when."""

    answer: Answer | None = None
    until: threading.Event | None = None


_here = _Here()


def ask_until(until: threading.Event) -> None:
    """Let this thread send no request, and no retry of one, once `until` is over."""
    _here.until = until


@contextmanager
def time_limit(timeout: float | None) -> Iterator[None]:
    """Let this thread ask for so many seconds at most."""
    before = _here.until
    if timeout is not None:
        _here.until = Until(timeout)
    try:
        yield
    finally:
        _here.until = before


# ------------------------------------------------------------------------- pace


class _Pacing:
    """How fast one client asks, and the limiter that sees to it."""

    def __init__(self, client: Client, pace: Pace | None, *, is_local: bool) -> None:
        meta = client.meta
        self.pace: Pace = True if pace is None else pace
        self.is_told = pace is not None
        self.is_local = is_local  # answered in this process, by nobody's quota
        self.service = str(meta.service_model.service_name)
        self._where = (self.service, meta.region_name, meta.endpoint_url)
        self._account: str | None = None
        self._own: dict[float, Limiter] = {}

    def limiter(self, **signing: Any) -> Limiter | None:
        """Return what keeps the pace, or None where nothing has to."""
        if self.pace is True or self.pace == "full":
            if self.is_local:
                return None
            self._tell()
            if self._account is None:
                # Credentials may have to be fetched, which can fail: not before now.
                self._account = _account(**signing)
            service, region, endpoint = self._where
            return limiter(
                "full" if self.pace == "full" else True,
                service,
                self._account,
                region,
                endpoint,
            )
        if self.pace is False:
            return None
        return self._own.setdefault(
            float(self.pace), Limiter(self.pace, service=self.service)
        )

    def _tell(self) -> None:
        if not self.is_told:
            self.is_told = True
            _log.warning(
                "casesnb asks at half of AWS's published rate, since others of the "
                "account share it: pace='full' where nobody else asks, or a number of "
                "requests a second."
            )


def _account(
    request_signer: Any,
    signing_name: str,
    region_name: str,
    signature_version: Any,
    **_: Any,
) -> str:
    """Return whose quota a request counts for: an account, or else a key of it."""
    if signature_version is UNSIGNED:
        return "anyone"
    signs = request_signer.get_auth_instance(
        signing_name, region_name, signature_version
    )
    found = getattr(signs, "credentials", None)
    account = getattr(found, "account_id", None) or getattr(found, "access_key", None)
    return str(account or "anyone")


# ------------------------------------------------------------------------ hooks

_pacings: weakref.WeakKeyDictionary[Any, _Pacing] = weakref.WeakKeyDictionary()
_hook_lock = threading.Lock()


def prepare(
    client: Client, pace: Pace | None = None, *, is_local: bool = False
) -> _Pacing | None:
    """Pace and watch a client's requests, once; None where it has no events."""
    meta = getattr(client, "meta", None)
    if meta is None:
        return None
    if (known := _pacings.get(client)) is not None:
        return known
    with _hook_lock:
        if client in _pacings:
            return _pacings[client]
        pacing = _Pacing(client, pace, is_local=is_local)
        hooks = _Hooks(pacing)
        service = meta.service_model.service_id.hyphenize()
        # Retries are signed again, so they wait for their turn too.
        meta.events.register_last(f"before-sign.{service}", hooks.before_sign)
        meta.events.register(f"before-send.{service}", hooks.before_send)
        meta.events.register(f"before-parse.{service}", hooks.before_parse)
        meta.events.register_first(f"needs-retry.{service}", hooks.needs_retry)
        _pacings[client] = pacing
        return pacing


@contextmanager
def paced(client: Client, pace: Pace | None = None) -> Iterator[None]:
    """Let a client ask at `pace` for as long as the block lasts, or as before."""
    if pace is not None:
        check_pace(pace)
    pacing = prepare(client)
    if pacing is None or pace is None:
        yield
        return
    before = pacing.pace, pacing.is_told
    pacing.pace, pacing.is_told = pace, True
    try:
        yield
    finally:
        pacing.pace, pacing.is_told = before


class _Hooks:
    """botocore's events around one request of a client, its retries included."""

    def __init__(self, pacing: _Pacing) -> None:
        self._pacing = pacing
        self._waited = threading.local()

    def before_sign(self, operation_name: str, **signing: Any) -> None:
        _check()
        keeper = self._waited.limiter = self._pacing.limiter(**signing)
        if keeper is not None:
            keeper.wait(operation_name, _check)
            _check()

    def before_send(self, request: Any, event_name: str, **_: Any) -> None:
        answer = _here.answer
        if answer is not None:
            operation = event_name.rpartition(".")[2]
            answer.request = as_request(request, operation, self._pacing.service)
            answer.asked_at = time.monotonic()
            answer.is_refused, answer.problem = False, None

    def before_parse(
        self, response_dict: dict[str, Any], event_name: str, **_: Any
    ) -> None:
        status, headers = response_dict["status_code"], response_dict["headers"]
        is_refused = is_throttle(status, headers.get("x-amzn-errortype", ""))
        keeper: Limiter | None = getattr(self._waited, "limiter", None)
        if keeper is not None:
            told = keeper.refused if is_refused else keeper.answered
            told(event_name.rpartition(".")[2])
        answer = _here.answer
        if answer is None:  # somebody else's call on the same client
            return
        answer.asked_at = None
        answer.is_refused = is_refused
        answer.n_throttles += is_refused
        if status < 300:
            answer.date = headers.get("date")
            answer.take(response_dict["body"])
            response_dict["body"] = b"{}"

    def needs_retry(
        self, operation: Any, attempts: int, caught_exception: Any, **_: Any
    ) -> float | None:
        """Return how long to wait before the page is asked for again, beside botocore."""
        answer = _here.answer
        if answer is None:
            return None
        answer.asked_at = None
        if caught_exception is not None:
            return None
        if answer.problem is not None and attempts < N_CUT:
            return 0.0 if self._pacing.is_local else 0.3 * attempts
        keeper: Limiter | None = getattr(self._waited, "limiter", None)
        if answer.is_refused and keeper is not None:
            # The wait itself is the limiter's, before the next is signed.
            return 0.0 if keeper.is_patient(operation.name) else None
        return None


def _check() -> None:
    if _here.answer is not None and _here.answer.is_left:
        raise LoadStopped("Nobody waits for this any more; it was not asked again.")
    if _here.until is not None:
        _check_time(_here.until)


def _check_time(until: threading.Event) -> None:
    if until.is_set():
        raise LoadStopped("The load was stopped; this was not asked.")
    if isinstance(until, Until) and time.monotonic() > until.ends_at:
        raise LoadTimeout(
            f"The load took longer than timeout={until.timeout:g} seconds. Give it more, "
            "or load fewer cases at a time."
        )


# --------------------------------------------------------------------- one call


def call(
    client: Client,
    operation: str,
    params: Mapping[str, Any],
    read: Callable[[bytes], str | None],
) -> Answer:
    """Make one call; `read` reads the token, and what it cannot read is asked again."""
    method = getattr(client, xform_name(operation), None)
    if method is None:
        raise TypeError(
            f"{type(client).__name__} is no boto3 client that can {operation}. Give "
            "what cn.connect(...) returns; for users and queues, "
            'cn.connect(service_name="connect").'
        )
    pacing = prepare(client)
    answer = Answer(read)

    def ask(until: threading.Event | None) -> None:
        before = _here.answer, _here.until
        _here.answer, _here.until = answer, until
        try:
            parsed = method(**params)
        finally:
            _here.answer, _here.until = before
        answer.parsed = parsed
        answer.n_retries = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)

    if pacing is None or pacing.is_local:
        ask(_here.until)
    else:
        _in_time(ask, answer, operation)
    return answer


def _in_time(
    ask: Callable[[threading.Event | None], None], answer: Answer, operation: str
) -> None:
    """Ask in a thread that can be left behind: a body may drip without an end."""
    until = _here.until
    ended = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ask(until)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            failed.append(error)
        ended.set()

    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(run,), name=f"casesnb-{operation}", daemon=True
    ).start()
    try:
        while not ended.wait(_LOOK):
            if until is not None:
                _check_time(until)
            asked_at = answer.asked_at
            if asked_at is not None and time.monotonic() - asked_at > ANSWER_TIME:
                raise PageError(
                    f"The answer to {operation} had no end within {ANSWER_TIME:g} "
                    "seconds. Check the network and the proxy, and load it again."
                )
    finally:
        answer.is_left = True
    if failed:
        raise failed[0]
