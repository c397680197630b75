"""Walls and periods, against Python's own zoneinfo."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from engines import rows

import casesnb as cn
from casesnb.analysis.timezones import (
    offsets,
    periods,
    wall,
    weekday,
    with_period,
)
from casesnb.schema import CHANGES, EVENTS
from casesnb.tables.frames import opened, rows_of

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "America/St_Johns",
)


def every_few_hours(first: str, last: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"at": pd.date_range(first, last, freq="7h13min", tz="UTC", unit="us")}
    )


def engines(frame: pd.DataFrame) -> list[object]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone='Europe/London'")  # a wall that jumps
    polars = pl.from_pandas(frame)
    return [frame, polars, polars.lazy(), connection.from_arrow(polars.to_arrow())]


@pytest.mark.parametrize("tz", ZONES)
def test_the_wall_shows_what_zoneinfo_says_on_every_engine(tz: str) -> None:
    frame = every_few_hours("2025-01-01", "2026-12-31")
    expected = [at.tz_convert(tz).strftime("%u %H:%M") for at in frame["at"]]
    for given in engines(frame):
        shown = opened(given)
        shown = shown.select("at", shown=wall(shown, "at", tz))
        shown = shown.with_columns(
            day=weekday(nw.col("shown")),
            hour=nw.col("shown").dt.hour(),
            minute=nw.col("shown").dt.minute(),
        ).sort("at")
        got = [f"{r['day']} {r['hour']:02}:{r['minute']:02}" for r in rows_of(shown)]
        assert got == expected


@pytest.mark.parametrize("tz", ZONES)
def test_offsets_change_at_the_very_second(tz: str) -> None:
    first = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    zone = ZoneInfo(tz)
    found = offsets(tz, first, dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    assert found[0] == (first, first.astimezone(zone).utcoffset())
    for since, offset in found[1:]:
        before = since - dt.timedelta(seconds=1)
        assert since.astimezone(zone).utcoffset() == offset
        assert before.astimezone(zone).utcoffset() != offset
    n_changes = {"UTC": 0, "Asia/Kolkata": 0}.get(tz, 6)  # two a year
    assert len(found) == 1 + n_changes


def test_a_zone_that_is_not_there_is_named() -> None:
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    times = opened(every_few_hours("2026-01-01", "2026-01-02"))
    with pytest.raises(ValueError, match="no time zone 'Europe/Berlinn'"):
        offsets("Europe/Berlinn", day, day)
    with pytest.raises(ValueError, match="no time zone 'Europe/Berlinn'"):
        with_period(times, "at", "1d", "Europe/Berlinn")


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("1m", "2026-11-15 17:47"),
        ("15m", "2026-11-15 17:45"),
        ("h", "2026-11-15 17:00"),
        ("6h", "2026-11-15 12:00"),
        ("1d", "2026-11-15 00:00"),
        ("1w", "2026-11-09 00:00"),  # the 15th is a Sunday
        ("1mo", "2026-11-01 00:00"),
        ("1q", "2026-10-01 00:00"),
        ("1y", "2026-01-01 00:00"),
    ],
)
def test_a_period_begins_at_the_same_time_on_every_engine(
    freq: str, expected: str
) -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-11-15T17:47:33.25Z"])})
    for given in engines(frame.astype("datetime64[us, UTC]")):
        times = opened(given)
        (row,) = rows_of(with_period(times, "at", freq))
        assert f"{row['period_at']:%Y-%m-%d %H:%M:%S.%f}" == f"{expected}:00.000000"


@pytest.mark.parametrize("freq", ["1h", "6h", "1d", "1w", "1mo", "1y"])
@pytest.mark.parametrize("tz", [*ZONES, "Asia/Beirut"])  # whose midnight jumps
def test_a_period_of_a_zone_is_what_its_wall_shows(tz: str, freq: str) -> None:
    frame = every_few_hours("2025-03-20", "2026-04-10")
    shown = frame["at"].dt.tz_convert(tz).dt.tz_localize(None)
    unit = {"1w": "W-SUN", "1mo": "M", "1y": "Y"}.get(freq)
    began = (
        shown.dt.floor(freq.replace("1d", "D"))
        if unit is None
        else shown.dt.to_period(unit).dt.start_time
    )
    expected = began.dt.tz_localize(
        tz, ambiguous=[True] * len(began), nonexistent="shift_forward"
    ).dt.tz_convert("UTC")
    for given in engines(frame):
        found = rows_of(with_period(opened(given), "at", freq, tz).sort("at"))
        assert [row["period_at"] for row in found] == [*expected]


@pytest.mark.parametrize("freq", ["", "0h", "7m", "5h", "2d", "2w", "1s", "day"])
def test_what_is_no_period_is_refused(freq: str) -> None:
    with pytest.raises(ValueError, match="is not a period"):
        with_period(opened(every_few_hours("2026-01-01", "2026-01-02")), "at", freq)


@pytest.mark.parametrize("tz", ["Mars/Base", None, 7])
def test_there_is_no_such_zone_though_there_is_no_event(tz: Any) -> None:
    events, changes = EVENTS.empty(), CHANGES.empty()
    for ask in (
        lambda: cn.actors.rhythm(events, tz=tz),
        lambda: cn.actors.actor_activity(events, tz=tz),
        lambda: cn.backlog(changes, tz=tz),
    ):
        with pytest.raises(ValueError, match=f"There is no time zone {tz!r}. Name one"):
            ask()


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York"])
def test_a_session_of_duckdb_gets_moments_back_and_hours_that_passed(zone: str) -> None:
    changed = pd.to_datetime(["2026-03-28T12:00Z", "2026-03-29T12:00Z"], utc=True)
    page = {
        "auditEvents": [
            {
                "eventId": f"e{n}",
                "type": "Case.Created" if not n else "Case.Updated",
                "performedTime": at.isoformat(),
                "fields": [
                    {"eventFieldId": "status", "newValue": {"stringValue": str(n)}}
                ],
                "performedBy": {"iamPrincipalArn": "arn:aws:iam::1:role/x"},
            }
            for n, at in enumerate(changed)
        ]
    }
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone='{zone}'")
    events, changes = (
        connection.from_arrow(pl.from_pandas(table).to_arrow())
        for table in (
            cn.raw.events_frame([page], domain_id="d", case_id="c"),
            cn.raw.changes_frame([page], domain_id="d", case_id="c"),
        )
    )
    assert rows(cn.spells(changes, "status").project("hours"))[1][0] == (24.0,)
    history = cn.History(events, changes)
    noon = changed[1].to_pydatetime()
    after = history.between(noon)
    asked = (
        cn.spells(changes),
        cn.with_working_hours(
            changes.project("performed_at AS a, performed_at AS b"),
            cn.Calendar(),
            start="a",
            end="b",
        ),
        cn.concat([history]).changes,
        after.events,
    )
    for found in asked:
        kinds = [str(kind) for kind in found.types]
        assert "TIMESTAMP WITH TIME ZONE" in kinds
        assert "TIMESTAMP" not in kinds
    assert len(rows(after.events)[1]) == 1


def test_a_time_without_a_zone_stays_as_it_is_in_duckdb() -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone='Asia/Kolkata'")
    given = connection.sql(
        "SELECT TIMESTAMPTZ '2026-03-02 09:00:00Z' AS a, "
        "TIMESTAMPTZ '2026-03-02 10:00:00Z' AS b, TIMESTAMP '2026-03-02 09:00' AS mine"
    )
    found = cn.with_working_hours(given, cn.Calendar(), start="a", end="b")
    assert [str(kind) for kind in found.types[1:]] == [
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP",
        "DOUBLE",
    ]
    ((start, _, mine, hours),) = rows(found)[1]
    assert start == mine == "2026-03-02T09:00:00.000000+00:00"
    assert hours == 1.0


@pytest.mark.parametrize("micros", [1, 250_000, 999_999])
def test_a_time_within_the_second_of_a_clock_change_is_no_end_of_the_world(
    micros: int,
) -> None:
    since = dt.datetime(2026, 3, 29, 1, 0, 0, micros, tzinfo=dt.UTC)
    for day in range(-3, 3):
        first = since + dt.timedelta(days=day)
        found = offsets("Europe/Berlin", first, first + dt.timedelta(days=9))
        hours = [offset // dt.timedelta(hours=1) for _, offset in found]
        assert hours == ([1, 2] if day < 0 else [2])


@pytest.mark.parametrize("month", range(1, 13))
def test_a_quarter_begins_in_january_april_july_and_october(month: int) -> None:
    at = dt.datetime(2026, month, 15, 13, tzinfo=dt.UTC)
    (found,) = periods(at, at + dt.timedelta(hours=1), "1q", "UTC")
    first = 3 * ((month - 1) // 3) + 1
    assert found[0] == at.replace(month=first, day=1, hour=0)


@pytest.mark.parametrize(("freq", "step"), [("1mo", 1), ("1q", 3), ("1y", 12)])
def test_periods_of_the_calendar_follow_each_other_over_the_years(
    freq: str, step: int
) -> None:
    first, last = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2024, 2027))
    found = [each[0] for each in periods(first, last, freq, "UTC")]
    assert found == [
        dt.datetime(2024 + n // 12, n % 12 + 1, 1, tzinfo=dt.UTC)
        for n in range(0, 36, step)
    ]
