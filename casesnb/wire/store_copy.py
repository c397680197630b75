"""An archive handed over: a copy of its file, or an archive of pseudonyms."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import botocore.session
from botocore.serialize import create_serializer

from casesnb.wire.pages import Page, read_token
from casesnb.wire.responder import Request, Response
from casesnb.wire.store import AUDIT, ArchiveError, Capture, Store
from casesnb.wire.store_rows import listing_of
from casesnb.wire.whole_file import make_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from casesnb.wire.redact.redactor import Redactor
    from casesnb.wire.store_rows import KeptCapture

_SERVICE = "connectcases"
_KINDS = frozenset({"live", "sandbox"})


def copied(store: Store, target: Path) -> None:
    """Write a copy of an archive, whole or not at all."""
    with _as_whole(target) as draft:
        store.copy_to(draft)


def redacted_copy(store: Store, target: Path, redactor: Redactor) -> None:
    """Write an archive of pseudonyms, whole and without a leak or not at all."""
    if store.redacted is not None:
        raise ArchiveError(
            f"{store.path} is redacted already. Copy it as it is, or redact the original."
        )
    source = _public(store.provenance)
    with _as_whole(target) as draft, Store(draft, write=True, source=source) as new:
        new.draft()
        redactor.leaks.check("the file's name", target.name)
        ask = _Asked()
        kept = store.captures(operation=None)
        originals = {}
        listings = store.listings([each.id for each in kept])
        for each, pages in zip(kept, listings, strict=True):
            number = _kept_anew(new, each, pages, redactor, ask)
            if each.operation == AUDIT:
                digest = hashlib.sha256(b"".join(page.body for page in pages))
                originals[number] = redactor.pseudonyms.proof(digest.hexdigest())
        for case in store.cases():
            if case.deleted_at is not None:
                ids = (
                    redactor.replace("identifier", text)
                    for text in (case.domain_id, case.case_id)
                )
                new.mark_deleted(*ids, at=_back(case.deleted_at, redactor))
        redactor.leaks.finish()
        new.tell("begun_at", str(_back(int(store.meta["begun_at"]), redactor)))
        new.tell("redacted", json.dumps(redactor.redaction.to_dict()))
        new.tell("originals", json.dumps(originals))
        new.settle()


def _kept_anew(
    new: Store,
    kept: KeptCapture,
    pages: list[Page],
    redactor: Redactor,
    ask: _Asked,
) -> int:
    """Keep a capture's pages as pseudonyms, and return its number there."""
    params = redactor.params(_SERVICE, kept.operation, kept.params)
    updated = kept.last_updated
    capture = Capture(
        new,
        kept.operation,
        params,
        updated and redactor.replace("time", updated),
        _back(kept.begun_at, redactor),
    )
    for page in pages:
        request = ask.request(page)
        if listing_of(request)[0] != kept.listing:
            raise ArchiveError(
                f"{new.path}: what was asked for {page} cannot be told from what was "
                "kept, so it cannot be redacted. Hand over a redacted recording instead."
            )
        answer = Response(200, {"date": page.date or ""}, page.body)
        request, answer = redactor.exchange(request, answer)
        told = {
            "request": {
                "path": request.path,
                "query": request.query,
                "json": json.loads(request.body or b"{}"),
            },
            "response": {"json": json.loads(answer.body or b"{}")},
        }
        redactor.leaks.check(kept.operation, told)
        made = replace(
            page,
            params=redactor.params(_SERVICE, kept.operation, page.params),
            body=answer.body,
            next_token=read_token(answer.body),
            date=answer.headers.get("date"),
            request=request,
        )
        capture.keep(made, at=_back(kept.ended_at, redactor))
    return capture.id or 0


class _Asked:
    """Puts together what boto3 sent for a page, of which its parameters are kept."""

    def __init__(self) -> None:
        self._model = botocore.session.Session().get_service_model(_SERVICE)
        protocol = self._model.metadata["protocol"]
        self._serializer = create_serializer(protocol, include_validation=False)

    def request(self, page: Page) -> Request:
        operation = self._model.operation_model(page.operation)
        sent = self._serializer.serialize_to_request(dict(page.params), operation)
        body: Any = sent["body"] or b""
        return Request(
            page.operation,
            sent["method"],
            sent["url_path"],
            urlencode(sent["query_string"], doseq=True),
            body.encode() if isinstance(body, str) else bytes(body),
            _SERVICE,
        )


def _back(at: int, redactor: Redactor) -> int:
    """Return microseconds since 1970, moved as all times are."""
    return at - round(redactor.back.total_seconds()) * 1_000_000


def _public(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what may be said of a source: its kind, and what the sandbox invented."""
    source = str(provenance.get("source"))
    return {"source": source if source.partition(" ")[0] in _KINDS else "live"}


@contextmanager
def _as_whole(target: Path) -> Iterator[Path]:
    """Give a path to write an archive to, which is checked and then named `target`."""
    if target.exists():
        raise ArchiveError(
            f"There is a file at {target} already. Give another name, or remove it."
        )
    make_folder(target.parent)
    with TemporaryDirectory(
        dir=target.parent, prefix=f".{target.name[:80]}."
    ) as folder:
        draft = Path(folder) / "draft.cases"
        yield draft
        with Store(draft) as written:
            if odd := written.check():
                raise ArchiveError(f"The copy is not as the original: {odd[0]}")
        with whole_file(target, replace=False) as file, draft.open("rb") as made:
            shutil.copyfileobj(made, file, 1 << 20)
