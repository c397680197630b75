"""A real Chromium, and the programs whose pages it opens, for the tests of browsers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

# Waiting for "idle" only loses the first run in half of fresh servers.
LAB_IS_READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.revealed;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    found = shutil.which("chromium")
    assert found, "No chromium: apt-get install --no-install-recommends chromium"
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(command: list[str], url: str, log: Path, **how: Any) -> Iterator[str]:
    """Run a server until the block ends; yield its address once it answers."""
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, **how)
        try:
            deadline = time.monotonic() + 60
            while not answers(url):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield log.read_text()
        finally:
            server.terminate()
            server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it answers, if only to ask for its token
    except OSError:
        return False


@contextmanager
def jupyter(program: str, app: str, home: Path) -> Iterator[str]:
    """Serve the notebooks of `home`/work with settings of their own; yield the address."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    environment = os.environ | {k: str(home / v) for k, v in places.items()}
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", program, "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ServerApp.ip=127.0.0.1"]
    command += ["--IdentityProvider.token=", f"--{app}.expose_app_in_browser=True"]
    log = home / "log"
    with running(command, url, log, cwd=home / "work", env=environment):
        yield url
