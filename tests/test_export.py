"""Event logs: our own writers, read back; by pm4py too where it is installed."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from answers import Pages, event

import casesnb as cn
from casesnb.tables.schema import TEXT_TYPE

PM4PY = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pm4py
folder = sys.argv[1]
log = pm4py.read_xes(folder + "/log.xes", variant="iterparse")
counts = {"xes": [len(log), log["case:concept:name"].nunique(),
                  log["concept:name"].value_counts().sort_index().to_dict()]}
for name, read in (("json", pm4py.read_ocel2_json), ("sqlite", pm4py.read_ocel2_sqlite)):
    ocel = read(folder + "/log." + name)
    counts[name] = [len(ocel.events), len(ocel.relations),
                    ocel.objects["ocel:type"].value_counts().sort_index().to_dict(),
                    ocel.events["ocel:activity"].value_counts().sort_index().to_dict()]
print("COUNTS" + json.dumps(counts))
"""


@cache
def world() -> cn.History:
    source = cn.sandbox.World(seed=7)
    client = cn.connect(source)
    domain_id, showcase = source.showcase
    cases = cn.load_cases(client, domain_id, limit=12)["case_id"]
    return cn.load_histories(client, domain_id, [showcase, *cases])


def strange() -> cn.History:
    """Fields, types and values that want to be something else."""
    fields = [
        {"eventFieldId": 'A"; DROP', "newValue": {"stringValue": "<a&\"'>\x00\x1b\n"}},
        {"eventFieldId": "a", "oldValue": {"emptyValue": {}}},
        {"eventFieldId": "a", "newValue": {"emptyValue": {}}},
        {"eventFieldId": "A", "newValue": {"doubleValue": 1}},
        {"eventFieldId": "ocel_id", "newValue": {"booleanValue": True}},
    ]
    merge = {
        "mergeEventId": "m",
        "primaryCaseId": "c",
        "secondaryCaseId": "c-closed",
    }
    events = [
        event(0),
        event(1, fields=fields, type='Case."x"', performedBy={}),
        event(2, type="Case.Merged", mergeMetadata=merge),
    ]
    return cn.load_history(cn.connect(Pages(events)), "d", "c")


BOTH = pytest.mark.parametrize("load", [world, strange])


def counted(values: Any) -> dict[str, int]:
    return {str(k): int(v) for k, v in values.value_counts().sort_index().items() if v}


def objects(history: cn.History) -> dict[str, int]:
    events = history.events
    cases = {*events["case_id"], *events["primary_case_id"].dropna()}
    cases |= set(events["secondary_case_id"].dropna())
    return {"actor": events["actor"].nunique(), "case": len(cases)}


def test_pm4pys_columns_stand_in_place_of_ours() -> None:
    history = strange()
    log = cn.export.to_pm4py(history.events)
    assert log.columns.tolist() == [
        {
            "case_id": "case:concept:name",
            "performed_at": "time:timestamp",
            "actor": "org:resource",
        }.get(name, name)
        for name in history.events.columns
    ] + ["concept:name"]
    assert log["concept:name"].tolist() == history.events["event_type"].tolist()
    assert str(log["time:timestamp"].dtype) == "datetime64[us, UTC]"
    for name in ("case:concept:name", "concept:name", "org:resource"):
        assert log[name].dtype == TEXT_TYPE
    changes = cn.export.to_pm4py(history.changes)
    assert changes["concept:name"].tolist() == history.changes["field_id"].tolist()
    by = cn.export.to_pm4py(history.changes, activity="event_type")
    assert by["concept:name"].tolist() == history.changes["event_type"].tolist()
    with pytest.raises(KeyError, match="no column 'mood'"):
        cn.export.to_pm4py(history.events, activity="mood")


