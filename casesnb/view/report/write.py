"""Reports: a case or many as one HTML file that opens offline and can be verified.

What a report says is made of items: a number, a row, a picture, the story. Each
stands in the file with its name, so that `verify_report` can make the report again
and compare item by item.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casesnb.analysis.checks import findings
from casesnb.analysis.spells import spells
from casesnb.tables.arguments import need_history
from casesnb.tables.frames import as_of_of
from casesnb.tables.schema import CHANGES, EVENTS, TEXT_TYPE
from casesnb.view.plots.case import plot_changes
from casesnb.view.plots.people import plot_activity
from casesnb.view.plots.style import plot_text
from casesnb.view.report.story import cases_of, deed, doer, story
from casesnb.view.text import escaped, shortened
from casesnb.view.wording import (
    actor_names,
    called,
    counted,
    field_names,
    hours_text,
    is_missing,
    tail,
    value_name,
    value_names,
    work_percents,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from casesnb.tables.history import History


FORMAT = 1
"""Of the file; `verify_report` reads this one."""

PACKAGES = ("casesnb", "boto3", "botocore", "pandas", "narwhals", "matplotlib")
"""Whose versions a report names."""

_DPI = 120
_FULL = 25  # cases that are told in full; more are rows of the overview
_LINKS = 40  # links to events beside a number; more lead to the table of events

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="generator" content="casesnb">
<title>{title}</title>
<style>
:root {{ --ink: #22303c; --quiet: #5c6b78; --line: #dfe5ea; --tint: #f5f7f9; --blue: #2f5fa8; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 1080px; padding: 32px 28px 60px; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 26px; line-height: 1.2; margin: 0 0 4px; }}
h2 {{ font-size: 19px; margin: 40px 0 10px; padding-top: 10px; border-top: 2px solid var(--ink); }}
h3 {{ font-size: 15px; margin: 26px 0 8px; }}
h1, h2, td, dd, pre, li {{ overflow-wrap: anywhere; }}
p {{ margin: 6px 0; }}
a {{ color: var(--blue); text-decoration: none; }}
a:hover {{ text-decoration: underline; }}
.quiet {{ color: var(--quiet); font-size: 13px; }}
.verdict {{ margin: 16px 0; padding: 10px 14px; background: var(--tint); border-left: 5px solid #2d7d6e; }}
.verdict.partial {{ border-left-color: #9c2f12; background: #fbf1ee; }}
.verdict.complete_but {{ border-left-color: #b98a12; background: #fcf8ea; }}
.facts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); gap: 10px; margin: 16px 0; }}
.facts div {{ border: 1px solid var(--line); border-radius: 4px; padding: 8px 12px; break-inside: avoid; }}
.facts dt {{ color: var(--quiet); font-size: 12px; }}
.facts dd {{ margin: 0; font-size: 18px; font-weight: 600; }}
.facts small {{ display: block; font-size: 11px; font-weight: 400; color: var(--quiet); }}
figure {{ margin: 18px 0; break-inside: avoid; }}
figure img {{ width: 100%; height: auto; border: 1px solid var(--line); }}
figcaption {{ color: var(--quiet); font-size: 12px; white-space: pre-wrap; }}
pre.story {{ background: var(--tint); padding: 16px 18px; font: 12.5px/1.55 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; }}
table {{ border-collapse: collapse; width: 100%; font-size: 12.5px; }}
caption {{ text-align: left; color: var(--quiet); padding: 4px 0; }}
th, td {{ text-align: left; vertical-align: top; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); white-space: pre-wrap; }}
th {{ color: var(--quiet); font-weight: 600; }}
td.n {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
td.id {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 11px; }}
tr:target {{ background: #fff3c4; }}
.none {{ color: var(--quiet); font-style: italic; }}
@media print {{
  @page {{ margin: 16mm 14mm; }}
  body {{ max-width: none; padding: 0; font-size: 11pt; }}
  a {{ color: inherit; }}
  h2, h3 {{ break-after: avoid; }}
  tr {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  .verdict, pre.story {{ -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
}}
</style>
</head>
<body>
"""


