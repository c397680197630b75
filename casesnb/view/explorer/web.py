"""The explorer as a web page of its own: one notebook, served by Voila on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

_SETTINGS = {
    # What names another machine in its Host header is refused: no page of a stranger
    # reads this one through the browser.
    "allow_remote_access": False,
    # The page loads what this server sends, and nothing of anybody else.
    "headers": {
        "Content-Security-Policy": "default-src 'self' data: blob: 'unsafe-inline' "
        "'unsafe-eval'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    },
}
# Voila's own template without the two stylesheets that it takes from elsewhere.
_TEMPLATE = """\
{%- extends 'voila/templates/lab/index.html.j2' -%}
{% import 'spinner.macro.html.j2' as spinner %}
{%- block notebook_css -%}
{{ resources.include_js('static/voila-style.js') }}
{{ spinner.css() }}
<style>.jp-mod-noOutputs.jp-mod-noInput { display: none; }</style>
{{ super.super() }}
{%- endblock notebook_css -%}
"""


def explorer_notebook(
    source: str = "", *, domain_id: str = "", notes: str | None = None
) -> str:
    """Return a notebook that shows the explorer and nothing else."""
    names = ", ".join(part for part in (source, "service_name='connect'") if part)
    kept = "" if notes is None else f", notes={notes!r}"
    lines = (
        "import casesnb as cn",
        f"client = cn.connect({source})",
        f"connect = cn.connect({names})",
        f"cn.CaseExplorer(client, domain_id={domain_id!r}, connect=connect{kept})",
    )
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "explorer",
        "metadata": {},
        "outputs": [],
        "source": "\n".join(lines),
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {
            "cells": [cell],
            "metadata": {"kernelspec": kernel, "title": "Case explorer"},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def serve(notebook: str, *, port: int = 8866, open_browser: bool = True) -> int:
    """Serve a notebook as a web page on loopback until it is interrupted."""
    if not 1 <= port <= 65_535:
        raise ValueError(f"port={port}: give 1 to 65535, such as 8866.")
    if importlib.util.find_spec("voila") is None:
        raise ModuleNotFoundError(
            "The explorer as a web page needs Voila: pip install voila."
        )
    with tempfile.TemporaryDirectory(prefix="casesnb-") as folder:
        path = Path(folder, "explorer.ipynb")
        path.write_text(notebook, "utf-8")
        template = Path(folder, "voila", "templates", "casesnb")
        template.mkdir(parents=True)
        (template / "conf.json").write_text('{"base_template": "lab"}', "utf-8")
        (template / "index.html.j2").write_text(_TEMPLATE, "utf-8")
        places = [folder, os.environ.get("JUPYTER_PATH")]
        environment = os.environ | {
            "JUPYTER_PATH": os.pathsep.join(filter(None, places))
        }
        command = [sys.executable, "-m", "voila", str(path), f"--port={port}"]
        command += ["--Voila.ip=127.0.0.1", "--token", "--show_tracebacks=True"]
        command += ["--template=casesnb", f"--Voila.tornado_settings={_SETTINGS}"]
        if not open_browser:
            command.append("--no-browser")
        # Whoever ends this process ends the server too.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            return subprocess.run(command, check=False, env=environment).returncode  # noqa: S603
        except KeyboardInterrupt:
            return 0
        finally:
            signal.signal(signal.SIGTERM, before)
