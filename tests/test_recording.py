"""Recordings: matched by request, byte for byte, and a miss that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from answers import Pages, event, reply

import casesnb as cn
from casesnb.cli import main
from casesnb.wire.recording import Recording, _public
from casesnb.wire.responder import asked_in


def recorded(folder: Path, n: int = 60) -> Pages:
    pages = Pages([event(i) for i in range(n)])
    cn.load_history(cn.connect(pages, record=folder, redact=False), "d", "c")
    return pages


def test_a_recording_gives_what_was_recorded(tmp_path: Path) -> None:
    pages = recorded(tmp_path)
    live = cn.load_history(cn.connect(pages), "d", "c")
    replayed = cn.load_history(cn.connect(tmp_path), "d", "c")
    assert replayed.events.equals(live.events)
    assert replayed.changes.equals(live.changes)
    assert replayed.certificate.sha256 == live.certificate.sha256
    assert replayed.certificate.fetched_at == live.certificate.fetched_at


def test_one_file_holds_one_request_and_its_answer(tmp_path: Path) -> None:
    recorded(tmp_path)
    files = sorted(tmp_path.glob("GetCaseAuditEvents/*.json"))
    assert len(files) == 3
    held = json.loads(files[0].read_text())
    assert set(held) == {"request", "response"}
    assert held["request"]["path"] == "/domains/d/cases/c/audit-history"
    assert held["response"]["status"] == 200


def test_answers_are_matched_by_request_not_by_order(tmp_path: Path) -> None:
    recorded(tmp_path)
    client = cn.connect(tmp_path)
    for token in ("from-50", "from-25"):
        page = client.get_case_audit_events(
            domainId="d", caseId="c", maxResults=25, nextToken=token
        )
        assert page["auditEvents"][0]["eventId"] == f"e{token.removeprefix('from-')}"


def test_a_request_spelled_otherwise_is_the_same_request() -> None:
    one = cn.raw.Request("X", "POST", "/a%20b", "b=2&a=1", b'{"y": 1, "x": 2}')
    two = cn.raw.Request("X", "POST", "/a b", "a=1&b=2", b'{"x":2,"y":1}')
    assert one.canonical() == two.canonical()
    assert cn.raw.Request("X", "POST", "/", body=b"{}").canonical() == (
        cn.raw.Request("X", "POST", "/").canonical()
    )


def test_a_body_that_is_not_json_is_told_by_its_text() -> None:
    asked = cn.raw.Request("X", "POST", "/", body=b'{"half": \xff').canonical()
    assert json.loads(asked)[-1] == '{"half": \\xff'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"a":1}',
        b'{"a": 1}',
        b'{"a":1.0,"b":1e3,"a":2}',
        "{“ü”}".encode(),
        b"<html>",
        b"\xff\x00",
        b'{"cut":',
    ],
)
def test_an_answer_comes_back_byte_for_byte(tmp_path: Path, body: bytes) -> None:
    request = cn.raw.Request("X", "POST", "/x")
    Recording(tmp_path, provenance={"source": "test"}).keep(request, reply(body))
    assert Recording(tmp_path)(request).body == body


def test_a_miss_names_the_request_and_the_call_that_records_it(tmp_path: Path) -> None:
    recorded(tmp_path)
    client = cn.connect(tmp_path)
    with pytest.raises(cn.errors.RecordingNotFound) as caught:
        cn.load_history(client, "d", "another")
    assert str(caught.value) == (
        f"{tmp_path} holds no answer to GetCaseAuditEvents (POST "
        '/domains/d/cases/another/audit-history {"maxResults": 25}). To record it, '
        f"make the same call with client = cn.connect(source, record={str(tmp_path)!r})"
        ", its source what was recorded here: {'source': 'Pages'}."
    )


def test_what_records_it_again_is_what_recorded_it(tmp_path: Path) -> None:
    world = cn.sandbox.World(seed=3, cases=2)
    cn.load_domains(cn.connect(world, record=tmp_path / "sandbox"))
    with pytest.raises(cn.errors.RecordingNotFound, match=r"'seed': 3, .*'cases': 2"):
        cn.load_fields(cn.connect(tmp_path / "sandbox"), "d")
    with cn.sandbox.SandboxServer(world) as server:
        cn.load_domains(
            cn.connect(endpoint_url=server.url, record=tmp_path / "live", redact=False)
        )
    with pytest.raises(
        cn.errors.RecordingNotFound, match=r"record='.*live', redact=False\)\."
    ):
        cn.load_fields(cn.connect(tmp_path / "live"), "d")


def test_no_folder_and_no_recording_are_one_sentence_each(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no recording at .*nowhere"):
        cn.connect(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is not a recording: it holds no manifest"):
        cn.connect(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(cn.CasesError, match="is no archive of casesnb"):
        cn.connect(tmp_path / "file")


def test_a_recording_stays_where_it_is_when_the_notebook_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    world = cn.sandbox.World(seed=7, cases=3)
    recorder = cn.connect(world, record="kept")
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = cn.load_domains(recorder)
    assert not [*Path().iterdir()]
    monkeypatch.chdir(tmp_path)
    replayed = cn.connect("kept")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cn.load_domains(replayed).equals(told)


def test_two_sources_do_not_mix_in_one_folder(tmp_path: Path) -> None:
    recorded(tmp_path)

    class Other(Pages):
        provenance = {"source": "elsewhere"}

    with pytest.raises(ValueError, match="Record into a new folder"):
        cn.connect(Other([]), record=tmp_path, redact=False)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    (file,) = tmp_path.glob("GetCaseAuditEvents/*.json")
    file.write_text("{")
    for text, why in {
        "{": "not JSON: Expecting",
        "[]": "no answer in it: TypeError",
        '{"request": {}}': "no answer in it: KeyError",
        '{"response": {"status": 200, "headers": {}, "base64": 7}}': "no answer in it",
        '{"response": {"status": 200, "headers": {}, "base64": "%"}}': "no answer in",
        '{"response": {"status": "200", "headers": {}, "json": {}}}': "no answer in it",
        '{"response": {"status": true, "headers": {}, "json": {}}}': "no answer in it",
        '{"response": {"status": 99999, "headers": {}, "json": {}}}': "no answer in it",
        '{"response": {"status": 600, "headers": {}, "json": {}}}': "no answer in it",
        '{"response": {"status": 99, "headers": {}, "json": {}}}': "no answer in it",
        '{"response": {"status": 200, "headers": {"date": 5}}}': "no answer in it",
        '{"response": {"status": 200, "headers": 5}}': "no answer in it",
        "[" * 100_000: "not JSON: maximum recursion",
    }.items():
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"{file.name} is broken \({why}"):
            cn.load_history(cn.connect(tmp_path), "d", "c")
    answer = cn.raw.Request("GetCaseAuditEvents", "POST", "/domains/d/cases/c/x")
    for status in (100, 599):  # what HTTP has
        file.write_text(f'{{"response": {{"status": {status}, "headers": {{}}}}}}')
        recording = Recording(tmp_path)
        recording._file = lambda request: file  # type: ignore[method-assign]
        assert recording(answer).status == status


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", r"manifest\.json is broken \(not JSON"),
        ("[]", r"manifest\.json is broken \(no manifest"),
        ('{"format": 1}', r"manifest\.json is broken \(no manifest"),
        ("[" * 100_000, r"manifest\.json is broken \(not JSON"),
        ('{"a":' * 100_000, r"manifest\.json is broken \(not JSON"),
        (
            '{"format": 2, "recorded_from": {}}',
            r"is of format 2, and this casesnb reads 1\. Use the casesnb that",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(
    text: str, told: str, tmp_path: Path
) -> None:
    recorded(tmp_path, 1)
    (tmp_path / "manifest.json").write_text(text)
    for source in (
        {"source": tmp_path},
        {"source": Pages([]), "record": tmp_path, "redact": False},
    ):
        with pytest.raises(ValueError, match=told):
            cn.connect(**source)  # type: ignore[arg-type]


def test_throttles_and_faults_are_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    slow = {"x-amzn-errortype": "ThrottlingException"}
    answers = [
        reply({}, 429, **slow),
        reply({"message": "x"}, 500),
        reply({"domains": []}),
    ]
    kept: list[int] = []

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        kept.append(len(list((tmp_path / "ListDomains").glob("*"))))
        return answers.pop(0)

    cn.connect(answer, record=tmp_path).list_domains()
    assert kept == [0, 0, 0]
    assert cn.connect(tmp_path).list_domains()["domains"] == []


LOCKED = {"x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"}
WORSE = [
    reply({"message": "expired"}, 403, **LOCKED),
    reply({"__type": "x#ExpiredToken", "message": "expired"}, 400),
    reply({"message": "no"}, 403, **{"x-amzn-errortype": "AccessDeniedException"}),
    reply(b'{"domains": [{"dom'),
    reply(b"<html>proxy</html>", **{"content-type": "text/html"}),
    reply(b"<html>proxy</html>", 403),
    reply(b"[]"),
    reply({"message": "slow"}, 429),
    reply({"status": "ok"}),
    reply({"domains": None}),
    reply(b"5"),
]


@pytest.mark.parametrize("worse", WORSE, ids=range(len(WORSE)))
def test_a_worse_answer_never_replaces_a_good_one(
    worse: cn.raw.Response, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    client = cn.connect(lambda q: answer[0], record=tmp_path, redact=False)
    answer = [reply({"domains": []})]
    client.list_domains()
    answer[0] = worse
    with suppress(Exception):
        client.list_domains()
    assert cn.connect(tmp_path).list_domains()["domains"] == []


class Changing(Pages):
    """Answers with tokens of its own each time, as a service does."""

    def __init__(self, n: int, *, run: str, n_answers: int = 10**9) -> None:
        super().__init__([event(i) for i in range(n)])
        self.run, self.n_answers = run, n_answers

    provenance: ClassVar = {"source": "changing"}

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        if len(self.asked) == self.n_answers:
            raise KeyboardInterrupt
        body = request.body.replace(f"{self.run}-from".encode(), b"from")
        answer = super().__call__(replace(request, body=body))
        told = answer.body.replace(b"from-", f"{self.run}-from-".encode())
        return replace(answer, body=told)


@pytest.mark.parametrize("redact", [False, cn.Redaction(key=b"k" * 16)])
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_listing_that_is_whole_stands_until_the_new_one_is(
    stop: int, redact: bool | cn.Redaction, tmp_path: Path
) -> None:
    def load(source: Changing) -> None:
        client = cn.connect(source, record=tmp_path / "r", redact=redact)
        cn.load_history(client, "d", "c")

    def replayed() -> int:
        (file, *_) = (tmp_path / "r" / "GetCaseAuditEvents").iterdir()
        _, _, domain_id, _, case_id, *_ = json.loads(file.read_text())["request"][
            "path"
        ].split("/")
        client = cn.connect(tmp_path / "r")
        return len(cn.load_history(client, domain_id, case_id).events)

    load(Changing(60, run="a"))
    with pytest.raises(KeyboardInterrupt):
        load(Changing(80, run="b", n_answers=stop))
    assert replayed() == 60
    load(Changing(80, run="c"))
    assert replayed() == 80


def test_what_was_not_whole_is_recorded_anew_page_by_page(tmp_path: Path) -> None:
    for run, stop in (("a", 1), ("b", 2)):
        source = Changing(60, run=run, n_answers=stop)
        with pytest.raises(KeyboardInterrupt):
            cn.load_history(cn.connect(source, record=tmp_path, redact=False), "d", "c")
    again = cn.connect(tmp_path).get_case_audit_events(
        domainId="d", caseId="c", maxResults=25
    )
    assert again["nextToken"] == "b-from-25"


@pytest.mark.parametrize("worse", WORSE, ids=range(len(WORSE)))
def test_only_what_a_service_answered_is_recorded(
    worse: cn.raw.Response, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answer = [worse]
    client = cn.connect(lambda q: answer[0], record=tmp_path, redact=False)
    with suppress(Exception):
        client.list_domains()
    refused = worse.headers.get("x-amzn-errortype") == "AccessDeniedException"
    assert len([*tmp_path.glob("ListDomains/*")]) == refused
    answer[0] = reply({"domains": []})
    client.list_domains()
    assert cn.connect(tmp_path).list_domains()["domains"] == []


def test_a_recording_is_its_owner_s(tmp_path: Path) -> None:
    recorded(tmp_path / "r")
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "r").rglob("*.json")}
    assert modes == {0o600}
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_two_processes_fill_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys, casesnb as cn\n"
        "world = cn.sandbox.World(seed=3, cases=6)\n"
        "client = cn.connect(world, record=sys.argv[1])\n"
        "domain_id = world.showcase[0]\n"
        "cases = cn.load_cases(client, domain_id)['case_id']\n"
        "cn.load_histories(client, domain_id, cases)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [run.communicate(timeout=120)[1] for run in runs] == [b"", b""]
    files = [*tmp_path.rglob("*")]
    assert all(p.is_dir() or json.loads(p.read_text()) for p in files)
    assert {p.suffix for p in files if p.is_file()} == {".json"}


def test_threads_lose_no_answer(tmp_path: Path) -> None:
    client = cn.connect(Pages([event(0)]), record=tmp_path, redact=False)
    threads = [
        threading.Thread(target=cn.load_history, args=(client, "d", f"c{n}"))
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    replay = cn.connect(tmp_path)
    assert all(
        len(cn.load_history(replay, "d", f"c{n}").events) == 1 for n in range(16)
    )


def test_the_command_records_what_a_notebook_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domain, case = cn.sandbox.World(seed=7).showcase
    arguments = ["record", "--domain", domain, "--case", case, "--from", "sandbox:7"]
    arguments += ["--out", str(tmp_path / "r"), "--keep", "Priority"]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "answers, redacted. In a notebook:" in told
    code = "\n".join(line.strip() for line in told.splitlines()[1:])
    space: dict[str, object] = {"cn": cn}
    exec(code, space)  # noqa: S102 - what the command says runs
    client, history = space["client"], space["history"]
    assert isinstance(history, cn.History)
    assert history.certificate.verdict == "complete"
    domain_id = history.certificate.domain_id
    fields = cn.load_fields(client, domain_id)  # type: ignore[arg-type]
    assert len(
        cn.load_case_fields(client, domain_id, history.events["case_id"].iloc[0])
    )  # type: ignore[arg-type]
    assert set(history.changes["new"].dropna()) & {"normal", "high", "low", "critical"}
    assert "Priority" not in set(fields["name"])


def test_of_a_redacted_source_its_kind_alone_is_told() -> None:
    sandbox = {"source": "sandbox", "seed": 7}
    assert _public(sandbox) == sandbox
    assert _public({"source": "live", "account": "1111"}) == {"source": "live"}
    assert _public({"source": "https://a.example/x"}) == {"source": "unknown"}
    assert _public({}) == {"source": "None"}


@pytest.mark.parametrize("body", [b"{", b"[1]", b"[" * 100_000])
def test_what_a_request_asks_is_nothing_where_its_body_is_none(body: bytes) -> None:
    request = cn.raw.Request("X", "POST", "/x", "a=1&b=", body)
    assert asked_in(request) == ({"a": "1", "b": ""}, {})
    request = cn.raw.Request("X", "POST", "/x", "", b'{"c": 2}')
    assert asked_in(request) == ({}, {"c": 2})
