"""What is given by mistake is refused in one sentence that says what to give."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from answers import Pages
from answers import event as answer_event
from engines import assert_same, rows

import casesnb as cn
from casesnb.cli import main

HOMES = [cn, *(getattr(cn, name) for name in cn._FAMILIES if name != "sandbox")]
FUNCTIONS = {
    name: value
    for home in HOMES
    for name, value in ((n, getattr(home, n)) for n in getattr(home, "__all__", ()))
    if inspect.isfunction(value) and value.__module__.startswith("casesnb.")
}


def first(name: str) -> str:
    return next(iter(inspect.signature(FUNCTIONS[name]).parameters), "")


# Those that take a history also take one of its tables, or no frame at all.
TABLE_OF = {
    name: found[1]
    for name, value in FUNCTIONS.items()
    if (found := re.search(r"or its (events|changes) alone", value.__doc__ or ""))
}
WHOLE = sorted(
    name
    for name in FUNCTIONS
    if first(name) in {"history", "earlier"} and name not in TABLE_OF
)
NO_HISTORY = (
    *("between", "durations", "survival", "under_way"),
    *("typed", "with_users", "with_working_hours"),
)


@pytest.fixture(scope="module")
def history() -> cn.History:
    world = cn.sandbox.World(seed=7)
    return cn.load_history(cn.connect(world), *world.showcase)


def others(name: str, history: cn.History, path: Path) -> dict[str, Any]:
    """What a function asks for beside the first, as it should be."""
    noon = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
    right = {
        "events": history.events,
        "changes": history.changes,
        "field_id": "status",
        "users": pd.DataFrame(),
        "calendar": cn.Calendar(),
        "start": noon if name == "diff" else "performed_at",
        "end": noon if name == "diff" else "performed_at",
        "path": path,
        "later": history,
        "current": history.changes,
        "at": noon,
        "window": (noon, noon + dt.timedelta(days=1)),
        "flow": {"open": ["closed"]},
        "order": ["open", "closed"],
        "fields": ["status", "assigned_user"],
    }
    takes = inspect.signature(FUNCTIONS[name]).parameters.values()
    needed = [each.name for each in takes if each.default is each.empty][1:]
    return {each: right[each] for each in needed}


def asked(name: str, given: Any, history: cn.History, path: Path) -> Any:
    """What a function answers when its first argument is `given`."""
    function, more = FUNCTIONS[name], others(name, history, path)
    takes = inspect.signature(function).parameters
    if {"changes", "closed"} <= takes.keys() and given is not history:
        more["changes"] = history.changes
    beside = [more.pop(n) for n in [*more] if takes[n].kind is takes[n].POSITIONAL_ONLY]
    beside += more.pop("fields", [])
    return function(given, *beside, **more)


OTHER = {
    "events": ("changes", r"takes history\.events, or some rows.*has no n_changes"),
    "changes": ("events", r"takes history\.changes, or some rows.*has no slot, field"),
}


@pytest.mark.parametrize("engine", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("name", TABLE_OF)
def test_one_table_is_not_the_other(
    name: str, engine: str, history: cn.History, tmp_path: Path
) -> None:
    other, told = OTHER[TABLE_OF[name]]
    given = getattr(history, other)
    if engine != "pandas":
        given = {"polars": pl.from_pandas, "arrow": pa.Table.from_pandas}[engine](given)
    with pytest.raises(ValueError, match=told):
        asked(name, given, history, tmp_path)


def test_a_state_is_not_a_table_of_changes(history: cn.History) -> None:
    told = r"takes what load_case_fields returned.*has no kind, value\."
    with pytest.raises(ValueError, match=told):
        cn.trust.compare_with_current(history, history.changes)
    with pytest.raises(ValueError, match=r"takes history\.events"):
        cn.plot_changes(history.changes, events=history.changes)


@pytest.mark.parametrize("made", [lambda frame: frame, pl.from_pandas])
def test_durations_are_of_spells(made: Any, history: cn.History) -> None:
    told = r"takes what spells returned.*has no kind, value, hours, is_open\."
    with pytest.raises(ValueError, match=told):
        cn.durations(made(history.changes))
    spells = cn.spells(history.changes, "status")
    with pytest.raises(ValueError, match=r"The table given has no queue\."):
        cn.durations(made(spells), by=["queue"])
    with pytest.raises(TypeError, match=r"Give several in a list: \['value'\]"):
        cn.durations(made(spells), by="value")


@pytest.fixture(scope="module")
def world() -> cn.sandbox.World:
    return cn.sandbox.World(seed=7, cases=8)


@pytest.mark.parametrize(
    ("case_ids", "told"),
    [
        ("9f-2", r"'9f-2' is one text. Give several in a list: \['9f-2'\]"),
        (pd.DataFrame({"case_id": ["9f-2"]}), "no list of ids. Give one column of it"),
        (pl.DataFrame({"case_id": ["9f-2"]}), "no list of ids. Give one column of it"),
        (pa.table({"case_id": ["9f-2"]}), "no list of ids. Give one column of it"),
        (b"9f-2", r"b'9f-2' is one text\. Give several in a list: \[b'9f-2'\]"),
        ([b"9f-2"], r"b'9f-2' is no id: ids are text"),
        (
            ["9f-2", float("nan")],
            r"nan is no id: ids are text\. Leave out what is miss",
        ),
        (None, "None is no list of ids"),
        (7, "7 is no list of ids"),
    ],
)
def test_several_ids_are_a_list_of_texts(
    case_ids: Any, told: str, world: cn.sandbox.World
) -> None:
    client, domain_id = cn.connect(world), world.domains[0].domain_id
    for load in (
        lambda: cn.load_histories(client, domain_id, case_ids),
        lambda: cn.load_cases(client, domain_id, fields=case_ids),
        lambda: cn.raw.iter_cases(client, domain_id, fields=case_ids),
        lambda: cn.load_fields(client, domain_id, field_ids=case_ids),
        lambda: cn.load_catalogue(client, domain_id, field_ids=case_ids),
    ):
        with pytest.raises(TypeError, match=told):
            load()


@pytest.mark.parametrize(
    "made",
    [
        list,
        tuple,
        pd.Series,
        pd.Index,
        pl.Series,
        pa.array,
        lambda ids: pd.Series(ids, dtype="category"),
        lambda ids: pa.chunked_array([ids]),
        lambda ids: (each for each in ids),
    ],
)
def test_a_column_of_any_engine_is_a_list_of_ids(
    made: Any, world: cn.sandbox.World
) -> None:
    domain_id, case_id = world.showcase
    found = cn.load_histories(cn.connect(world), domain_id, made([case_id]))
    assert found.certificate.n_cases == 1


def test_what_a_search_takes(world: cn.sandbox.World) -> None:
    client, domain_id = cn.connect(world), world.domains[0].domain_id
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"fields": "status"}, "Give several in a list"),
        ({"filter": "status == open"}, r"give cn\.where\('status'\) == 'open'"),
        ({"limit": -1}, "limit=-1: give how many"),
    ]
    for asked, told in wrong:
        with pytest.raises((TypeError, ValueError), match=told):
            cn.load_cases(client, domain_id, **asked)


@pytest.mark.parametrize(
    "load", [cn.load_domains, cn.load_fields, cn.load_case_fields, cn.load_catalogue]
)
def test_a_world_is_no_client_yet(load: Any, world: cn.sandbox.World) -> None:
    asked = {"load_domains": (), "load_case_fields": ("d", "c")}
    with pytest.raises(TypeError, match=r"World is no boto3 client.*cn\.connect"):
        load(world, *asked.get(load.__name__, ("d",)))
    with pytest.raises(TypeError, match=r"str is no boto3 client.*cn\.connect"):
        load("cases", *asked.get(load.__name__, ("d",)))


def test_cases_are_not_asked_who_the_users_are(world: cn.sandbox.World) -> None:
    client = cn.connect(world)
    told = 'can ListInstances. .*service_name="connect"'
    with pytest.raises(TypeError, match=told):
        cn.load_catalogue(client, world.domains[0].domain_id, connect=client)


def test_aws_asks_for_a_region_and_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Exception, match="specify a region") as caught:
        cn.connect()
    assert "cn.connect(region_name=" in caught.value.__notes__[0]
    with pytest.raises(Exception, match="Unable to locate credentials") as caught:
        cn.load_domains(cn.connect(region_name="eu-west-2", pace=False))
    assert "AWS_PROFILE" in caught.value.__notes__[-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("verify none.html", "No such file or directory: 'none.html'"),
        ("report d c --from sandbox:x", "sandbox:x names no world. Give a number"),
        ("report d c --from sandbox:7", "Domain d not found"),
        ("report d c --from /none", "There is no recording at /none"),
        ("explore --recordings /none", "There is no recording at /none"),
        ("sandbox --port 99999", "port=99999: give 1 to 65535, or 0"),
        ("sandbox --latency -1", "latency=-1.0: give seconds"),
        ("explore --port -1", "port=-1: give 1 to 65535"),
        ("report d c --endpoint-url localhost:99", "such as 'http://localhost:99'"),
        (
            "report d c --endpoint-url http://127.0.0.1:9",
            "Check the Region, endpoint_u",
        ),
        (
            f"verify {sys.executable} --against sandbox:7",
            "is not a report that this casesnb can read",
        ),
    ],
)
def test_a_command_says_in_a_line_what_cannot_be_had(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    assert told in capsys.readouterr().err


def test_there_is_much_to_ask() -> None:
    assert len(TABLE_OF) > 30
    assert {"findings", "story", "write_report", "compare_captures"} <= {*WHOLE}
    assert {*NO_HISTORY} <= {*FUNCTIONS}


@pytest.mark.parametrize("name", NO_HISTORY)
def test_a_history_is_no_table(name: str, history: cn.History, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"Give one of them: history\.changes or"):
        asked(name, history, history, tmp_path)


@pytest.mark.parametrize("name", sorted({*TABLE_OF, *NO_HISTORY}))
def test_a_list_is_no_table(name: str, history: cn.History, tmp_path: Path) -> None:
    told = r"(one of its tables|a pandas DataFrame), not list.*\. (Give|Most)"
    with pytest.raises(TypeError, match=told):
        asked(name, [history], history, tmp_path)


@pytest.mark.parametrize("name", WHOLE)
def test_a_table_is_no_history(name: str, history: cn.History, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(TypeError, match="whole history, not DataFrame. Give what load"):
        asked(name, history.changes, history, path)
    assert not path.exists()


@pytest.mark.parametrize("name", sorted(n for n in TABLE_OF if n.startswith("plot_")))
def test_a_plot_draws_frames_of_any_engine(name: str, history: cn.History) -> None:
    frame = getattr(history, TABLE_OF[name])
    words = cn.plot_text(FUNCTIONS[name](frame))
    for made in (pl.from_pandas, pa.Table.from_pandas):
        assert cn.plot_text(FUNCTIONS[name](made(frame))) == words
    lazy = cn.plot_text(FUNCTIONS[name](pl.from_pandas(frame).lazy()))
    assert lazy == words


def test_a_second_table_is_one_of_the_same_history(history: cn.History) -> None:
    words = cn.plot_text(cn.plot_changes(history.changes, events=history.events))
    frame = pl.from_pandas(history.events)
    assert cn.plot_text(cn.plot_changes(history.changes, events=frame)) == words
    with pytest.raises(ValueError, match=r"takes history\.events, or some rows"):
        cn.reopens(history.changes, events=history.changes)
    for call in (cn.case_summary, cn.first_times):
        with pytest.raises(TypeError, match=r"Give a history, or changes= beside it"):
            call(history.events)
        with pytest.raises(TypeError, match=r"holds its changes\. Leave changes= out"):
            call(history, changes=history.changes)


@pytest.mark.parametrize("when", ["2026-03-02", dt.date(2026, 3, 2), 7])
def test_a_moment_is_a_datetime(when: Any, history: cn.History) -> None:
    with pytest.raises(TypeError, match=r"is no datetime. Give datetime\(2026"):
        cn.state_at(history.changes, as_of=when)
    with pytest.raises(TypeError, match="is no datetime"):
        cn.diff(history.changes, start=when, end=when)


def test_hours_of_work_are_a_calendar(history: cn.History) -> None:
    with pytest.raises(TypeError, match=r"is no Calendar. Give cn\.Calendar\(\)"):
        cn.handoffs(history.changes, calendar="9 to 5")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"is no Calendar. Give cn\.Calendar\(\)"):
        cn.actors.off_hours(history, calendar=0)  # type: ignore[arg-type]


def test_times_without_a_zone_are_refused(history: cn.History) -> None:
    changes = history.changes
    naive = changes.assign(performed_at=changes["performed_at"].dt.tz_localize(None))
    told = changes.assign(performed_at=changes["performed_at"].astype("str"))
    for frame in (naive, told, pl.from_pandas(naive)):
        with pytest.raises(ValueError, match=r"no times with a zone.*utc=True"):
            cn.spells(frame)


def test_hours_of_work_lie_between_times_with_a_zone(history: cn.History) -> None:
    spells = cn.spells(history.changes, "status")
    naive = spells.assign(start_at=spells["start_at"].dt.tz_localize(None))
    told = spells.assign(start_at=spells["start_at"].astype("str"))
    for frame in (naive, told, pl.from_pandas(naive), pa.Table.from_pandas(naive)):
        with pytest.raises(ValueError, match=r"start_at of `frame` holds no times wi"):
            cn.with_working_hours(frame, cn.Calendar(), start="start_at", end="end_at")


def test_teams_have_an_actor_and_a_time(history: cn.History) -> None:
    users = pd.DataFrame({"actor": ["a"], "team": ["desk"]})
    with pytest.raises(ValueError, match=r"`users` has no valid_from_at, valid_to_at:"):
        cn.actors.with_users(history.events, users)


def test_times_of_another_zone_are_the_same_moments(history: cn.History) -> None:
    changes = history.changes
    berlin = changes["performed_at"].dt.tz_convert("Europe/Berlin")
    found = cn.spells(changes.assign(performed_at=berlin))
    pd.testing.assert_frame_equal(found, cn.spells(changes))


KINDS_OF_FRAME: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "Arrow": pa.Table.from_pandas,
    "Polars": pl.from_pandas,
    "lazy Polars": lambda frame: pl.from_pandas(frame).lazy(),
}


@pytest.mark.parametrize("kind", KINDS_OF_FRAME)
def test_frames_that_are_kept_whole_may_be_told_in_another_zone(
    kind: str, history: cn.History
) -> None:
    def abroad(frame: pd.DataFrame) -> Any:
        zoned = frame.select_dtypes("datetimetz")
        moved = {name: zoned[name].dt.tz_convert("Europe/Berlin") for name in zoned}
        return KINDS_OF_FRAME[kind](frame.assign(**moved))

    def asked(events: Any, changes: Any, users: Any) -> list[Any]:
        work = {"start": "performed_at", "end": "performed_at"}
        return [
            cn.threads.thread_events(events),
            cn.threads.thread_changes(changes, events=events),
            cn.threads.thread_summary(events),
            cn.actors.with_users(events, users),
            cn.with_working_hours(events, cn.Calendar(), **work),
            cn.spells(changes),
            cn.actors.actor_activity(events),
        ]

    noon = pd.Timestamp("2026-02-10T12:00Z").as_unit("us")
    users = pd.DataFrame({"actor": history.events["actor"].astype("str").unique()})
    users = users.assign(
        team="a", valid_from_at=noon, valid_to_at=noon.replace(year=2027)
    )
    frames = (history.events, history.changes, users)
    for found, plain in zip(asked(*map(abroad, frames)), asked(*frames), strict=True):
        found = found.collect() if kind == "lazy Polars" else found
        assert_same(pl.from_arrow(found) if kind == "Arrow" else found, rows(plain))


def test_a_users_own_times_keep_their_zone(history: cn.History) -> None:
    there = history.events["performed_at"].dt.tz_convert("Asia/Tokyo")
    found = cn.threads.thread_events(history.events.assign(there=there))
    assert str(found["there"].dt.tz) == "Asia/Tokyo"
    assert (found["there"] == found["performed_at"]).all()


@pytest.mark.parametrize("unit", ["ns", "ms"])
def test_times_of_another_unit_are_the_same_moments(
    unit: str, history: cn.History
) -> None:
    changes = history.changes
    other = changes["performed_at"].dt.as_unit(unit)
    found = cn.spells(changes.assign(performed_at=other))
    pd.testing.assert_frame_equal(found, cn.spells(changes))


def test_columns_of_objects_are_no_hindrance(history: cn.History) -> None:
    mine = [{"a": [1]}, 7] * len(history.changes)
    changes = history.changes.assign(mine=mine[: len(history.changes)])
    found = cn.case_summary(history.events, changes=changes)
    whole = cn.case_summary(history.events, changes=history.changes)
    pd.testing.assert_frame_equal(found, whole)
    assert cn.threads.thread_changes(changes, events=history.events)[
        "mine"
    ].tolist() == [*changes["mine"]]


def test_categories_may_have_an_order(history: cn.History) -> None:
    events, changes = (
        frame.assign(
            **{
                name: values.cat.as_ordered()
                for name, values in frame.items()
                if isinstance(values.dtype, pd.CategoricalDtype)
            }
        )
        for frame in (history.events, history.changes)
    )
    pd.testing.assert_frame_equal(cn.spells(changes), cn.spells(history.changes))
    found = cn.case_summary(events, changes=changes)
    whole = cn.case_summary(history.events, changes=history.changes)
    pd.testing.assert_frame_equal(found, whole)
    pd.testing.assert_frame_equal(
        cn.threads.thread_events(events), cn.threads.thread_events(history.events)
    )


@pytest.mark.parametrize(
    "given",
    [
        {"holidays": ["2026-04-03"]},
        {"holidays": None},
        {"holidays": dt.date(2026, 4, 3)},
        {"hours": {1: ("09:00", "12:00", "17:00")}},
        {"hours": {1: "09:00-17:00"}},
        {"hours": {1: (9, 17)}},
        {"hours": {1: None}},
        {"hours": None},
    ],
)
def test_a_calendar_says_what_it_takes(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"give (dates|hours by weekday), as in"):
        cn.Calendar(**given)


def test_holidays_may_come_once_and_with_a_time() -> None:
    day = dt.date(2026, 4, 3)
    for holidays in ((each for each in [day]), pd.DatetimeIndex([day]), {day}):
        calendar = cn.Calendar(holidays=holidays)
        for _ in range(2):
            assert calendar.spans_of(day) == ()


def test_a_column_that_is_there_is_left_alone() -> None:
    times = pd.to_datetime(["2026-03-02T09:00Z", "2026-03-02T12:00Z"], utc=True)
    frame = pd.DataFrame({"a": times[:1], "b": times[1:], "working_hours": [7.5]})
    frame = frame.assign(shown=1, monday=2, working_micros=3, a_worked=4)
    found = cn.with_working_hours(
        frame, cn.Calendar(), start="a", end="b", hours="again"
    )
    pd.testing.assert_frame_equal(found, frame.assign(again=3.0))


def test_a_field_is_asked_for_by_its_id(history: cn.History) -> None:
    for name in ("spells", "time_in", "transitions", "variants", "backlog"):
        arguments: dict[str, Any] = {"field_id": ["status"]}
        with pytest.raises(TypeError, match=r"field_id=\['status'\]: give one field's"):
            getattr(cn, name)(history.changes, **arguments)


def test_a_thread_is_told_once(history: cn.History) -> None:
    told = cn.threads.thread_events(history.events)
    with pytest.raises(ValueError, match="There is a column 'thread_id' already"):
        cn.threads.thread_events(told)


def test_texts_may_be_objects(history: cn.History) -> None:
    def objects(frame: pd.DataFrame) -> pd.DataFrame:
        kinds = {n: object for n, t in frame.dtypes.items() if t in {"str", "category"}}
        return frame.astype(kinds)

    told = cn.History(objects(history.events), objects(history.changes))
    plain = cn.History(history.events, history.changes)
    pd.testing.assert_frame_equal(cn.findings(told), cn.findings(plain))
    pd.testing.assert_frame_equal(
        cn.trust.compare_captures(told, plain), cn.trust.compare_captures(plain, plain)
    )
    found = cn.reopens(history.changes, events=told.events)
    pd.testing.assert_frame_equal(
        found, cn.reopens(history.changes, events=history.events)
    )


@pytest.mark.parametrize("texts", [["4711", "1234"], ["00420815"], ["now"], ["today"]])
def test_a_text_that_pandas_takes_for_a_time_stays_text(texts: list[str]) -> None:
    changes = pd.DataFrame({"field_id": "f", "old_kind": None, "old": None}, range(9))
    changes = changes.assign(new_kind="string", new=(texts * 9)[:9]).astype(
        {"old": "str"}
    )
    changes["new"] = changes["new"].astype("str")
    assert cn.typed(changes, "f")["new"].tolist() == (texts * 9)[:9]


def test_files_that_a_spreadsheet_saved_or_cut(
    history: cn.History, tmp_path: Path
) -> None:
    history.to_csv_folder(tmp_path)
    events = tmp_path / "events.csv"
    text = events.read_text("utf-8-sig")
    events.write_text(text.replace("True", "TRUE"), "utf-8")
    with pytest.warns(UserWarning, match="was written anew"):
        found = cn.History.from_csv_folder(tmp_path)
    pd.testing.assert_frame_equal(found.events, history.events)
    events.write_text("\n".join(text.splitlines()[:4]) + "\n", "utf-8")
    with pytest.raises(ValueError, match="its values are not those that were written"):
        cn.History.from_csv_folder(tmp_path)


def test_a_report_of_a_case_without_changes_is_verified(tmp_path: Path) -> None:
    told = [{**answer_event(0), "fields": []}, {**answer_event(1), "fields": []}]
    client = cn.connect(Pages(told))
    history = cn.load_history(client, "d", "c")
    assert history.changes.empty
    path = cn.write_report(history, tmp_path / "r.html")
    assert not cn.verify_report(path, Pages(told)).has_differences


def test_a_recording_without_the_answer_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "kept")
    cn.load_domains(cn.connect(cn.sandbox.World(seed=7), record=folder))
    assert main(["report", "d", "c", "--from", folder]) == 2
    assert "holds no answer to GetCaseAuditEvents" in capsys.readouterr().err


def test_the_advice_about_a_region_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert cn.connect().meta.region_name == "eu-west-2"
