"""A frame of any engine: opened with plain texts and UTC times, handed back as it came.

A pandas frame is asked as the Arrow table that it holds: a step through Narwhals
takes a quarter of the time there, and nothing is copied on the way in.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import narwhals as nw
import pandas as pd

from casesnb.tables.arguments import moment, need_columns, need_table
from casesnb.tables.arrow import (
    as_frame,
    as_table,
    listed,
    with_texts,
)
from casesnb.tables.schema import EVENTS, ID, NAMES, SYSTEM_FIELDS, TEXT, TEXT_TYPE
from casesnb.tables.schema import TIME as TIME_TYPE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.tables.schema import Table

_FrameT_co = TypeVar("_FrameT_co", covariant=True)


class WithTables(Protocol[_FrameT_co]):
    """What holds both tables of a history, such as a `History`."""

    @property
    def events(self) -> _FrameT_co:
        """One row per audit event."""

    @property
    def changes(self) -> _FrameT_co:
        """One row per field of an event."""


TIME = nw.Datetime("us", "UTC")
"""What every time is."""

IDS = ("domain_id", "case_id", "event_id", "field_id")
"""What tells rows apart."""

THREAD = ("thread_id", "is_counted", "merged_at")
"""What tells in which thread a row's case is, in frames that come by threads."""

