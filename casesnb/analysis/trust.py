"""How far a history can be trusted: breaks, bounds, GetCase, an earlier capture."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.timezones import in_hours, micros_between
from casesnb.tables.arguments import need_history
from casesnb.tables.field_chain import (
    chained,
    field_ids_of,
    in_thread,
    is_creation,
    is_unexplained,
)
from casesnb.tables.frames import (
    NO_TEXT,
    as_of_of,
    handed_back,
    instant,
    opened,
    stacked,
)
from casesnb.tables.keys import beside_all
from casesnb.tables.schema import (
    CASE_FIELDS,
    CHAIN,
    CHANGES,
    EVENTS,
    OF_FIELD,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

CONTINUITY = Table(
    "continuity",
    "One row per break: an old value that no event before it explains.",
    (
        *OF_FIELD,
        Column("event_id", TEXT, "the event whose old value does not fit"),
        Column("reason", TEXT, "`contradicted` or `unexplained`"),
        Column("expected_kind", TEXT, "kind of the value that the change before set"),
        Column("expected", TEXT, "that value; missing for empty, absent and none"),
        Column("found_kind", TEXT, "kind of the old value"),
        Column("found", TEXT, "the old value; missing for empty"),
        Column("after_event_id", TEXT, "the change before; missing if there is none"),
        Column("after_at", TIME, "what is lost came after this; missing if unknown"),
        Column("before_at", TIME, "what is lost came before this"),
        Column(
            "is_order_known", "bool", "the event's place among its equals is decided"
        ),
    ),
)

TIME_BOUNDS = Table(
    "time_bounds",
    "One row per case and value: how long it held, at least and at most.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
        Column("value", TEXT, "the value as text; missing for empty and absent"),
        Column("hours_min", "float64", "hours that are sure"),
        Column("hours_max", "float64", "hours at most; missing if nothing bounds them"),
    ),
)

COMPARE_WITH_CURRENT = Table(
    "compare_with_current",
    "One row per case and field: whether the history ends where the case stands.",
    (
        *OF_FIELD,
        Column("verdict", TEXT, "`match`, `contradicted` or `unverifiable`"),
        Column("reason", TEXT, "why"),
        Column("history_kind", TEXT, "kind of the value that the last change set"),
        Column("history_value", TEXT, "that value; missing for empty and untold"),
        Column("current_kind", TEXT, "kind of the value that GetCase tells"),
        Column("current_value", TEXT, "that value; missing for empty and untold"),
        Column("event_id", TEXT, "the event of the last change"),
        Column("since_at", TIME, "when that was"),
        Column("n_breaks", "int64", "breaks in the field's chain of values"),
    ),
)

COMPARE_CAPTURES = Table(
    "compare_captures",
    "One row per event that two captures of the same cases tell differently.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("event_id", TEXT, "the audit event"),
        Column("performed_at", TIME, "when it was done"),
        Column("verdict", TEXT, "`new`, `late`, `vanished` or `altered`"),
        Column("what", TEXT, "the columns that were altered, a space between two"),
    ),
)


__all__ = [
    "compare_captures",
    "compare_with_current",
    "continuity",
    "time_bounds",
]


def __dir__() -> list[str]:
    return __all__


_EVENT = ("domain_id", "case_id", "event_id")
_SECOND = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_TIME_OF_UTC = _SECOND + r"(Z|\+00:00)$"
_WITH_FRACTION = _SECOND + r"\.\d+(Z|\+00:00)$"


def continuity(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per break: an old value that no event before it explains.

    ``contradicted``: the old value is not what the change before had set.
    ``unexplained``: the field's first change has an old value, though nothing
    had set one. In both cases something happened between ``after_at`` and
    ``before_at`` that the history does not tell.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.CONTINUITY``, by case, field and time, in the
        kind of frame that was given.

    See Also
    --------
    time_bounds : How long a value held at least and at most.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> len(continuity(history))
    0
    >>> lost = history.changes.query("new != 'closed'")
    >>> continuity(lost)["found"].unique().tolist()
    ['closed']
    """
    as_of = as_of_of(history, None)
    frame = chained(_with_birth(opened(history, CHANGES)), as_of=as_of).frame
    found = frame.filter(nw.col("is_break") | is_unexplained()).select(
        *CHAIN,
        "event_id",
        reason=nw.when(nw.col("is_break"))
        .then(nw.lit("contradicted"))
        .otherwise(nw.lit("unexplained")),
        expected_kind=nw.col("before_kind"),
        expected=nw.col("before"),
        found_kind=nw.col("old_kind"),
        found=nw.col("old"),
        after_event_id=nw.col("before_event_id"),
        after_at=nw.coalesce("before_at", "born"),
        before_at=nw.col("performed_at"),
        is_order_known=nw.col("is_order_known"),
    )
    return handed_back(
        found, history, ("domain_id", "case_id", "field_id", "before_at", "event_id")
    )