def write_report(
    history: History[Any] | Sequence[History[Any]],
    path: str | Path,
    *,
    title: str | None = None,
) -> Path:
    """Write one HTML file that tells a case, or many, and shows the evidence.

    It opens offline, runs no script, prints well, and names the events behind
    each number. Two reports on the same data differ in the line that says when
    they were written.

    Parameters
    ----------
    history : History or sequence of History
        What to report. Names are used where `with_names` added them.
    path : str or Path
        The file to write.
    title : str, optional
        The heading; what the history holds otherwise.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If there is no history to report.

    See Also
    --------
    casesnb.verify_report : Make it again and compare.
    """
    target = Path(path).expanduser()
    now = dt.datetime.now(dt.UTC)
    target.write_text(report_html(history, title=title, generated_at=now), "utf-8")
    return target


def report_html(
    history: History[Any] | Sequence[History[Any]],
    *,
    title: str | None = None,
    generated_at: dt.datetime,
) -> str:
    """Return the report as HTML, the same for the same arguments."""
    histories: Any = [*history] if isinstance(history, list | tuple) else [history]
    if not histories:
        raise ValueError("There is no history to report. Give one that was loaded.")
    need_history(*histories)
    histories = [history.to_pandas() for history in histories]
    heading = title if title is not None else _title(histories)
    return "\n".join(_document(histories, heading, title, generated_at)) + "\n"


def _document(
    histories: Sequence[History[Any]],
    heading: str,
    title: str | None,
    generated_at: dt.datetime,
) -> Iterator[str]:
    yield _HEAD.format(title=escaped(heading))
    yield f"<h1{_item('title')}>{escaped(heading)}</h1>"
    yield (
        f'<p class="quiet" id="generated-at">Written '
        f"{generated_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC</p>"
    )
    for i, history in enumerate(histories):
        yield from _chapter(history, f"h{i}", alone=len(histories) == 1)
    yield from _evidence(histories)
    manifest = {
        "format": FORMAT,
        "title": title,
        "histories": [_manifest(history) for history in histories],
    }
    text = json.dumps(manifest, ensure_ascii=True)  # the cases in their order
    yield f'<pre id="casesnb-manifest" hidden>{escaped(text)}</pre>'
    yield "</body>\n</html>"


def _manifest(history: History[Any]) -> dict[str, Any]:
    """Return what `verify_report` needs to ask the same again."""
    of_case = history.events.groupby("case_id", observed=True, sort=False)["event_id"]
    names = actor_names(history.changes) | actor_names(history.events)
    values = value_names(history.changes)
    without = [*history.certificate.empty_cases, *history.unloaded["case_id"]]
    return {
        "certificate": history.certificate.to_dict(),
        "events": {str(case_id): list(ids) for case_id, ids in of_case}
        | {case_id: [] for case_id in without},
        # A name is what it is called today: the report keeps those it was made with.
        "fields": field_names(history.changes) if "field" in history.changes else None,
        "values": [[*key, label] for key, label in values.items()],
        "actors": names if "actor_name" in history.events else None,
    }


def _title(histories: Sequence[History[Any]]) -> str:
    ids = [
        str(case_id)
        for history in histories
        for case_id in history.events["case_id"].drop_duplicates()
    ]
    return f"Case {ids[0]}" if len(ids) == 1 else f"{len(ids):,} cases"


# --------------------------------------------------------------------- chapters


def _chapter(history: History[Any], key: str, *, alone: bool) -> Iterator[str]:
    certificate = history.certificate
    cases = list(cases_of(history))
    if not alone:
        yield f"<h2>Domain {escaped(certificate.domain_id)}</h2>"
    yield (
        f'<p class="verdict {escaped(certificate.verdict)}"'
        f"{_item(f'{key} certificate')}>{escaped(str(certificate))}</p>"
    )
    if len(cases) != 1:
        yield from _overview(history, cases, key)
    found: dict[str, list[Any]] = {}
    for row in findings(history).to_dict("records"):  # once: each rule costs its time
        found.setdefault(row["case_id"], []).append(row)
    for i, (events, _) in enumerate(cases[:_FULL]):
        case_id = events["case_id"].iloc[0]
        told, one = found.get(case_id, []), history.only(case_ids=[case_id])
        yield from _case(one, told, f"{key}c{i}", alone=len(cases) == 1)
    if len(cases) > _FULL:
        more = counted(len(cases) - _FULL, "more case")
        yield (
            f'<p class="quiet">{more} in the table of cases only. Report fewer at a '
            "time to have each told in full.</p>"
        )


