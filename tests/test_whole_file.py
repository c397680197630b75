"""A written file is whole or absent, private, and goes where it was meant to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from casesnb.wire.whole_file import make_folder, whole_file

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.json"
    with whole_file(file) as new:
        new.write(b"half")
        assert not file.exists()
        new.write(b" and half")
    assert file.read_bytes() == b"half and half"
    assert list(file.parent.iterdir()) == [file]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"good")
    with pytest.raises(KeyboardInterrupt), whole_file(file) as new:  # noqa: PT012
        new.write(b"half")
        raise KeyboardInterrupt
    assert file.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [file]


@posix
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"good")
    code = (
        "import resource, signal, sys\n"
        "from casesnb.wire.whole_file import whole_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))\n"
        "with whole_file(sys.argv[1]) as new: new.write(b'x' * 5_000)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, check=False
    )
    assert b"File too large" in run.stderr
    assert file.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [file]


def test_the_first_of_two_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in (b"first", b"second"):
        with whole_file(file, replace=False) as new:
            new.write(text)
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


@posix
def test_files_and_folders_are_their_owner_s(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with whole_file(tmp_path / "a" / "b" / "c.json") as new:
            new.write(b"x")
    finally:
        os.umask(old)
    assert [mode(tmp_path / n) for n in ("a", "a/b", "a/b/c.json")] == [
        *(0o700, 0o700),
        0o600,
    ]


@posix
def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(0o755)
    with whole_file(folder / "c.json") as new:
        new.write(b"x")
    assert mode(folder) == 0o755
    assert mode(folder / "c.json") == 0o600


@posix
def test_a_folder_of_a_group_says_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(0o2750)
    with whole_file(folder / "b" / "c.json") as new:
        new.write(b"x")
    assert mode(folder / "b") == 0o2750
    assert mode(folder / "b" / "c.json") == 0o640
    make_folder(folder)  # as it is


@posix
def test_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = tmp_path / "stranger"
    strangers.write_bytes(b"mine")
    file = tmp_path / "a.json"
    # Where the name lies open, the link is refused; where it is a link, it is replaced.
    monkeypatch.setattr("secrets.token_hex", lambda n: "known")
    (tmp_path / ".a.json.known.part").symlink_to(strangers)
    with pytest.raises(FileExistsError), whole_file(file) as new:
        new.write(b"x")
    monkeypatch.undo()
    file.symlink_to(strangers)
    with whole_file(file) as new:
        new.write(b"x")
    assert file.read_bytes() == b"x"
    assert not file.is_symlink()
    assert strangers.read_bytes() == b"mine"


def test_names_of_temporaries_are_never_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with whole_file(file) as one, whole_file(file) as two:
        assert one.name != two.name
        one.write(b"1")
        two.write(b"2")
    assert file.read_bytes() == b"1"  # the outer block ends last
