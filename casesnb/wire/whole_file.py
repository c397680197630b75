"""A written file is whole or absent: a temporary beside it, fsync, then its name.

A reader, a full disk or a second process never meets half of it, and what stood
under the name before stays until the new file is whole.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
# Not on every system: a name that leads elsewhere, text mode, a child's copy.
_NEW |= sum(getattr(os, n, 0) for n in ("O_NOFOLLOW", "O_BINARY", "O_CLOEXEC"))


@contextmanager
def whole_file(
    path: str | os.PathLike[str], *, replace: bool = True
) -> Iterator[IO[bytes]]:
    """Give a file to write, named by `path` once the block ends without an error."""
    target = Path(path)
    make_folder(target.parent)
    # Nobody can lay a link where they cannot guess the name.
    part = target.with_name(f".{target.name[:80]}.{secrets.token_hex(8)}.part")
    with os.fdopen(os.open(part, _NEW, 0o600), "w+b") as file:
        try:
            _share(file.fileno(), target.parent)
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    try:
        if replace:
            part.replace(target)
        else:
            _name_once(part, target)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(target.parent)


@contextmanager
def alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let no other process read and write a file again until the block ends."""
    from filelock import FileLock

    target = Path(path)
    make_folder(target.parent)
    with FileLock(target.with_name(f".{target.name}.lock"), mode=0o600):
        yield


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that is there stays as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # another process was quicker
        folder.mkdir(0o700)
        shared = _shared(folder.parent)
        if shared:
            folder.chmod(0o700 | shared)


def _share(file: int, folder: Path) -> None:
    shared = _shared(folder) & 0o060
    if shared:
        os.fchmod(file, 0o600 | shared)


def _shared(folder: Path) -> int:
    """Return the group's rights in a folder whose content is its group's (setgid)."""
    mode = folder.stat().st_mode
    return mode & 0o070 | stat.S_ISGID if mode & stat.S_ISGID else 0


def _name_once(part: Path, target: Path) -> None:
    """Name a file only where no file has the name: of two processes, one does."""
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not target.exists():
            part.replace(target)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system opens a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
