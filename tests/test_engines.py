"""Each function gives the same frame on pandas, Arrow, Polars, DuckDB and PySpark."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from engines import FLOW, analysis_functions, assert_same, dtypes_of, rows

import casesnb as cn
from casesnb.analysis import actors, checks, rework, threads
from casesnb.analysis import trust as evidence
from casesnb.schema import CASE_FIELDS, CHANGES, EVENTS, TABLES
from casesnb.tables.frames import instant, rows_of
from casesnb.tables.schema import TEXT_TYPE

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
WORK = cn.Calendar(tz="Europe/Berlin", holidays=[dt.date(2026, 2, 16)])

FEBRUARY = (
    dt.datetime(2026, 2, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
)

SCHEMAS = {table.name: table for table in TABLES}

Frames = dict[str, Any]
Question = Callable[[Frames], Any]

QUESTIONS: dict[str, Question] = {
    "spells": lambda f: cn.spells(f["changes"]),
    "spells as of": lambda f: cn.spells(f["changes"], "status", as_of=NOON),
    "spells in working hours": lambda f: cn.spells(
        f["changes"], "status", calendar=WORK
    ),
    "time_in": lambda f: cn.time_in(f["changes"]),
    "time_in of all": lambda f: cn.time_in(f["changes"], by=(), calendar=WORK),
    "spells in a window": lambda f: cn.spells(f["changes"], "status", window=FEBRUARY),
    "time_in by week": lambda f: cn.time_in(
        f["changes"], window=FEBRUARY, freq="1w", tz="Europe/Berlin", calendar=WORK
    ),
    "between": lambda f: cn.between(cn.spells(f["changes"]), window=FEBRUARY),
    "under_way": lambda f: cn.under_way(cn.spells(f["changes"], "status"), freq="1w"),
    "overlap": lambda f: cn.overlap(f["changes"], "status", "assigned_queue"),
    "overlap with teams": lambda f: cn.overlap(
        f["changes"], "status", "team", users=f["users"], window=FEBRUARY, freq="1w"
    ),
    "survival": lambda f: cn.survival(cn.spells(f["changes"], "status")),
    "rates": lambda f: cn.rates(f["changes"], events=f["events"]),
    "rates by team": lambda f: cn.rates(
        f["changes"],
        "holders",
        events=f["events"],
        users=f["users"],
        by=["team"],
        freq="1mo",
    ),
    "rates of touchless": lambda f: cn.rates(
        f["changes"], "touchless", events=f["events"], by=["queue"]
    ),
    "rates of SLAs": lambda f: cn.rates(f["changes"], "sla_met", events=f["events"]),
    "rates within": lambda f: cn.rates(
        f["changes"], events=f["events"], within=dt.timedelta(days=7), window=FEBRUARY
    ),
    "outcomes": lambda f: cn.outcomes(f["changes"], events=f["events"]),
    "outcomes of a flow": lambda f: cn.outcomes(
        f["changes"], "conforming", events=f["events"], flow=FLOW
    ),
    "slas": lambda f: cn.slas(f["changes"], events=f["events"]),
    "sla_edits": lambda f: cn.sla_edits(f["changes"], events=f["events"]),
    "sla_holders": lambda f: cn.sla_holders(f["changes"], events=f["events"]),
    "conformance": lambda f: cn.conformance(f["changes"], FLOW),
    "backward_moves": lambda f: rework.backward_moves(
        f["changes"], ["open", "in_progress", "escalated", "closed"]
    ),
    "effort": lambda f: rework.effort(f["changes"], events=f["events"]),
    "effort in working hours": lambda f: rework.effort(
        f["changes"], events=f["events"], calendar=WORK
    ),
    "pairs": lambda f: rework.pairs(f["changes"]),
    "tail": lambda f: rework.tail(f["changes"], events=f["events"], n_resamples=50),
    "backlog": lambda f: cn.backlog(f["changes"], freq="1w"),
    "backlog in Berlin": lambda f: cn.backlog(f["changes"], tz="Europe/Berlin"),
    "state_at": lambda f: cn.state_at(f["changes"], as_of=NOON),
    "state_table": lambda f: cn.state_table(f["changes"]),
    "blame": lambda f: cn.blame(f["changes"]),
    "diff": lambda f: cn.diff(
        f["changes"], start=NOON, end=NOON + dt.timedelta(days=9)
    ),
    "transitions": lambda f: cn.transitions(f["changes"]),
    "handoffs": lambda f: cn.handoffs(f["changes"]),
    "handoffs in working hours": lambda f: cn.handoffs(f["changes"], calendar=WORK),
    "with_working_hours": lambda f: cn.with_working_hours(
        cn.case_summary(f["events"], changes=f["changes"]),
        WORK,
        start="created_at",
        end="first_touch_at",
    ),
    "reopens": lambda f: cn.reopens(f["changes"], events=f["events"]),
    "variants": lambda f: cn.variants(f["changes"]),
    "first_times": lambda f: cn.first_times(f["events"], changes=f["changes"]),
    "case_summary": lambda f: cn.case_summary(f["events"], changes=f["changes"]),
    "durations": lambda f: cn.durations(cn.spells(f["changes"], "status")),
    "actor_activity": lambda f: actors.actor_activity(f["events"]),
    "actor_activity in Berlin": lambda f: actors.actor_activity(
        f["events"], freq="1mo", tz="Europe/Berlin"
    ),
    "actor_matrix": lambda f: actors.actor_matrix(f["events"]),
    "rhythm": lambda f: actors.rhythm(f["events"], tz="Europe/Berlin"),
    "attribution": lambda f: actors.attribution(f["events"]),
    "work_share": lambda f: actors.work_share(f["events"]),
    "bursts": lambda f: actors.bursts(
        f["changes"], within=dt.timedelta(days=60), min_cases=2
    ),
    "off_hours": lambda f: actors.off_hours(f["events"], calendar=WORK),
    "with_users": lambda f: actors.with_users(f["events"], f["users"]),
    "continuity": lambda f: evidence.continuity(f["changes"]),
    "time_bounds": lambda f: evidence.time_bounds(f["changes"]),
    "time_bounds to now": lambda f: evidence.time_bounds(
        f["changes"], current=f["current"]
    ),
    "compare_with_current": lambda f: evidence.compare_with_current(
        f["changes"], f["current"]
    ),
    "compare_captures": lambda f: evidence.compare_captures(
        cn.History(f["events"], f["changes"]),
        cn.History(f["all events"], f["all changes"]),
    ),
    "merges": lambda f: threads.merges(f["events"]),
    "thread_events": lambda f: threads.thread_events(f["events"]),
    "thread_changes": lambda f: threads.thread_changes(
        f["changes"], events=f["events"]
    ),
    "spells of threads": lambda f: cn.spells(
        threads.thread_changes(f["changes"], events=f["events"])
    ),
    "case_summary of threads": lambda f: cn.case_summary(
        threads.thread_events(f["events"]),
        changes=threads.thread_changes(f["changes"], events=f["events"]),
    ),
    "thread_summary": lambda f: threads.thread_summary(f["events"]),
    "triage": lambda f: cn.triage(
        cn.History(f["events"], f["changes"]), rules=["edited_after_close"]
    ),
    "why": lambda f: cn.why(f["one changes"], events=f["one events"]),
    "findings": lambda f: checks.findings(cn.History(f["events"], f["changes"])),
    "findings of all": lambda f: checks.findings(
        cn.History(f["all events"], f["all changes"]), as_of=NOON
    ),
}


# They take long, and lean on what the others of this kind lean on.
HEAVY = {
    *("spells in a window", "time_in by week", "overlap with teams", "survival"),
    *("rates by team", "rates of touchless", "rates of SLAs", "rates within"),
    *("outcomes of a flow", "effort in working hours", "pairs", "tail", "triage"),
    "case_summary of threads",
}
SLOW = pytest.mark.slow
ASKED = [
    pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name
    for name in QUESTIONS
]


# Rules are made with the first; the others answer in words, of all rows at once.
NO_QUESTION = {"rule", "compare", "compare_before_after"}


def test_every_function_of_the_analysis_is_asked() -> None:
    functions = analysis_functions()
    assert len(functions) > 25
    assert functions - {name.split(" ")[0] for name in QUESTIONS} == NO_QUESTION


@pytest.fixture(
    scope="module",
    params=[
        pytest.param([5], id="few"),
        pytest.param(range(200), id="200 worlds", marks=pytest.mark.nightly),
    ],
)
def frames(request: pytest.FixtureRequest) -> Frames:
    """Centres' histories, some of their events lost."""
    rates = cn.sandbox.Rates(merge=0.3, sla_edit=0.5, sla_without_fields=0.2)
    current = []
    found: dict[str, list[pd.DataFrame]] = {"events": [], "changes": []}
    for seed in request.param:
        n = 24 if len(request.param) == 1 else 6
        world = cn.sandbox.World(seed=seed, cases=n, rates=rates)
        client = cn.connect(world)
        for domain in world.domains:
            ids = list(world.case_ids(domain.domain_id))
            history = cn.load_histories(client, domain.domain_id, ids)
            for name, parts in found.items():
                parts.append(getattr(history, name).astype({"domain_id": TEXT_TYPE}))
            current += [
                cn.load_case_fields(client, domain.domain_id, each) for each in ids
            ]
    whole = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
    lost = whole["events"]["event_id"].iloc[7::11]
    left = {
        name: frame[~frame["event_id"].isin(lost)].reset_index(drop=True)
        for name, frame in whole.items()
    }
    one = whole["events"]["case_id"].value_counts().index[0]
    return {
        **left,
        **{f"one {n}": f[f["case_id"] == one] for n, f in whole.items()},
        **{f"all {name}": frame for name, frame in whole.items()},
        "current": pd.concat(current, ignore_index=True),
        "users": users(
            whole["events"]["actor"].dropna().astype(TEXT_TYPE).unique()[:5]
        ),
    }


