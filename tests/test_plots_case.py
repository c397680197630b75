"""A case as lanes, and activity over time: what is drawn is what the data say."""

from __future__ import annotations

import io
from typing import Any

import histories
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from histories import event, history
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import casesnb as cn
from casesnb.view.plots.colours import CLOSED_VALUES, VALUES, Colours, colours_of
from casesnb.view.plots.lanes import lanes_of
from casesnb.view.plots.style import KINDS


@pytest.fixture
def plain() -> cn.History:
    return history()


def lanes(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_a_case_is_told_lane_by_lane(plain: cn.History) -> None:
    ax = cn.plot_changes(plain)
    assert cn.plot_text(ax).rpartition(" Drawn ")[0] == (
        "What changed in case 4711: status most often, 3 times\n"
        "  status: open 27.0 h → closed 24.0 h → open 26.0 d and on\n"
        "  assigned_user: empty (since when is not known) → anna 3.1 d or less → "
        "ben 25.0 d and on\n"
        "  title: Refund 28.1 d and on\n"
        "  amount: 129.5 24.0 h → 149.0 27.1 d and on\n"
        "  Comment items: 1 mark\n"
        "  SLAs: 1 mark\n"
        "  changed by: agent 4, custom entity 1, service 3, API role 1, unknown 1\n"
        "10 marks in 6 lanes from 2026-02-02 09:00 to 2026-02-05 13:00 UTC, "
        "as of 2026-03-02 12:00. A value has one colour in all lanes. "
        "The history is complete · 1 break."
    )
    assert lanes(ax) == [
        "status",
        "assigned_user",
        "title",
        "amount",
        "Comment items",
        "SLAs",
    ]


def test_the_frame_drawn_is_the_spells_and_the_changes(plain: cn.History) -> None:
    as_of = plain.certificate.fetched_at
    drawn = cn.plot_data(cn.plot_changes(plain.changes, as_of=as_of))
    spells = cn.spells(plain.changes, as_of=as_of)
    spans = drawn[drawn["what"] == "span"]
    same = ["start_at", "end_at", "is_known", "is_open", "kind"]
    by = ["lane", "end_at"]
    pd.testing.assert_frame_equal(
        spans.sort_values(by)[same].reset_index(drop=True),
        spells.rename(columns={"field_id": "lane"})
        .sort_values(by)[same]
        .reset_index(drop=True),
    )
    marks = drawn[drawn["what"] == "mark"]
    assert sorted(marks["event_id"]) == sorted(plain.changes["event_id"])
    assert (marks["start_at"] == marks["end_at"]).all()


def test_a_mark_stands_where_and_as_its_event_does(plain: cn.History) -> None:
    ax = cn.plot_changes(plain)
    markers = {
        line.get_marker(): len(line.get_xdata())
        for line in ax.get_lines()
        if len(line.get_xdata())
    }
    assert markers == {
        KINDS["agent"].marker: 4,
        KINDS["custom"].marker: 1,
        KINDS["service"].marker: 3,
        KINDS["role"].marker: 1,
        KINDS["unknown"].marker: 1,
    }
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        *(ink.label for ink in KINDS.values()),
        "open",
        "closed",
    ]


def test_the_unknown_is_hatched_and_the_open_goes_on(plain: cn.History) -> None:
    ax = cn.plot_changes(plain)
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(hatched) == 1
    # The span before the first change, and the one before a break.
    assert len(hatched[0].get_path().to_polygons()) == 2
    (arrows,) = (drawn for drawn in ax.collections if drawn.get_zorder() == 3)
    assert len(arrows.get_paths()) == 4


def test_values_are_written_into_their_spans(plain: cn.History) -> None:
    ax = cn.plot_changes(plain, fields=["status"])
    assert [text.get_text() for text in ax.texts[:3]] == ["open", "closed", "open"]


def test_fields_chooses_and_orders_the_lanes(plain: cn.History) -> None:
    assert lanes(cn.plot_changes(plain, fields=["amount", "status"])) == [
        "amount",
        "status",
    ]
    none = cn.plot_text(cn.plot_changes(plain, fields=["summary", "created_by"]))
    assert "0 marks. No change of summary, created_by. The history" in none
    some = cn.plot_text(cn.plot_changes(plain, fields=["status", "summary"]))
    assert ". No change of summary. The history is complete" in some
    with pytest.raises(TypeError, match=r"Give several in a list: \['status'\]"):
        cn.plot_changes(plain, fields="status")


@pytest.mark.parametrize("n", [9, 10, 600])
def test_a_long_lane_says_how_it_began_and_how_it_stands(n: int) -> None:
    values = [str(number) for number in range(n)]
    told = [
        histories.event(
            i, f"{1 + i // 24:02}T{i % 24:02}:00:00", histories.by("anna"), queue=value
        )
        for i, value in enumerate(values)
    ]
    ax = cn.plot_changes(histories.history(told))
    line = cn.plot_text(ax).splitlines()[1]
    said = [part.split()[0] for part in line.partition(": ")[2].split(" → ")]
    if n == 9:
        assert said == values
    else:
        assert f"… {n - 8:,} more …" in line
        assert said == [*values[:4], "…", *values[-4:]]


