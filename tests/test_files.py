"""A History written and read back is the same History."""

from __future__ import annotations

import csv
import errno
import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from answers import Pages, event
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.tables.files import FORMULA, _plain, _safe

VALUES: list[Any] = [
    {"stringValue": "=HYPERLINK(1)"},
    {"stringValue": "'quoted"},
    {"stringValue": ""},
    {"stringValue": 'a;=b\n+c\r\n@d, "e"\t-f'},
    {"stringValue": "0.0"},
    {"stringValue": "é\u202e\u2028\x00"},
    {"doubleValue": -0.0},
    {"booleanValue": False},
    {"emptyValue": {}},
    {},
    None,
    {"userArnValue": "arn:x"},
    {"novelValue": 1},
]


def history() -> cn.History:
    fields = [
        {"eventFieldId": f"f{i}", "oldValue": value, "newValue": VALUES[i - 1]}
        for i, value in enumerate(VALUES)
    ]
    odd = event(1, fields=fields, note={"x": "=1"}, relatedItemType="Comment")
    return cn.load_history(cn.connect(Pages([event(0), odd, event(2)])), "d", "c")


def histories() -> cn.History:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        if "/c2/" in request.path:
            return cn.raw.Response(
                404, {"x-amzn-errortype": "ResourceNotFoundException"}
            )
        return Pages([event(i) for i in range(30)])(request)

    return cn.load_histories(
        cn.connect(answer), "d", ["c1", "c2", "c3"], errors="collect"
    )


WAYS = [
    (cn.History.to_parquet_folder, cn.History.from_parquet_folder),
    (cn.History.to_csv_folder, cn.History.from_csv_folder),
]
EMPTY = lambda: cn.load_history(cn.connect(Pages([])), "d", "c")  # noqa: E731


@pytest.mark.parametrize(("write", "read"), WAYS, ids=["parquet", "csv"])
@pytest.mark.parametrize("load", [history, histories, EMPTY], ids=["odd", "many", "0"])
def test_a_history_reads_back_as_it_was_written(
    write: Any, read: Any, load: Any, tmp_path: Path
) -> None:
    before = load()
    write(before, tmp_path / "kept" / "here")
    after = read(tmp_path / "kept" / "here")
    for name in ("events", "changes", "unloaded"):
        was, now = getattr(before, name), getattr(after, name)
        assert_frame_equal(now, was)
    assert after.certificate == before.certificate


