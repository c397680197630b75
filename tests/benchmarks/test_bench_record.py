"""What redaction costs a recorder, as a share of plain recording."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import casesnb as cn
from casesnb.wire.redact.leaks import LeakChecker

WORLD = cn.sandbox.World(seed=7, cases=200)


def cpu_a_page(folder: Path, case_ids: list[str], **how: Any) -> float:
    """Milliseconds that this process works for a page: waiting for a disk is no work."""
    client = cn.connect(WORLD, record=folder, **how)
    began = time.process_time()
    history = cn.load_histories(client, WORLD.showcase[0], case_ids, workers=1)
    return (time.process_time() - began) * 1_000 / history.certificate.n_pages


@pytest.mark.bench
def test_redacting_is_at_least_half_as_fast(tmp_path: Path) -> None:
    domain_id = WORLD.showcase[0]
    case_ids = cn.load_cases(cn.connect(WORLD), domain_id)["case_id"].tolist()
    cn.load_histories(cn.connect(WORLD), domain_id, case_ids)  # the world tells itself
    how: dict[str, bool | cn.Redaction] = {"plain": False}
    for policy in ("drop", "words", "keep"):
        how[policy] = cn.Redaction(free_text=policy, key=b"k" * 32)  # type: ignore[arg-type]
    best = {
        name: min(
            cpu_a_page(tmp_path / f"{name}{n}", case_ids, redact=redact)
            for n in range(4)
        )
        for name, redact in how.items()
    }
    for name, took in best.items():
        print(f"{name}: {took:.2f} ms a page, {best['plain'] / took:.2f} of plain")
    assert best["drop"] < 2 * best["plain"]


@pytest.mark.bench
def test_the_leak_checker_s_time_grows_with_the_size() -> None:
    def took(n: int) -> float:
        found = LeakChecker()
        for i in range(n):
            found.add("text", f"value {i * 7919 % 1_000_003} of a case {i}")
        texts = [
            f"text {i * 104_729 % 1_000_003} that nobody wrote {i}" for i in range(n)
        ]
        began = time.process_time()
        found.check("GetCase", texts)
        return time.process_time() - began

    small, large = min(took(2_000) for _ in range(3)), took(16_000)
    print(f"2,000: {small:.3f} s, 16,000: {large:.3f} s, {large / small:.1f} times")
    assert large < 16 * small
