"""A folder of small JSON answers: `Recording`, and what is said when one is missing.

One file holds one request and its answer, named by the request, so a recording
only ever grows and reads well in a diff. ``manifest.json`` says what the answers
were recorded from, and how they were redacted. The answer's bytes come back
exactly as they were recorded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from casesnb.wire.errors import CasesError
from casesnb.wire.redact.leaks import LeakFound
from casesnb.wire.responder import (
    TOKENS,
    Request,
    Response,
    at_token,
    less_of,
    token_of,
)
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    from casesnb.wire.redact.redactor import Redactor

MANIFEST = "manifest.json"
USE_VARIABLE = "CASESNB_RECORDING_USE"
"""The environment variable that names a file in which to note what is asked."""

_FORMAT = 1
_Written = tuple[Path, Any]
_KEPT_HEADERS = ("content-type", "date", "x-amzn-errortype", "retry-after")


class RecordingNotFound(CasesError, LookupError):  # noqa: N818 - reads as botocore's own names do
    """A request that a recording does not answer; it says how to record it."""


class BrokenRecording(ValueError):  # noqa: N818 - named as its neighbour is
    """A file of a recording that cannot be read; it is named."""


class Recording:
    """A folder of recorded answers: a responder, and the place new ones go."""

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        provenance: Mapping[str, Any] | None = None,
        redacted: Mapping[str, Any] | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        # Where it is now: a notebook may change its directory in mid-way.
        self.path = Path(path).expanduser().absolute()
        self._redactor = redactor
        self._held: dict[tuple[str, str], list[_Written]] = {}
        self._held_lock = threading.Lock()
        manifest = self.path / MANIFEST
        if provenance is not None:
            if redactor is not None:
                self._refuse_the_key_beside_it(redactor)
                redacted = redactor.redaction.to_dict()
                provenance = _public(provenance)
            told = {"format": _FORMAT, "recorded_from": dict(provenance)}
            if redacted is not None:
                told["redacted"] = dict(redacted)
            told = json.loads(json.dumps(told))
            self.provenance: dict[str, Any] = told["recorded_from"]
            self.redacted: dict[str, Any] | None = told.get("redacted")
            if not manifest.exists():
                _write(manifest, told, replace=False)
            self._refuse_a_mixture(_manifest(manifest))
            return
        if not self.path.exists():
            raise FileNotFoundError(
                f"There is no recording at {self.path}. Record one with "
                f"cn.connect(record={str(self.path)!r}), or give a folder that holds a "
                "manifest.json."
            )
        if not manifest.is_file():
            raise ValueError(
                f"{self.path} is not a recording: it holds no manifest.json. Give the "
                "folder that cn.connect(record=...) wrote."
            )
        found = _manifest(manifest)
        self.provenance = dict(found["recorded_from"])
        self.redacted = found.get("redacted")

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r})"

    def __call__(self, request: Request) -> Response:
        """Answer `request` as it was answered when recorded."""
        file = self._file(request)
        if not file.is_file():
            missing = RecordingNotFound(self._how_to_record(request))
            self._note(request, None)
            raise missing
        self._note(request, file)
        try:
            answer = _read(file)["response"]
            status, headers = answer["status"], dict(answer["headers"])
            if type(status) is not int or not 100 <= status <= 599:
                raise TypeError("its status is none of HTTP")
            if not all(isinstance(text, str) for text in headers.values()):
                raise TypeError("its headers are no texts")
            return Response(status, headers, _body(answer))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, BrokenRecording):
                raise
            raise _broken(file, f"no answer in it: {error!r}") from error

    def keep(self, request: Request, response: Response) -> None:
        """Write one answer; what is worse never replaces what stands there already."""
        headers = {k: v for k, v in response.headers.items() if k in _KEPT_HEADERS}
        response = replace(response, headers=headers)
        if self._redactor is not None:
            request, response = self._redactor.exchange(request, response)
        file = self._file(request)
        told = {
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
                "headers": dict(response.headers),
                **_shown(response.body),
            },
        }
        if self._redactor is not None:
            refuse_what_leaks(self.path, self._redactor, file, told)
        is_better = response.status < 300
        due = [(file, told)]
        if is_better:
            due = self._due(request, _token_after(response.body), (file, told))
        for file, told in due:
            _write(file, told, replace=is_better)

    def _due(
        self, request: Request, following: str | None, page: _Written
    ) -> list[_Written]:
        """Return what is to be written: a whole listing stands until the new one is."""
        listing, token = less_of(request, TOKENS).canonical(), token_of(request)
        with self._held_lock:
            held = self._held.pop((listing, token), []) if token else []
            if following is None:  # its first page last, by which it is found
                return [page, *reversed(held)]
            is_there = page[0].is_file()
            if held or (is_there and self._is_whole(request, page[0])):
                self._held[listing, following] = [*held, page] if is_there else held
                return [] if is_there else [page]
        return [page]

    def _is_whole(self, request: Request, file: Path | None) -> bool:
        """Whether what stands here goes on, page after page, to a listing's end."""
        seen: set[str] = set()
        while file is not None:
            try:
                answer = _read(file)["response"]
                token = _token_after(_body(answer))
            except (AttributeError, KeyError, TypeError, ValueError):
                return False  # a broken one is better replaced
            if token is None:
                return bool(answer["status"] < 300)
            if token in seen:
                return False
            seen.add(token)
            pages = map(self._file, at_token(request, token))
            file = next((page for page in pages if page.is_file()), None)
        return False

    def finish(self) -> None:
        """Look once more for what came last in all that was written before."""
        if self._redactor is not None:
            refuse_what_leaks(self.path, self._redactor)

    def recall(self, redactor: Redactor) -> None:
        """Have new values looked for in what was recorded in earlier runs, too."""
        for file in self.answers():
            redactor.leaks.remember(file.parent.name, _read(file))

    def answers(self) -> Iterator[Path]:
        """Yield the file of each answer, in order."""
        yield from sorted(self.path.glob("*/*.json"))

    def _note(self, request: Request, file: Path | None) -> None:
        """Tell a test run, if there is one, what was asked and whether it is here."""
        named = os.environ.get(USE_VARIABLE)
        if named:
            told = {
                "recording": str(self.path),
                "answer": file and file.relative_to(self.path).as_posix(),
                "asked": _asked(request),
            }
            how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            handle = os.open(named, how, 0o600)
            try:  # one write, so that processes do not mix their lines
                os.write(handle, json.dumps(told).encode() + b"\n")
            finally:
                os.close(handle)

    def _file(self, request: Request) -> Path:
        if self.redacted is not None:
            request = _in_one_order(request)
        digest = hashlib.sha256(request.canonical().encode("utf-8", "backslashreplace"))
        return self.path / request.operation / f"{digest.hexdigest()[:16]}.json"

    def _how_to_record(self, request: Request) -> str:
        source = self.provenance.get("source")
        if source == "live":
            plain = "" if self.redacted else ", redact=False"
            call, what = f"record={str(self.path)!r}{plain}", ""
        else:
            call = f"source, record={str(self.path)!r}"
            what = f", its source what was recorded here: {self.provenance}"
        if self.redacted:
            what += (
                ". Its ids are pseudonyms, which cn.load_domains and cn.load_cases list"
            )
        return (
            f"{self.path} holds no answer to {request.operation} ({_asked(request)}). "
            f"To record it, make the same call with client = cn.connect({call}){what}."
        )

    def _refuse_a_mixture(self, manifest: Mapping[str, Any]) -> None:
        if manifest["recorded_from"] != self.provenance:
            raise ValueError(
                f"{self.path} was recorded from {manifest['recorded_from']}, not from "
                f"{self.provenance}. Record into a new folder, or delete this one first."
            )
        if manifest.get("redacted") != self.redacted:
            raise ValueError(
                f"{self.path} was recorded with {_policy(manifest.get('redacted'))}, "
                f"not with {_policy(self.redacted)}. Record into a new folder, or "
                "delete this one first."
            )

    def _refuse_the_key_beside_it(self, redactor: Redactor) -> None:
        file = redactor.redaction.key_file
        if file is not None and self.path.resolve() in file.resolve().parents:
            raise ValueError(
                f"The key {file} lies in the recording, so who has one has both. Give "
                "a key= elsewhere, or none to use your own key file."
            )