def _overview(
    history: History[Any], cases: Sequence[tuple[Any, Any]], key: str
) -> Iterator[str]:
    events = history.events
    yield "<h2>All cases</h2>"
    facts = [
        ("cases", "Cases", f"{len(cases):,}", ()),
        ("events", "Events", f"{len(events):,}", ()),
        ("changes", "Field changes", f"{len(history.changes):,}", ()),
    ]
    yield _facts_html(facts, key, {}, {})
    if len(events):
        yield _figure(plot_activity(history), f"{key} activity")
    rows = []
    values = value_names(history.changes)
    for i, (of_case, changes) in enumerate(cases):
        now = _now(changes, as_of_of(history, None))
        status = now.loc[now["field_id"] == "status"].to_dict("records")
        target = f"{key}c{i}"
        case_id = escaped(str(of_case["case_id"].iloc[0]))
        link = f'<a href="#{target}">{case_id}</a>' if i < _FULL else case_id
        ids = " ".join(escaped(str(event)) for event in of_case["event_id"])
        cells = [
            f'<td class="id">{link}</td>',
            f"<td>{_value_html(status[0], 'value', 'kind', values) if status else '–'}</td>",
            f'<td class="n">{_time(of_case["performed_at"].min())}</td>',
            f'<td class="n">{_time(of_case["performed_at"].max())}</td>',
            f'<td class="n" title="{ids}">{len(of_case):,}</td>',
            f'<td class="n" title="{ids}">{len(changes):,}</td>',
        ]
        rows.append(f"<tr{_item(f'{target} row')}>{''.join(cells)}</tr>")
    heads = ("Case", "Status", "First event", "Last event", "Events", "Changes")
    yield _table("Each case as it stood when it was read", heads, rows)
    if len(history.unloaded):
        rows = [
            f"<tr{_item(f'{key} unloaded {n}')}><td class='id'>{escaped(row['case_id'])}"
            f"</td><td>{escaped(row['error'])}</td><td>{escaped(row['message'])}</td></tr>"
            for n, row in enumerate(history.unloaded.to_dict("records"))
        ]
        yield _table("Cases that could not be read", ("Case", "Error", "Why"), rows)


def _case(
    history: History[Any], found: Sequence[Mapping[str, Any]], key: str, *, alone: bool
) -> Iterator[str]:
    events, changes = history.events, history.changes
    case_id = str(events["case_id"].iloc[0])
    as_of = as_of_of(history, None)
    yield f'<h2 id="{key}">{"The case" if alone else "Case " + escaped(case_id)}</h2>'
    places = {event: f"{key}e{_short_hash(event)}" for event in events["event_id"]}
    now = _now(changes, as_of)
    facts = list(_facts(events, changes, now, as_of))
    numbers = dict(zip(events["event_id"], events["sequence"], strict=True))
    yield _facts_html(facts, key, places, numbers)
    if len(changes):
        yield _figure(plot_changes(history), f"{key} changes")
    yield _figure(plot_activity(history), f"{key} activity")
    yield from _findings(history, found, key, places, numbers)
    yield "<h3>What happened</h3>"
    yield f'<pre class="story"{_item(f"{key} story")}>{escaped(story(history))}</pre>'
    yield from _tables(events, changes, key, places)


def _now(changes: pd.DataFrame, as_of: Any) -> pd.DataFrame:
    of_item = (
        changes["event_type"].astype(TEXT_TYPE).str.startswith("RelatedItem", na=False)
    )
    held = spells(changes[~of_item], as_of=as_of)
    return held[held["is_open"].to_numpy(dtype=bool)]


_Fact = tuple[str, str, str, "Iterable[str]"]
# A field, what its value and its length are called, and both where it holds none.
_HELD = (
    ("status", "Status", "In this status for", "not told", "Not told for"),
    ("assigned_user", "Held by", "Held for", "nobody", "Held by nobody for"),
)