def _with_birth(frame: Any) -> Any:
    """Return changes beside when their case was created, where the history says."""
    born = nw.when(is_creation()).then("performed_at")
    frame = frame.with_columns(born=born)
    return beside_all(frame, ("domain_id", "case_id"), born=nw.col("born").min())


def time_bounds(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    as_of: dt.datetime | None = None,
    current: IntoFrameT | None = None,
) -> IntoFrameT:
    """One row per case and value: how long it held, at least and at most.

    Between two changes that agree, the value is sure. Where they do not, any
    value may have held for any part of the time between them: it counts for
    none at least and for every value at most. Where nothing decides which of the
    changes of one instant came last, the time after it counts for none of their
    values at least and for each at most. What two lost changes undid (A to B, B to
    A) leaves no trace, and no bound can tell.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, default "status"
        The field.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.
    current : DataFrame, optional
        The columns of ``schema.CASE_FIELDS`` in the same kind of frame. Where
        it contradicts the last change, the time since then is not sure.

    Returns
    -------
    DataFrame
        The columns of ``schema.TIME_BOUNDS``, by case and value, in the kind of
        frame that was given. ``hours_max`` is missing where the history does
        not say when the case began.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> bounds = time_bounds(history)
    >>> bool((bounds["hours_min"] == bounds["hours_max"]).all())
    True
    """
    key = ("domain_id", "case_id")
    (field_id,) = field_ids_of(history, [field_id])
    as_of = as_of_of(history, as_of)
    linked = chained(_with_birth(opened(history, CHANGES)), field_id, as_of=as_of)
    linked = linked.with_columns(broken=nw.col("is_break").cast(nw.Int8))
    linked = linked.beside(then_break=("broken", -1)).with_as_of()
    frame = linked.frame.with_columns(now_kind=NO_TEXT, now=NO_TEXT)
    if current is not None:
        states = opened(current, CASE_FIELDS).filter(nw.col("field_id") == field_id)
        states = states.select(*key, now_kind="kind", now="value")
        frame = frame.drop("now_kind", "now").join(states, on=list(key), how="left")
    is_held = _same("new_kind", "new", "now_kind", "now") | nw.col("now_kind").is_null()
    if "merged_at" in frame.collect_schema().names():
        frame = frame.with_columns(**in_thread("next_at")).filter(~nw.col("is_end"))
    frame = frame.with_columns(end_at=nw.coalesce("next_at", "as_of"), is_held=is_held)
    decided, outcomes = _by_outcome(frame, key)
    is_agreed = nw.when(nw.col("is_last")).then("is_held")
    after = decided.select(
        *key,
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        start_at=nw.col("performed_at"),
        end_at=nw.col("end_at"),
        sure=is_agreed.otherwise(nw.col("then_break").fill_null(0) == 0)
        & ~nw.col("is_unsure")
        & ~nw.col("new_kind").is_null(),
        either=nw.lit(False),
    )
    # Before the first change: what it says was there, unless it began the case.
    earlier = frame.filter(
        nw.col("is_first") & (nw.col("event_type") != "Case.Created")
    ).select(
        *key,
        kind=nw.col("old_kind"),
        value=nw.col("old"),
        # What came before the creation it tells has no beginning here.
        start_at=nw.when(nw.col("born") <= nw.col("performed_at")).then("born"),
        end_at=nw.col("performed_at"),
        sure=(nw.col("old_kind") == "empty").fill_null(False)
        & ~nw.col("born").is_null()
        & nw.col("is_order_known"),
        either=nw.lit(False),
    )

    def named(rows: Any, when: nw.Expr, kind: str, value: str) -> Any:
        return rows.filter(when).select(
            *key,
            kind=nw.col(kind),
            value=nw.col(value),
            start_at=nw.col("performed_at"),
            end_at=nw.col("performed_at"),
            sure=nw.lit(False),
            either=nw.lit(False),
        )

    # A break names a value that held at its end, however short, and so does what
    # comes after a value that AWS did not send.
    is_named = nw.col("is_break") | nw.col("is_after_untold")
    is_named = is_named & ~nw.col("old_kind").is_null()
    ended = named(frame, is_named, "old_kind", "old")
    # So does what GetCase tells where the last change does not.
    is_other = nw.col("is_last") & ~nw.col("is_held")
    told = named(decided, is_other, "now_kind", "now")
    spans = stacked([earlier, after, *outcomes, ended, told])
    spans = spans.with_columns(micros=micros_between(spans, "start_at", "end_at"))
    is_endless = nw.col("micros").is_null()
    spans = spans.with_columns(
        endless=is_endless.cast(nw.Int64), micros=nw.col("micros").fill_null(0)
    ).with_columns(
        surely=nw.when(nw.col("sure")).then("micros").otherwise(nw.lit(0)),
        maybe=nw.when(~nw.col("sure") & ~nw.col("either"))
        .then("micros")
        .otherwise(nw.lit(0)),
        perhaps=nw.when(nw.col("either")).then("micros").otherwise(nw.lit(0)),
    )
    gaps = spans.group_by(*key).agg(
        maybe=nw.col("maybe").sum(), endless=nw.col("endless").sum()
    )
    sums = spans.group_by(*key, "kind", "value").agg(
        surely=nw.col("surely").sum(), perhaps=nw.col("perhaps").sum()
    )
    least, most = (
        nw.col("surely"),
        nw.col("surely") + nw.col("perhaps") + nw.col("maybe"),
    )
    found = sums.join(gaps, on=list(key), how="left").select(
        *key,
        "kind",
        "value",
        hours_min=in_hours(least),
        hours_max=nw.when(nw.col("endless") == 0).then(in_hours(most)),
    )
    return handed_back(found, history, (*key, "kind", "value"))