def refuse_what_leaks(
    folder: Path,
    redactor: Redactor,
    file: Path | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Raise if a value is in `told`, or in what was written before it was known."""
    try:
        if file is None:
            redactor.leaks.finish()
        else:
            name = file.relative_to(folder).as_posix()
            redactor.leaks.check(name.partition("/")[0], {**dict(told or {}), "": name})
    except LeakFound:
        for written in folder.glob("*/*.json"):
            if redactor.leaks.has_leak(_read(written)):
                written.unlink(missing_ok=True)
        raise


def _policy(redacted: Mapping[str, Any] | None) -> str:
    return "no redaction" if redacted is None else f"the redaction {dict(redacted)}"


def _public(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be said of a source that holds customers' data: its kind."""
    if provenance.get("source") == "sandbox":
        return dict(provenance)
    source = str(provenance.get("source"))
    return {"source": source if source.isidentifier() else "unknown"}


def _asked(request: Request) -> str:
    asked = f"{request.method} {unquote(request.path)}"
    if request.query:
        asked += f"?{request.query}"
    if request.body:
        asked += f" {request.body.decode('utf-8', 'backslashreplace')[:300]}"
    return asked


def _in_one_order(request: Request) -> Request:
    """Return a request with its field ids in order: pseudonyms sort otherwise."""
    try:
        body = json.loads(request.body)
        fields = sorted(body["fields"], key=lambda field: field["id"])
    except (ValueError, KeyError, TypeError):
        return request
    return replace(request, body=json.dumps({**body, "fields": fields}).encode())


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


def _token_after(body: bytes) -> str | None:
    """Return the token of the page after an answer's."""
    try:
        told = json.loads(body)
        return next((str(told[name]) for name in TOKENS if told.get(name)), None)
    except (AttributeError, RecursionError, ValueError):
        return None


def _body(answer: Mapping[str, Any]) -> bytes:
    if "json" in answer:
        text: str = json.dumps(
            answer["json"], separators=(",", ":"), ensure_ascii=False
        )
        return text.encode()
    if "base64" in answer:
        return base64.b64decode(answer["base64"], validate=True)
    return str(answer.get("text", "")).encode()


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (RecursionError, ValueError) as error:
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


def _broken(file: Path, why: str) -> BrokenRecording:
    return BrokenRecording(
        f"{file} is broken ({why}). Restore it from git, or delete it and record it "
        "again."
    )


def _write(file: Path, value: Any, *, replace: bool) -> None:
    """Write a file; what is no better only takes a place where nothing stands."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    with whole_file(file, replace=replace) as new:
        new.write(text.encode("utf-8", "surrogatepass"))