def users(names: Any) -> pd.DataFrame:
    """Each was in one team, then in another."""
    moved = pd.Timestamp("2026-02-10", tz="UTC").as_unit("us")
    rows_ = [(name, "a", None, moved) for name in names]
    rows_ += [(name, "b", moved, None) for name in names]
    frame = pd.DataFrame(
        rows_, columns=["actor", "team", "valid_from_at", "valid_to_at"]
    )
    return frame.astype(
        {"valid_from_at": "datetime64[us, UTC]", "valid_to_at": "datetime64[us, UTC]"}
    )


@pytest.fixture(scope="module")
def answers(frames: Frames) -> dict[str, Any]:
    return {name: rows(ask(frames)) for name, ask in QUESTIONS.items()}


@pytest.mark.parametrize("name", ASKED)
def test_the_test_asks_what_has_an_answer(name: str, answers: dict[str, Any]) -> None:
    assert len(answers[name][1]) > 0


@pytest.mark.parametrize("name", sorted({*QUESTIONS} & {*SCHEMAS}))
def test_pandas_gives_the_columns_and_dtypes_of_the_schema(
    name: str, frames: Frames
) -> None:
    found = QUESTIONS[name](frames)
    assert dtypes_of(found) == SCHEMAS[name].dtypes
    assert found.columns.tolist() == SCHEMAS[name].names