@BOTH
def test_xes_has_a_trace_per_case_and_every_event(
    load: Callable[[], cn.History], tmp_path: Path
) -> None:
    history = load()
    cn.export.to_xes(history, tmp_path / "log.xes")
    log = ET.parse(tmp_path / "log.xes").getroot()  # noqa: S314 - our own file
    found = []
    for trace in log.iter("trace"):
        (name,) = (e.get("value") for e in trace if e.get("key") == "concept:name")
        for each in trace.iter("event"):
            keys = [e.get("key") for e in each]
            assert len(keys) == len(set(keys))
            told = {e.get("key"): e.get("value") for e in each}
            found.append((name, told["event_id"], told["concept:name"]))
    events = history.events[["case_id", "event_id", "event_type"]]
    assert found == list(events.itertuples(index=False, name=None))
    assert len(list(log.iter("trace"))) == history.certificate.n_cases


def test_xes_keeps_what_a_stranger_wrote(tmp_path: Path) -> None:
    cn.export.to_xes(strange(), tmp_path / "log.xes")
    log = ET.parse(tmp_path / "log.xes").getroot()  # noqa: S314 - our own file
    second = list(log.iter("event"))[1]
    told = {e.get("key"): e.get("value") for e in second}
    assert told["new:A_x0022__x003B__x0020_DROP"] == "<a&\"'>\\x00\\x1b\n"
    assert told["concept:name"] == 'Case."x"'
    assert (told["old:a"], told["new:a"]) == ("", "")
    assert told["new:A"] == "1.0"
    assert "org:resource" not in told


@BOTH
def test_xes_has_the_names_and_types_of_its_schema(
    load: Callable[[], cn.History], tmp_path: Path
) -> None:
    cn.export.to_xes(load(), tmp_path / "log.xes")
    log = ET.parse(tmp_path / "log.xes").getroot()  # noqa: S314 - our own file
    assert float(log.get("xes.version") or "") == 1849.2016  # a decimal
    parts = {"log", "extension", "trace", "event"}
    kinds = set()
    for each in log.iter():
        if each.tag in parts:
            continue
        kinds.add(each.tag)
        assert re.fullmatch(r"[A-Za-z_:][\w.:-]*", each.get("key") or "", re.ASCII)
        value = each.get("value") or ""
        match each.tag:
            case "float":
                assert float(value) == float(value)
            case "boolean":
                assert value in {"true", "false"}
            case "int":
                int(value)
            case "date":
                dt.datetime.fromisoformat(value)
            case other:
                assert other == "string"
    assert kinds >= {"float", "string", "date", "int"}


def test_two_domains_never_share_a_case(tmp_path: Path) -> None:
    one = strange()
    history = cn.concat(
        [one, cn.load_history(cn.connect(Pages([event(0)])), "other", "c")]
    )
    cn.export.to_xes(history, tmp_path / "log.xes")
    log = ET.parse(tmp_path / "log.xes").getroot()  # noqa: S314 - our own file
    assert [len(list(t.iter("event"))) for t in log.iter("trace")] == [3, 1]
    assert sum(str(e.get("key")).startswith("new:") for e in log.iter()) == len(
        history.changes["new"].index[history.changes["new_kind"].notna()]
    )
    cn.export.to_ocel(history, tmp_path / "log.json")
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert len({each["id"] for each in told["events"]}) == 4
    cases = {each["id"] for each in told["objects"] if each["type"] == "case"}
    assert {"case:d/c", "case:other/c"} <= cases


@BOTH
def test_ocel_json_has_every_event_object_and_relation(
    load: Callable[[], cn.History], tmp_path: Path
) -> None:
    history = load()
    cn.export.to_ocel(history, tmp_path / "log.json")
    log = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [e["type"] for e in log["events"]] == history.events["event_type"].tolist()
    assert len({e["id"] for e in log["events"]}) == len(history.events)
    kinds = [thing["type"] for thing in log["objects"]]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == objects(history)
    known = {thing["id"] for thing in log["objects"]}
    for each in log["events"]:
        related = [to["objectId"] for to in each["relationships"]]
        assert set(related) <= known
        assert len(related) == len(set(related))
    listed = {
        t["name"]: {a["name"] for a in t["attributes"]} for t in log["objectTypes"]
    }
    for thing in log["objects"]:
        assert {a["name"] for a in thing["attributes"]} <= listed[thing["type"]]
    told = history.changes[history.changes["new_kind"].notna()]
    values = zip(told["field_id"], told["new"].fillna(""), strict=True)
    of_cases = [t for t in log["objects"] if t["type"] == "case"]
    assert Counter(values) == Counter(
        (a["name"], a["value"]) for t in of_cases for a in t["attributes"]
    )


