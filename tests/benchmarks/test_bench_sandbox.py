"""How fast the sandbox is: cases told, and audit pages served over HTTP."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from casesnb.sandbox import World
from casesnb.sandbox.server import SandboxServer
from casesnb.wire.responder import Request

pytestmark = pytest.mark.bench

N_CASES = 1000
PAGES = 6000


def _serve(told: Connection) -> None:
    with SandboxServer(World(seed=1, domains=1, cases=N_CASES)) as server:
        told.send(server.port)
        told.recv()


def _read(port: int, first: int, told: Connection) -> None:
    """Ask for first pages of all cases in turn, on one kept connection."""
    world = World(seed=1, domains=1, cases=N_CASES)
    domain_id = world.domains[0].domain_id
    paths = [f"/domains/{domain_id}/cases/{c}/audit-history" for c in world.case_ids()]
    asked = http.client.HTTPConnection("127.0.0.1", port)

    def read(n: int) -> None:
        for i in range(n):
            asked.request("POST", paths[(first + i) % len(paths)], b"{}")
            answer = asked.getresponse()
            body = answer.read()
            assert answer.status == 200
            assert body.startswith(b'{"auditEvents"')

    read(len(paths) // 2)
    told.send("ready")
    told.recv()
    start = time.perf_counter()
    read(PAGES // 2)
    told.send(time.perf_counter() - start)


def test_bench_a_thousand_cases_are_told_in_two_seconds() -> None:
    took = []
    for seed in range(3):
        start = time.process_time()  # others may be busy on this machine
        world = World(seed, domains=1, cases=N_CASES)
        n = sum(1 for _ in world.true_events())
        took.append(time.process_time() - start)
    print(f"\n{N_CASES} cases, {n} events told in {sorted(took)[1]:.2f} s")
    assert sorted(took)[1] < 2


def test_bench_the_server_answers_audit_pages() -> None:
    """Two clients on the other core; the server's own processor time is what counts."""
    run = multiprocessing.get_context("spawn")
    here, there = run.Pipe()
    server = run.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    pipes, clients = [], []
    for i in range(2):
        mine, its = run.Pipe()
        first = i * N_CASES // 2
        client = run.Process(target=_read, args=(port, first, its), daemon=True)
        client.start()
        pipes.append(mine)
        clients.append(client)
    for pipe in pipes:
        assert pipe.recv() == "ready"
    before = _cpu(server.pid)
    start = time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    for pipe in pipes:
        pipe.recv()
    took, cpu = time.perf_counter() - start, _cpu(server.pid) - before
    here.send("stop")
    for process in (*clients, server):
        process.join(10)
    print(
        f"\n{PAGES} audit pages in {took:.2f} s: {PAGES / took:.0f} a second, "
        f"{PAGES / cpu:.0f} a second of the server's one core"
    )
    assert PAGES / cpu > 1500


def _cpu(pid: int | None) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_bench_a_cold_page_is_made_checked_and_encoded() -> None:
    world = World(seed=1, domains=1, cases=N_CASES)
    service = world.service()
    domain_id = world.domains[0].domain_id
    requests = [
        Request(
            "GetCaseAuditEvents",
            "POST",
            f"/domains/{domain_id}/cases/{c}/audit-history",
        )
        for c in world.case_ids()
    ]
    start = time.process_time()
    n = sum(len(json.loads(service(r).body)["auditEvents"]) for r in requests)
    took = time.process_time() - start
    print(f"\n{len(requests)} cold pages ({n} events) in {took:.2f} s")
    assert took < 4