@pytest.mark.parametrize("name", ASKED)
def test_pandas_frames_stay_as_they_were(name: str, frames: Frames) -> None:
    before = {key: frame.copy(deep=True) for key, frame in frames.items()}
    QUESTIONS[name](frames)
    for key, frame in before.items():
        pd.testing.assert_frame_equal(frames[key], frame)


@pytest.mark.parametrize("name", ASKED)
def test_the_order_of_the_rows_does_not_matter(
    name: str, frames: Frames, answers: dict[str, Any]
) -> None:
    shuffled = {key: f.sample(frac=1, random_state=1) for key, f in frames.items()}
    assert_same(QUESTIONS[name](shuffled), answers[name])


# Names that steps of ours make on the way.
STEPS = [
    "added_",
    "as_of",
    "at",
    "before",
    "before_at",
    "begins",
    "born",
    "burst",
    "case",
    "chain",
    "closed_by",
    "commented",
    "end",
    "gone",
    "held",
    "hidden",
    "in_merge",
    "is_back",
    "is_first",
    "is_named",
    "is_same",
    "is_known",
    "left",
    "lost",
    "micros",
    "moved",
    "name_before",
    "now",
    "one",
    "open",
    "place",
    "previous",
    "prior",
    "row",
    "same",
    "sets",
    "shown",
    "side",
    "size",
    "starts",
    "status",
    "step",
    "sure",
    "survived",
    "told",
    "total",
    "until_at",
    "was",
    "worker",
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["pandas", "Polars", "lazy Polars"])
@pytest.mark.parametrize(
    "name",
    [
        n
        for n in QUESTIONS
        if n not in {"thread_events", "thread_changes", "with_users"}
    ],
)
def test_columns_of_a_users_own_are_in_nobodys_way(
    name: str, engine: str, frames: Frames, answers: dict[str, Any]
) -> None:
    given: Frames = {}
    for key, frame in frames.items():
        own = {n: "mine" for n in STEPS if n not in frame}
        more: Any = frame if key == "users" else frame.assign(**own)
        if engine != "pandas":
            more = pl.from_pandas(more)
        given[key] = more.lazy() if engine == "lazy Polars" else more
    found = QUESTIONS[name](given)
    if engine == "lazy Polars":
        found = found.collect()
    assert_same(found, answers[name])


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    categories = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(categories, TEXT_TYPE))


