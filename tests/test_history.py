"""A History is the subject: cut, joined and kept, it says of itself what it holds."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from answers import Pages, event, reply
from pandas.testing import assert_frame_equal

import casesnb as cn

History = cn.History[Any]


def of_world(seed: int = 5, cases: int = 12, **rates: float) -> History:
    world = cn.sandbox.World(
        seed=seed, cases=cases, domains=1, rates=cn.sandbox.Rates(**rates)
    )
    domain_id = world.domains[0].domain_id
    ids = list(world.case_ids(domain_id))
    return cn.load_histories(cn.connect(world), domain_id, ids)


@pytest.fixture(scope="module")
def history() -> History:
    return of_world()


def in_duckdb(frame: pd.DataFrame) -> Any:
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    return connection.from_arrow(pa.Table.from_pandas(frame))


ENGINES = {
    "pandas": lambda frame: frame,
    "Polars": pl.from_pandas,
    "lazy Polars": lambda frame: pl.from_pandas(frame).lazy(),
    "Arrow": pa.Table.from_pandas,
    "DuckDB": in_duckdb,
}


def on(engine: str, history: History) -> History:
    made = ENGINES[engine]
    return cn.History(made(history.events), made(history.changes), history.certificate)


def counts(history: History) -> tuple[int, int, int]:
    told = history.certificate
    return told.n_cases, told.n_events, told.n_changes


def rows(history: History) -> tuple[int, int, int]:
    plain = history.to_pandas()
    n_cases = plain.events["case_id"].nunique() + len(history.certificate.empty_cases)
    return n_cases, len(plain.events), len(plain.changes)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_cut_or_joined_counts_what_it_holds(
    engine: str, history: History
) -> None:
    subject = on(engine, history)
    ids = history.certificate.captures["case_id"].tolist()
    times = history.events["performed_at"]
    start, end = (times.quantile(q).to_pydatetime() for q in (0.3, 0.7))
    some, rest = subject.only(case_ids=ids[:5]), subject.only(case_ids=ids[3:])
    for each, verdict in (
        (subject, "complete"),
        (some, "complete"),
        (subject.where(cn.where("status") == "closed"), "complete"),
        (subject.between(start, end), "partial"),
        (subject.between(start).between(end=end), "partial"),
        (cn.concat([some, rest]), "complete"),
    ):
        assert counts(each) == rows(each)
        assert each.certificate.verdict == verdict
        assert type(each.events) is type(subject.events)
    assert "cut to 5 of 12 cases" in str(some.certificate)
    both = cn.concat([some, rest]).to_pandas()
    by = ["case_id", "sequence"]
    assert_frame_equal(
        both.events.sort_values(by, ignore_index=True),
        history.events.sort_values(by, ignore_index=True),
        check_categorical=False,
    )


def test_a_span_of_time_says_where_it_was_cut(history: History) -> None:
    start = dt.datetime(2026, 2, 1, 8, tzinfo=dt.UTC)
    end = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
    cut = history.between(start, end)
    times = cut.events["performed_at"]
    assert (times >= start).all()
    assert (times < end).all()
    expected = "cut to events from 2026-02-01 08:00 before 2026-03-01 08:00"
    assert cut.certificate.reasons[0] == expected
    assert cut.certificate.as_of == end
    # Cut again it is narrower, never wider.
    again = cut.between(start.replace(month=1), end.replace(month=4))
    assert again.certificate.reasons == cut.certificate.reasons
    later = history.between(start)
    assert later.certificate.as_of == history.certificate.as_of
    with pytest.raises(ValueError, match="is not after start="):
        history.between(end, start)
    with pytest.raises(ValueError, match="without its zone"):
        history.between(start.replace(tzinfo=None))


def test_a_case_that_is_not_there_is_named(history: History) -> None:
    known = history.certificate.captures["case_id"].iloc[0]
    with pytest.raises(ValueError, match=rf"No case .*Near it is .*{known}"):
        history.only(case_ids=[known[:-1] + "x"])
    with pytest.raises(TypeError, match="Give several in a list"):
        history.only(case_ids=known)


def test_a_field_that_no_change_is_of_is_no_empty_answer(history: History) -> None:
    with pytest.raises(ValueError, match=r"No change is of a field 'staus'.*status"):
        history.where(cn.where("staus") == "open")
    with pytest.raises(ValueError, match="No history tells a case's tags"):
        history.where(cn.where_tag("team") == "claims")
    with pytest.raises(TypeError, match=r"Give cn\.where\('status'\) == 'open'"):
        history.where("status == 'open'")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "condition",
    [
        cn.where("status") == "closed",
        ~(cn.where("status") == "closed"),
        cn.where("title").contains("REFUND"),
        (cn.where("assigned_user") == None) | (cn.where("status") != "open"),  # noqa: E711
        cn.where("status").is_in(["open", "on_hold"]) & cn.where("title").contains("a"),
    ],
    ids=str,
)
def test_a_condition_finds_what_a_search_of_the_service_finds(condition: Any) -> None:
    world = cn.sandbox.World(seed=11, cases=60, domains=1)
    client, domain_id = cn.connect(world), world.domains[0].domain_id
    history = cn.load_histories(client, domain_id, list(world.case_ids(domain_id)))
    whole = history.certificate.captures.query("has_creation")["case_id"]
    found = cn.load_cases(client, domain_id, filter=condition)["case_id"]
    mine = history.where(condition).certificate.captures["case_id"]
    assert {*mine} & {*whole} == {*found} & {*whole}


def test_frames_and_a_certificate_of_others_are_refused(history: History) -> None:
    other = of_world(seed=6)
    for events, changes in (
        (history.events, history.changes),
        (other.events.iloc[1:], other.changes),
        (other.events, other.changes.iloc[:-1]),
        (other.events.iloc[:0], other.changes.iloc[:0]),
    ):
        with pytest.raises(
            ValueError, match="do not belong together: of case .* counts"
        ):
            cn.History(events, changes, other.certificate)
    with pytest.raises(dataclasses.FrozenInstanceError):
        history.events = other.events  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"takes history\.events"):
        cn.History(history.changes, history.changes)


def test_frames_of_ones_own_claim_nothing(history: History) -> None:
    own = cn.History(history.events, history.changes)
    assert own.certificate.verdict == "not_certified"
    assert counts(own) == rows(own)
    assert own.certificate.as_of == history.events["performed_at"].max()
    assert str(own.certificate).startswith("not certified")
    assert f"told up to {own.certificate.last_event_at:%Y-%m-%d}" in str(
        own.certificate
    )
    assert cn.concat([own, own]).certificate.verdict == "not_certified"
    mixed = cn.concat([history.only(case_ids=[history.events["case_id"][0]]), own])
    assert mixed.certificate.verdict == "not_certified"


def test_the_later_capture_of_a_case_counts_and_the_earlier_one_is_told() -> None:
    sent = [event(i, fields=[]) for i in range(6)]

    def load(*events: Any, day: int) -> History:
        def answer(request: cn.raw.Request) -> cn.raw.Response:
            date = f"Mon, {day:02} Mar 2026 12:00:00 GMT"
            response = Pages([*events])(request)
            return dataclasses.replace(response, headers={"date": date})

        return cn.load_history(cn.connect(answer), "d", "c")

    altered = event(2, fields=[], type="Case.Merged")
    first = load(*sent[:2], altered, sent[4], day=2)
    second = load(*sent, day=9)
    for parts in ([first, second], [second, first]):
        both = cn.concat(parts)
        assert_frame_equal(both.events, second.events)
        assert both.certificate.contradictions == (
            "1 event of 1 case told otherwise by an earlier capture",
        )
        assert both.certificate.verdict == "complete_but"
    assert cn.concat([second, second]).certificate == second.certificate


def test_what_two_cases_tell_otherwise_is_counted_by_case() -> None:
    def load(*kinds: str) -> History:
        def answer(request: cn.raw.Request) -> cn.raw.Response:
            kind = kinds[int(request.path.split("/")[4])]
            return Pages([event(0, fields=[]), event(1, fields=[], type=kind)])(request)

        return cn.load_histories(cn.connect(answer), "d", ["0", "1", "2"])

    first = load("Case.Merged", "Case.Merged", "Case.Updated")
    second = load("Case.Updated", "Case.Updated", "Case.Updated")
    assert cn.concat([first, second]).certificate.contradictions == (
        "2 events of 2 cases told otherwise by an earlier capture",
    )


def test_changes_told_otherwise_are_counted_by_their_events() -> None:
    def load(value: str) -> History:
        fields = [{"eventFieldId": "f", "newValue": {"stringValue": value}}]
        sent = [event(n, fields=fields if n else []) for n in range(3)]
        return cn.load_history(cn.connect(Pages(sent)), "d", "c")

    assert cn.concat([load("a"), load("b")]).certificate.contradictions == (
        "2 events of 1 case told otherwise by an earlier capture",
    )


def test_a_case_that_one_load_missed_is_there_after_another() -> None:
    def deny(*refused: str) -> History:
        def answer(request: cn.raw.Request) -> cn.raw.Response:
            if request.path.split("/")[4] in refused:
                return reply({"message": "no"}, 404)
            return Pages([event(0, fields=[])])(request)

        return cn.load_histories(
            cn.connect(answer), "d", ["a", "b", "c"], errors="collect"
        )

    one, other = deny("a", "b"), deny("b")
    both = cn.concat([one, other])
    assert both.unloaded["case_id"].tolist() == ["b"]
    assert both.certificate.reasons[0] == "1 of 3 cases could not be loaded"
    assert set(both.certificate.captures["case_id"]) == {"a", "c"}


def test_what_is_joined_is_several_histories_of_one_engine(history: History) -> None:
    with pytest.raises(ValueError, match="There is no history to join"):
        cn.concat([])
    with pytest.raises(TypeError, match="Give a list"):
        cn.concat(history)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="This takes a whole history, not DataFrame"):
        cn.concat([history.events])
    with pytest.raises(ValueError, match=r"of several engines \(pandas, polars\)"):
        cn.concat([history, on("Polars", history)])


PICTURES: dict[str, tuple[Any, Any]] = {
    "plot_changes": (
        lambda s, **a: cn.plot_changes(s, fields=["status"], top=99, **a),
        lambda s, **a: cn.spells(s, "status", **a),
    ),
    "plot_time_in": (cn.plot_time_in, cn.time_in),
    "plot_transitions": (cn.plot_transitions, cn.transitions),
    "plot_backlog": (
        lambda s, **a: cn.plot_backlog(s, with_closed=True, **a),
        cn.backlog,
    ),
    "plot_handoffs": (cn.plot_handoffs, cn.handoffs),
    "plot_aging": (cn.plot_aging, lambda s, **a: cn.spells(s, "status", **a)),
    "plot_activity": (cn.plot_activity, lambda s, **_: cn.actors.actor_activity(s)),
    "plot_cases": (cn.plot_cases, lambda s, **_: cn.actors.actor_activity(s)),
    "plot_rhythm": (cn.plot_rhythm, lambda s, **_: cn.actors.rhythm(s)),
}
OF_EVENTS = ("plot_activity", "plot_cases", "plot_rhythm")


def numbers(name: str, drawn: pd.DataFrame, found: pd.DataFrame) -> None:
    """The number drawn is the number returned."""
    if name == "plot_changes":
        spans = drawn[drawn["what"] == "span"]
        ends = (spans["end_at"] - spans["start_at"]).dt.total_seconds() / 3600
        hours = sorted(found["hours"].dropna())
        assert sorted(ends.dropna()) == pytest.approx(hours, rel=0, abs=1e-6)
    elif name == "plot_time_in":
        assert_frame_equal(drawn, found[found["hours"] > 0].reset_index(drop=True))
    elif name == "plot_transitions":
        assert drawn["n"].tolist() == found["n"].tolist()
        pd.testing.assert_series_equal(drawn["median_hours"], found["median_hours"])
    elif name == "plot_backlog":
        assert_frame_equal(drawn, found)
    elif name == "plot_handoffs":
        assert drawn["n"].sum() == (found["field_id"] == "assigned_user").sum()
    elif name == "plot_aging":
        is_open = found["is_open"] & (found["value"] != "closed")
        hours = found.loc[is_open, "hours"]
        assert sorted(drawn["status_hours"].dropna()) == sorted(hours.dropna())
    elif name == "plot_cases":
        counts = drawn.filter(regex="^n_").to_numpy()
        assert counts.sum() == found["n_events"].sum()
    else:
        assert drawn["n_events"].sum() == found["n_events"].sum()


def subjects(history: History, folder: Path, dice: random.Random) -> dict[str, Any]:
    """A history, its frames, and what people make of them."""
    as_of = {"as_of": history.certificate.as_of}
    ids = history.certificate.captures["case_id"].tolist()
    some = dice.sample(ids, len(ids) // 2)
    parquet = cn.History.from_parquet_folder(history.to_parquet_folder(folder / "p"))
    csv = cn.History.from_csv_folder(history.to_csv_folder(folder / "c"))
    parts = [history.only(case_ids=some), history.only(case_ids=ids)]
    found: dict[str, Any] = {
        "history": (history, {}),
        "of its cases": (history.only(case_ids=some), {}),
        "cut": (history.between(end=history.events["performed_at"].quantile(0.6)), {}),
        "joined": (cn.concat(parts), {}),
        "from Parquet": (parquet, {}),
        "from CSV": (csv, {}),
    }
    for table in ("events", "changes"):
        frame = getattr(history, table)
        teams = pd.DataFrame(
            {"actor": frame["actor"].astype("str").unique(), "team": 1}
        )
        merged = frame.astype({"actor": "str"}).merge(teams, on="actor", how="left")
        found |= {
            f"{table} alone": (frame, as_of),
            f"{table} merged": (merged, as_of),
            f"{table} filtered": (frame[frame["case_id"].isin(some)], {}),
            f"{table} put together": (
                pd.concat([frame.iloc[:9], frame.iloc[9:]]),
                as_of,
            ),
        }
    return found


@pytest.mark.parametrize(
    "seeds",
    [
        range(1),
        *(
            pytest.param(range(n, n + 25), marks=pytest.mark.slow)
            for n in range(0, 200, 25)
        ),
    ],
    ids=str,
)
def test_the_number_drawn_is_the_number_returned(seeds: range, tmp_path: Path) -> None:
    for seed in seeds:
        dice = random.Random(seed)
        history = of_world(seed, cases=8, without_creation=0.2, merge=0.2)
        folder = tmp_path / str(seed)
        for kind, (subject, how) in subjects(history, folder, dice).items():
            for name, (plot, ask) in PICTURES.items():
                of = "events" if name in OF_EVENTS else "changes"
                if not hasattr(subject, "certificate") and of not in kind:
                    continue
                more = {} if name in OF_EVENTS else how
                ax = plot(subject, **more)
                numbers(name, cn.plot_data(ax), ask(subject, **more))
                footer = cn.plot_text(ax).splitlines()[-1]
                is_whole = "complete" in footer
                bare = not hasattr(subject, "certificate") or kind == "cut"
                assert not (is_whole and bare), (kind, name, footer)
                if hasattr(subject, "certificate"):
                    assert subject.certificate.standing in footer
        del history
