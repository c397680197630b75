"""Every fault, by its name: the right certificate or the right error, never less.

What is expected of each stands in one table, and the faults come from the sandbox's
own list: one that is added without an expectation is a red test.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from pandas.testing import assert_frame_equal
from test_server import plain
from test_world import world_of

import casesnb as cn
from casesnb.sandbox import World
from casesnb.sandbox.faults import FAULTS, ON_THE_WIRE, Fault, Faulty
from casesnb.sandbox.server import SandboxServer
from casesnb.sandbox.service.service import Service

WORLD = World(seed=7)
DOMAIN, CASE = WORLD.showcase
OTHERS = [case for case in WORLD.case_ids(DOMAIN) if case != CASE][:2]
ANSWERING: list[cn.raw.Responder] = [WORLD]


def answered(request: cn.raw.Request) -> cn.raw.Response:
    return ANSWERING[0](request)


CLIENT = cn.connect(answered)


def connect(source: cn.raw.Responder) -> BaseClient:
    """Return the one client, now answered by `source`: a new one takes longer."""
    ANSWERING[0] = source
    return CLIENT


RIGHT = cn.load_history(connect(WORLD), DOMAIN, CASE)
UNKNOWN = "unknown to casesnb, kept as they came: "
OF_THE_CASE = f" of domainId {DOMAIN}, caseId {CASE}"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore retry without waiting."""
    backoff = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(backoff, lambda *_: 0)


@dataclass(frozen=True)
class Refused:
    """The load ends with an error of this name, whose message says all of these."""

    error: str
    says: tuple[str, ...]


@dataclass(frozen=True)
class Loaded:
    """All events are there; `each` strike adds so much, and the certificate tells."""

    each: dict[str, int] = field(default_factory=dict)
    reason: str | None = None
    more_pages: int = 0
    differs: tuple[str, ...] = ()
    adds: str | None = None


def unknown(what: str, *differs: str, adds: str | None = None) -> Loaded:
    reason = f"{UNKNOWN}{what} ({{n}})"
    return Loaded({"n_unknowns": 1}, reason, differs=differs, adds=adds)


def page_again(n: int) -> Loaded:
    reason = f"{n} events came twice, kept once"
    return Loaded({"n_duplicates": n}, reason, more_pages=1)


NULLS = Loaded({"n_nulls": 1}, "{n} null{s} skipped")
RETRIED = Loaded({"n_retries": 1})
CUT = Refused("PageError", ("page {page}", OF_THE_CASE, "is not whole JSON"))
SIGNED_OUT = Refused("ExpiredTokenException", ("security token", "is expired"))
NO_END = Refused(
    "PageError", ("sent one token twice", "page 2 (token ", OF_THE_CASE, "no end")
)
BROKEN = {
    name: Refused("ConnectionError", (f"{name!r} struck",)) for name in ON_THE_WIRE
}

# When a fault strikes once. `{n}` is how often it struck, `{page}` which page it was.
ONCE: dict[str, Refused | Loaded] = {
    "throttle": Loaded({"n_retries": 1, "n_throttles": 1}),
    "error_500": RETRIED,
    "error_500_retry_after": RETRIED,
    "error_503": RETRIED,
    "signed_out": SIGNED_OUT,
    **BROKEN,
    "truncated": RETRIED,
    "not_json": RETRIED,
    "other_json": RETRIED,
    "compressed": RETRIED,
    "empty_page": Loaded(more_pages=1),
    "short_page": Loaded(),
    "repeated_token": NO_END,
    "endless_tokens": page_again(25),
    "expired_token": Refused("ValidationException", ("nextToken has expired",)),
    "page_drift": Loaded({"n_duplicates": 1}, "{n} event{s} came twice, kept once"),
    "null_event": NULLS,
    "null_field": NULLS,
    "null_member": NULLS,
    "unknown_value": unknown("value member listValue", adds="sandbox-odd"),
    "two_values": Refused(
        "PageError", ("page {page}", OF_THE_CASE, "newValue", "two kinds at once")
    ),
    "unknown_event_type": unknown("event type Case.Pondered", "event_type"),
    "unknown_item_type": unknown("related item type WorkPlan", "related_item_type"),
    "extra_members": unknown("event member reviewedBy", "extra"),
    "epoch_times": Loaded(),
    "offset_times": Loaded(),
    "nanosecond_times": Loaded(),
}

# Where striking the second and last page is another matter: it is cut in two.
LATER: dict[str, Refused | Loaded] = {
    **ONCE,
    "short_page": Loaded(more_pages=1),
    "endless_tokens": page_again(len(RIGHT.events) - 25),
}

