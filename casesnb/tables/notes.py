"""Notes that people write on cases: kept beside a history, never in it."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pandas as pd

from casesnb.tables.arguments import as_ids, moment
from casesnb.tables.certificate import counted
from casesnb.tables.files import write_csv
from casesnb.tables.schema import NOTES
from casesnb.wire.whole_file import alone, whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

_LONGEST = 10_000
_FORMAT = 1
_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wrote on a case, on events of it, or on a span of time.

    Parameters
    ----------
    domain_id, case_id : str
        The case.
    text : str
        What was written.
    by : str
        Who wrote it.
    written_at : datetime
        When, in UTC.
    event_ids : tuple of str
        The events that it is on, if any.
    start, end : datetime, optional
        The span of time that it is on, both ends included.
    """

    domain_id: str
    case_id: str
    text: str
    by: str
    written_at: _Moment
    event_ids: tuple[str, ...] = ()
    start: _Moment | None = None
    end: _Moment | None = None


class _File(msgspec.Struct):
    format: int
    notes: list[Note]


class Notes:
    """The notes of a file, or of this session alone.

    Each is on a case, on events of it, or on a span of time, and says who wrote it
    and when. They are shown where they are given: to `CaseExplorer`, `timeline`,
    `story` and `write_report`. Each change is written at once. The file is whole
    or absent, for its owner alone (mode 0600), and what others added meanwhile
    stays.

    Parameters
    ----------
    path : str or Path, optional
        The file, such as ``retail.notes.json`` beside an archive; made by the
        first note. Without it notes are kept in memory.
    by : str, optional
        Who writes; the name of the login otherwise.

    Raises
    ------
    ValueError
        If the file is none of notes.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> first = history.events["event_id"].iloc[0]
    >>> notes = cn.Notes(by="Ada")
    >>> domain_id, case_id = world.showcase
    >>> note = notes.add("Called twice", case_id=case_id, domain_id=domain_id)
    >>> notes
    Notes: 1 note on 1 case
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, by: str | None = None
    ) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self.by = _login() if by is None else by
        self._lock = RLock()
        self._notes: tuple[Note, ...] = ()
        if self.path is not None and self.path.exists():
            self._notes = _read(self.path)

    def add(
        self,
        text: str,
        *,
        domain_id: str,
        case_id: str,
        event_ids: Iterable[str] = (),
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        by: str | None = None,
        written_at: dt.datetime | None = None,
    ) -> Note:
        """Add a note, and write the file.

        Parameters
        ----------
        text : str
            What to write, at most 10,000 characters.
        domain_id, case_id : str
            The case.
        event_ids : iterable of str, optional
            The events that it is on; the whole case otherwise.
        start, end : datetime, optional
            The span of time that it is on, with its zone.
        by : str, optional
            Who wrote it, if another one.
        written_at : datetime, optional
            When it was written, if not now.

        Returns
        -------
        Note
            The note.

        Raises
        ------
        ValueError
            If there is no text, too much of it, or half a span.
        """
        text = str(text).strip()
        if not 0 < len(text) <= _LONGEST:
            raise ValueError(
                f"A note of {len(text):,} characters: give 1 to {_LONGEST:,}."
            )
        if (start is None) != (end is None):
            raise ValueError("Half a span. Give both start and end, or neither.")
        start, end = (None if at is None else moment(at) for at in (start, end))
        if start is not None and end is not None and start > end:
            raise ValueError("The span ends before it begins. Give start, then end.")
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        note = Note(
            domain_id=domain_id,
            case_id=case_id,
            text=_storable(text),
            by=_storable(self.by if by is None else by),
            written_at=now if written_at is None else moment(written_at),
            event_ids=tuple(as_ids(event_ids)),
            start=start,
            end=end,
        )
        self._change(lambda notes: (*notes, note))
        return note

    def remove(self, note: Note) -> None:
        """Take a note away, and write the file.

        Parameters
        ----------
        note : Note
            One of them.

        Raises
        ------
        ValueError
            If it is none of them.
        """
        if note not in self._notes:
            raise ValueError("There is no such note here. Give one of these notes.")
        self._change(lambda notes: tuple(each for each in notes if each != note))

    def _change(self, change: Any) -> None:
        with self._lock:
            if self.path is None:
                self._notes = change(self._notes)
                return
            with alone(self.path):
                there = _read(self.path) if self.path.exists() else ()
                notes = change(there)
                told = msgspec.json.encode(_File(format=_FORMAT, notes=list(notes)))
                with whole_file(self.path) as file:
                    file.write(msgspec.json.format(told, indent=1) + b"\n")
            self._notes = notes

    def to_frame(self) -> pd.DataFrame:
        """Return one row per note, oldest first.

        Returns
        -------
        DataFrame
            ``schema.NOTES``.
        """
        rows = [
            {
                "domain_id": note.domain_id,
                "case_id": note.case_id,
                "event_ids": " ".join(note.event_ids) or None,
                "start_at": note.start,
                "end_at": note.end,
                "text": note.text,
                "by": note.by,
                "written_at": note.written_at,
            }
            for note in sorted(self._notes, key=lambda note: note.written_at)
        ]
        return NOTES.cast(pd.DataFrame(rows, columns=NOTES.names))

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the notes as a CSV file that a spreadsheet may open.

        Parameters
        ----------
        path : path
            The file; whole or absent.

        Returns
        -------
        Path
            The file.
        """
        target = Path(path).expanduser()
        with whole_file(target) as file:
            write_csv(self.to_frame(), file)
        return target

    def __iter__(self) -> Iterator[Note]:
        """Give each note, as they were written."""
        return iter(self._notes)

    def __len__(self) -> int:
        """Count the notes."""
        return len(self._notes)

    def __repr__(self) -> str:
        """Say how many there are, on how many cases, and where."""
        n_cases = len({(note.domain_id, note.case_id) for note in self})
        where = "" if self.path is None else f" in {self.path}"
        of = counted(len(self), "note"), counted(n_cases, "case")
        return f"Notes: {of[0]} on {of[1]}{where}"


def notes_of(
    notes: Iterable[Note], cases: Iterable[tuple[str, str]]
) -> tuple[Note, ...]:
    """Return the notes on some cases, by domain and id, as they were written."""
    wanted = {*cases}
    return tuple(note for note in notes if (note.domain_id, note.case_id) in wanted)


def notes_to(notes: Iterable[Note]) -> list[Any]:
    """Return notes as JSON has them."""
    told: list[Any] = msgspec.to_builtins([*notes])
    return told


def notes_from(told: object) -> tuple[Note, ...]:
    """Return the notes that `notes_to` gave."""
    try:
        return msgspec.convert(told, tuple[Note, ...])
    except msgspec.ValidationError as error:
        raise ValueError(f"a note that is none: {error}") from None


def _read(path: Path) -> tuple[Note, ...]:
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_File)
        if told.format != _FORMAT:
            raise ValueError(f"format {told.format}")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is no file of notes that this casesnb can read ({error}). Give "
            "another path, or the file as it was written."
        ) from error
    return tuple(told.notes)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # nobody has this number
        return "somebody not named"
