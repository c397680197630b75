"""The server: the same answers over HTTP, at AWS's pace, and broken on purpose."""

from __future__ import annotations

import http.client
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from test_service import Walk
from test_world import world_of

import casesnb as cn
from casesnb import cli
from casesnb.sandbox import World
from casesnb.sandbox.faults import FAULTS, Fault, Faulty
from casesnb.sandbox.server import Buckets, SandboxServer, serve

WORLD = World(seed=7)
DOMAIN, CASE = WORLD.showcase
IDS = [event.event_id for event in WORLD.true_events(CASE)][::-1]


def plain(url: str, **config: Any) -> Any:
    """A boto3 client that knows nothing of casesnb."""
    settings = {"read_timeout": 2, "retries": {"total_max_attempts": 1}, **config}
    return boto3.session.Session().client(
        "connectcases",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(signature_version=UNSIGNED, **settings),
    )


def first(client: Any, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get_case_audit_events(
        domainId=DOMAIN, caseId=CASE, **more
    )
    return answer


def pages(url: str, *, times: int = 9) -> list[dict[str, Any]]:
    """The audit pages as JSON, as they came, at most so many."""
    host, _, port = url.removeprefix("http://").partition(":")
    asked = http.client.HTTPConnection(host, int(port), timeout=5)
    out: list[dict[str, Any]] = []
    body: dict[str, Any] = {}
    for _ in range(times):
        path = f"/domains/{DOMAIN}/cases/{CASE}/audit-history"
        asked.request("POST", path, json.dumps(body))
        page = json.loads(asked.getresponse().read())
        out.append(page)
        if "nextToken" not in page:
            break
        body = {"nextToken": page["nextToken"]}
    asked.close()
    return out


# ----------------------------------------------------------------- the same service


def test_the_server_answers_as_the_service_does_in_process() -> None:
    with SandboxServer(WORLD) as server:
        over_http = cn.load_history(cn.connect(endpoint_url=server.url), DOMAIN, CASE)
    in_process = cn.load_history(cn.connect(WORLD), DOMAIN, CASE)
    assert over_http.changes.equals(in_process.changes)
    assert over_http.events.equals(in_process.events)
    assert over_http.certificate.sha256 == in_process.certificate.sha256
    assert over_http.certificate.fetched_at == in_process.certificate.fetched_at


def test_a_client_with_any_credentials_finds_it_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    world = world_of(4, cases=8)
    with SandboxServer(world, order="oldest first") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECTCASES", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECT", server.url)
        session = boto3.session.Session(region_name="eu-west-2")
        walk = Walk(world, "oldest first", seed=1)
        walk.clients = {
            name: session.client(name) for name in ("connectcases", "connect")
        }
        for _ in range(150):
            walk.step()
    assert sum(walk.asked.values()) == 150
    assert server.n_requests >= 150


def test_many_may_ask_at_once_and_connections_are_kept() -> None:
    with SandboxServer(WORLD) as server:
        client = plain(server.url, max_pool_connections=8)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: first(client), range(64)))
        assert all(
            [event["eventId"] for event in page["auditEvents"]] == IDS[:25]
            for page in found
        )
        asked = http.client.HTTPConnection("127.0.0.1", server.port)
        for _ in range(3):
            asked.request("POST", "/domains-list", "{}")
            answer = asked.getresponse()
            assert answer.status == 200
            answer.read()
            assert not answer.will_close
        asked.close()


def test_it_stops_with_its_block_and_lets_go_of_the_port() -> None:
    before = threading.active_count()
    with SandboxServer(WORLD) as server:
        asked = socket.create_connection(("127.0.0.1", server.port))
    assert threading.active_count() == before
    asked.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    with SandboxServer(WORLD, port=server.port) as again:
        assert again.url == server.url
        with (
            pytest.raises(OSError, match="Nothing can listen at .* another port"),
            SandboxServer(WORLD, port=server.port),
        ):
            pass


def test_it_listens_on_loopback_unless_told_otherwise_and_says_so() -> None:
    said: list[str] = []
    stop = threading.Event()
    stop.set()
    serve(SandboxServer(WORLD, port=0), say=said.append, until=stop)
    text = "\n".join(said)
    assert "http://127.0.0.1:" in text
    assert "This machine only." in text
    assert "AWS_ENDPOINT_URL_CONNECTCASES=" in text
    said.clear()
    everywhere = SandboxServer(WORLD, host="0.0.0.0", port=0)  # noqa: S104
    serve(everywhere, say=said.append, until=stop)
    assert "ANYBODY WHO REACHES 0.0.0.0 CAN ASK" in "\n".join(said)