@pytest.mark.parametrize(
    ("write", "read"),
    [
        *WAYS,
        (cn.export.to_xes, None),
        (cn.export.to_ocel, None),
        (cn.write_report, cn.verify_report),
        (lambda _, path: cn.connect(Pages([]), record=path), cn.connect),
    ],
    ids=["parquet", "csv", "xes", "ocel", "report", "recording"],
)
def test_a_tilde_is_the_home(
    write: Any, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    write(EMPTY(), "~/kept")
    if read is not None:
        read("~/kept", *[Pages([])] * (read is cn.verify_report))
    assert (tmp_path / "home" / "kept").exists()
    assert not [*Path().iterdir()]


@pytest.mark.parametrize(("write", "read"), WAYS, ids=["parquet", "csv"])
def test_names_are_kept_beside_the_ids(write: Any, read: Any, tmp_path: Path) -> None:
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    before = cn.load_history(client, *world.showcase)
    catalogue = cn.load_catalogue(client, world.showcase[0])
    named = cn.History(
        cn.with_names(before.events, catalogue),
        cn.with_names(before.changes, catalogue),
        before.certificate,
    )
    write(named, tmp_path)
    after = read(tmp_path)
    assert_frame_equal(after.changes, named.changes)
    assert_frame_equal(after.events, named.events)


def test_the_kinds_of_value_stay_apart_in_a_csv(tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    with (tmp_path / "changes.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["event_id"] == "e1"]
    shown = [(row["old_kind"], row["old"]) for row in rows]
    assert shown[0] == ("string", "'=HYPERLINK(1)")
    assert shown[1] == ("string", "''quoted")
    assert shown[2] == ("string", "'")
    assert shown[4:12] == [
        ("string", "0.0"),
        ("string", "é\u202e\u2028\x00"),
        ("double", "'-0.0"),
        ("boolean", "false"),
        ("empty", ""),
        ("", ""),
        ("", ""),
        ("user_arn", "arn:x"),
    ]


def test_no_cell_of_a_csv_begins_a_formula_whatever_separates(tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    for path in tmp_path.glob("*.csv"):
        text = path.read_text("utf-8-sig")
        for separator in ",;\t":
            for line in text.splitlines():
                for cell in line.split(separator):
                    assert not cell.strip('"').startswith(tuple("=+-@\t\r"))


@settings(derandomize=True, database=None, max_examples=300)
@given(st.text(alphabet="=+-@\t\r\n;,'\"a＝０", max_size=12))
def test_any_text_is_safe_and_reads_back(text: str) -> None:
    cell = _safe(text)
    assert cell
    assert _plain(cell) == text
    assert not cell.startswith(FORMULA[:-5])
    assert cell[0] == "'" or not cell.startswith(FORMULA)


def test_files_of_two_histories_are_no_history(tmp_path: Path) -> None:
    history().to_parquet_folder(tmp_path)
    histories().to_parquet_folder(tmp_path / "other")
    (tmp_path / "other" / "changes.parquet").replace(tmp_path / "changes.parquet")
    with pytest.raises(ValueError, match="changes.parquet is not as History wrote it"):
        cn.History.from_parquet_folder(tmp_path)


def test_a_csv_that_lost_a_cell_or_a_column_is_an_error(tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    path = tmp_path / "events.csv"
    whole = path.read_text("utf-8-sig")
    path.write_text(whole + '"d","c"\n', "utf-8-sig")
    with pytest.raises(ValueError, match="not as History wrote it"):
        cn.History.from_csv_folder(tmp_path)
    path.write_text(whole.replace("performed_at", "when"), "utf-8-sig")
    with pytest.raises(ValueError, match="not as History wrote it"):
        cn.History.from_csv_folder(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        cn.History.from_csv_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["history.json", "events.csv", "changes.csv", "captures.csv", "unloaded.csv"],
)
@pytest.mark.parametrize("damage", ["empty", "cut", "no text", "something else"])
def test_a_damaged_file_is_named(name: str, damage: str, tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "no text": b"\xff\xfe" * 40,
            "something else": b'{"a": 1}',
        }[damage]
    )
    with pytest.raises(
        ValueError, match=rf"{name} is not as History wrote it: .*again"
    ):
        cn.History.from_csv_folder(tmp_path)


def test_times_of_another_zone_are_written_as_the_moments_they_are(
    tmp_path: Path,
) -> None:
    whole = history()
    elsewhere = replace(
        whole,
        events=whole.events.assign(
            performed_at=whole.events["performed_at"].dt.tz_convert("Asia/Tokyo")
        ),
    )
    elsewhere.to_csv_folder(tmp_path)
    assert_frame_equal(cn.History.from_csv_folder(tmp_path).events, whole.events)


def test_the_certificate_beside_a_csv_is_json(tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    told = json.loads((tmp_path / "history.json").read_text("utf-8"))
    assert told["certificate"]["content"]["n_conflicts"] == 0


@pytest.mark.parametrize(("write", "read"), WAYS, ids=["parquet", "csv"])
@pytest.mark.parametrize("n_flips", [60, pytest.param(2_000, marks=pytest.mark.slow)])
def test_no_flipped_bit_is_silent(
    write: Any, read: Any, n_flips: int, tmp_path: Path
) -> None:
    write(histories(), tmp_path)
    files = sorted(tmp_path.iterdir())
    sizes = [file.stat().st_size for file in files]
    dice = random.Random(7)
    for _ in range(n_flips):
        (file,) = dice.choices(files, sizes)
        whole = file.read_bytes()
        spoilt = bytearray(whole)
        spoilt[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        file.write_bytes(spoilt)
        # A warning is raised in these tests: what is only written anew is told, too.
        with pytest.raises((ValueError, UserWarning)):
            read(tmp_path)
        file.write_bytes(whole)
    read(tmp_path)


def test_a_csv_that_a_spreadsheet_wrote_anew_is_told_and_read(tmp_path: Path) -> None:
    before = histories()
    before.to_csv_folder(tmp_path)
    path = tmp_path / "events.csv"
    path.write_text(
        path.read_text("utf-8-sig").replace('"True"', '"TRUE"'), "utf-8-sig"
    )
    with pytest.warns(UserWarning, match=r"events.csv was written anew.*as it was"):
        after = cn.History.from_csv_folder(tmp_path)
    assert_frame_equal(after.events, before.events)


def test_a_folder_of_the_other_kind_or_of_a_stranger_is_one_clear_error(
    tmp_path: Path,
) -> None:
    history().to_csv_folder(tmp_path)
    with pytest.raises(ValueError, match="it is of format 2, csv"):
        cn.History.from_parquet_folder(tmp_path)
    (tmp_path / "history.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="history.json is not as History wrote it"):
        cn.History.from_csv_folder(tmp_path)


def written(one: cn.History, folder: Path, kind: str) -> Path:
    path: Path = getattr(one, f"to_{kind}_folder")(folder)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_full_disk_leaves_the_history_that_was_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cn.load_history(cn.connect(Pages([])), "d", "c")
    written(before, tmp_path / "h", kind)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            written(history(), tmp_path / "h", kind)
    read = getattr(cn.History, f"from_{kind}_folder")(tmp_path / "h")
    assert read.certificate == before.certificate
    assert len([*(tmp_path / "h").iterdir()]) == 5


@pytest.mark.parametrize("n", range(5))
def test_a_stop_between_two_files_is_noticed_on_reading(
    n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = cn.load_history(cn.connect(Pages([])), "d", "c"), history()
    written(before, tmp_path, "csv")
    named: list[str] = []
    move = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if len(named) == n:
            raise KeyboardInterrupt
        named.append(target.name)
        return move(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            written(after, tmp_path, "csv")
    assert "history.json" not in named
    if n > 1:  # the first file, of cases not loaded, is the same in both
        with pytest.raises(ValueError, match="is not as History wrote it"):
            cn.History.from_csv_folder(tmp_path)
    else:
        read = cn.History.from_csv_folder(tmp_path)
        assert read.certificate == before.certificate


def test_a_flag_that_is_none_is_an_error(tmp_path: Path) -> None:
    histories().to_csv_folder(tmp_path)
    path = tmp_path / "events.csv"
    path.write_text(
        path.read_text("utf-8-sig").replace('"True"', '"maybe"', 1), "utf-8-sig"
    )
    with pytest.raises(ValueError, match="'maybe' is neither true nor false"):
        cn.History.from_csv_folder(tmp_path)


def test_what_is_lacking_in_a_file_is_named(tmp_path: Path) -> None:
    history().to_csv_folder(tmp_path)
    path = tmp_path / "history.json"
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({k: v for k, v in told.items() if k != "format"}))
    with pytest.raises(ValueError, match=r"not as History wrote it: no format\."):
        cn.History.from_csv_folder(tmp_path)
    path.write_text("[1")
    with pytest.raises(ValueError, match=r"not as History wrote it: Expecting"):
        cn.History.from_csv_folder(tmp_path)