# Where striking without end is another matter.
ALWAYS: dict[str, Refused | Loaded] = {
    **ONCE,
    "throttle": Refused("ThrottlingException", ("max retries", "Rate exceeded")),
    "error_500": Refused("InternalServerException", ("max retries",)),
    "error_500_retry_after": Refused("InternalServerException", ("max retries",)),
    "error_503": Refused("503", ("max retries", "Service Unavailable")),
    "truncated": CUT,
    "not_json": CUT,
    "other_json": Refused(
        "PageError", ("page {page}", OF_THE_CASE, "holds no list of auditEvents")
    ),
    "compressed": replace(CUT, says=(*CUT.says, "It is compressed")),
    "endless_tokens": Refused(
        "PageError", ("hold nothing new", OF_THE_CASE, "has no end")
    ),
    "empty_page": NO_END,
    "short_page": Loaded(more_pages=5),
}


class OnceLater:
    """Breaks the first page that is asked for with a token, and no other."""

    def __init__(self, name: str) -> None:
        self.broken = Faulty(WORLD.service(), [Fault(name)])

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        later = b"nextToken" in (request.body or b"")
        return (self.broken if later else self.broken.service)(request)


def outcome(name: str, often: str) -> Refused | Loaded:
    """What is expected, or a red test for a fault of which nobody said it."""
    table = {"once": ONCE, "later": LATER, "always": ALWAYS}[often]
    assert name in table, f"Say in tests/test_faults.py what {name!r} should lead to."
    return table[name]


def check_frames(history: cn.History, want: Loaded, right: cn.History = RIGHT) -> None:
    """Everything is there and as it was, but for what the fault itself rewrote."""
    rewritten = list(want.differs)
    assert_frame_equal(
        history.events.drop(columns=[*rewritten, "n_changes"]),
        right.events.drop(columns=[*rewritten, "n_changes"]),
        check_like=True,
    )
    changes = history.changes
    changes = changes[changes["field_id"] != want.adds].reset_index(drop=True)
    rewritten = [name for name in rewritten if name in changes]
    as_text = {"field_id": "str", "old_kind": "str", "new_kind": "str"}
    assert_frame_equal(
        changes.drop(columns=rewritten).astype(as_text),
        right.changes.drop(columns=rewritten).astype(as_text),
    )


COUNTED = (
    "n_nulls",
    "n_duplicates",
    "n_unknowns",
    "n_ties",
    "n_retries",
    "n_throttles",
)


def check_certificate(
    certificate: cn.types.Certificate, want: Loaded, n: int, *, n_pages: int
) -> None:
    """Each strike is counted where it belongs, and nowhere else."""
    told = certificate.summary()
    assert {name: told[name] for name in COUNTED} == {
        name: want.each.get(name, 0) * n for name in COUNTED
    }
    reasons = []
    if want.reason is not None:
        reasons.append(want.reason.format(n=n, s="" if n == 1 else "s"))
    assert list(certificate.reasons) == reasons
    assert certificate.verdict == ("complete_but" if reasons else "complete")
    assert certificate.n_pages == n_pages + want.more_pages
    assert certificate.reached_end
    assert certificate.has_creation