def _facts(
    events: pd.DataFrame, changes: pd.DataFrame, now: pd.DataFrame, as_of: Any
) -> Iterator[_Fact]:
    values, names = value_names(changes), actor_names(changes) | actor_names(events)
    for field_id, label, length, nothing, no_length in _HELD:
        for row in now[now["field_id"] == field_id].to_dict("records"):
            if is_missing(row["value"]):
                text, length = nothing, no_length
            else:
                text = value_name(values, field_id, row["value"])
                text = names.get(row["value"], text)
            since = [] if is_missing(row["event_id"]) else [row["event_id"]]
            yield field_id, label, text, since
            if since:
                yield f"{field_id} for", length, hours_text(row["hours"]), since
    first, last = events["performed_at"].min(), events["performed_at"].max()
    ids = events["event_id"].to_numpy()
    whole = (events["event_type"] == "Case.Created").any()
    yield "first", "Created" if whole else "Known since", _time(first), ids[:1]
    yield "last", "Last event", _time(last), ids[-1:]
    age = hours_text((as_of - first).total_seconds() / 3600)
    yield "age", "Age when it was read", age, ids[:1]
    yield "events", "Events", f"{len(events):,}", ids
    yield "changes", "Field changes", f"{len(changes):,}", changes["event_id"].unique()
    by_agents = events[events["actor_kind"] == "agent"]
    agents = f"{by_agents['actor'].nunique():,}"
    yield "agents", "Agents at work", agents, by_agents["event_id"]
    share = f"{work_percents(events).get('human', 0)}%"
    yield "share", "Events by agents", share, by_agents["event_id"]


def _findings(
    history: History[Any],
    found: Sequence[Mapping[str, Any]],
    key: str,
    places: Mapping[str, str],
    numbers: Mapping[str, int],
) -> Iterator[str]:
    fields = field_names(history.changes)
    names = actor_names(history.changes) | actor_names(history.events)
    rows = []
    for n, row in enumerate(found):
        ids = [] if is_missing(row["event_ids"]) else row["event_ids"].split(" ")
        field = "" if is_missing(row["field_id"]) else row["field_id"]
        stands = f"{row['severity']}, {row['verdict'].replace('_', ' ')}"
        cells = [
            f"<td>{escaped(row['rule'].replace('_', ' '))}</td>",
            f"<td>{escaped(stands)}</td>",
            f"<td>{escaped(fields.get(field, field))}</td>",
            f"<td>{escaped(called(row['message'], names))}</td>",
            f'<td class="n" data-skip>{" ".join(_links(ids, places, numbers))}</td>',
        ]
        rows.append(f"<tr{_item(f'{key} finding {n}')}>{''.join(cells)}</tr>")
    yield "<h3>Findings</h3>"
    if rows:
        heads = ("Rule", "How it stands", "Field", "What was found", "Events")
        yield _table("What the rules of casesnb found, or could not check", heads, rows)
    else:
        yield f"<p{_item(f'{key} findings')}>Every rule was checked; nothing found.</p>"


def _links(
    event_ids: Iterable[str], places: Mapping[str, str], numbers: Mapping[str, int]
) -> list[str]:
    return [
        f'<a href="#{places[event]}">{numbers[event]}</a>'
        for event in event_ids
        if event in places
    ]


def _tables(
    events: pd.DataFrame, changes: pd.DataFrame, key: str, places: Mapping[str, str]
) -> Iterator[str]:
    fields, values = field_names(changes), value_names(changes)
    names = actor_names(changes) | actor_names(events)
    rows = []
    for row in changes.to_dict("records"):
        place = places[row["event_id"]]
        cells = [
            f'<td class="n" data-skip><a href="#{place}">{row["sequence"]}</a></td>',
            f'<td class="n">{_time(row["performed_at"])}</td>',
            f"<td>{escaped(doer(row['actor'], row['actor_kind'], names))}</td>",
            f"<td>{escaped(fields[row['field_id']])}</td>",
            f"<td>{_value_html(row, 'old', 'old_kind', values)}</td>",
            f"<td>{_value_html(row, 'new', 'new_kind', values)}</td>",
        ]
        name = f"{place} change {row['slot']}"
        rows.append(f"<tr{_item(name)}>{''.join(cells)}</tr>")
    heads = ("Event", "When, UTC", "Who", "Field", "Before", "After")
    yield "<h3>Every change</h3>"
    yield _table("One row per field of an event, oldest first", heads, rows)
    rows = []
    for row in events.to_dict("records"):
        place = places[row["event_id"]]
        did = deed(row["event_type"], row["related_item_type"])
        actor = "–" if is_missing(row["actor"]) else escaped(str(row["actor"]))
        cells = [
            f'<td class="n" data-skip>{row["sequence"]}</td>',
            f'<td class="n">{_time(row["performed_at"])}</td>',
            f"<td>{escaped(doer(row['actor'], row['actor_kind'], names))} {escaped(did)}</td>",
            f'<td class="id">{actor}</td>',
            f'<td class="id">{escaped(row["event_id"])}</td>',
        ]
        rows.append(f'<tr id="{place}"{_item(place)}>{"".join(cells)}</tr>')
    yield f'<h3 id="{key}events">Every event</h3>'
    heads_ = ("Event", "When, UTC", "What", "Actor, as AWS names it", "Event id")
    yield _table("One row per audit event, oldest first", heads_, rows)