_UTC_NAMES = {
    *("UTC", "UCT", "Universal", "Zulu", "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich"),
    *("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "Etc/GMT", "Etc/GMT0"),
    *("Etc/GMT+0", "Etc/GMT-0", "Etc/Greenwich"),
}
"""The zones that always show UTC, as sessions of Spark call it."""

NO_TEXT = nw.lit(None, nw.String)
"""A missing text, typed."""


def opened(frame: object, table: Table | None = None) -> Any:
    """Return what `as_given` does, with categories as texts."""
    return texts(as_given(frame, table))


def as_given(frame: object, table: Table | None = None, *names: str) -> Any:
    """Return a frame of any engine, its categories as they are."""
    given = _framed(frame, table)
    if table is not None and frame is not given:
        there = given.collect_schema().names()
        kept = names or table.names
        if {*THREAD} <= {*there}:
            kept = (*kept, *THREAD)
        given = given.select(*(name for name in kept if name in there))
    if given.implementation.is_pandas():
        given = nw.from_native(as_table(given.to_native()))
    given = _in_utc(given, given.collect_schema().names())
    if given.implementation.is_pyarrow():
        return nw.from_native(with_texts(given.to_native(), coded=False))
    finer = [n for n, d in given.collect_schema().items() if _is_finer(d)]
    if finer:
        given = given.with_columns(nw.col(*finer).cast(time_type(given)))
    return given


def _is_finer(dtype: Any) -> bool:
    return is_zoned(dtype) and dtype.time_unit != "us"


def is_zoned(dtype: object) -> bool:
    """Return whether a column's times name moments."""
    return isinstance(dtype, nw.Datetime) and dtype.time_zone is not None


def whole(frame: object, *times: str, table: Table | None = None) -> Any:
    """Return a frame with every column that it has, as it is."""
    return _in_utc(_framed(frame, table), times)


def plain(frame: object, *times: str, table: Table | None = None) -> Any:
    """Return what `whole` does, with texts of one kind and a fresh index."""
    given = whole(frame, *times, table=table)
    if given.implementation.is_pyarrow():  # which joins no two kinds
        return nw.from_native(with_texts(given.to_native()))
    return nw.maybe_reset_index(texts(given))


def is_history(given: object) -> bool:
    """Return whether something holds both tables of a history."""
    is_frame = hasattr(type(given), "columns")  # where a column may have any name
    return not is_frame and hasattr(given, "events") and hasattr(given, "changes")


def table_of(subject: object, table: Table) -> Any:
    """Return a history's table, or the frame that was given itself."""
    if not is_history(subject):
        return subject
    return getattr(subject, table.name)


def beside(subject: object, other: object, table: Table) -> Any:
    """Return the other table of a history, or the one given beside a bare frame."""
    if is_history(subject):
        if other is not None:
            raise TypeError(
                f"A history holds its {table.name}. Leave {table.name}= out."
            )
        return table_of(subject, table)
    need_table(subject)
    if other is None:
        raise TypeError(
            f"One table is not enough here. Give a history, or {table.name}= beside it."
        )
    return other


def as_of_of(subject: object, as_of: dt.datetime | None) -> dt.datetime | None:
    """Return the moment that is asked for: by default up to when a history tells."""
    if as_of is not None:
        return moment(as_of)
    if not is_history(subject):
        return None
    found: dt.datetime | None = getattr(subject, "certificate", subject).as_of  # type: ignore[attr-defined]
    return found


def until_of(
    subject: object, events: Any, as_of: dt.datetime | None
) -> dt.datetime | None:
    """Return what `as_of_of` does: by default of two bare tables the newest event."""
    as_of = as_of_of(subject, as_of)
    if as_of is None:
        (last,) = rows_of(events.select(at=nw.col("performed_at").max()))
        as_of = last["at"]
    return as_of


def to_pandas(
    subject: object,
    table: Table,
    *,
    field_id: str | None = None,
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return a table as a frame of pandas: of a lazy one what is named, if it is."""
    native = table_of(subject, table)
    need_table(native)
    given: Any = nw.from_native(native)
    there = given.collect_schema().names()
    need_columns(there, table)
    if isinstance(given, nw.LazyFrame):
        if field_id in SYSTEM_FIELDS:  # which cannot be misspelt: only its rows count
            given = given.filter(nw.col("field_id") == field_id)
        if columns is not None:
            given = given.select(*(name for name in there if name in columns))
        given = given.collect("pyarrow")
    _need_ids(given, table)
    if given.implementation.is_pandas():
        return cast("pd.DataFrame", given.to_native())
    frame: pd.DataFrame = given.to_pandas()
    dtypes = {**NAMES.dtypes, **table.dtypes}
    for name in frame.columns:
        if dtypes.get(name) in {ID, TEXT}:
            frame[name] = frame[name].astype(TEXT_TYPE)
            if dtypes[name] == ID:
                frame[name] = frame[name].astype("category")
        elif dtypes.get(name) == TIME_TYPE:
            frame[name] = pd.to_datetime(frame[name], utc=True).astype(
                cast("Any", TIME_TYPE)
            )
        elif name in dtypes:
            frame[name] = frame[name].astype(cast("Any", dtypes[name]))
    return frame


def _framed(frame: object, table: Table | None) -> Any:
    if table is not None:
        frame = table_of(frame, table)
    need_table(frame)
    given = nw.from_native(cast("Any", frame))
    if table is not None and frame is not given:
        need_columns(given.collect_schema().names(), table)
        _need_ids(given, table)
        given = _typed(given, table)
    return given


def _typed(given: Any, table: Table) -> Any:
    """Return a frame whose texts are texts, also where it holds none at all."""
    if given.implementation.is_pandas():
        return given
    kinds = nw.String | nw.Categorical | nw.Enum
    texts_ = [
        name
        for name, dtype in given.collect_schema().items()
        if table.dtypes.get(name) in {ID, TEXT} and not isinstance(dtype, kinds)
    ]
    return given.with_columns(nw.col(*texts_).cast(nw.String)) if texts_ else given


def _need_ids(given: Any, table: Table) -> None:
    """Refuse rows that do not say whose they are: cases would be mixed in silence."""
    names = [name for name in IDS if name in table.needs]
    if isinstance(given, nw.DataFrame):  # which counts them without a plan
        row = {name: given[name].null_count() > 0 for name in names}
    else:
        is_missing = {name: nw.col(name).is_null().any() for name in names}
        (row,) = rows_of(given.select(**is_missing))
    for name in names:
        if row[name]:
            raise ValueError(
                f"Some rows of {table.name} have no {name}. Leave them out, or give "
                "them the one that they are of."
            )


def _in_utc(given: Any, times: Sequence[str]) -> Any:
    """Return a frame whose times, where they have a zone, are read in UTC."""
    abroad = []
    for name, dtype in given.collect_schema().items():
        zone = getattr(dtype, "time_zone", None)
        if name == "performed_at" and zone is None and isinstance(given, nw.DataFrame):
            raise ValueError(
                "performed_at holds no times with a zone. AWS tells UTC: "
                "pd.to_datetime(frame['performed_at'], utc=True) (pandas)."
            )
        is_read_abroad = zone != "UTC" or given.implementation.is_duckdb()
        if name in times and zone is not None and is_read_abroad:
            abroad.append(name)
    if not abroad or given.implementation.is_spark_like():
        return given
    if given.implementation.is_duckdb():
        return _at_utc(given, abroad)
    return given.with_columns(nw.col(*abroad).dt.convert_time_zone("UTC"))


def _at_utc(given: Any, times: Sequence[str]) -> Any:
    """Return a frame of DuckDB whose moments became times of UTC, or the other way."""
    # DuckDB reads and subtracts moments on the wall of its session, whose clock
    # jumps in most zones. A time without a zone is the same in every session.
    columns = []
    for name in given.collect_schema().names():
        quoted = '"' + name.replace('"', '""') + '"'
        is_asked = name in times
        columns.append(f"timezone('UTC', {quoted}) AS {quoted}" if is_asked else quoted)
    return nw.from_native(given.to_native().project(", ".join(columns)))


def as_moments(frame: Any, like: object) -> Any:
    """Return a frame whose times are moments again, but those without one in `like`."""
    if not frame.implementation.is_duckdb():
        return frame
    there = nw.from_native(cast("Any", like)).collect_schema()
    local = [
        name
        for name, dtype in frame.collect_schema().items()
        if isinstance(dtype, nw.Datetime)
        and not is_zoned(dtype)
        and (name not in there or is_zoned(there[name]))
    ]
    return _at_utc(frame, local) if local else frame


def time_type(frame: Any) -> nw.Datetime:
    """Return the type of a frame's times, once it was opened."""
    if frame.implementation.is_duckdb():
        return nw.Datetime("us")
    if frame.implementation.is_spark_like():
        # The session's zone, as Narwhals knows it, whatever columns the frame has.
        now = frame.to_native().selectExpr("current_timestamp() AS now")
        return nw.Datetime("us", nw.from_native(now).collect_schema()["now"].time_zone)
    return TIME


def instant(frame: Any, at: dt.datetime | None) -> nw.Expr:
    """Return a moment as a value among a frame's times."""
    kind = time_type(frame)
    if at is not None and kind.time_zone is None:
        at = _local(at)
    return nw.lit(at, kind)


def up_to(as_of: dt.datetime | None, *frames: Any) -> tuple[Any, ...]:
    """Return events or changes without those after a moment, if one is given."""
    if as_of is None:
        return frames
    return tuple(
        frame.filter(nw.col("performed_at") <= instant(frame, as_of))
        for frame in frames
    )


def need_wall(frame: Any) -> None:
    """Refuse a frame whose engine reads hours and days on another wall than UTC's."""
    if not frame.implementation.is_spark_like():
        return
    # Narwhals keeps the zone that the session had first.
    zone = frame.to_native().sparkSession.conf.get("spark.sql.session.timeZone")
    if zone not in _UTC_NAMES:
        raise ValueError(
            f"This session of Spark reads hours and days in {zone}. Let it read them "
            "in UTC: spark.conf.set('spark.sql.session.timeZone', 'UTC')."
        )


def need_zone(frame: Any, name: str, called: str = "frame") -> None:
    """Refuse a column that should hold times and holds none with a zone."""
    if is_zoned(frame.collect_schema()[name]):
        return
    if isinstance(frame, nw.DataFrame) and frame[name].is_null().all():
        return
    raise ValueError(
        f"{name} of `{called}` holds no times with a zone: give "
        f"pd.to_datetime({called}['{name}'], utc=True) (pandas)."
    )


def stacked(frames: Sequence[Any]) -> Any:
    """Return the rows of several frames, one after the other."""
    if frames[0].implementation.is_pyarrow():
        tables = [with_texts(frame.to_native()) for frame in frames]
        frames = [nw.from_native(table) for table in tables]
    return nw.concat(frames, how="vertical")


def windowed(frame: Any) -> Any:
    """Return a frame in an engine that has windows and exact medians."""
    if not frame.implementation.is_pyarrow():
        return frame
    return nw.from_native(as_frame(frame.to_native()))


def texts(frame: Any) -> Any:
    """Return a frame with its categories as texts."""
    kinds = nw.Categorical | nw.Enum
    names = [n for n, d in frame.collect_schema().items() if isinstance(d, kinds)]
    if not names:
        return frame
    native = frame.to_native()
    if frame.implementation.is_pyarrow():
        return nw.from_native(with_texts(native))
    if frame.implementation.is_pandas():  # whose own cast takes ten times as long
        told = as_frame(with_texts(as_table(native[names])))
        return nw.from_native(native.assign(**told.set_axis(native.index)))
    return frame.with_columns(nw.col(*names).cast(nw.String))


def texts_of(frame: Any, *columns: str) -> Any:
    """Return a frame with these columns as texts, where others may stay as they are."""
    if not frame.implementation.is_pyarrow():  # where to cast costs time
        return texts(frame)
    told = texts(frame.select(*columns))
    return frame.with_columns(*(told[name] for name in columns))


def handed_back(
    frame: Any,
    like: WithTables[IntoFrameT] | IntoFrameT,
    order: Sequence[str],
    columns: Sequence[str] | None = None,
) -> IntoFrameT:
    """Return a frame in the kind that was given, its rows in order."""
    if columns is not None:  # a sort takes every column there is
        frame = frame.select(*columns, *(n for n in order if n not in columns))
    ordered = frame.sort(*order, nulls_last=True) if order else frame
    if columns is not None:
        ordered = ordered.select(*columns)
    native = table_of(like, EVENTS)
    given: Any = nw.from_native(cast("Any", native))
    ordered = as_moments(ordered, native)
    if given.implementation.is_pandas():
        ordered = _with_text_type(windowed(ordered), given.to_native())
    elif given.implementation.is_pyarrow():
        ordered = as_given(ordered)
    return cast("IntoFrameT", nw.maybe_reset_index(ordered).to_native())


def frame_of(
    rows: Sequence[Mapping[str, Any]], types: Mapping[str, Any], like: Any
) -> Any:
    """Return rows of ours as a frame in the engine of another."""
    columns = {name: [row[name] for row in rows] for name in types}
    if not isinstance(like, nw.LazyFrame):
        return nw.from_dict(columns, types, backend=like.implementation)
    if like.implementation.is_polars():
        return nw.from_dict(columns, types, backend="polars").lazy()
    if like.implementation.is_duckdb():  # whose times are those of UTC, without a zone
        local = {
            name: [each and _local(each) for each in values]
            if types[name] == nw.Datetime("us")
            else values
            for name, values in columns.items()
        }
        table_ = nw.from_dict(local, types, backend="pyarrow").to_native()  # noqa: F841
        # It finds the table by its name here.
        found = like.to_native().query("casesnb_rows", "SELECT * FROM table_")
        return nw.from_native(found)
    kinds = ", ".join(f"`{name}` {_SPARK[type(kind)]}" for name, kind in types.items())
    tuples = [*zip(*columns.values(), strict=True)]
    return nw.from_native(like.to_native().sparkSession.createDataFrame(tuples, kinds))


_SPARK: dict[Any, str] = {
    nw.String: "string",
    nw.Int64: "bigint",
    nw.Float64: "double",
    nw.Boolean: "boolean",
    nw.Datetime: "timestamp",
}


def _local(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC).replace(tzinfo=None)


def _with_text_type(frame: Any, like: pd.DataFrame) -> Any:
    """Return a pandas frame whose texts, but for a user's own, are of one dtype."""
    if TEXT_TYPE == TEXT:  # pandas 3 has no other
        return frame
    native = frame.to_native()
    own = {name for name, kind in like.dtypes.items() if kind == "O"}
    loose = [n for n, kind in native.dtypes.items() if kind == "O" and n not in own]
    return nw.from_native(native.astype(dict.fromkeys(loose, TEXT_TYPE)))


def rows_like(rows: Sequence[Mapping[str, Any]], table: Table, like: Any) -> Any:
    """Return rows of a table in the engine of another frame, with their ``place``."""
    types: dict[str, Any] = {
        TEXT: nw.String(),
        TIME_TYPE: time_type(like),
        "float64": nw.Float64(),
        "int64": nw.Int64(),
        "bool": nw.Boolean(),
    }
    kinds = {column.name: types[column.dtype] for column in table.columns}
    placed = [{**row, "place": place} for place, row in enumerate(rows)]
    return frame_of(placed, kinds | {"place": nw.Int64()}, like)


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries, whatever the engine."""
    names = frame.collect_schema().names()
    return [dict(zip(names, row, strict=True)) for row in tuples_of(frame)]


def tuples_of(frame: Any) -> Iterator[tuple[Any, ...]]:
    """Return a frame's rows as tuples, whatever the engine."""
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect("pyarrow")
    if frame.implementation.is_pyarrow():
        columns = [listed(column) for column in frame.to_native().columns]
    else:
        columns = [[*map(_plain, frame[name].to_list())] for name in frame.columns]
    return zip(*columns, strict=True)


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    # Some engines tell UTC times without saying so.
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    return value
