"""Reports: a case or many as one HTML file that opens offline and can be verified.

The same histories, title, software and moment of writing give the same bytes, so that
`verify_report` makes a report again and compares.
"""

from __future__ import annotations

import datetime as dt
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casesnb.tables.arguments import need_history
from casesnb.tables.notes import notes_of
from casesnb.tables.redacted import in_pseudonyms, redactor_of, refuse_leaks
from casesnb.view.plots.png import drawn_by
from casesnb.view.report.manifest import (
    TIME,
    cases_in,
    first_line,
    last_line,
    manifest,
    without_pictures,
)
from casesnb.view.report.names import (
    names_in,
    with_nameless,
    with_names_of,
    with_names_of_many,
)
from casesnb.view.report.sections import chapter, is_summed
from casesnb.view.text import visible
from casesnb.view.timeline.page import script, script_source
from casesnb.view.wording import counted
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Template
    from markupsafe import Markup

    from casesnb.tables.history import History
    from casesnb.tables.notes import Note
    from casesnb.view.report.sign import PrivateKey
    from casesnb.wire.redact.redaction import Redaction

_OF_TEXT = {".py", ".html", ".css"}
_PACKAGES = ("casesnb", "boto3", "botocore", "pandas", "narwhals")


def write_report(
    history: History[Any] | Sequence[History[Any]],
    path: str | Path,
    *,
    title: str | None = None,
    full: bool | None = None,
    notes: Iterable[Note] = (),
    sign: PrivateKey | None = None,
    redact: bool | Redaction = False,
) -> Path:
    """Write one HTML file that tells a case, or many, and shows the evidence.

    It opens offline, prints well, and names the events behind each number. What
    changed in a case is a timeline to work with, as `timeline` gives, and where
    no script runs, and in print, a picture. No other script can run in it. The
    file is whole or absent: what stood under the name before
    stays until it is.

    Parameters
    ----------
    history : History or sequence of History
        What to report. Names are used where `with_names` added them.
    path : str or Path
        The file to write.
    title : str, optional
        The heading; what the case is about otherwise.
    full : bool, optional
        Whether each case is told in full. By default those of up to 25 cases
        are; more are told by the key figures of the last seven days and of the
        seven before, with their intervals, by pictures, by what rules found, and
        by which twenty to read first. False gives those figures for fewer
        cases too, True both.
    notes : Notes or iterable of Note, optional
        Those on its cases are shown, as claims of who wrote them.
    sign : Ed25519PrivateKey, str or Path, optional
        A key, or the path of a PEM file that holds one: whoever has its public
        half can prove that the file is as its holder wrote it. Needs
        ``casesnb[sign]``.
    redact : bool or Redaction, default False
        Whether it tells pseudonyms, as `redacted` gives them, and by which policy.
        The page, its title and the file's name are searched for what was replaced;
        pictures are drawn from the pseudonyms, and not read.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If there is no history to report, the file holds no such key, or notes are
        given for a report of pseudonyms.
    LeakFound
        If a value that was to be replaced is in what would be written.

    See Also
    --------
    casesnb.verify_report : Make it again and compare.
    """
    now = dt.datetime.now(dt.UTC)
    target = Path(path).expanduser()
    redactor = None if redact is False else redactor_of(redact)
    if redactor is not None:
        if notes := [*notes]:
            raise ValueError(
                "No rule says what notes tell of whom. Leave `notes` or `redact` out."
            )
        history = [in_pseudonyms(each, redactor) for each in each_of(history)]
        for each in history:
            refuse_leaks(each, redactor)
        redactor.leaks.check("the title or the file's name", [title or "", target.name])
    body = report_body(history, title=title, full=full, notes=notes, written_at=now)
    if redactor is not None:
        page = without_pictures(body).decode()
        redactor.leaks.check_prose("the report", page, _own_words())
    signature = None
    if sign is not None:
        from casesnb.view.report.sign import signed

        signature = signed(body, sign)
    with whole_file(target) as file:
        file.write(body + last_line(signature).encode("ascii"))
    return target


def each_of(history: Any) -> list[Any]:
    """Return the histories of which a report is given one or several."""
    return [*history] if isinstance(history, list | tuple) else [history]


def report_body(
    history: History[Any] | Sequence[History[Any]],
    *,
    title: str | None = None,
    full: bool | None = None,
    notes: Iterable[Note] = (),
    written_at: dt.datetime,
    made_by: Mapping[str, str] | None = None,
) -> bytes:
    """Return a report but for its last line: the same for the same arguments."""
    histories = each_of(history)
    if not histories:
        raise ValueError("There is no history to report. Give one that was loaded.")
    need_history(*histories)
    histories = [_named(history.to_pandas(), full=full) for history in histories]
    cases = {case for each in histories for case in cases_in(each.certificate)}
    notes = notes_of(notes, cases)
    chapters = [
        chapter(
            with_nameless(each), f"h{i}", names=names_in(each), notes=notes, full=full
        )
        for i, each in enumerate(histories)
    ]
    about = "; ".join(each.headline for each in chapters)
    if len(chapters) > 1:
        n_cases = sum(each.certificate.n_cases for each in histories)
        parts = counted(len(chapters), "history").replace("historys", "histories")
        about = f"{counted(n_cases, 'case')} in {parts}"
    made_by = software() if made_by is None else made_by
    page = _template().render(
        heading=about if title is None else title,
        about="" if title is None else about,
        written_at=f"{written_at:{TIME}}",
        chapters=chapters,
        software=made_by,
        manifest=_written(manifest(title, made_by, histories, notes, full=full)),
        script=script(),
        script_source=script_source(),
    )
    return f"{first_line(made_by['casesnb'], written_at)}{page}".encode()


def _named(history: History[Any], *, full: bool | None) -> History[Any]:
    """Return a history with what a manifest tells of it, and so a verification too."""
    if is_summed(history, full=full) and not full:
        return with_names_of_many(history)
    return with_names_of(history, names_in(history))


def _written(text: str) -> Markup:
    """Return a text as an element may hold it; quotes would be five bytes each."""
    from markupsafe import Markup

    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, name)
    return Markup(text)  # noqa: S704 - nothing is left that could end the element


@cache
def _own_words() -> str:
    """Return all that a page may say of itself: what is written in this package."""
    package = Path(__file__).parents[2]
    files = (file for file in sorted(package.rglob("*")) if file.suffix in _OF_TEXT)
    return "\n".join(file.read_text("utf-8") for file in files)


@cache
def software() -> dict[str, str]:
    """Return what reads and draws here, and its versions."""
    named = {name: version(name) for name in _PACKAGES}
    return named | drawn_by() | {"python": platform.python_version()}


@cache
def _template() -> Template:
    """Return the page's template; whatever it is given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def shown(value: Any) -> Any:
        return visible(value, lines=True) if type(value) is str else value

    return Environment(
        loader=PackageLoader("casesnb.view.report"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template("report.html")