@BOTH
def test_ocel_sqlite_says_what_the_json_says(
    load: Callable[[], cn.History], tmp_path: Path
) -> None:
    history = load()
    cn.export.to_ocel(history, tmp_path / "log.json")
    cn.export.to_ocel(history, tmp_path / "log.sqlite")
    cn.export.to_ocel(
        history, tmp_path / "log.sqlite"
    )  # a second time replaces the first
    log = json.loads((tmp_path / "log.json").read_text("utf-8"))
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as db:
        assert db.execute("SELECT ocel_id FROM event ORDER BY 1").fetchall() == sorted(
            (e["id"],) for e in log["events"]
        )
        related = db.execute("SELECT * FROM event_object ORDER BY 1, 2").fetchall()
        assert related == sorted(
            (e["id"], to["objectId"], to["qualifier"])
            for e in log["events"]
            for to in e["relationships"]
        )
        n_rows = 0
        for (table,) in db.execute("SELECT ocel_type_map FROM event_map_type"):
            n_rows += db.execute(f'SELECT count(*) FROM "event_{table}"').fetchone()[0]  # noqa: S608
        assert n_rows == len(history.events)
        values = db.execute(
            "SELECT count(*) FROM object_case WHERE ocel_changed_field IS NOT NULL"
        ).fetchone()[0]
        assert values == history.changes["new_kind"].notna().sum()


def test_a_history_of_which_events_were_left_out_is_a_log(tmp_path: Path) -> None:
    history = strange()
    events = history.events.assign(
        performed_at=history.events["performed_at"].dt.tz_convert("Asia/Tokyo")
    )
    cn.export.to_ocel(cn.History(events[:1], history.changes), tmp_path / "log.json")
    log = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [event["time"] for event in log["events"]] == ["2026-03-01T00:00:00.000000Z"]
    assert [each["id"] for each in log["objects"] if each["type"] == "case"] == [
        "case:c"
    ]
    cn.export.to_ocel(cn.History(events[:0], history.changes), tmp_path / "none.json")


@pytest.mark.parametrize("name", ["cases.xes", "cases.json", "cases.sqlite"])
def test_a_file_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    write = cn.export.to_xes if name.endswith("xes") else cn.export.to_ocel
    (tmp_path / "nowhere").write_text("a file, and no folder")
    with pytest.raises(OSError, match=rf"nowhere..{name}"):
        write(strange(), tmp_path / "nowhere" / name)


def test_no_events_are_a_log_too(tmp_path: Path) -> None:
    history = cn.load_history(cn.connect(Pages([])), "d", "c")
    cn.export.to_xes(history, tmp_path / "log.xes")
    cn.export.to_ocel(history, tmp_path / "log.json")
    cn.export.to_ocel(history, tmp_path / "log.sqlite")
    assert json.loads((tmp_path / "log.json").read_text("utf-8"))["events"] == []


@pytest.mark.pm4py
@BOTH
def test_pm4py_counts_what_we_wrote(
    load: Callable[[], cn.History], tmp_path: Path
) -> None:
    """CASESNB_PM4PY names a Python that has pm4py, where this one has not."""
    history = load()
    cn.export.to_xes(history, tmp_path / "log.xes")
    cn.export.to_ocel(history, tmp_path / "log.json")
    cn.export.to_ocel(history, tmp_path / "log.sqlite")
    done = subprocess.run(
        [os.environ.get("CASESNB_PM4PY", sys.executable), "-c", PM4PY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "agg"},  # it has no notebook backend
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.rpartition("COUNTS")[2])
    types = counted(history.events["event_type"])
    n_events = len(history.events)
    assert counts["xes"] == [n_events, history.certificate.n_cases, types]
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as db:
        (n_related,) = db.execute("SELECT count(*) FROM event_object").fetchone()
    assert counts["json"] == [n_events, n_related, objects(history), types]
    assert counts["sqlite"] == counts["json"]
