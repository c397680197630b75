"""What casesnb raises of its own, beside botocore's; all are a `CasesError`."""

from casesnb.wire.errors import CasesError, LoadStopped, LoadTimeout, PageError
from casesnb.wire.recording import RecordingNotFound
from casesnb.wire.redact.leaks import LeakFound
from casesnb.wire.store import ArchiveBusy, ArchiveError

__all__ = [
    "ArchiveBusy",
    "ArchiveError",
    "CasesError",
    "LeakFound",
    "LoadStopped",
    "LoadTimeout",
    "PageError",
    "RecordingNotFound",
]


def __dir__() -> list[str]:
    return __all__
