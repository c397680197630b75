"""Redaction: no secret is left, each rule is needed, and what metrics need stays."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from planted import ARN, PLANTED, Planted, ask_all, exchanges
from refresh_readme import README, refreshed

import casesnb as cn
from casesnb.wire.recording import Recording
from casesnb.wire.redact import redactor as engine
from casesnb.wire.redact.leaks import LeakChecker
from casesnb.wire.redact.pseudonyms import SHAPE, length_class
from casesnb.wire.redact.redactor import REPLACE, Redactor
from casesnb.wire.redact.rules import BY_NAME, BY_SHAPE, RULES

KEY = b"k" * 32
OTHER_KEY = b"o" * 32


def recorded(folder: Path, **how: Any) -> Path:
    redactor = Redactor(cn.Redaction(**{"key": KEY, **how}))
    recording = Recording(folder, provenance={"source": "Planted"}, redactor=redactor)
    for request, response in exchanges():
        recording.keep(request, response)
    return folder


def written(folder: Path) -> bytes:
    """Everything that a recording put on the disk: contents and names."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    assert len(files) > 10
    return b"\n".join(str(p).encode() + b"\n" + p.read_bytes() for p in files)


def spellings(secret: str) -> Iterator[bytes]:
    """A secret and its longer parts, in the codings that a file may hold."""
    # A part that is a word of everybody's tells nothing.
    parts = [p for p in re.split(r"[\s:/@]+", secret) if len(p) > 6]
    for text in {secret, secret.replace("\n", " "), secret.replace("-", ""), *parts}:
        raw = text.encode()
        yield from (
            raw,
            raw.lower(),
            raw.upper(),
            quote(text).encode(),
            raw.hex().encode(),
        )
        yield json.dumps(text).strip('"').encode()
        yield text.encode("utf-16-le")
        yield base64.b64encode(gzip.compress(raw, mtime=0))
        # Base64 begins anew every three bytes.
        for lead, coded in product(range(3), (raw, text.encode("utf-16-le"))):
            coded = base64.b64encode(b"x" * lead + coded).decode()
            yield coded[-(-lead * 4 // 3) : len(coded.rstrip("=")) - 1].encode()


def found_in(haystack: bytes) -> set[str]:
    lower = haystack.lower()
    return {
        name
        for name, secret in PLANTED.items()
        if any(
            len(form) > 3 and (form in haystack or form.lower() in lower)
            for form in spellings(secret)
        )
    }


def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeakChecker, "check", lambda self, where, content: None)


def test_secrets_in_forty_places_leave_no_trace(tmp_path: Path) -> None:
    assert len(PLANTED) >= 40
    assert found_in(written(recorded(tmp_path / "r"))) == set()


def test_the_search_finds_them_all_where_nothing_is_redacted(tmp_path: Path) -> None:
    ask_all(Planted(), record=tmp_path / "r", redact=False)
    missed = set(PLANTED) - found_in(written(tmp_path / "r"))
    assert missed == {"header"}  # of those, no recording keeps others than four


@pytest.mark.parametrize("rule", sorted(set(REPLACE) - {"time"}))
def test_a_rule_that_replaces_nothing_is_seen(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REPLACE, rule, lambda redactor, value, label: value)
    with pytest.raises(cn.errors.LeakFound, match="not saved|taken back") as caught:
        recorded(tmp_path / "checked")
    told = str(caught.value)
    assert re.search(r"the rule '\w+' replaces", told)
    assert not [secret for secret in PLANTED.values() if secret in told]
    assert found_in(b"".join(p.read_bytes() for p in tmp_path.rglob("*.json"))) == set()
    with monkeypatch.context() as blind:
        unchecked(blind)
        assert found_in(written(recorded(tmp_path / "unchecked")))


def test_every_rule_is_tested_or_keeps() -> None:
    assert set(BY_NAME) == {*REPLACE, "number"}


@pytest.mark.parametrize("shape", sorted(BY_SHAPE))
def test_a_shape_that_lost_its_rule_is_replaced_all_the_same(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allow-list: who forgets a shape of AWS's model gives nothing away."""
    monkeypatch.delitem(BY_SHAPE, shape)
    service = engine._models()["connectcases"]
    known = {*service.shape_names, *engine._models()["connect"].shape_names}
    assert shape in known, f"AWS has no shape {shape}"
    walk = engine._by_rule(BY_SHAPE.get(shape, "unknown"), "", frozenset())
    made = walk(Redactor(cn.Redaction(key=KEY)), PLANTED["title"], engine._Context())
    assert SHAPE.fullmatch(made)


def test_times_stay_or_all_go_back_by_the_same_whole_weeks(tmp_path: Path) -> None:
    stay = cn.load_history(*told(recorded(tmp_path / "stay")))
    kept = cn.load_history(*told(recorded(tmp_path / "kept", times="shift")))
    moved = stay.events["performed_at"] - kept.events["performed_at"]
    (by,) = moved.unique()
    assert by.days % 7 == 0
    assert by.seconds == 0
    assert 364 <= by.days <= 20 * 366
    assert stay.certificate.fetched_at - kept.certificate.fetched_at == by
    for days in ("2026-03-02", "2026-03-03", "02 Mar 2026", "1704067200"):
        assert days.encode() not in written(tmp_path / "kept")
        assert days.encode() in written(tmp_path / "stay")


@pytest.mark.parametrize(
    "broken",
    [
        lambda self, value: value,
        lambda self, value: None,
    ],
)
def test_a_broken_rule_of_times_is_seen(
    broken: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "time", broken)
    with pytest.raises((AssertionError, cn.errors.PageError, ValueError, KeyError)):
        test_times_stay_or_all_go_back_by_the_same_whole_weeks(tmp_path)


def told(folder: Path) -> tuple[Any, str, str]:
    """A client of a recording, and the pseudonyms of the domain and the case."""
    name = Redactor(cn.Redaction(key=KEY)).replace
    domain, case = (
        name("identifier", PLANTED["domain"]),
        name("identifier", PLANTED["case"]),
    )
    return cn.connect(folder), domain, case


def test_numbers_booleans_order_and_emptiness_stay(tmp_path: Path) -> None:
    raw = cn.connect(Planted())
    live = cn.load_history(raw, PLANTED["domain"], PLANTED["case"]).changes
    kept = cn.load_history(*told(recorded(tmp_path / "r"))).changes
    same = [
        "sequence",
        "slot",
        "performed_at",
        "old_kind",
        "new_kind",
        "is_order_known",
    ]
    kinds = live["new_kind"].isin(["unknown"])  # of a kind that AWS's model has not
    assert kept.loc[~kinds, same].astype(str).equals(live.loc[~kinds, same].astype(str))
    numbers = live["new_kind"].isin(["double", "boolean", "empty"])
    assert kept.loc[numbers, "new"].equals(live.loc[numbers, "new"])
    texts = live["new"].notna() & ~live["field_id"].isin(["status"]) & ~kinds
    both = zip(live.loc[texts, "new"], kept.loc[texts, "new"], strict=True)
    told_by_length = [(a, b) for a, b in both if not a.startswith("arn:")]
    assert {length_class(a) for a, _ in told_by_length} == {0, 1}
    assert all(length_class(a) == length_class(b) for a, b in told_by_length)


def test_a_rule_of_numbers_that_replaces_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine._walk_of.cache_clear()
    monkeypatch.setattr(engine, "_number", engine._unknown)
    try:
        with pytest.raises((AssertionError, LookupError)):
            test_numbers_booleans_order_and_emptiness_stay(tmp_path)
    finally:
        engine._walk_of.cache_clear()


def test_one_person_has_one_pseudonym_in_every_answer(tmp_path: Path) -> None:
    client, domain, case = told(recorded(tmp_path / "r"))
    people = cn.connect(tmp_path / "r", service_name="connect")
    instance = people.list_instances()["InstanceSummaryList"][0]["Id"]
    (user,) = people.search_users(InstanceId=instance)["Users"]
    described = people.describe_user(InstanceId=instance, UserId=user["Id"])["User"]
    history = cn.load_history(client, domain, case)
    assert user["Arn"] == described["Arn"]
    assert user["Arn"] in set(history.changes["new"])
    assert user["Arn"] in set(history.events["user_arn"])
    assert user["Arn"].endswith(f"/agent/{user['Id']}")
    assert f"instance/{instance}/" in user["Arn"]
    number = user["Username"].removeprefix("agent-")
    assert user["IdentityInfo"] == {"FirstName": "Agent", "LastName": number}
    assert described["Username"] == user["Username"]
    (queue,) = people.list_queues(InstanceId=instance)["QueueSummaryList"]
    assert queue["Arn"] in set(history.changes["new"])


def test_the_calls_made_with_redacted_ids_are_answered(tmp_path: Path) -> None:
    client, domain, case = told(recorded(tmp_path / "r"))
    assert (
        client.list_domains(
            nextToken=Redactor(cn.Redaction(key=KEY)).replace("token", PLANTED["query"])
        )["domains"][0]["domainId"]
        == domain
    )
    asked: Any = {"domainId": domain, "caseId": case, "maxResults": 25}
    first = client.get_case_audit_events(**asked)
    second = client.get_case_audit_events(**asked, nextToken=first["nextToken"])
    assert len(second["auditEvents"]) == 1
    (field,) = [
        f["fieldId"]
        for f in client.list_fields(domainId=domain)["fields"]
        if f["namespace"] == "Custom"
    ]
    (option,) = client.list_field_options(domainId=domain, fieldId=field)["options"]
    changed = cn.load_history(client, domain, case).changes
    assert option["value"] in set(changed["new"])  # as in the history of a select field
    assert client.get_case(domainId=domain, caseId=case, fields=[{"id": field}])
    other = Redactor(cn.Redaction(key=KEY)).replace("identifier", PLANTED["other case"])
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_case_audit_events(domainId=domain, caseId=other)
    assert caught.value.response["resourceId"] == other
    with pytest.raises(cn.errors.RecordingNotFound, match="Its ids are pseudonyms"):
        cn.load_history(client, PLANTED["domain"], PLANTED["case"])


def test_field_ids_may_be_asked_for_in_another_order(tmp_path: Path) -> None:
    """Pseudonyms sort otherwise than the ids that they stand for."""
    world = cn.sandbox.World(seed=3, cases=2)
    domain, case = world.showcase
    live = cn.connect(world, record=tmp_path, redact=cn.Redaction(key=KEY))
    raw = cn.load_case_fields(live, domain, case)
    name = Redactor(cn.Redaction(key=KEY)).replace
    kept = cn.load_case_fields(
        cn.connect(tmp_path), name("identifier", domain), name("identifier", case)
    )
    assert set(kept["field_id"]) == {name("identifier", f) for f in raw["field_id"]}


def pseudonyms(folder: Path) -> set[str]:
    texts = set(re.findall(r'"([^"]*)"', written(folder).decode()))
    return {text for text in texts if SHAPE.fullmatch(text) and text != "Agent"}


def test_two_keys_cannot_be_joined_and_one_key_can(tmp_path: Path) -> None:
    one = pseudonyms(recorded(tmp_path / "one"))
    again = pseudonyms(recorded(tmp_path / "again"))
    other = pseudonyms(recorded(tmp_path / "other", key=OTHER_KEY))
    assert len(one) > 40
    assert one == again
    assert one & other == set()


def test_what_is_asked_for_by_name_stays(tmp_path: Path) -> None:
    kept = recorded(
        tmp_path / "r", keep=["status", "queue_name", "tag", PLANTED["custom field"]]
    )
    assert found_in(written(kept)) == {
        *("queue name", "tag key", "tag value", "option value", "option name"),
        "custom text",  # of the field that was named
        "SLA name",  # a word of which stands in the queue's name, too
    }
    manifest = json.loads((kept / "manifest.json").read_text())
    assert PLANTED["custom field"] not in manifest["redacted"]["keep"]


def test_a_kept_field_that_holds_times_goes_back_with_them(tmp_path: Path) -> None:
    field = PLANTED["custom field"][:-1] + "0"
    stays = Redactor(cn.Redaction(key=KEY, keep=[field]))
    assert (
        stays.field_value(field, PLANTED["date of birth"]) == PLANTED["date of birth"]
    )
    goes = Redactor(cn.Redaction(key=KEY, keep=[field], times="shift"))
    moved = goes.field_value(field, PLANTED["date of birth"])
    assert moved.endswith("T00:00:00Z")
    assert moved < PLANTED["date of birth"]


def test_a_status_stays_unless_asked_otherwise(tmp_path: Path) -> None:
    assert b'"with_doctor"' in written(recorded(tmp_path / "kept"))
    gone = written(recorded(tmp_path / "gone", keep=[]))
    assert b"with_doctor" not in gone
    assert b'"open"' in gone  # AWS's own, and what metrics need


def test_words_are_replaced_one_by_one(tmp_path: Path) -> None:
    recorded(tmp_path / "r", free_text="words")
    assert found_in(written(tmp_path / "r")) == set()
    made = Redactor(cn.Redaction(key=KEY, free_text="words"))
    one = made.replace("text", "The refund, and the second refund!")
    assert re.fullmatch(r"\w+ \w+, \w+ \w+ \w+ \w+!", one)
    words = re.findall(r"\w+", one)
    assert words[1] == words[5]
    assert words[0] != words[3]  # The, the


def test_kept_text_loses_what_tells_who_it_is(tmp_path: Path) -> None:
    made = Redactor(cn.Redaction(key=KEY, free_text="keep"))
    user = f"{ARN}/agent/{PLANTED['user']}"
    text = f"Call {PLANTED['phone']} or {PLANTED['email']}: {user}, {PLANTED['case']}."
    kept = made.replace("text", text)
    assert re.fullmatch(
        r"Call Phone [\d_]+ or [\d_]+@example\.invalid: arn:aws:connect:eu-west-2:0{3}\d{9}:"
        r"instance/[bcdf-]+/agent/[bcdf-]+, [bcdf-]+\.",
        kept,
    )
    assert made.replace("arn", user) in kept
    assert made.replace("identifier", PLANTED["case"]) in kept


def test_ones_own_function_has_not_the_last_word(tmp_path: Path) -> None:
    def careless(text: str) -> str:
        return text.replace("Wysocki", "W.")

    # It leaves what a rule replaces elsewhere: a person's username, in a message.
    with pytest.raises(
        cn.errors.LeakFound, match="the rule 'person' replaces"
    ) as caught:
        ask_all(
            Planted(ListDomains={"domains": [], "message": PLANTED["message"]}),
            record=tmp_path / "r",
            redact=cn.Redaction(
                key=KEY, free_text=lambda text: "zkowalczyk-desk7 rang"
            ),
        )
    assert "zkowalczyk" not in str(caught.value)
    made = Redactor(cn.Redaction(key=KEY, free_text=careless))
    assert made.replace("text", "Call Wysocki") == "Call W."
    nothing = Redactor(cn.Redaction(key=KEY, free_text=lambda text: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="free_text= returned NoneType"):
        nothing.replace("text", "x")


def test_an_error_of_ones_own_function_is_raised(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        recorded(tmp_path / "r", free_text=broken)


def test_bodies_and_requests_that_are_odd_leave_nothing(tmp_path: Path) -> None:
    made = Redactor(cn.Redaction(key=KEY))
    secret = PLANTED["title"]
    for body in (
        f"<html>{secret}</html>".encode(),
        json.dumps({"domains": secret})[:-2].encode(),
        gzip.compress(secret.encode()),
        json.dumps([secret]).encode(),
        json.dumps({"domains": [[{"name": {secret: [secret, 7]}}]]}).encode(),
        json.dumps(secret).encode(),
        b'{"domains": [{"name": 1e999, "domainId": -1e999, "new": NaN}]}',
        b'{"createdTime": 1e999, "lastModifiedTime": -1e999}',
        b"[" * 100_000,
        b'{"a":' * 800 + b"1" + b"}" * 800,
    ):
        for operation, service in (
            ("ListDomains", "connectcases"),
            ("GetDomain", "connectcases"),
            ("NoSuchOperation", "s3"),
        ):
            request = cn.raw.Request(
                operation,
                "POST",
                f"/x/{secret}",
                f"a={secret}&b={secret}",
                body,
                service,
            )
            asked, answer = made.exchange(
                request, cn.raw.Response(200, {"x": secret}, body)
            )
            text = f"{asked} {answer}"
            assert not re.search("Aleksander|Wysocki|biopsy", text), body
            assert b"Infinity" not in answer.body
            assert b"NaN" not in answer.body


def test_the_readme_prints_the_rules() -> None:
    readme = README.read_text("utf-8")
    assert all(f"| `{rule.name}` |" in readme for rule in RULES)
    assert refreshed(readme) == readme


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"keep": "status"}, TypeError, "keep is a list of texts"),
        ({"allow": [7]}, TypeError, "allow is a list of texts"),
        ({"keep": ["person"]}, ValueError, "names a rule whose values never stay"),
        ({"free_text": "all"}, ValueError, "is none of 'drop', 'words' and 'keep'"),
        ({"times": "none"}, ValueError, "neither 'keep' nor 'shift'"),
        ({"key": b"short"}, ValueError, "has 5 bytes, and fewer than 16"),
        ({"key": "secret"}, TypeError, "key is bytes or a Path, not str"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    given: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        cn.Redaction(**given)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "settings" / "key"
    one, two = cn.Redaction(key=file), cn.Redaction(key=file)
    assert one.pseudonyms().number("x") == two.pseudonyms().number("x")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_text().strip() not in repr(one)
    file.write_text("00ff\n")
    with pytest.raises(ValueError, match="holds no key of 16 bytes or more"):
        cn.Redaction(key=file).pseudonyms()


def test_a_key_beside_the_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lies in the recording"):
        recorded(tmp_path / "r", key=tmp_path / "r" / "key")


def test_one_folder_is_under_one_redaction(tmp_path: Path) -> None:
    recorded(tmp_path / "r")
    for how in ({"key": OTHER_KEY}, {"times": "shift"}, {"keep": []}):
        with pytest.raises(ValueError, match="Record into a new folder"):
            recorded(tmp_path / "r", **how)
    with pytest.raises(ValueError, match="not with no redaction"):
        ask_all(Planted(), record=tmp_path / "r", redact=False)


def test_ones_own_responder_is_redacted_and_the_sandbox_is_not(tmp_path: Path) -> None:
    ask_all(Planted(), record=tmp_path / "own")
    assert found_in(written(tmp_path / "own")) == set()
    world = cn.sandbox.World(seed=3, cases=2)
    name = cn.load_domains(cn.connect(world, record=tmp_path / "sandbox")).loc[
        0, "name"
    ]
    assert cn.load_domains(cn.connect(tmp_path / "sandbox")).loc[0, "name"] == name
    # A copy of what is redacted stays that, and says so.
    ids = cn.connect(tmp_path / "own", record=tmp_path / "copy")
    ids.list_domains(
        nextToken=Redactor(cn.Redaction()).replace("token", PLANTED["query"])
    )
    manifests = [
        json.loads((tmp_path / n / "manifest.json").read_text())
        for n in ("own", "copy")
    ]
    assert manifests[0] == manifests[1]


def test_a_client_of_a_redacted_recording_says_so(tmp_path: Path) -> None:
    certificate = cn.load_history(*told(recorded(tmp_path / "r"))).certificate
    assert certificate.source == "redacted recording of Planted"


def test_a_field_of_an_item_that_nobody_knows_tells_none_of_its_letters() -> None:
    redactor = Redactor(cn.Redaction(key=b"k" * 32))
    known, own = (redactor.replace("field_id", f"{n}.secret") for n in ("sla", "acme"))
    assert re.fullmatch(r"sla\.(?!secret)\w+", known)
    assert re.fullmatch(r"(?!acme)\w+\.(?!secret)\w+", own)


def test_what_tells_people_apart_never_stays() -> None:
    able = (
        "custom_entity, domain_name, queue_name, template_name, field_name, name, "
        "search_term, tag"
    )
    cn.Redaction(keep=able.split(", "))
    for name in (
        "identifier", "field_id", "arn", "account", "person", "email", "phone",
        "option", "value", "text", "file_name", "token", "time", "number", "word",
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"Name a field, or one of {able}"):
            cn.Redaction(keep=[name])


def test_an_error_keeps_the_names_that_aws_documents() -> None:
    told = {"message": "No case", "resourceId": "c-1", "resourceType": "CASE"}
    body = json.dumps({**told, "mood": "bad"}).encode()
    for operation, names in (("GetCase", {*told}), ("GetMood", {"message"})):
        asked = cn.raw.Request(operation, "POST", "/domains/d/cases/c-1")
        redactor = Redactor(cn.Redaction(key=KEY))
        _, answer = redactor.exchange(asked, cn.raw.Response(404, {}, body))
        found = json.loads(answer.body)
        assert found.keys() & {*told, "mood"} == names
        assert len(found) == 4
        assert not {*found.values()} & {*told.values(), "bad"}


def test_a_query_keeps_what_is_blank() -> None:
    asked = cn.raw.Request(
        "ListFields", "POST", "/domains/d/fields-list", "maxResults="
    )
    written, _ = Redactor(cn.Redaction(key=KEY)).exchange(
        asked, cn.raw.Response(200, {}, b"{}")
    )
    assert written.query == "maxResults="
