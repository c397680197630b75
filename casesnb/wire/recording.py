"""A folder of small JSON answers: `Recording`, and what is said when one is missing.

One file holds one request and its answer, named by the request, so a recording
only ever grows and reads well in a diff. ``manifest.json`` says what the answers
were recorded from. The answer's bytes come back exactly as they were.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from casesnb.wire.errors import CasesError
from casesnb.wire.responder import Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

MANIFEST = "manifest.json"
_FORMAT = 1
_KEPT_HEADERS = ("content-type", "date", "x-amzn-errortype", "retry-after")
_write_lock = threading.Lock()


class RecordingNotFound(CasesError, LookupError):  # noqa: N818 - reads as botocore's own names do
    """A request that a recording does not answer; it says how to record it."""


class Recording:
    """A folder of recorded answers: a responder, and the place new ones go."""

    def __init__(
        self, path: str | PathLike[str], *, provenance: Mapping[str, Any] | None = None
    ) -> None:
        # Where it is now: a notebook may change its directory in mid-way.
        self.path = Path(path).expanduser().absolute()
        manifest = self.path / MANIFEST
        if provenance is not None:
            self.provenance = dict(provenance)
            if manifest.exists():
                self._refuse_a_mixture(_manifest(manifest))
            else:
                _write(manifest, {"format": _FORMAT, "recorded_from": self.provenance})
            return
        if not self.path.exists():
            raise FileNotFoundError(
                f"There is no recording at {self.path}. Record one with "
                f"cn.connect(record={str(self.path)!r}, redact=False), or give a folder "
                "that holds a manifest.json."
            )
        if not manifest.is_file():
            raise ValueError(
                f"{self.path} is not a recording: it holds no manifest.json. Give the "
                "folder that cn.connect(record=...) wrote."
            )
        self.provenance = dict(_manifest(manifest)["recorded_from"])

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r})"

    def __call__(self, request: Request) -> Response:
        """Answer `request` as it was answered when recorded."""
        file = self._file(request)
        if not file.is_file():
            raise RecordingNotFound(self._how_to_record(request))
        try:
            answer = _read(file)["response"]
            return Response(answer["status"], answer["headers"], _body(answer))
        except (AttributeError, KeyError, TypeError) as error:
            raise _broken(file, f"no answer in it: {error!r}") from error

    def keep(self, request: Request, response: Response) -> None:
        """Write one answer; the same request asked again replaces it."""
        headers = {k: v for k, v in response.headers.items() if k in _KEPT_HEADERS}
        _write(
            self._file(request),
            {
                "request": {
                    "service": request.service,
                    "operation": request.operation,
                    "method": request.method,
                    "path": request.path,
                    "query": request.query,
                    **_shown(request.body),
                },
                "response": {
                    "status": response.status,
                    "headers": headers,
                    **_shown(response.body),
                },
            },
        )

    def _file(self, request: Request) -> Path:
        digest = hashlib.sha256(request.canonical().encode()).hexdigest()[:16]
        return self.path / request.operation / f"{digest}.json"

    def _how_to_record(self, request: Request) -> str:
        asked = f"{request.method} {unquote(request.path)}"
        if request.query:
            asked += f"?{request.query}"
        if request.body:
            asked += f" {request.body.decode('utf-8', 'backslashreplace')[:300]}"
        source = self.provenance.get("source")
        if source == "live":
            call, what = f"record={str(self.path)!r}, redact=False", ""
        else:
            call = f"source, record={str(self.path)!r}"
            what = f", its source what was recorded here: {self.provenance}"
        return (
            f"{self.path} holds no answer to {request.operation} ({asked}). To record "
            f"it, make the same call with client = cn.connect({call}){what}."
        )

    def _refuse_a_mixture(self, manifest: Mapping[str, Any]) -> None:
        if manifest["recorded_from"] != self.provenance:
            raise ValueError(
                f"{self.path} was recorded from {manifest['recorded_from']}, not from "
                f"{self.provenance}. Record into a new folder, or delete this one first."
            )


def _shown(body: bytes) -> dict[str, Any]:
    """Return `body` as readable as it can be without losing a byte."""
    if not body:
        return {}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    try:
        value = json.loads(text)
        if json.dumps(value, separators=(",", ":"), ensure_ascii=False) == text:
            return {"json": value}
    except (ValueError, RecursionError):
        pass
    return {"text": text}


def _body(answer: Mapping[str, Any]) -> bytes:
    if "json" in answer:
        text: str = json.dumps(
            answer["json"], separators=(",", ":"), ensure_ascii=False
        )
        return text.encode()
    if "base64" in answer:
        return base64.b64decode(answer["base64"])
    return str(answer.get("text", "")).encode()


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise _broken(file, f"not JSON: {error}") from error


def _manifest(file: Path) -> dict[str, Any]:
    found = _read(file)
    if not isinstance(found, dict) or not isinstance(found.get("recorded_from"), dict):
        raise _broken(file, "no manifest: it does not say what was recorded")
    if found.get("format") != _FORMAT:
        raise ValueError(
            f"{file} is of format {found.get('format')!r}, and this casesnb reads "
            f"{_FORMAT}. Use the casesnb that recorded it, or record it again."
        )
    return found


def _broken(file: Path, why: str) -> ValueError:
    return ValueError(
        f"{file} is broken ({why}). Restore it from git, or delete it and record it "
        "again."
    )


def _write(file: Path, value: Any) -> None:
    # Two threads may record the same answer: a whole file replaces a whole file.
    with _write_lock:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
        part.replace(file)
