"""Pictures of how cases move: from value to value, from hand to hand, and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.durations import durations
from casesnb.analysis.flow import transitions
from casesnb.analysis.spells import backlog, time_in
from casesnb.analysis.timezones import zone
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import as_of_of, to_pandas
from casesnb.tables.schema import CHANGES, NAMES
from casesnb.view.plots.axis import (
    date_of,
    day_number,
    day_numbers,
    days_of,
    duration_axis,
    ends_of,
    length_of,
    moment,
    plain_times,
    time_axis,
)
from casesnb.view.plots.colours import inks_of, options_of
from casesnb.view.plots.labels import apart, drawable
from casesnb.view.plots.people import grid_of
from casesnb.view.plots.style import (
    OTHER,
    Drawing,
    area,
    count_axis,
    finish,
    fit_side,
    like,
    nothing,
    page,
    paper,
    patches,
    place_legend,
    scale,
    sentences,
    top_or_other,
)
from casesnb.view.plots.swarm import draw_swarm
from casesnb.view.plots.values import NOBODY, names_of, values_of
from casesnb.view.text import shortened
from casesnb.view.wording import (
    actor_names,
    counted,
    field_names,
    hours_text,
    value_names,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History
    from casesnb.view.plots.style import Ink

    Numbers = np.ndarray[Any, Any]

_FEW = 400  # stays whose dots are large
_TOLD = frozenset({*CHANGES.needs, "is_outcome_known", *NAMES.names})


def plot_transitions(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "status",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
    title: str | None = None,
) -> Axes:
    """Draw how often a field went from one value to another, and how soon.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "status"
        The field.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most values at each side; the rest become "other (n)".
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        A row per value before, a column per value after; in each cell how often,
        and the median time that the value before had held.

    Raises
    ------
    ValueError
        If `top` is below 1.

    See Also
    --------
    casesnb.transitions : The numbers behind it.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    (field_id,) = field_ids_of(changes, [field_id])
    found = transitions(changes, field_id, as_of=as_of)
    called = shortened(field_names(changes).get(field_id, field_id), 30)
    pairs = _moves(found, changes, field_id)
    about = f"How {called} moves"
    return _matrix(ax, history, changes, pairs, about, title, "transition", top)