HOSTS = {
    "127.0.0.1": True,
    "127.0.0.1:8700": True,
    "localhost:1": True,
    "LOCALHOST": True,
    "[::1]:8700": True,
    "127.1.2.3": True,
    "evil.example": False,
    "evil.example:8700": False,
    "127.0.0.1.evil.example": False,
    "localhost.evil.example": False,
    "0.0.0.0:8700": False,
    "10.0.0.1": False,
    "": False,
    "[::1": False,
}


def asked_as(server: SandboxServer, host: str) -> tuple[int, str | None, bytes]:
    """The status, the error's name and the body of an answer."""
    asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    asked.putrequest("POST", "/domains-list", skip_host=True)
    asked.putheader("Host", host)
    asked.putheader("Content-Length", "2")
    asked.endheaders(b"{}")
    answer = asked.getresponse()
    found = answer.status, answer.getheader("x-amzn-errortype"), answer.read()
    asked.close()
    return found


def test_a_page_that_calls_this_machine_by_another_name_learns_nothing() -> None:
    with SandboxServer(WORLD) as server:
        for host, is_here in HOSTS.items():
            status, error, body = asked_as(server, host)
            assert status == (200 if is_here else 403), host
            assert (DOMAIN in str(body)) == is_here
            if not is_here:
                said = f"names another machine. Ask at {server.url}."
                assert json.loads(body)["message"].endswith(said)
                assert error == "AccessDeniedException"
    with SandboxServer(WORLD, host="0.0.0.0") as server:  # noqa: S104
        assert asked_as(server, "cases.test:8700")[0] == 200


WITHOUT_TORNADO = """
import pkgutil, sys
from importlib import import_module

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tornado":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
import casesnb as cn

for each in pkgutil.walk_packages(cn.__path__, "casesnb."):
    if not each.name.endswith("__main__"):
        import_module(each.name)
world = cn.sandbox.World(seed=7)
history = cn.load_history(cn.connect(world), *world.showcase)
print(len(cn.spells(history.changes)) > 10, len(cn.story(history)) > 100)
print(cn.plot_changes(history.changes) is not None, cn.write_report(history, "r.html"))
cn.CaseExplorer(cn.connect(world))
for start in (lambda: cn.sandbox.SandboxServer(world), lambda: main(["sandbox"])):
    try:
        from casesnb.cli import main
        print(start())
    except ModuleNotFoundError as error:
        print(error)
print("tornado" in sys.modules)
"""


def test_all_but_the_server_works_without_tornado(tmp_path: Path) -> None:
    # As in Pyodide, whose Python has pandas but no tornado.
    code = tmp_path / "code.py"
    code.write_text(WITHOUT_TORNADO, "utf-8")
    done = subprocess.run(
        [sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(cn.__file__).parents[1])},
    )
    needs = "The sandbox over HTTP needs tornado: pip install tornado."
    first, second, error, status, is_there = done.stdout.splitlines()
    assert (first, second.split()[0]) == ("True True", "True")
    assert error.startswith(needs)
    assert (status, done.stderr.startswith(needs)) == ("2", True)
    assert is_there == "False"


def test_latency_is_before_each_answer_and_holds_up_nobody_else() -> None:
    with SandboxServer(WORLD, latency=0.2) as server:
        client = plain(server.url, max_pool_connections=10)
        start = time.monotonic()
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _: first(client), range(10)))
        took = time.monotonic() - start
    assert 0.2 <= took < 1.9  # one after the other would take two seconds


# --------------------------------------------------------------------------- quotas


def test_a_bucket_is_the_burst_and_then_the_rate() -> None:
    now = [0.0]
    buckets = Buckets(clock=lambda: now[0])

    def taken(n: int) -> int:
        return sum(buckets.take("connectcases", "GetCaseAuditEvents") for _ in range(n))

    assert taken(30) == 10
    now[0] = 0.49
    assert taken(3) == 0
    now[0] = 3.0
    assert taken(30) == 6
    now[0] = 1000.0
    assert taken(30) == 10
    assert buckets.take("connectcases", "ListDomains")