_SPANNED = (
    *("domain_id", "case_id", "new_kind", "new", "now_kind", "now", "performed_at"),
    *("end_at", "is_last", "is_held", "is_unsure", "then_break"),
)


def _by_outcome(frame: Any, key: tuple[str, ...]) -> tuple[Any, list[Any]]:
    """Return changes whose outcome counts as theirs, and spans of any of several."""
    is_unsure = nw.col("is_unsure")
    if not isinstance(frame, nw.LazyFrame) and not frame["is_unsure"].any():
        return frame, []
    instant = [*key, "performed_at"]
    tied = frame.filter(is_unsure)
    ends = tied.filter(
        (nw.col("next_at") > nw.col("performed_at")).fill_null(nw.col("is_last"))
    )
    ends = ends.select(*instant, "is_last", tie_end_at="end_at", broken="then_break")
    held = tied.with_columns(held=nw.col("is_held").cast(nw.Int8))
    held = held.group_by(*instant).agg(held=nw.col("held").max())
    # What comes next may contradict whatever the tie may have left.
    found = ends.join(held, on=instant, how="inner").select(
        *instant,
        "tie_end_at",
        is_contradicted=nw.when(nw.col("is_last"))
        .then(nw.col("held") == 0)
        .otherwise(nw.col("broken").fill_null(0) == 1),
    )
    tied = tied.join(found, on=instant, how="inner")
    parts = (frame.filter(~is_unsure), tied.filter("is_contradicted"))
    outcomes = tied.filter(~nw.col("is_contradicted")).select(
        *key,
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        start_at=nw.col("performed_at"),
        end_at=nw.col("tie_end_at"),
        sure=nw.lit(False),
        either=nw.lit(True),
    )
    return stacked([part.select(*_SPANNED) for part in parts]), [outcomes.unique()]


def _same(kind: str, text: str, other_kind: str, other: str) -> nw.Expr:
    """Whether two values are the same; users and times may be written otherwise."""
    texts = _one_text(nw.col(text)) == _one_text(nw.col(other))
    kinds = [
        nw.when(nw.col(name) == "user_arn")
        .then(nw.lit("string"))
        .otherwise(nw.col(name).fill_null("empty"))
        for name in (kind, other_kind)
    ]
    return texts & (kinds[0] == kinds[1])


