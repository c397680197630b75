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
from casesnb.view.plots.png import drawn_by
from casesnb.view.report.manifest import TIME, cases_in, first_line, last_line, manifest
from casesnb.view.report.names import names_in, with_nameless
from casesnb.view.report.sections import chapter
from casesnb.view.text import visible
from casesnb.view.timeline.page import script, script_source
from casesnb.view.wording import counted
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Template

    from casesnb.tables.history import History
    from casesnb.tables.notes import Note
    from casesnb.view.report.sign import PrivateKey

_PACKAGES = ("casesnb", "boto3", "botocore", "pandas", "narwhals")


def write_report(
    history: History[Any] | Sequence[History[Any]],
    path: str | Path,
    *,
    title: str | None = None,
    notes: Iterable[Note] = (),
    sign: PrivateKey | None = None,
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
    notes : Notes or iterable of Note, optional
        Those on its cases are shown, as claims of who wrote them.
    sign : Ed25519PrivateKey, str or Path, optional
        A key, or the path of a PEM file that holds one: whoever has its public
        half can prove that the file is as its holder wrote it. Needs
        ``casesnb[sign]``.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If there is no history to report, or the file holds no such key.

    See Also
    --------
    casesnb.verify_report : Make it again and compare.
    """
    now = dt.datetime.now(dt.UTC)
    body = report_body(history, title=title, notes=notes, written_at=now)
    signature = None
    if sign is not None:
        from casesnb.view.report.sign import signed

        signature = signed(body, sign)
    target = Path(path).expanduser()
    with whole_file(target) as file:
        file.write(body + last_line(signature).encode("ascii"))
    return target


def report_body(
    history: History[Any] | Sequence[History[Any]],
    *,
    title: str | None = None,
    notes: Iterable[Note] = (),
    written_at: dt.datetime,
    made_by: Mapping[str, str] | None = None,
) -> bytes:
    """Return a report but for its last line: the same for the same arguments."""
    histories: Any = [*history] if isinstance(history, list | tuple) else [history]
    if not histories:
        raise ValueError("There is no history to report. Give one that was loaded.")
    need_history(*histories)
    histories = [history.to_pandas() for history in histories]
    cases = {case for each in histories for case in cases_in(each.certificate)}
    notes = notes_of(notes, cases)
    chapters = [
        chapter(with_nameless(each), f"h{i}", names=names_in(each), notes=notes)
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
        manifest=manifest(title, made_by, histories, notes),
        script=script(),
        script_source=script_source(),
    )
    return f"{first_line(made_by['casesnb'], written_at)}{page}".encode()


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