def test_over_the_quota_it_answers_as_aws_does() -> None:
    with SandboxServer(WORLD, quotas=True) as server:
        client = plain(server.url)
        answered = 0
        start = time.monotonic()
        for _ in range(40):
            try:
                first(client)
                answered += 1
            except client.exceptions.ThrottlingException:
                continue
        refilled = 2 * (time.monotonic() - start)
        assert 10 <= answered <= 11 + refilled
        assert answered < 40
        assert plain(server.url).list_domains()["domains"]


# --------------------------------------------------------------------------- faults


def test_every_fault_is_tested_here() -> None:
    others = {"not_json", "truncated", "compressed", "dripping"}
    assert set(FAULTS) == {*ERRORS, *EDITS, *CONNECTIONS, *others, "other_json"}


ERRORS = {
    "throttle": (429, "ThrottlingException"),
    "error_500": (500, "InternalServerException"),
    "error_500_retry_after": (500, "InternalServerException"),
    "error_503": (503, "503"),
    "signed_out": (403, "ExpiredTokenException"),
    "expired_token": (400, "ValidationException"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_comes_as_often_as_it_is_told_to(name: str) -> None:
    status, code = ERRORS[name]
    with SandboxServer(WORLD, faults=[f"{name}:2"]) as server:
        client = plain(server.url)
        more = {}
        if name == "expired_token":
            more["nextToken"] = first(client)["nextToken"]
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                first(client, **more)
            answer = caught.value.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
            assert answer["Error"]["Code"] == code
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            assert ("retry-after" in headers) == (name == "error_500_retry_after")
        assert first(client, **more)["auditEvents"]
        assert server.struck == [name, name]


@pytest.mark.parametrize("name", ["throttle", "error_500", "error_503"])
def test_a_client_that_retries_gets_over_a_burst(name: str) -> None:
    with SandboxServer(WORLD, faults=[Fault(name, 2)]) as server:
        client = plain(server.url, retries={"total_max_attempts": 5})
        answer = first(client)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert len(answer["auditEvents"]) == 25


@pytest.mark.parametrize("name", ["truncated", "not_json", "compressed"])
def test_an_answer_that_is_not_json_comes_with_status_200(name: str) -> None:
    with SandboxServer(WORLD, faults=[name]) as server:
        asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        asked.request("POST", f"/domains/{DOMAIN}/cases/{CASE}/audit-history", "{}")
        answer = asked.getresponse()
        assert answer.status == 200
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
            json.loads(answer.read())
        asked.close()
    broken = Faulty(WORLD.service(), [Fault(name, None)])
    with pytest.raises(cn.errors.PageError):
        cn.load_history(cn.connect(broken), DOMAIN, CASE)


def test_an_answer_of_something_in_between_is_json_and_holds_no_event() -> None:
    with SandboxServer(WORLD, faults=["other_json"]) as server:
        assert pages(server.url, times=1) == [{"status": "ok"}]


def test_a_body_that_drips_goes_on_while_somebody_listens() -> None:
    with (
        SandboxServer(WORLD, faults=["dripping"]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as asked,
    ):
        path = f"/domains/{DOMAIN}/cases/{CASE}/audit-history"
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n"
        asked.sendall(head.encode() + b"{}")
        answer = b""
        while not answer.endswith(b"   "):
            answer += asked.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"eventId") >= 12
    assert server.struck == ["dripping"]


CONNECTIONS = ("refused", "reset", "stalled")


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_broken_connection_breaks_the_call_and_the_next_one_works(name: str) -> None:
    with SandboxServer(WORLD, faults=[name]) as server:
        client = plain(server.url, read_timeout=0.5)
        with pytest.raises((NoConnectionError, HTTPClientError)):
            first(client)
        if name == "refused":
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port))
        deadline = time.monotonic() + 5
        while True:
            try:
                answer = first(plain(server.url))
                break
            except (NoConnectionError, HTTPClientError):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert [event["eventId"] for event in answer["auditEvents"]] == IDS[:25]
        assert server.struck == [name]


def ids_of(found: list[dict[str, Any]]) -> list[str | None]:
    return [e and e["eventId"] for page in found for e in page["auditEvents"]]


