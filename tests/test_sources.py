"""The same case gives the same frames, whoever answers and whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from answers import over_http
from pandas.testing import assert_frame_equal

import casesnb as cn

WORLD = cn.sandbox.World(seed=7)
DOMAIN = WORLD.domains[0].domain_id
CASES = {
    "showcase": WORLD.showcase[1],
    **{name: case for name, case in WORLD.awkward.items() if len(name) < 10},
    **{f"case {n}": case for n, case in enumerate(list(WORLD.case_ids(DOMAIN))[:6])},
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with over_http(WORLD.service(order="oldest first")) as address:
        yield address


@pytest.mark.parametrize(
    "case_id",
    [
        pytest.param(
            case, id=name, marks=pytest.mark.slow if name[:5] == "case " else ()
        )
        for name, case in CASES.items()
    ],
)
def test_a_case_is_the_same_from_every_source(
    case_id: str, url: str, tmp_path: Path
) -> None:
    expected = cn.load_history(cn.connect(WORLD, record=tmp_path), DOMAIN, case_id)
    plain = boto3.client(
        "connectcases",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    clients = {
        "recording": cn.connect(tmp_path),
        "http, oldest first": cn.connect(endpoint_url=url, pace=False),
        "plain boto3": plain,
    }
    for name, client in clients.items():
        history = cn.load_history(client, DOMAIN, case_id)
        assert_frame_equal(history.events, expected.events, obj=name)
        assert_frame_equal(history.changes, expected.changes, obj=name)
        assert history.certificate.fetched_at == expected.certificate.fetched_at


def test_what_is_loaded_is_what_truly_happened() -> None:
    history = cn.load_history(cn.connect(WORLD), *WORLD.showcase)
    true = [
        (change.event_id, change.field_id, change.new_kind, change.new)
        for change in WORLD.true_changes(WORLD.showcase[1])
    ]
    changes = history.changes.astype(object).where(history.changes.notna(), None)
    told = changes[["event_id", "field_id", "new_kind", "new"]].itertuples(index=False)
    assert [tuple(row) for row in told] == true


def test_a_session_that_connect_never_saw_can_be_told_where_to_ask(url: str) -> None:
    client = cn.connect(endpoint_url=url)
    assert cn.load_domains(client)["name"].tolist() == sorted(
        d.name for d in WORLD.domains
    )
