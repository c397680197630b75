"""A signal at any moment of a load, a report or an export leaves nothing half-written."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from signals import SIGNALS, TASKS, WORLD, Trials

import casesnb as cn


@pytest.mark.slow  # its small form is the drill's
def test_a_signal_at_any_moment_leaves_nothing_half_written(tmp_path: Path) -> None:
    dice, wrong, numbers = random.Random(7), Counter[str](), itertools.count()
    with cn.sandbox.SandboxServer(WORLD) as server:
        trials = Trials(server, tmp_path)
        with trials.ready():
            for task in TASKS:
                for how in SIGNALS:
                    for _ in range(12):
                        if not trials.trial(task, how, next(numbers), dice):
                            wrong[f"{task} {how}"] += 1
    assert not wrong