def changed(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The first event that is not as the world has it."""
    with SandboxServer(WORLD) as server:
        right = [e for page in pages(server.url) for e in page["auditEvents"]]
    events = [e for page in found for e in page["auditEvents"]]
    odd = [a for a, b in zip(events, right, strict=True) if a != b]
    assert odd
    first_odd: dict[str, Any] = odd[0]
    return first_odd


def is_empty_page(found: list[dict[str, Any]]) -> bool:
    return found[0]["auditEvents"] == [] and ids_of(found) == IDS


def is_short_page(found: list[dict[str, Any]]) -> bool:
    return len(found[0]["auditEvents"]) == 12 and ids_of(found) == IDS


def is_repeated_token(found: list[dict[str, Any]]) -> bool:
    tokens = [page.get("nextToken") for page in found]
    return tokens[0] is not None and tokens[0] == tokens[1] and tokens[-1] is None


def is_endless(found: list[dict[str, Any]]) -> bool:
    tokens = {page.get("nextToken") for page in found}
    return ids_of(found) == IDS[:25] + IDS and len(tokens) == len(found)


def is_page_drift(found: list[dict[str, Any]]) -> bool:
    seen = ids_of(found)
    return seen[25] == seen[24] and seen[:25] + seen[26:] == IDS


def is_null_event(found: list[dict[str, Any]]) -> bool:
    seen = ids_of(found)
    return seen.count(None) == 1 and [i for i in seen if i] == IDS


EDITS = {
    "empty_page": is_empty_page,
    "short_page": is_short_page,
    "repeated_token": is_repeated_token,
    "endless_tokens": is_endless,
    "page_drift": is_page_drift,
    "null_event": is_null_event,
    "null_field": lambda found: changed(found)["fields"][-1] is None,
    "null_member": lambda found: changed(found)["mergeMetadata"] is None,
    "unknown_value": lambda found: (
        changed(found)["fields"][-1]["newValue"] == {"listValue": ["a", "b"]}
    ),
    "two_values": lambda found: len(changed(found)["fields"][-1]["newValue"]) == 2,
    "unknown_event_type": lambda found: changed(found)["type"] == "Case.Pondered",
    "unknown_item_type": lambda found: changed(found)["relatedItemType"] == "WorkPlan",
    "extra_members": lambda found: "reviewedBy" in changed(found),
    "epoch_times": lambda found: isinstance(changed(found)["performedTime"], float),
    "offset_times": lambda found: changed(found)["performedTime"].endswith("+05:30"),
    "nanosecond_times": lambda found: changed(found)["performedTime"][-7:] == "000000Z",
}


@pytest.mark.parametrize("name", EDITS)
def test_a_page_is_odd_in_the_one_way_that_was_asked_for(name: str) -> None:
    with SandboxServer(WORLD, faults=[name]) as server:
        assert EDITS[name](pages(server.url))
        assert server.struck == [name]
        assert ids_of(pages(server.url)) == IDS


def test_the_times_of_a_page_are_the_same_moments_however_written() -> None:
    right = cn.load_history(cn.connect(WORLD), DOMAIN, CASE).events["performed_at"]
    for name in ("epoch_times", "offset_times", "nanosecond_times"):
        broken = Faulty(WORLD.service(), [Fault(name, None)])
        history = cn.load_history(cn.connect(broken), DOMAIN, CASE)
        assert history.events["performed_at"].equals(right)


def test_a_repeated_token_without_end_is_noticed() -> None:
    broken = Faulty(WORLD.service(), [Fault("repeated_token", None)])
    with pytest.raises(cn.errors.PageError, match="sent one token twice"):
        cn.load_history(cn.connect(broken), DOMAIN, CASE)


def test_faults_strike_as_likely_and_where_they_are_told_to() -> None:
    broken = Faulty(WORLD.service(), [Fault("throttle", None, 0.3)])
    request = cn.raw.Request(
        "GetCaseAuditEvents", "POST", f"/domains/{DOMAIN}/cases/{CASE}/audit-history"
    )
    statuses = [broken(request).status for _ in range(300)]
    assert 60 <= statuses.count(429) <= 120
    assert broken(cn.raw.Request("ListDomains", "POST", "/domains-list")).status == 200
    assert broken.provenance["faults"] == ["throttle"]
    again = Faulty(WORLD.service(), [Fault("throttle", None, 0.3)])
    assert [again(request).status for _ in range(300)] == statuses
    everywhere = Faulty(WORLD.service(), [Fault("throttle", 1, operation=None)])
    asked = cn.raw.Request("ListDomains", "POST", "/domains-list")
    assert [everywhere(asked).status for _ in range(2)] == [429, 200]
    with pytest.raises(ConnectionError, match="'reset' struck"):
        Faulty(WORLD.service(), [Fault("reset")])(request)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset", Fault("reset")),
        ("throttle:5", Fault("throttle", 5)),
        ("throttle:always:0.25", Fault("throttle", None, 0.25)),
        ("throttle::0.5", Fault("throttle", 1, 0.5)),
    ],
)
def test_a_fault_is_read_from_the_command_line(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bad_luck", "'bad_luck' is no fault. There are: throttle"),
        ("", "'' is no fault"),
        ("reset:x", "is not NAME.* Give a whole number"),
        ("reset:1:x", "is not NAME.* a number from 0 to 1"),
        ("reset:1:2", "probability from 0 to 1"),
        ("reset:-1", "a count from 0"),
    ],
)
def test_a_fault_that_is_none_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Fault.parse(text)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"latency": -1}, "latency=-1: give seconds"),
        ({"latency": math.nan}, "latency=nan: give seconds"),
        ({"quotas": -1}, "quotas=-1: give a share"),
        (
            {"faults": "throttle:2"},
            r"one text\. Give several in a list: \['throttle:2'\]",
        ),
    ],
)
def test_what_a_server_cannot_do_is_refused(how: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        SandboxServer(WORLD, **how)


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with (
        pytest.raises(OSError, match="Give an address of this machine, such as 127"),
        SandboxServer(WORLD, host="203.0.113.7"),
    ):
        pass


def test_no_setting_of_this_machine_keeps_the_sandbox_away(tmp_path: Path) -> None:
    code = (
        "import casesnb as cn\n"
        "world = cn.sandbox.World(seed=0)\n"
        "print(len(cn.load_domains(cn.connect(world))))\n"
        "with cn.sandbox.SandboxServer(world) as server:\n"
        "    print(len(cn.load_domains(cn.connect(endpoint_url=server.url))))\n"
    )
    config = tmp_path / "config"
    config.write_text("[no brackets", "utf-8")
    nobody = dict.fromkeys(("HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
    settings = {"AWS_PROFILE": "none", "AWS_CONFIG_FILE": str(config), **nobody}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings},
    )
    assert (done.stdout.split(), done.stderr) == (["2", "2"], "")


def test_the_command_line_serves_what_it_was_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[SandboxServer] = []
    monkeypatch.setattr(cli, "serve", asked.append)
    words = "--seed 3 --cases 5 --domains 1 --order oldest --fault reset:2 --port 0"
    assert cli.main(["sandbox", *words.split()]) == 0
    (server,) = asked
    assert server.world.provenance == World(3, cases=5, domains=1).provenance
    assert server.faulty.provenance["order"] == "oldest first"
    assert server.faulty.faults == (Fault("reset", 2),)
    assert (server.host, server.port) == ("127.0.0.1", 0)
    for wrong in (["--fault", "nope"], ["--order", "best"]):
        with pytest.raises(SystemExit):
            cli.main(["sandbox", *wrong])
    said = capsys.readouterr().err
    assert "'nope' is no fault. There are: throttle, " in said
    assert "'best' is none of newest, oldest and mixed." in said


# -------------------------------------------------------------------------- AWS CLI


@pytest.mark.awscli
def test_the_aws_cli_lists_searches_pages_and_gets_errors() -> None:
    aws = os.environ.get("CASESNB_AWS") or shutil.which("aws")
    assert aws, "This test needs the AWS CLI: see `make awscli`."

    def run(*words: str, fails: bool = False) -> Any:
        done = subprocess.run(
            [aws, *words, "--output", "json"],
            env={
                **os.environ,
                "AWS_ENDPOINT_URL_CONNECTCASES": server.url,
                "AWS_ENDPOINT_URL_CONNECT": server.url,
                "AWS_ACCESS_KEY_ID": "any",
                "AWS_SECRET_ACCESS_KEY": "any",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_PAGER": "",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout)

    with SandboxServer(WORLD) as server:
        domains = run("connectcases", "list-domains")["domains"]
        assert domains[0]["domainId"] == DOMAIN
        found = run("connectcases", "search-cases", "--domain-id", DOMAIN)["cases"]
        assert len(found) == len(list(WORLD.case_ids(DOMAIN)))
        history = (
            "connectcases",
            "get-case-audit-events",
            "--domain-id",
            DOMAIN,
            "--case-id",
            CASE,
        )
        page = run(*history, "--max-results", "20")
        rest = run(*history, "--max-results", "20", "--next-token", page["nextToken"])
        assert ids_of([page, rest]) == IDS
        said = run(*history[:-1], "no-case", fails=True)
        assert "ResourceNotFoundException" in said
        instances = run("connect", "list-instances")["InstanceSummaryList"]
        assert len(instances) == 2