def plot_handoffs(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "assigned_user",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
    title: str | None = None,
) -> Axes:
    """Draw who passed cases to whom, and how often.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "assigned_user"
        The holder: ``assigned_user`` or ``assigned_queue``.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most holders at each side; the rest become "other (n)".
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        A row per holder before, a column per holder after.

    Raises
    ------
    ValueError
        If `top` is below 1, or `field_id` names no holder.

    See Also
    --------
    casesnb.handoffs : The numbers behind it.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    if field_id not in {"assigned_user", "assigned_queue"}:
        raise ValueError(
            f"field_id={field_id!r} names no holder. Give 'assigned_user' or "
            "'assigned_queue'."
        )
    # As `handoffs` counts them; the hours that it tells too are not drawn.
    found = transitions(changes, field_id, as_of=as_of)
    found = found[found["from_value"].notna() | found["to_value"].notna()]
    words: dict[str, Any] = {"empty": NOBODY, "untold": NOBODY}
    moves = _moves(found, changes, field_id, others=actor_names(changes), **words)
    counts: dict[tuple[str, str], int] = {}
    for one, other, n, _ in moves:
        counts[one, other] = counts.get((one, other), 0) + n
    pairs = [(*pair, n, None) for pair, n in counts.items()]
    who = "agent" if field_id == "assigned_user" else "queue"
    about = f"Which {who} passes cases to which"
    return _matrix(ax, history, changes, pairs, about, title, "handoff", top)


def plot_time_in(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "status",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
    title: str | None = None,
) -> Axes:
    """Draw how long each case spent in each value of a field.

    A dot per case and value, all its stays there together, or for some of them
    where they are many. A case that is still there is hollow: it will have spent
    longer. The median and the 90th percentile count it with the time so far
    (Kaplan and Meier), so nothing is left out for not being over. Where fewer
    than half are over, the title says so.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "status"
        The field.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most values; the rest become "other (n)".
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        With one row per case and value as `plot_data`.

    Raises
    ------
    ValueError
        If `top` is below 1.

    See Also
    --------
    casesnb.time_in : The numbers behind it.
    """
    as_of = as_of_of(history, as_of)
    (field_id,) = field_ids_of(history, [field_id])
    changes = _of_field(history, field_id, as_of)
    _check(top)
    found = time_in(changes, field_id, as_of=as_of)
    found = found[(found["hours"] > 0).to_numpy(dtype=bool)].reset_index(drop=True)
    called = shortened(field_names(changes).get(field_id, field_id), 30)
    about = f"How long cases are in each {called}"
    of_row, values = values_of(found)
    names = names_of(value_names(changes), field_id, values)
    weight = np.bincount(of_row, minlength=len(values))
    kept, rest = top_or_other(
        {names[value]: float(n) for value, n in zip(values, weight, strict=True)}, top
    )
    rows = [*kept, f"{OTHER} ({len(rest)})"] if rest else kept
    ax = page(
        ax, height=1.6 + 0.62 * max(len(rows), 2), left=1.75, right=1.7, bottom=0.9
    )
    if not rows:
        nothing(ax, "No spell to draw.")
        footer = sentences(history, "0 cases")
        return finish(
            ax, Drawing(about, lambda: found, lambda: (), footer), title=title
        )
    place = {name: i for i, name in enumerate(kept)}
    of_value = [place.get(names[value], len(kept)) for value in values]
    row = np.array(of_value, dtype=int)[of_row]
    hours = found["hours"].to_numpy(dtype=float)
    is_open = found["is_open"].to_numpy(dtype=bool)
    duration_axis(ax, hours.min() / 1.5, hours.max() * 1.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [drawable(name) for name in apart(rows, 22)])
    fit_side(ax)
    begin, end = np.log(ax.get_xlim())
    n_each = draw_swarm(
        ax,
        hours,
        row,
        is_open,
        place=(np.log(hours) - begin) / (end - begin),
        along="x",
        size=4.4 if len(hours) <= _FEW else 3.2,
        gap=0.7,
        wide=0.84,
    )
    quantiles = _quantiles(found, row, len(rows))
    _write_quantiles(ax, quantiles)
    # Of a case that was in several of the values that share a row, once.
    cases = [
        len(found[row == i].drop_duplicates(["domain_id", "case_id"]))
        for i in range(len(rows))
    ]
    n_open = np.bincount(row, weights=is_open, minlength=len(rows)).astype(int)
    longest = np.array([hours[row == i].max() for i in range(len(rows))])
    ended = {
        names[value]
        for value in values
        if field_id == "status" and (value[1] or "").lower() == CLOSED
    }
    about += _where_longest(rows, np.array([m for m, _ in quantiles]), longest, ended)

    def lines() -> list[str]:
        return [
            f"{name}: {counted(cases[i], 'case')}, "
            f"half within {_within(quantiles[i][0])}, "
            f"nine tenths within {_within(quantiles[i][1])}, "
            f"{hours_text(hours[row == i].min())} to "
            f"{hours_text(longest[i])}, {n_open[i]:,} still there"
            for i, name in enumerate(apart(rows, 40))
        ]

    each = "is a case's" if n_each == 1 else f"stands for {n_each:,} cases'"
    footer = sentences(
        history,
        f"A dot {each} whole time in a value: {len(found):,} in all, "
        f"{int(is_open.sum()):,} still growing (hollow)",
        "The lines are the median and 90th percentile, in which those growing count "
        "so far",
    )
    return finish(ax, Drawing(about, lambda: found, lines, footer), title=title)


def _where_longest(
    rows: Sequence[str], medians: Numbers, longest: Numbers, ended: Collection[str]
) -> str:
    """Say in which value cases stay longest, as far as that is told."""
    is_told = ~np.isnan(medians)
    # Most cases stay closed: that tells nothing of the work before.
    is_aside = np.array([name in ended for name in rows]) & ~is_told
    if is_aside.all():
        return ""
    out = ", ".join(rows[i] for i in np.flatnonzero(is_aside).tolist())
    aside = f" ({out} left out)" if out else ""
    # A median that is not reached is longer than the longest time there was.
    least = np.where(is_told, medians, longest)
    most = int(np.where(is_aside, -1, least).argmax())
    untold = np.flatnonzero(~is_told & ~is_aside).tolist()
    name, after = shortened(rows[most], 40), hours_text(longest[most])
    if not untold:
        said = f"longest in {name}, median {hours_text(medians[most])}"
    elif is_told[most]:
        others = f"{len(untold)} others"
        other = shortened(rows[untold[0]], 24) if len(untold) == 1 else others
        said = f"longest median reached in {name}, {hours_text(medians[most])}; "
        said += f"not reached in {other}"
    elif len(untold) == 1:
        said = f"longest in {name}, median not reached after {after}"
    else:
        said = f"median not reached in {len(untold)} of {len(rows)}, "
        said += f"in {name} after {after}"
    return f": {said}{aside}"


def _quantiles(found: pd.DataFrame, row: Numbers, n: int) -> list[tuple[float, float]]:
    """Return the median and 90th percentile of each row, by Kaplan and Meier."""
    stays = like(
        found, {"row": row, "hours": found["hours"], "is_open": found["is_open"]}
    )
    told = durations(stays, by=["row"]).set_index("row")
    return [(told["median_hours"][i], told["q90_hours"][i]) for i in range(n)]


def _write_quantiles(ax: Axes, quantiles: Sequence[tuple[float, float]]) -> None:
    """Mark two quantiles in each row and write them beside it."""
    on = paper(ax)
    style: dict[str, Any] = {
        "xycoords": ax.get_yaxis_transform(),
        "textcoords": "offset points",
        "fontsize": 8.5 * scale(ax),
        "ha": "right",
        "annotation_clip": False,
    }
    for name, aside in zip(("median", "90%"), _aside(ax), strict=True):
        ax.annotate(name, (1, -0.5), (aside, 4), **style, va="bottom", color=on.quiet)
    for i, of_row in enumerate(quantiles):
        for hours, aside, wide in zip(of_row, _aside(ax), (2.2, 1.2), strict=True):
            text = "–" if np.isnan(hours) else hours_text(hours)
            ax.annotate(text, (1, i), (aside, 0), **style, va="center", color=on.ink)
            if hours == hours:
                ends: dict[str, Any] = {"linewidth": wide, "zorder": 4}
                ax.vlines(hours, i - 0.42, i + 0.42, color=on.ink, **ends)


def _aside(ax: Axes) -> tuple[float, float]:
    """Return how far beside a plot its two columns of numbers end, in points."""
    return 52 * scale(ax), 108 * scale(ax)


def _within(hours: float) -> str:
    return "a time not reached yet" if np.isnan(hours) else hours_text(hours)


def plot_backlog(
    history: History[Any] | IntoFrame,
    /,
    *,
    freq: str = "1d",
    field_id: str = "status",
    closed: str | Sequence[str] = CLOSED,
    with_closed: bool = False,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 7,
    tz: str | dt.tzinfo = "UTC",
    title: str | None = None,
) -> Axes:
    """Draw how many cases were in each status over time, one upon another.

    Cases are counted at the end of each period, and a count is drawn from then on
    until the next; the last one at `as_of`. Closed cases are left out, and the
    footer says how many they are. Values that share a name are told apart by id.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of many cases.
    freq : str, default "1d"
        The period at whose end cases are counted, such as ``6h``, ``1d`` or ``1mo``.
    field_id : str, default "status"
        The field.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    with_closed : bool, default False
        Draw the closed cases too: grey, below the others.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 7
        The most values to tell apart; the rest become "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone whose hours, days and months the periods are.
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        With one row per period and value that changed as `plot_data`: of the
        values drawn.

    Raises
    ------
    ValueError
        If there is no such time zone, `top` is below 1, or no case ever had a
        status that is to mean closed.

    See Also
    --------
    casesnb.backlog : The numbers behind it.
    """
    as_of = as_of_of(history, as_of)
    (field_id,) = field_ids_of(history, [field_id])
    changes = _of_field(history, field_id, as_of)
    _check(top)
    done = closed_values(changes, closed)
    zone_ = zone(tz)
    found = backlog(changes, freq=freq, field_id=field_id, as_of=as_of, tz=zone_)
    called = shortened(field_names(changes).get(field_id, field_id), 30)
    is_done = np.zeros(len(found), dtype=bool)
    if field_id == "status":
        is_done = found["value"].str.lower().isin(done).to_numpy(dtype=bool)
    n_left_out = 0
    if not with_closed:
        n_left_out = sum(
            int(rows["n_cases"].iloc[-1])
            for _, rows in found[is_done].groupby("value", observed=True)
        )
        found = found[~is_done].reset_index(drop=True)
        is_done = is_done[~is_done]
    about = f"{'Cases' if with_closed else 'Open cases'} by {called} over time"
    if field_id != "status":
        about = f"Cases by {called} over time"
    ax = page(ax, height=3.6, left=0.6)
    if found.empty:
        nothing(ax, "No case to draw.")
        footer = sentences(history, "0 cases")
        return finish(
            ax, Drawing(about, lambda: found, lambda: (), footer), title=title
        )
    of_row, values = values_of(found)
    names = names_of(value_names(changes), field_id, values)
    starts, place = np.unique(plain_times(found["period_at"]), return_inverse=True)
    counts = np.zeros((len(values), len(starts)), dtype="int64")
    for value, at, n in zip(of_row, place, found["n_cases"], strict=True):
        counts[value, at:] = n  # it stays as it is until its next row
    held = {names[value]: n for value, n in zip(values, counts, strict=True)}
    kept, rest = top_or_other({name: float(n.max()) for name, n in held.items()}, top)
    closed_names = {names[values[value]] for value in np.unique(of_row[is_done])}
    options = options_of(changes, field_id)
    # What is done, below; then by the field's own order of options.
    kept.sort(key=lambda name: (name not in closed_names, options.get(name, 99)))
    parts = [(name, held[name]) for name in kept]
    if rest:
        others = np.sum([held[name] for name in rest], axis=0)
        parts.append((f"{OTHER} ({len(rest)})", others))
    inks = inks_of(
        field_id,
        kept,
        closed=closed_names,
        options=options,
        rest=f"{OTHER} ({len(rest)})" if rest else "",
    )
    until = changes["performed_at"].max() if as_of is None else as_of
    taken = _taken(starts, until, freq, zone_)
    total = counts.sum(axis=0)
    if total.any():
        peak = int(total.argmax())
        about += f": {total[-1]:,} in the end, {total[peak]:,} at most "
        about += date_of(taken[peak], freq, zone_)
        x = _steps(day_numbers(starts[:1])[0], taken, until, freq)
        _draw_steps(ax, x, parts, inks)
        time_axis(ax, zone_)
        count_axis(ax, "cases")
    else:
        about += f": none at the end of any {length_of(freq)}"
        nothing(ax, f"No case was open at the end of any {length_of(freq)}.")

    def lines() -> list[str]:
        called = apart([name for name, _ in parts], 40)
        return [
            f"{name}: {n[-1]:,} in the end, {n.max():,} at most"
            for name, (_, n) in zip(called, parts, strict=True)
        ]

    left_out = ""
    if n_left_out:
        left_out = (
            f"Left out: {counted(n_left_out, 'closed case')} in the end "
            "(with_closed=True draws them)"
        )
    footer = sentences(
        history,
        f"Counted at the end of every {length_of(freq)}, from "
        f"{moment(day_numbers(starts[:1])[0], zone_)} to {moment(until, zone_)} {zone_}",
        left_out,
    )
    return finish(ax, Drawing(about, lambda: found, lines, footer), title=title)


def _taken(starts: Numbers, until: dt.datetime, freq: str, tz: dt.tzinfo) -> Numbers:
    """Return when the cases of each period were counted, as matplotlib's days."""
    # The last period may not have ended yet.
    return np.minimum(day_numbers(ends_of(starts, freq, tz)), day_number(until))