@pytest.mark.parametrize("name", ASKED)
def test_arrow_gives_what_pandas_gives(
    name: str, frames: Frames, answers: dict[str, Any]
) -> None:
    given = {key: pa.Table.from_pandas(frame) for key, frame in frames.items()}
    found = QUESTIONS[name](given)
    assert isinstance(found, pa.Table)
    assert_same(pl.from_arrow(found), answers[name])


@pytest.mark.parametrize("name", ASKED)
def test_polars_gives_what_pandas_gives(
    name: str, frames: Frames, answers: dict[str, Any]
) -> None:
    given = {key: pl.from_pandas(frame) for key, frame in frames.items()}
    found = QUESTIONS[name](given)
    assert isinstance(found, pl.DataFrame)
    assert_same(found, answers[name])


@pytest.mark.parametrize("name", ASKED)
def test_lazy_polars_gives_what_pandas_gives(
    name: str, frames: Frames, answers: dict[str, Any]
) -> None:
    given = {key: pl.from_pandas(frame).lazy() for key, frame in frames.items()}
    found = QUESTIONS[name](given)
    assert isinstance(found, pl.LazyFrame)
    assert_same(found.collect(), answers[name])


# A moment is the same on every wall, also where the session's clock jumps.
@pytest.mark.parametrize(
    "zone",
    [
        "Europe/London",
        *(
            pytest.param(zone, marks=SLOW)
            for zone in ("Etc/UTC", "UTC", "GMT", "Asia/Kolkata")
        ),
    ],
)
@pytest.mark.parametrize("name", ASKED)
def test_duckdb_gives_what_pandas_gives(
    name: str, zone: str, frames: Frames, answers: dict[str, Any]
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        given = {
            key: connection.from_arrow(pl.from_pandas(texts(frame)).to_arrow())
            for key, frame in frames.items()
        }
        found = QUESTIONS[name](given)
        assert isinstance(found, duckdb.DuckDBPyRelation)
        assert_same(found, answers[name])


# What cannot be asked of nothing, and what counts it.
OF_SOME = {"tail", "why"}
OF_NONE = {"rates", "rates of SLAs", "rates within"}


@pytest.mark.parametrize(
    "engine",
    [
        "pandas",
        *(pytest.param(n, marks=SLOW) for n in ("DuckDB", "Arrow", "Polars", "lazy")),
    ],
)
@pytest.mark.parametrize(
    "names",
    [
        pytest.param({*QUESTIONS} - HEAVY, id="quick"),
        pytest.param(HEAVY, id="heavy", marks=pytest.mark.slow),
    ],
)
def test_no_event_has_an_answer_without_rows_in_every_engine(
    names: set[str], engine: str, frames: Frames
) -> None:
    connection = duckdb.connect()
    make: dict[str, Any] = {
        "pandas": lambda frame: frame,
        "Arrow": pa.Table.from_pandas,
        "Polars": pl.from_pandas,  # which has no type for categories without any
        "lazy": lambda frame: pl.from_pandas(frame).lazy(),
        "DuckDB": lambda frame: connection.from_arrow(pl.from_pandas(frame).to_arrow()),
    }
    none = {
        key: CHANGES.empty() if "changes" in key else EVENTS.empty() for key in frames
    }
    none |= {"current": CASE_FIELDS.empty(), "users": frames["users"][:0]}
    given = {key: make[engine](frame) for key, frame in none.items()}
    for name in sorted(names):
        ask = QUESTIONS[name]
        if name in OF_SOME:
            with pytest.raises(ValueError, match="No (event changes|case's creation)"):
                ask(given)
            continue
        found = ask(given)
        found = found.collect() if engine == "lazy" else found
        found = pl.from_arrow(found) if engine == "Arrow" else found
        told = rows(found)[1]
        if name in OF_NONE:  # one row of zeros
            assert [row[2:4] for row in told] == [(0, 0)]
        else:
            assert told == []


# ------------------------------------------------------------------------- Spark


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A Spark session on a real master and two workers, which end with the test."""
    import pyspark
    from pyspark.sql import SparkSession

    home = Path(pyspark.__file__).parent
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
    }
    start = str(home / "bin" / "spark-class")
    kind = "org.apache.spark.deploy"
    address = ["--host", "127.0.0.1", "--webui-port", "0"]
    servers: list[subprocess.Popen[str]] = []

    def serve(*arguments: str) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [start, *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        return server

    try:
        master = serve(f"{kind}.master.Master", *address, "--port", "0")
        url = ""
        assert master.stderr is not None
        for line in master.stderr:
            if "Starting Spark master at" in line:
                url = line.split()[-1]
                break
        assert url, "the master did not start"
        for _ in range(2):
            serve(f"{kind}.worker.Worker", *address, "--cores", "1", "-m", "700M", url)
        registered = 0
        for line in master.stderr:
            registered += "Registering worker" in line
            if registered == 2:
                break
        # A pipe that nobody reads would stop the servers when it is full.
        for server in servers:
            drain(server)
        session = (
            SparkSession.builder.master(url)
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.executor.memory", "512m")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        try:
            yield session
        finally:
            session.stop()
    finally:
        for server in reversed(servers):
            server.terminate()
        for server in servers:
            server.wait(20)


def drain(server: subprocess.Popen[str]) -> None:
    from threading import Thread

    assert server.stderr is not None
    Thread(target=server.stderr.read, daemon=True).start()


@pytest.fixture(scope="module")
def spark_frames(spark: Any, frames: Frames, tmp_path_factory: Any) -> Frames:
    folder = tmp_path_factory.mktemp("spark")
    found = {}
    for key, frame in frames.items():
        path = folder / f"{key}.parquet"
        pl.from_pandas(texts(frame)).write_parquet(path)
        found[key] = spark.read.parquet(str(path)).cache()
    return found


# What is asked for by the hours and days of a wall.
OF_WALLS = {
    *("backlog", "backlog in Berlin", "actor_activity", "actor_activity in Berlin"),
    *("rhythm", "off_hours", "rates by team"),
}


@pytest.mark.spark
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/London"])
def test_spark_takes_moments_beside_texts_alone(zone: str, spark: Any) -> None:
    spark.conf.set("spark.sql.session.timeZone", zone)
    frame = nw.from_native(spark.createDataFrame([("c",)], "case_id string"))
    at = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
    found = frame.select(at=instant(frame, at), none=instant(frame, None))
    assert rows_of(found) == [{"at": at, "none": None}]


@pytest.mark.spark
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/London"])
@pytest.mark.parametrize("name", ASKED)
def test_spark_gives_what_pandas_gives(
    name: str, zone: str, spark: Any, spark_frames: Frames, answers: dict[str, Any]
) -> None:
    spark.conf.set("spark.sql.session.timeZone", zone)
    if zone == "Europe/London" and name in OF_WALLS:
        with pytest.raises(ValueError, match="reads hours and days in Europe/London"):
            QUESTIONS[name](spark_frames)
        return
    found = QUESTIONS[name](spark_frames)
    assert nw.from_native(found).implementation.is_pyspark()
    assert_same(found, answers[name])