def test_what_does_not_fit_is_one_lane(plain: cn.History) -> None:
    ax = cn.plot_changes(plain.changes, top=2)
    assert lanes(ax) == ["status", "other (3)"]
    assert "The 3 fields with the fewest changes share one lane." in cn.plot_text(ax)
    drawn = cn.plot_data(ax)
    assert len(drawn[drawn["what"] == "mark"]) == len(plain.changes)
    with pytest.raises(ValueError, match="top=0 leaves nothing to draw"):
        cn.plot_changes(plain, top=0)


def test_names_stand_for_ids_where_there_are_names(plain: cn.History) -> None:
    changes = plain.changes.assign(
        field=lambda f: f["field_id"].astype(str).str.upper(),
        old_label=None,
        new_label=lambda f: f["new"].map({"open": "Offen"}),
        actor_name="somebody",
    )
    ax = cn.plot_changes(changes)
    assert lanes(ax)[0] == "STATUS"
    assert "Offen 27.0 h → closed" in cn.plot_text(ax)
    events = plain.events.assign(actor_name="Anna Lopez")
    assert "Anna Lopez (anna): 3 in" in cn.plot_text(
        cn.plot_activity(events, by="actor")
    )


def test_each_value_of_a_lane_has_a_name_of_its_own() -> None:
    values = ["q1", "q2", "empty", ""]
    told = [
        event(n, f"{n + 2:02}T09:00:00", histories.by("anna"), queue=value)
        for n, value in enumerate(values)
    ]
    changes = history(told).changes.assign(
        old_label=None, new_label=lambda f: f["new"].where(f["new"].str[0] != "q", "Q")
    )
    words = cn.plot_text(cn.plot_changes(changes))
    assert "queue: Q (q1) 24.0 h → Q (q2) 24.0 h → “empty” 24.0 h → “”" in words


def test_two_cases_do_not_share_a_lane() -> None:
    one, two = history(case_id="one"), history(case_id="two")
    both = pd.concat([one.changes, two.changes], ignore_index=True)
    ax = cn.plot_changes(both, fields=["status"])
    assert lanes(ax) == ["status · one", "status · two"]


def test_many_cases_are_refused_unless_every_lane_is_drawn() -> None:
    many = histories.many()
    with pytest.raises(ValueError, match=r"at most 12 cases, not 20\. Choose some"):
        cn.plot_changes(many)
    with pytest.raises(ValueError, match=r"draw all of them with cn\.plot_cases"):
        cn.plot_changes(many.changes, fields=["status"], top=19)
    assert len(lanes(cn.plot_changes(many, fields=["status"], top=20))) == 20
    few = many.only(case_ids=many.certificate.captures["case_id"].head(12))
    assert "(cn.plot_cases draws a row per case)" in cn.plot_text(cn.plot_changes(few))


def test_a_status_has_the_colour_of_its_option_in_every_picture() -> None:
    world = cn.sandbox.World(seed=7)
    client, (domain_id, case_id) = cn.connect(world), world.showcase
    catalogue = cn.load_catalogue(client, domain_id)
    history = cn.with_names(cn.load_history(client, domain_id, case_id), catalogue)
    options = catalogue.options[catalogue.options["field_id"] == "status"]
    expected = {
        name: CLOSED_VALUES[0].colour if name == "Closed" else VALUES[place].colour
        for place, name in enumerate(options["name"])
    }
    with colours_of(Colours()):
        pictures = [
            cn.plot_changes(history, fields=["status"]),
            cn.plot_backlog(history, with_closed=True),
            cn.plot_backlog(history),
        ]
    for ax in pictures:
        shown = {
            text.get_text(): mpl.colors.to_hex(patch.get_facecolor())
            for patch, text in zip(
                ax.get_legend().get_patches(),
                ax.get_legend().get_texts()[-len(ax.get_legend().get_patches()) :],
                strict=True,
            )
        }
        assert len(shown) > 2
        assert shown == {name: expected[name] for name in shown}


def test_marks_are_counted_as_marks() -> None:
    item = event(
        0, "02T09:00:00", histories.by("anna"), kind="RelatedItem.Created", item="Sla"
    )
    bare = history([item])
    assert len(bare.changes) == 0
    assert "\n1 mark in 1 lane from" in cn.plot_text(cn.plot_changes(bare))
    changed = event(
        1,
        "03T09:00:00",
        histories.by("anna"),
        kind="RelatedItem.Updated",
        item="Sla",
        status="met",
        target=3.0,
    )
    both = history([item, changed])
    assert len(both.changes) == 2
    assert "\n2 marks in 1 lane from" in cn.plot_text(cn.plot_changes(both))