def check_words(message: str, want: Refused, *, page: int) -> None:
    for words in want.says:
        assert words.format(page=page) in message


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("often", ["once", "later", "always"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_the_right_certificate_or_the_right_error(
    name: str, often: str
) -> None:
    source = (
        OnceLater(name)
        if often == "later"
        else Faulty(WORLD.service(), [Fault(name, 1 if often == "once" else None)])
    )
    broken = source.broken if isinstance(source, OnceLater) else source
    want = outcome(name, often)
    page = 2 if often == "later" else 1
    client = connect(source)
    if isinstance(want, Refused):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - told apart below
            cn.load_history(client, DOMAIN, CASE)
        error = caught.value
        if isinstance(error, ClientError):
            assert error.response["Error"]["Code"] == want.error
        else:
            assert type(error).__name__ == want.error
        check_words(str(error), want, page=page)
        # An error of boto3's own has the case and the page in its note.
        told = "\n".join([str(error), *getattr(error, "__notes__", ())])
        assert OF_THE_CASE in told
        if often == "later":
            assert "page 2 (token " in told
    else:
        history = cn.load_history(client, DOMAIN, CASE)
        check_frames(history, want)
        check_certificate(history.certificate, want, len(broken.struck), n_pages=2)
    assert set(broken.struck) == {name}


def collected(client: BaseClient, *asked: Any, **how: Any) -> cn.History:
    """Load what comes; credentials that expired end it with what came."""
    try:
        return cn.load_histories(client, *asked, errors="collect", **how)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExpiredTokenException":
            raise
        part: cn.History = error.history  # type: ignore[attr-defined]
        return part


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", FAULTS)
def test_among_many_cases_a_fault_reaches_its_own_case_only(name: str) -> None:
    want = outcome(name, "once")
    broken = Faulty(WORLD.service(), [Fault(name)])
    history = collected(connect(broken), DOMAIN, [CASE, *OTHERS], workers=1)
    assert broken.struck == [name]
    if want is SIGNED_OUT:  # of the others, none is asked for
        assert history.certificate.verdict == "partial"
        assert history.events.empty
        return
    certificate = history.certificate
    if isinstance(want, Refused):
        rest = cn.load_histories(connect(WORLD), DOMAIN, OTHERS)
        assert_frame_equal(history.events, rest.events)
        assert_frame_equal(history.changes, rest.changes)
        assert certificate.verdict == "partial"
        assert certificate.reasons == ("1 of 3 cases could not be loaded",)
        assert certificate.n_cases == 2
        assert not certificate.reached_end
        (row,) = history.unloaded.to_dict("records")
        assert (row["case_id"], row["error"]) == (CASE, want.error)
        check_words(row["message"], want, page=1)
    else:
        right = cn.load_histories(connect(WORLD), DOMAIN, [CASE, *OTHERS])
        n_pages = right.certificate.n_pages
        check_frames(history, want, right)
        check_certificate(certificate, want, 1, n_pages=n_pages)
        assert history.unloaded.empty


PATIENT = {"mode": "standard", "total_max_attempts": 60}
BROKEN_FOR_GOOD = {
    "refused": ("ConnectionClosedError", "EndpointConnectionError"),
    "reset": ("ConnectionClosedError", "ResponseStreamingError"),
    "stalled": ("ReadTimeoutError",),
}


@pytest.mark.parametrize("name", BROKEN_FOR_GOOD)
def test_a_connection_that_breaks_once_is_got_over(name: str) -> None:
    with SandboxServer(WORLD, faults=[Fault(name)]) as server:
        client = plain(server.url, read_timeout=0.5, retries=PATIENT)
        history = cn.load_history(client, DOMAIN, CASE)
        assert server.struck == [name]
    check_frames(history, Loaded())
    assert history.certificate.verdict == "complete"
    assert history.certificate.n_retries >= 1


@pytest.mark.parametrize("name", BROKEN_FOR_GOOD)
def test_a_connection_that_stays_broken_is_an_error_and_no_frame(name: str) -> None:
    with SandboxServer(WORLD, faults=[Fault(name, None)]) as server:
        client = plain(server.url, read_timeout=0.3)
        history = cn.load_histories(client, DOMAIN, [CASE], errors="collect")
    (row,) = history.unloaded.to_dict("records")
    assert row["error"] in BROKEN_FOR_GOOD[name]
    assert server.url in row["message"]
    assert history.certificate.verdict == "partial"
    assert history.events.empty


SEEDS = range(3)


@cache
def many(seed: int) -> tuple[Service, str, list[str], cn.History]:
    """A world of odd cases, both orders in turn, and its histories without a fault."""
    world = world_of(seed, cases=8)
    service = world.service(order=("newest first", "oldest first")[seed % 2])
    domain_id = world.domains[0].domain_id
    cases = list(world.case_ids(domain_id))
    right = cn.load_histories(connect(service), domain_id, cases, page_size=5)
    return service, domain_id, cases, right


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", FAULTS)
def test_a_history_that_calls_itself_complete_is(name: str) -> None:
    struck = 0
    for seed in SEEDS:
        service, domain_id, cases, right = many(seed)
        for fault in (Fault(name), Fault(name, None, 0.2)):
            broken = Faulty(service, [fault])
            found = collected(connect(broken), domain_id, cases, page_size=5)
            check_nothing_is_missing(found, right, broken)
            struck += len(broken.struck)
    assert struck >= len(SEEDS)


def check_nothing_is_missing(
    found: cn.History, right: cn.History, broken: Faulty
) -> None:
    certificate = found.certificate
    unloaded = set(found.unloaded["case_id"])
    if "signed_out" in broken.struck:  # what was not asked for has no row at all
        assert certificate.verdict == "partial"
        unloaded |= set(right.events["case_id"]) - set(found.events["case_id"])
    assert (certificate.verdict == "partial") == bool(unloaded)
    if certificate.verdict == "complete":
        assert_frame_equal(found.events, right.events)
        assert_frame_equal(found.changes, right.changes)
    # Whatever the verdict: a case that has rows has all of them, in their order.
    rest = right.events[~right.events["case_id"].isin(unloaded)]
    names = ["case_id", "event_id", "sequence", "performed_at"]
    assert found.events[names].astype({"case_id": "str"}).to_dict("list") == (
        rest[names].astype({"case_id": "str"}).to_dict("list")
    )
    n_lost = certificate.n_nulls + certificate.n_duplicates + certificate.n_unknowns
    counted = n_lost + certificate.n_retries + len(unloaded)
    harmless = {"empty_page", "short_page"} | {n for n in FAULTS if "times" in n}
    if broken.struck and not set(broken.struck) <= harmless:
        assert counted > 0


def test_every_fault_is_expected_and_every_expectation_is_of_a_fault() -> None:
    assert set(ONCE) == set(ALWAYS) == set(FAULTS)
    # A body that drips is broken for good at once: tests/test_wire_drill.py.
    assert {*BROKEN_FOR_GOOD, "dripping"} == ON_THE_WIRE
