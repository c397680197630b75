"""The memory that a process has taken at most, for tests that measure one of their own."""

from __future__ import annotations

import inspect
import subprocess
import sys


def peak_kb() -> int:
    """Return the most that this process has held, in kilobytes."""
    import resource
    from pathlib import Path

    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0])
    # On Linux this is the peak of the process that started this one, if that is higher.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def printed(code: str, *arguments: str) -> list[str]:
    """Run code that may ask `peak_kb` in a new process; return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-c", f"{inspect.getsource(peak_kb)}\n{code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()