def _steps(first: float, taken: Numbers, until: dt.datetime, freq: str) -> Numbers:
    """Return where each step begins, and where the last one ends."""
    end = max(day_number(until), taken[-1])
    wide = end - first or days_of(freq)
    # What was counted at the very end is to be seen too.
    room = wide * max(0.02, 0.25 * min(days_of(freq) / wide, 1))
    return np.array([first, *taken, max(end, taken[-1] + room)])


def _draw_steps(
    ax: Axes, x: Numbers, parts: Sequence[tuple[str, Numbers]], inks: Sequence[Ink]
) -> None:
    base = np.zeros(len(x))
    for (_, n), ink in zip(parts, inks, strict=True):
        height = base + np.array([0, *n, n[-1]])
        ax.fill_between(x, base, height, step="post", zorder=2, **area(ink))
        # The edge of an area is the colour of its hatch.
        ends: dict[str, Any] = {"linewidth": 0.6, "zorder": 2.5, "where": "post"}
        ax.step(x, height, color=paper(ax).ground, **ends)
        base = height
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(0, base.max() * 1.05)
    # As they lie upon each other.
    place_legend(ax, patches(inks))


def _of_field(history: object, field_id: str, as_of: object) -> pd.DataFrame:
    """Return what tells when a field held which value; of a lazy frame no more."""
    # A frame alone is told up to its newest change, of whatever field.
    only = None if as_of is None else field_id
    return to_pandas(history, CHANGES, field_id=only, columns=_TOLD)


