"""Loads in threads of their own, one of each kind at a time, and how they went.

What comes is taken over only if it is still what was asked for.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.tables.certificate import counted
from casesnb.view.text import shortened
from casesnb.wire.errors import CasesError, advice, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Stopped(Exception):  # noqa: N818 - a choice, not an error
    """The load was cancelled, or something else was chosen since."""


class Load:
    """One load under way: what it is for, and whether it is still wanted."""

    def __init__(
        self, kind: str, of: str, told: Callable[[], None], lock: threading.Condition
    ) -> None:
        self.kind = kind
        self.of = of
        self.n = 0
        self.is_wanted = True
        self._told = told
        self._lock = lock

    def tell(self, n: int) -> None:
        """Count what came: the `progress` of a loader, which this also stops."""
        with self._lock:
            if not self.is_wanted:
                raise Stopped
            self.n = n
            self._told()

    def __str__(self) -> str:
        """Say what is being read, and how much of it has come."""
        pages = f" {counted(self.n, 'page')} so far." if self.n else ""
        return f"Reading {self.of}…{pages}"


class _Note(NamedTuple):
    """What the last load of a kind had to say."""

    text: str
    is_error: bool


class Loads:
    """The loads under way, and what those before them had to say."""

    def __init__(self, kinds: Sequence[str], told: Callable[[], None]) -> None:
        self.lock = threading.Condition(threading.RLock())
        self._kinds = kinds
        self._told = told
        self._running: dict[str, Load] = {}
        self._notes: dict[str, _Note] = {}

    @property
    def running(self) -> list[Load]:
        """The loads under way."""
        return [self._running[kind] for kind in self._kinds if kind in self._running]

    @property
    def failed(self) -> set[str]:
        """The kinds of load of which the last one failed or was stopped."""
        return {kind for kind, note in self._notes.items() if note.is_error}

    @property
    def said(self) -> list[str]:
        """What there is to say: how the last loads went, and which are under way."""
        notes = [self._notes[kind] for kind in self._kinds if kind in self._notes]
        return [note.text for note in notes if note.text] + [*map(str, self.running)]

    @property
    def n_read(self) -> int:
        """How much the loads under way have read."""
        return sum(load.n for load in self._running.values())

    def has(self, kind: str) -> bool:
        """Return whether a load of that kind is under way."""
        return kind in self._running

    def start(
        self,
        kind: str,
        of: str,
        read: Callable[[Load], Any],
        take: Callable[[Any], str],
        *,
        lack: str = "",
    ) -> None:
        """Begin a load in place of the one of its kind, and return at once."""
        with self.lock:
            self.drop(kind)
            self._notes.pop(kind, None)
            load = self._running[kind] = Load(kind, of, self._told, self.lock)
            self._told()
        threading.Thread(
            target=self._run,
            args=(load, read, take, lack),
            name=f"casesnb-{kind}",
            daemon=True,
        ).start()

    def drop(self, kind: str) -> None:
        """Want no outcome any more of the load of a kind, if there is one."""
        load = self._running.pop(kind, None)
        if load is not None:
            load.is_wanted = False

    def cancel(self) -> None:
        """Stop every load under way and say so."""
        with self.lock:
            for load in self.running:
                self.drop(load.kind)
                text = f"Stopped reading {load.of}. Try again when you like."
                self._notes[load.kind] = _Note(text, is_error=True)
            self._told()
            self.lock.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every load has come, failed or been cancelled."""
        with self.lock:
            return self.lock.wait_for(lambda: not self._running, timeout)

    def note(self, kind: str, text: str, *, is_error: bool) -> None:
        """Keep what there is to say of a kind."""
        with self.lock:
            self._notes[kind] = _Note(text, is_error)
            self._told()

    def forget(self, *kinds: str) -> None:
        """Forget what there was to say of some kinds."""
        for kind in kinds:
            self._notes.pop(kind, None)

    def _run(
        self,
        load: Load,
        read: Callable[[Load], Any],
        take: Callable[[Any], str],
        lack: str,
    ) -> None:
        error, result = None, None
        try:
            result = read(load)
        except Stopped:
            return
        except Exception as caught:  # noqa: BLE001 - it becomes the status line
            error = caught
        with self.lock:
            if not load.is_wanted:
                return
            del self._running[load.kind]
            try:
                text = take(result) if error is None else explain(error, load.of)
            except Exception as caught:  # noqa: BLE001 - nowhere else to be seen
                error, text = caught, explain(caught, load.of)
            if error is not None and lack:
                error, text = None, f"{lack} {text}"
            self.note(load.kind, text, is_error=error is not None)
            self.lock.notify_all()


def explain(error: Exception, of: str) -> str:
    """Say in one line what went wrong and what to try."""
    answer = getattr(error, "response", None) or {}
    told = answer.get("Error", {})
    message = shortened(str(told.get("Message") or error), 300).rstrip(".")
    found = advice(error)
    if found is not None:
        return f"{found.what.format(of=of)}: {message}. {found.to_do}"
    if isinstance(error, CasesError):  # these say themselves what to try
        return f"Could not read {of}: {message}."
    return f"Could not read {of}: {message} ({error_code(error)}). Try again."
