"""Faults of the wire, over real HTTP: what came of loads, updates and recordings."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from botocore.config import Config
from botocore.retries.standard import ExponentialBackoff

import casesnb as cn
from casesnb.sandbox import World
from casesnb.sandbox.faults import Fault
from casesnb.sandbox.server import SandboxServer
from casesnb.wire import calls, limits

WIRE = {
    "throttle": "429",
    "error_500": "500",
    "error_503": "503 with a proxy's page",
    "signed_out": "403, the credentials have expired",
    "expired_token": "400, the token is too old",
    "refused": "no connection",
    "reset": "a reset in the middle of the body",
    "stalled": "half of a body, then nothing",
    "dripping": "a body that drips without an end",
    "truncated": "200 with half of the JSON",
    "not_json": "200 with a proxy's page",
    "other_json": "200 with JSON of something else",
    "compressed": "200 with a compressed body",
    "repeated_token": "the token that was sent comes back",
    "endless_tokens": "tokens without an end",
    "empty_page": "a page without an event, and a token",
    "short_page": "a page of half its events",
}
ONCE, ALWAYS = 1, None

WORLD = World(seed=7, cases=6)
DOMAIN, CASE = WORLD.showcase
CASES = [*WORLD.case_ids(DOMAIN)]
RIGHT = {
    case: [*cn.load_history(cn.connect(WORLD), DOMAIN, case).events["event_id"]]
    for case in CASES
}


@dataclass(frozen=True)
class Outcome:
    """What came of one thing that was done while a fault struck."""

    way: str
    n_asked: int
    seconds: float
    is_short: bool  # called complete, and it is not
    is_lost: bool  # of what was kept before
    has_struck: bool
    said: str


@contextmanager
def quick_waits() -> Iterator[None]:
    """Wait a twentieth, or less, of what is waited for a network that is slow."""
    waits = ExponentialBackoff.delay_amount

    def shorter(self: Any, context: Any) -> float:
        return 0.05 * float(waits(self, context))

    with (
        patch.object(ExponentialBackoff, "delay_amount", shorter),
        patch.object(calls, "ANSWER_TIME", 4.0),
        patch.object(limits, "_PATIENCE", 2.0),
        patch.object(limits, "_LEAST", 5.0),
    ):
        yield


_session_lock = threading.Lock()
_sessions: list[boto3.session.Session] = []


def _client(server: SandboxServer, **record: Any) -> Any:
    with _session_lock:
        if not _sessions:
            core = botocore.session.Session()
            core.set_default_client_config(Config(read_timeout=1))
            _sessions.append(boto3.session.Session(botocore_session=core))
        url = server.url
        return cn.connect(endpoint_url=url, session=_sessions[0], pace=200, **record)


def _is_short(history: Any, n_cases: int | None = None) -> bool:
    """Whether it says that it is complete, and lacks an event or holds another."""
    certificate = history.certificate
    held = {
        case: list(events["event_id"])
        for case, events in history.events.groupby("case_id", observed=True)
    }
    return certificate.verdict != "partial" and not (
        certificate.n_cases == len(held) == (n_cases or len(held))
        and all(ids == RIGHT[case] for case, ids in held.items())
    )


def _is_lost(history: Any) -> bool:
    is_partial = history.certificate.verdict == "partial"
    return is_partial or _is_short(history, len(CASES))


def load_history(client: Any, _: Path) -> tuple[bool, bool]:
    return _is_short(cn.load_history(client, DOMAIN, CASE), 1), False


def load_histories(client: Any, _: Path) -> tuple[bool, bool]:
    found = cn.load_histories(client, DOMAIN, CASES, errors="collect")
    return _is_short(found, len(CASES)), False


def update(client: Any, folder: Path) -> tuple[bool, bool]:
    archive = cn.Archive(folder / "kept.cases")
    with suppress(Exception):
        archive.update(client, DOMAIN, progress=False)
    found = archive.histories()
    return _is_short(found), _is_lost(found) or bool(archive.check())


def first_update(client: Any, folder: Path) -> tuple[bool, bool]:
    archive = cn.Archive(folder / "new.cases")
    with suppress(Exception):
        archive.update(client, DOMAIN, progress=False)
    return _is_short(archive.histories()), bool(archive.check())


def _load_and_replay(client: Any, folder: Path) -> Any:
    with suppress(Exception):
        cn.load_histories(client, DOMAIN, CASES, errors="collect")
    return cn.load_histories(cn.connect(folder), DOMAIN, CASES, errors="collect")


def recording(client: Any, folder: Path) -> tuple[bool, bool]:
    found = _load_and_replay(client, folder / "kept")
    return _is_short(found), _is_lost(found)


def first_recording(client: Any, folder: Path) -> tuple[bool, bool]:
    return _is_short(_load_and_replay(client, folder / "new")), False


WAYS: dict[str, Callable[[Any, Path], tuple[bool, bool]]] = {
    each.__name__: each
    for each in (
        load_history,
        load_histories,
        update,
        first_update,
        recording,
        first_recording,
    )
}


def keep_all(folder: Path) -> None:
    """Keep the right answers: an archive and a recording of all cases."""
    with SandboxServer(WORLD) as server:
        client = _client(server)
        cn.Archive(folder / "kept.cases").update(client, DOMAIN, progress=False)
        client = _client(server, record=folder / "kept", redact=False)
        cn.load_histories(client, DOMAIN, CASES)


def trial(fault: str, often: int | None, way: str, kept: Path, folder: Path) -> Outcome:
    """Do something while a fault strikes, once or always."""
    record = {}
    if way in {"update", "recording"}:
        shutil.copytree(kept, folder)
    if way in {"recording", "first_recording"}:
        name = "kept" if way == "recording" else "new"
        record = {"record": folder / name, "redact": False}
    with SandboxServer(WORLD, faults=[Fault(fault, often)]) as server:
        client = _client(server, **record)
        began, said = time.monotonic(), "ok"
        is_short = is_lost = False
        try:
            is_short, is_lost = WAYS[way](client, folder)
        except Exception as error:  # noqa: BLE001 - told
            said = type(error).__name__
            # What came before the error must not call itself whole either.
            part = getattr(error, "history", None)
            is_short = part is not None and part.certificate.verdict != "partial"
        seconds = time.monotonic() - began
        struck = bool(server.struck)
        n_asked = server.n_requests
        return Outcome(way, n_asked, seconds, is_short, is_lost, struck, said)


TRIALS = [(f, often, way) for f in WIRE for often in (ONCE, ALWAYS) for way in WAYS]


def rehearse(folder: Path, seconds: float) -> Iterator[tuple[str, int | None, Outcome]]:
    """Yield what came of each trial that is begun within so many seconds."""
    ends_at = time.monotonic() + seconds
    # Each fault at its worst first, should the time be over before all is tried.
    trials = random.Random(1).sample(TRIALS, len(TRIALS))
    trials.sort(key=lambda each: each[1:] != (ALWAYS, "load_history"))
    numbers = itertools.count()

    def run(fault: str, often: int | None, way: str) -> Outcome | None:
        number = next(numbers)
        if number and time.monotonic() > ends_at:
            return None
        return trial(fault, often, way, folder / "all", folder / str(number))

    with quick_waits(), ThreadPoolExecutor(8) as pool:
        keep_all(folder / "all")
        running = [(each, pool.submit(run, *each)) for each in trials]
        for (fault, often, _), came in running:
            if (outcome := came.result()) is not None:
                yield fault, often, outcome


def table(outcomes: list[tuple[str, int | None, Outcome]]) -> str:
    """Return a line for each fault: what it cost once, what always, what it broke."""
    lines = [
        "| what the wire did | tried | to one answer: ended within | to every answer: "
        "a case is asked for | ended within | short, called complete | good answers "
        "lost |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, told in WIRE.items():
        of_it = [(often, each) for fault, often, each in outcomes if fault == name]
        worst = (each for often, each in of_it if often is ALWAYS)
        n_asked = [each.n_asked for each in worst if each.way == "load_history"]
        once, always = (
            max((each.seconds for often, each in of_it if often is when), default=0.0)
            for when in (ONCE, ALWAYS)
        )
        n_short, n_lost = (
            sum(getattr(each, what) for _, each in of_it)
            for what in ("is_short", "is_lost")
        )
        lines.append(
            f"| {told} | {len(of_it)} | {once:.0f} s | {max(n_asked, default=0)} | "
            f"{always:.0f} s | {n_short} | {n_lost} |"
        )
    return "\n".join(lines)