def _evidence(histories: Sequence[History[Any]]) -> Iterator[str]:
    yield "<h2>Evidence</h2>"
    for i, history in enumerate(histories):
        asked = [
            ("Operation", "connectcases:GetCaseAuditEvents, every page of every case"),
            ("Content sha256", content_sha256(history)),
        ]
        told = history.certificate.summary().items()
        rows = [
            f"<tr{_item(f'h{i} {name}')}><td>{escaped(name)}</td>"
            f'<td class="id">{escaped(_plain(value))}</td></tr>'
            for name, value in [*asked, *told]
        ]
        yield _table("What was asked, and what came", ("Of the load", ""), rows)
    rows = [
        f'<tr{_item(f"version {name}")}><td>{name}</td><td class="id">{number}</td></tr>'
        for name, number in _versions()
    ]
    yield _table("What read it and drew it", ("Software", "Version"), rows)
    yield (
        '<p class="quiet">To check this file against the service or a recording: '
        "<code>casesnb verify FILE --against live</code> or "
        "<code>--against FOLDER</code>.</p>"
    )


def content_sha256(history: History[Any]) -> str:
    """Return one hash over what the events and changes of a history say."""
    digest = hashlib.sha256()
    for frame, table in ((history.events, EVENTS), (history.changes, CHANGES)):
        text = frame[table.names].to_csv(index=False, lineterminator="\n")
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _versions() -> list[tuple[str, str]]:
    named = [(name, version(name)) for name in PACKAGES]
    return [*named, ("python", platform.python_version())]


# ------------------------------------------------------------------------- HTML


def _item(name: str) -> str:
    """Name what stands in an element, for the one who verifies it."""
    return f' data-item="{escaped(name)}"'


def _facts_html(
    facts: Iterable[_Fact],
    key: str,
    places: Mapping[str, str],
    numbers: Mapping[str, int],
) -> str:
    boxes = []
    for name, label, text, event_ids in facts:
        links = _links(event_ids, places, numbers)
        behind = ""
        if len(links) > _LINKS:
            behind = f'<a href="#{key}events">{counted(len(links), "event")}</a>'
        elif links:
            behind = f"event{'' if len(links) == 1 else 's'} {' '.join(links)}"
        boxes.append(
            f"<div><dt>{escaped(label)}</dt>"
            f"<dd{_item(f'{key} {name}')}>{escaped(shortened(text, 80))}"
            f"<small data-skip>{behind}</small></dd></div>"
        )
    return f'<dl class="facts">{"".join(boxes)}</dl>'


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escaped(text)}</th>' for text in heads)
    body = "\n".join(rows)
    return (
        f"<table><caption>{escaped(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )


def _figure(ax: Axes, name: str) -> str:
    buffer = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101 - it was drawn a moment ago
    figure.savefig(buffer, format="png", dpi=_DPI)
    data = base64.b64encode(buffer.getvalue()).decode()
    words = escaped(plot_text(ax))
    return (
        f'<figure><img{_item(f"{name} picture")} alt="{words}" '
        f'src="data:image/png;base64,{data}">'
        f"<figcaption{_item(f'{name} in words')}>{words}</figcaption></figure>"
    )


def _value_html(
    row: Mapping[Any, Any],
    value: str,
    kind: str,
    values: Mapping[tuple[str, str], str],
) -> str:
    if is_missing(row[value]):
        words = "empty" if row[kind] == "empty" else "not told"
        return f'<span class="none">{words}</span>'
    text = str(row[value])
    label = values.get((row["field_id"], text), text)
    if label == text and text.startswith("arn:"):
        label = tail(text)
    if label == text:
        return escaped(text)
    return f'{escaped(label)} <span class="none">{escaped(text)}</span>'


def _time(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