def test_spans_side_by_side_differ_in_colour() -> None:
    def queues(order: list[int]) -> cn.History:
        by = histories.by("anna")
        return history(
            [
                event(n, f"{1 + n:02}T09:00:00", by, queue=f"queue {queue}")
                for n, queue in enumerate(order)
            ]
        )

    n = len(VALUES)
    with colours_of(Colours()):
        cn.plot_changes(queues([*range(3 * n)]))  # which gives them their colours
        mixed = queues([n * time + i for i in range(n) for time in range(3)])
        drawn = lanes_of(mixed, events=None, as_of=None, fields=None, top=9)
        tints = drawn.tints[~drawn.rows.is_mark]
    assert len(tints) == 3 * n
    assert (tints[1:] != tints[:-1]).all()


def test_time_may_count_from_the_first_change(plain: cn.History) -> None:
    ax = cn.plot_changes(plain, relative=True)
    assert ax.get_xlabel() == "days since the first change"
    first = min(
        min(line.get_xdata()) for line in ax.get_lines() if len(line.get_xdata())
    )
    assert first == 0


def test_a_zone_moves_the_words_and_not_the_marks(plain: cn.History) -> None:
    here = cn.plot_changes(plain.changes)
    there = cn.plot_changes(plain.changes, tz="Asia/Tokyo")
    assert "2026-02-02 18:00 to 2026-02-05 21:00 Asia/Tokyo" in cn.plot_text(there)
    for a, b in zip(here.get_lines(), there.get_lines(), strict=True):
        assert list(a.get_xdata()) == list(b.get_xdata())


def test_a_late_reading_does_not_squeeze_the_case() -> None:
    quick = [
        event(
            0, "02T09:00:00", histories.by("anna"), kind="Case.Created", status="open"
        ),
        event(1, "02T09:30:00", histories.by("anna"), status=("open", "closed")),
    ]
    ax = cn.plot_changes(history(quick))  # read a month later
    low, high = ax.get_xlim()
    assert (high - low) * 24 * 60 < 60


def test_an_svg_of_ten_thousand_changes_is_small() -> None:
    n = 10_000
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(n), unit="h")
    changes = pd.concat([history().changes.iloc[:1]] * n, ignore_index=True).assign(
        performed_at=at,
        sequence=np.arange(n),
        event_id=[f"e{i}" for i in range(n)],
        field_id=[f"field {i % 9}" for i in range(n)],
        new=[f"{i % 7}" for i in range(n)],
    )
    ax = cn.plot_changes(changes)
    buffer = io.BytesIO()
    assert isinstance(ax.figure, Figure)
    ax.figure.savefig(buffer, format="svg")
    assert len(buffer.getvalue()) < 200_000
    n_artists = len([a for a in ax.collections if isinstance(a, PolyCollection)])
    assert n_artists < 10


# --------------------------------------------------------------------- activity


def test_activity_counts_what_actor_activity_counts() -> None:
    events = histories.many().events
    expected = cn.actors.actor_activity(events, freq="1d")
    expected = expected.groupby(["period_at", "actor_kind"])["n_events"].sum()
    drawn = cn.plot_data(cn.plot_activity(events, freq="1d"))
    label = {ink.label: kind for kind, ink in KINDS.items()}
    found = drawn.assign(
        period_at=drawn["period"].dt.tz_localize("UTC"),
        actor_kind=drawn["part"].map(lambda part: label.get(part, part)),
    ).set_index(["period_at", "actor_kind"])["n_events"]
    assert found.sort_index().to_dict() == expected.sort_index().to_dict()


def test_the_bars_are_as_high_as_the_numbers(plain: cn.History) -> None:
    ax = cn.plot_activity(plain.events, freq="1d")
    drawn = cn.plot_data(ax)
    tops = [
        polygon[:, 1].max()
        for patch in ax.patches
        for polygon in patch.get_path().to_polygons()
    ]
    tops += [
        path.vertices[:, 1].max()
        for collection in ax.collections
        for path in collection.get_paths()
    ]
    assert max(tops) == drawn.groupby("period")["n_events"].sum().max() == 3


def test_a_day_begins_where_its_zone_says(plain: cn.History) -> None:
    events = plain.events.iloc[:1].assign(
        performed_at=pd.Timestamp("2026-03-29T22:30", tz="UTC")
    )
    drawn = cn.plot_data(cn.plot_activity(events, freq="1d", tz="Europe/Berlin"))
    assert drawn["period"].tolist() == [pd.Timestamp("2026-03-30")]


def test_the_busiest_actors_are_named_and_the_rest_are_other() -> None:
    events = histories.many().events
    ax = cn.plot_activity(events, by="actor", top=3)
    parts = cn.plot_data(ax).groupby("part")["n_events"].sum()
    assert len(parts) == 3
    n_others = events["actor"].nunique(dropna=False) - 2
    assert f"other ({n_others})" in parts.index
    assert parts.sum() == len(events)
    with pytest.raises(ValueError, match="by='team' is neither"):
        cn.plot_activity(events, by="team")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="top=0 leaves nothing"):
        cn.plot_activity(events, top=0)