def _moves(
    found: pd.DataFrame, changes: pd.DataFrame, field_id: str, **words: Any
) -> list[tuple[str, str, int, Any]]:
    """Return what transitions go from and to by name, how many there are, and hours."""
    before, after = (values_of(found, side) for side in ("from_", "to_"))
    values = [*before[1], *after[1]]
    names = names_of(value_names(changes), field_id, values, **words)
    return [
        (names[before[1][one]], names[after[1][other]], int(n), hours)
        for one, other, n, hours in zip(
            before[0], after[0], found["n"], found["median_hours"], strict=True
        )
    ]


def _matrix(
    ax: Axes | None,
    history: object,
    changes: pd.DataFrame,
    pairs: Sequence[tuple[str, str, int, float | None]],
    about: str,
    title: str | None,
    noun: str,
    top: int,
) -> Axes:
    """Draw how often one went to the other, rows to columns."""
    _check(top)
    shown = {name for side in (0, 1) for name in _largest(pairs, side, top)[0]}
    order = _flow([pair for pair in pairs if shown.issuperset(pair[:2])], shown)
    order |= {NOBODY: -1}  # who had no case yet comes first
    rows, row_of = _side(order, pairs, 0, top)
    columns, column_of = _side(order, pairs, 1, top)
    total = sum(n for _, _, n, _ in pairs)
    frame = like(
        changes,
        {
            "from": [pair[0] for pair in pairs],
            "to": [pair[1] for pair in pairs],
            "n": [pair[2] for pair in pairs],
            "median_hours": [pair[3] for pair in pairs],
        },
    )
    ax = page(
        ax,
        width=max(2.6 + 0.95 * len(columns), 7.0),
        height=1.9 + 0.5 * max(len(rows), 2),
        left=1.75,
        top=0.6,
        bottom=1.1,
    )
    if not pairs:
        nothing(ax, f"No {noun} in this history.")
        footer = sentences(history, f"0 {noun}s")
        return finish(
            ax, Drawing(about, lambda: frame, lambda: (), footer), title=title
        )
    ranked = sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))
    first, second, n, _ = ranked[0]
    about += f": most often from {shortened(first, 24)} to {shortened(second, 24)}, "
    about += counted(n, "time")
    counts = np.zeros((len(rows), len(columns)), dtype="int64")
    notes: dict[tuple[int, int], str] = {}
    for first, second, n, hours in pairs:
        at = row_of[first], column_of[second]
        # A median of several medians is none: such a cell has its count alone.
        notes[at] = "" if at in notes or hours is None else hours_text(hours)
        counts[at] += n
    grid_of(ax, counts, notes)
    ax.set_yticks(range(len(rows)), [drawable(name) for name in apart(rows, 22)])
    ax.set_xticks(
        range(len(columns)),
        [drawable(name) for name in apart(columns, 22)],
        rotation=20,
        ha="right",
        rotation_mode="anchor",
    )
    ax.set_ylabel("from", color=paper(ax).quiet, fontsize=9 * scale(ax))
    ax.set_xlabel("to", color=paper(ax).quiet, fontsize=9 * scale(ax))
    fit_side(ax)

    def lines() -> list[str]:
        said = [
            f"{shortened(first, 40)} → {shortened(second, 40)}: {n:,}"
            + ("" if hours is None else f", after {hours_text(hours)}")
            for first, second, n, hours in ranked[:12]
        ]
        more = len(ranked) - 12
        return [*said, f"… {counted(more, 'more pair')}"] if more > 0 else said

    times = ", with the median time before it" if any(notes.values()) else ""
    footer = sentences(
        history,
        f"{counted(total, noun)} from a row's value to a column's{times}",
        "Both sides are ordered so that most goes to the right of the diagonal",
    )
    drawing = Drawing(about, lambda: frame, lines, footer)
    return finish(ax, drawing, title=title, below=70.0)