def _one_text(text: nw.Expr) -> nw.Expr:
    """Return texts of which times are written one way, without zeros at their end."""
    text = text.fill_null("")
    has_part = text.str.contains(_WITH_FRACTION)
    in_utc = text.str.replace_all(r"\+00:00$", "Z")
    short = in_utc.str.replace_all(r"0+Z$", "Z").str.replace_all(r"\.Z$", "Z")
    is_time = text.str.contains(_TIME_OF_UTC)
    return (
        nw.when(has_part)
        .then(short)
        .otherwise(nw.when(is_time).then(in_utc).otherwise(text))
    )


def compare_with_current(
    history: History[IntoFrameT] | IntoFrameT, current: IntoFrameT, /
) -> IntoFrameT:
    """One row per case and field: whether the history ends where the case stands.

    ``match``: the last change's new value is the value of today.
    ``contradicted``: it is another one, so that the history lacks something, or
    the case was changed after it was read. ``unverifiable``: one of the two
    does not tell the field, or its last changes came at one instant in an order
    that nothing decides, and one of them set the value of today. A match says
    where the history ends, not that it is whole: ``n_breaks`` counts what
    `continuity` finds in it.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    current : DataFrame
        The state of the same cases in the same kind of frame, as
        `load_case_fields` gives it: ``schema.CASE_FIELDS``.

    Returns
    -------
    DataFrame
        The columns of ``schema.COMPARE_WITH_CURRENT``, by case and field, in the
        kind of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> client = cn.connect(world)
    >>> history = cn.load_history(client, *world.showcase)
    >>> current = cn.load_case_fields(client, *world.showcase)
    >>> found = compare_with_current(history, current)
    >>> sorted(set(found["verdict"]))
    ['match', 'unverifiable']
    """
    frame = chained(history).frame
    frame = frame.with_columns(n_breaks=nw.col("is_break").cast(nw.Int64))
    frame = beside_all(frame, CHAIN, n_breaks=nw.col("n_breaks").sum())
    key = list(CHAIN)
    folded = frame.filter(nw.col("is_last")).select(
        *key,
        history_kind=nw.col("new_kind"),
        history_value=nw.col("new"),
        event_id=nw.col("event_id"),
        since_at=nw.col("performed_at"),
        n_breaks=nw.col("n_breaks"),
        is_unsure=nw.col("is_unsure"),
        told=nw.lit(1, nw.Int8),
    )
    states = opened(current, CASE_FIELDS).select(
        *key,
        current_kind=nw.col("kind"),
        current_value=nw.col("value"),
        asked=nw.lit(1, nw.Int8),
    )
    # What any order of a tie that nothing decides would leave.
    either = frame.filter("is_unsure").select(
        *key, "new_kind", "new", since_at="performed_at"
    )
    either = either.join(states, on=key, how="inner").filter(
        _same("new_kind", "new", "current_kind", "current_value")
    )
    either = either.select(*key, "since_at", either=nw.lit(1, nw.Int8)).unique()
    folded = folded.join(either, on=[*key, "since_at"], how="left")
    keys = stacked([folded.select(*key), states.select(*key)])
    both = (
        keys.unique()
        .join(folded, on=key, how="left")
        .join(states, on=key, how="left")
        .with_columns(
            told=nw.col("told").fill_null(0) == 1,
            asked=nw.col("asked").fill_null(0) == 1,
            is_tied=nw.col("is_unsure").fill_null(False)
            & (nw.col("either").fill_null(0) == 1),
        )
    )
    same = _same("history_kind", "history_value", "current_kind", "current_value")
    is_untold = nw.col("history_kind").is_null()
    answers = (
        (~nw.col("told"), "unverifiable", "no event sets it"),
        (~nw.col("asked"), "unverifiable", "GetCase did not tell it"),
        (is_untold, "unverifiable", "its last change does not tell the value"),
        (nw.col("is_tied"), "unverifiable", "its last changes came at one instant"),
        (same, "match", "the last change set what GetCase tells"),
    )
    verdict, reason = nw.lit("contradicted"), nw.lit("GetCase tells another value")
    for condition, answer, why in reversed(answers):
        verdict = nw.when(condition).then(nw.lit(answer)).otherwise(verdict)
        reason = nw.when(condition).then(nw.lit(why)).otherwise(reason)
    found = both.select(
        *key,
        "history_kind",
        "history_value",
        "current_kind",
        "current_value",
        "event_id",
        "since_at",
        verdict=verdict,
        reason=reason,
        n_breaks=nw.col("n_breaks").fill_null(0).cast(nw.Int64),
    ).select(
        *key,
        "verdict",
        "reason",
        "history_kind",
        "history_value",
        "current_kind",
        "current_value",
        "event_id",
        "since_at",
        "n_breaks",
    )
    return handed_back(found, current, key)


