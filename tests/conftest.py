"""What every test shares: no AWS settings of this machine, no way out but loopback."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from casesnb.wire import limits

# A test must not find the credentials, profile or endpoint of whoever runs it.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
# Notebook kernels inherit this; plots need no display.
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

# What a shell starts in the background ignores Ctrl-C from the beginning.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_connect = socket.socket.connect


def _loopback_only(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else "127.0.0.1"
    if host not in {"127.0.0.1", "::1", "localhost"}:
        raise AssertionError(f"A test tried to reach {address}.")
    _connect(self, address)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _loopback_only)


@pytest.fixture(scope="session", autouse=True)
def _no_count_of_this_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    # What a test asks for is not counted with what its user asks for.
    folder: Path = tmp_path_factory.mktemp("limits")
    limits._folder = lambda: folder


@pytest.fixture(autouse=True)
def _no_key_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key: Path = tmp_path_factory.getbasetemp() / "redaction.key"
    monkeypatch.setenv("CASESNB_REDACTION_KEY", str(key))