def _flow(
    pairs: Sequence[tuple[str, str, int, float | None]], names: Iterable[str]
) -> dict[str, int]:
    """Return a place for each name, so that most goes from a lower to a higher one."""
    to: dict[str, dict[str, int]] = {name: {} for name in sorted(names)}
    came: dict[str, dict[str, int]] = {name: {} for name in to}
    for first, second, n, _ in pairs:
        if first != second:
            to[first][second] = to[first].get(second, 0) + n
            came[second][first] = came[second].get(first, 0) + n
    head: list[str] = []
    foot: list[str] = []
    # Eades, Lin and Smyth (1993): what only takes comes last, what only gives first,
    # then what gives most beyond what it takes.
    while to:
        taker = next((name for name in to if not to[name]), None)
        giver = next((name for name in to if not came[name]), None)
        name = taker or giver or max(to, key=lambda one: _beyond(to[one], came[one]))
        (foot if name == taker else head).append(name)
        for other in to.pop(name):
            del came[other][name]
        for other in came.pop(name):
            del to[other][name]
    return {name: place for place, name in enumerate([*head, *reversed(foot)])}


def _beyond(given: Mapping[str, int], taken: Mapping[str, int]) -> int:
    return sum(given.values()) - sum(taken.values())


def _largest(
    pairs: Sequence[tuple[str, str, int, float | None]], side: int, top: int
) -> tuple[list[str], list[str]]:
    """Return the names to show along a side of a matrix, and the rest."""
    weight: dict[str, float] = {}
    for pair in pairs:
        name = str(pair[side])
        weight[name] = weight.get(name, 0) + pair[2]
    return top_or_other(weight, top)


def _side(
    order: Mapping[str, int],
    pairs: Sequence[tuple[str, str, int, float | None]],
    side: int,
    top: int,
) -> tuple[list[str], dict[str, int]]:
    """Return the names along a side of a matrix, and the place of each."""
    kept, rest = _largest(pairs, side, top)
    kept.sort(key=order.__getitem__)  # as along the other side
    place = {name: i for i, name in enumerate(kept)}
    place |= dict.fromkeys(rest, len(kept))
    return ([*kept, f"{OTHER} ({len(rest)})"] if rest else kept), place


def _check(top: int) -> None:
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