_SAID = (
    "event_type",
    "related_item_type",
    "actor",
    "user_arn",
    "custom_entity",
    "iam_principal_arn",
    "merge_event_id",
    "primary_case_id",
    "secondary_case_id",
    "extra",
)
_VALUES = ("field_id", "old_kind", "old", "new_kind", "new")


def compare_captures(
    earlier: History[IntoFrameT],
    later: History[IntoFrameT],
    /,
    *,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per event that two captures of the same cases tell differently.

    ``new``: performed after the earlier capture. ``late``: performed before it,
    but not in it. ``vanished``: in the earlier one only. ``altered``: in both,
    but not the same. Only cases that have an event in both captures are
    compared: a case without any may not have been asked for.

    Parameters
    ----------
    earlier, later : History
        Two captures, with frames of one engine.
    as_of : datetime, optional
        When the earlier one was read, with its zone; by default as its
        certificate says.

    Returns
    -------
    DataFrame
        The columns of ``schema.COMPARE_CAPTURES``, by case, time and event, in
        the kind of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> before = world.at(world.now.replace(day=1))
    >>> then = cn.load_history(cn.connect(before), *world.showcase)
    >>> now = cn.load_history(cn.connect(world), *world.showcase)
    >>> len(compare_captures(then, now)) == len(now.events) - len(then.events)
    True
    """
    need_history(earlier, later)
    first, second = opened(earlier.events, EVENTS), opened(later.events, EVENTS)
    as_of = as_of_of(earlier, as_of) or dt.datetime.max.replace(tzinfo=dt.UTC)
    case, key = ["domain_id", "case_id"], list(_EVENT)
    cases = first.select(*case).unique().join(second.select(*case).unique(), on=case)
    first, second = (
        frame.select(*key, "performed_at", "n_changes", *_SAID).join(cases, on=case)
        for frame in (first, second)
    )
    is_new = nw.col("performed_at") > instant(first, as_of)
    came = second.join(first.select(*key), on=key, how="anti").select(
        *key,
        "performed_at",
        verdict=nw.when(is_new).then(nw.lit("new")).otherwise(nw.lit("late")),
        what=NO_TEXT,
    )
    went = first.join(second.select(*key), on=key, how="anti").select(
        *key, "performed_at", verdict=nw.lit("vanished"), what=NO_TEXT
    )
    both = first.join(second, on=key, how="inner", suffix="_later")
    odd = _one_sided(earlier.changes, later.changes, key)
    both = both.join(odd, on=key, how="left")
    parts = [
        nw.when(differs).then(nw.lit(f"{name} ")).otherwise(nw.lit(""))
        for name, differs in {
            "performed_at": nw.col("performed_at") != nw.col("performed_at_later"),
            **{
                name: nw.col(name).fill_null("\x1f")
                != nw.col(f"{name}_later").fill_null("\x1f")
                for name in _SAID
            },
            "changes": (nw.col("n_changes") != nw.col("n_changes_later"))
            | (nw.col("odd").fill_null(0) == 1),
        }.items()
    ]
    altered = (
        both.with_columns(what=nw.concat_str(*parts, separator="").str.strip_chars())
        .filter(nw.col("what") != "")
        .select(*key, "performed_at", verdict=nw.lit("altered"), what="what")
    )
    found = stacked([came, went, altered])
    order = ("domain_id", "case_id", "performed_at", "event_id")
    return handed_back(found, earlier.events, order)


def _one_sided(earlier: object, later: object, key: list[str]) -> Any:
    """Return the events of which one capture lists a change that the other does not."""
    names = [*key, "slot", *_VALUES]
    rows = stacked(
        [
            opened(frame, CHANGES).select(
                *key, *(nw.col(name).cast(nw.String) for name in names[3:])
            )
            for frame in (earlier, later)
        ]
    ).with_columns(
        said=nw.concat_str(
            *(nw.col(name).fill_null("\x1e") for name in names[3:]), separator="\x1f"
        ),
        one=nw.lit(1, nw.Int64),
    )
    return (
        rows.group_by(*key, "said")
        .agg(n=nw.col("one").sum())
        .filter(nw.col("n") == 1)
        .select(*key)
        .unique()
        .with_columns(odd=nw.lit(1, nw.Int8))
    )
