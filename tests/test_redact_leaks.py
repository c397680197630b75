"""The leak checker: what it finds, in which forms, and what is none of its business."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from planted import PLANTED, Planted, ask_all

import casesnb as cn
from casesnb.wire.recording import Recording
from casesnb.wire.redact.leaks import LeakChecker
from casesnb.wire.redact.redactor import Redactor

NAME = "Hana Okafor"
LONG = "The customer rang twice about the water damage behind the kitchen wall."


def checker(*values: str, rule: str = "person") -> LeakChecker:
    found = LeakChecker(identifying=["person"])
    for value in values:
        found.add(rule, value)
    return found


FORMS = {
    "as it is": NAME,
    "in a sentence": f"call {NAME}, please",
    "in small letters": NAME.lower(),
    "over two lines": "Hana\n\t Okafor",
    "without its space": "hanaokafor",
    "letter by letter": "H a n a  O k a f o r",
    "in full-width letters": "Ｈａｎａ　Ｏｋａｆｏｒ",
    "in a longer word": "xHanaOkafor2x",
    "URL-encoded": quote(f"who={NAME}"),
    "URL-encoded twice": quote(quote(NAME)),
    "with a plus": "who=Hana+Okafor",
    "as HTML": "Hana&#32;&#79;kafor",
    "JSON-escaped": "\\u0048ana \\u004fkafor",
    "base64": base64.b64encode(NAME.encode()).decode(),
    "base64 from the middle": "xx" + base64.b64encode(f"id={NAME}".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"??>{NAME}".encode())
    .decode()
    .rstrip("="),
    "hexadecimal": NAME.encode().hex(),
    "UTF-16 in base64": base64.b64encode(NAME.encode("utf-16")).decode(),
    "gzip in base64": base64.b64encode(gzip.compress(NAME.encode(), mtime=0)).decode(),
    "base64 in base64": base64.b64encode(base64.b64encode(NAME.encode())).decode(),
    "base64 in a URL": "t=" + quote(base64.b64encode(NAME.encode()).decode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_every_form(form: str) -> None:
    with pytest.raises(
        cn.errors.LeakFound, match="the rule 'person' replaces"
    ) as caught:
        checker(NAME).check("GetCase", {"a": [{"b": FORMS[form]}]})
    assert "okafor" not in str(caught.value).lower()
    checker("Jana Okafur").check("GetCase", {"a": [{"b": FORMS[form]}]})


@pytest.mark.parametrize(
    "data",
    [
        f"<p>{NAME}</p>".encode(),
        NAME.encode("utf-16-le"),
        b"\0" + NAME.encode("utf-16-be"),
        gzip.compress(json.dumps({"name": NAME}).encode(), mtime=0),
        gzip.compress(NAME.encode() + b"-" * 5_000, mtime=0)[:-8],  # cut
        b"\xff\xfe" + NAME.encode() + b"\xff",
    ],
)
def test_a_value_is_found_in_bytes(data: bytes) -> None:
    with pytest.raises(cn.errors.LeakFound):
        checker(NAME).check("case.bin", data)
    checker("Jana Okafur").check("case.bin", data)


def test_a_value_is_found_in_a_members_name_and_a_file_s() -> None:
    with pytest.raises(cn.errors.LeakFound, match="a member's name in GetCase"):
        checker(NAME).check("GetCase", {NAME: 1})
    with pytest.raises(cn.errors.LeakFound):
        checker(NAME).check("GetCase", {"": f"GetCase/{NAME}.json"})


def test_any_piece_of_a_long_value_is_found() -> None:
    looking = checker(LONG)
    for start in range(len(LONG) - 22):
        with pytest.raises(cn.errors.LeakFound):
            looking.check("GetCase", {"a": f"see: {LONG[start : start + 23]}..."})


def test_the_parts_of_an_arn_are_found() -> None:
    arn = "arn:aws:connect:eu-west-2:718239465102:instance/5e0b1d7a/agent/zkowalczyk"
    for part in ("718239465102", "5e0b1d7a", "zkowalczyk"):
        with pytest.raises(cn.errors.LeakFound):
            checker(arn).check("GetCase", [f"it says {part}."])


def test_a_short_value_counts_as_a_whole_word_only() -> None:
    for value, text, is_leak in (
        ("Anna", "savannah", False),
        ("Anna", "for Anna.", True),
        ("1250", "at 12:50:1250", True),
        ("1250", "0012509", False),
        ("77120945", "ref 177120945", False),
        ("77120945", "ref 77120945", True),
        ("12345678", "n12345678n", True),
        ("123456789", "99123456789", True),  # long enough to be no part of another
        ("Rome", "chrome", False),
        ("Rome", "in Rome.", True),
        ("Smith", "blacksmith", False),
        ("Smiths", "blacksmiths", True),
        ("12345678", "9912345678", False),
        ("Okafor", "mrokafor", True),
        ("Bo", "Bo", False),  # three characters or fewer
        ("----", "----", False),  # no value at all
    ):
        found = checker(value)
        if is_leak:
            with pytest.raises(cn.errors.LeakFound):
                found.check("GetCase", [text])
        else:
            found.check("GetCase", [text])


def test_what_stays_by_policy_is_searched_for_people_only() -> None:
    found = checker(NAME)
    found.add("text", "escalated")  # the title of some case
    found.keep("escalated")
    found.check("GetCase", ["escalated"])
    found.keep("waiting for Hana Okafor")
    with pytest.raises(cn.errors.LeakFound):
        found.check("GetCase", ["waiting for Hana Okafor"])


def test_an_everyday_word_can_be_allowed() -> None:
    found = LeakChecker(identifying=["person"], allow=["Will"])
    found.add("person", "Will")
    found.add("person", "Will Okafor")
    found.check("GetCase", ["this will do"])
    with pytest.raises(cn.errors.LeakFound):
        found.check("GetCase", ["Will Okafor"])


def test_aws_s_own_words_and_times_are_no_leak() -> None:
    redactor = Redactor(cn.Redaction(key=b"k" * 32))
    for value in ("Contact", "fields", "2026", "Closed", "status", "1000"):
        redactor.leaks.add("text", value)
    page = {
        "fields": [{"type": "Contact", "status": "closed", "maxResults": 1000}],
        "at": "2026-03-02T09:00:00.000Z",
        "date": "Mon, 02 Mar 2026 12:00:00 GMT",
        "query": "maxResults=1000&status=Active",
    }
    redactor.leaks.check("GetCase", page)


def test_a_value_that_comes_later_takes_back_what_was_written(tmp_path: Path) -> None:
    """A title that was asked to stay names a person whom a later answer lists."""
    redactor = Redactor(cn.Redaction(key=b"k" * 32, keep=["status", "title"]))
    recording = Recording(tmp_path, provenance={"source": "x"}, redactor=redactor)

    def keep(operation: str, path: str, answer: object, service: str) -> None:
        request = cn.raw.Request(operation, "POST", path, service=service)
        body = json.dumps(answer).encode()
        recording.keep(request, cn.raw.Response(200, {}, body))

    def title(case: str, text: str) -> None:
        fields = [{"id": "title", "value": {"stringValue": text}}]
        keep("GetCase", f"/domains/d/cases/{case}", {"fields": fields}, "connectcases")

    title("c1", f"Complaint about {NAME}")
    title("c2", f"Complaint about {NAME}")
    title("c3", "Complaint about the weather")
    people = {
        "Users": [{"Username": "hokafor", "IdentityInfo": {"LastName": "Okafor"}}]
    }
    with pytest.raises(
        cn.errors.LeakFound, match="GetCase, written before, .* taken back"
    ):
        keep("SearchUsers", "/search-users", people, "connect")
    left = list(tmp_path.glob("GetCase/*.json"))
    assert len(left) == 1
    assert "weather" in left[0].read_text()
    recording.finish()  # told once


def test_a_run_looks_in_what_earlier_runs_recorded(tmp_path: Path) -> None:
    how = {"record": tmp_path, "redact": cn.Redaction(keep=["title"], key=b"k" * 32)}
    case = {"domainId": PLANTED["domain"], "caseId": PLANTED["case"]}

    def named(request: cn.raw.Request) -> cn.raw.Response:
        told = {"fields": [{"id": "title", "value": {"stringValue": f"For {NAME}"}}]}
        return cn.raw.Response(200, {}, json.dumps(told).encode())

    cn.connect(named, **how).get_case(**case, fields=[{"id": "title"}])
    users = {"Users": [{"Username": NAME, "Id": "u"}]}

    class function(Planted):  # noqa: N801 - the same source as before
        pass

    people = cn.connect(function(SearchUsers=users), service_name="connect", **how)
    with pytest.raises(cn.errors.LeakFound):
        people.search_users(InstanceId="i")
    assert not list(tmp_path.glob("GetCase/*.json"))


def test_two_recorders_of_one_folder_know_each_other_s_values(tmp_path: Path) -> None:
    users = {"Users": [{"Username": "second invoice", "Id": "u1"}]}
    with pytest.raises(cn.errors.LeakFound, match="the rule 'person' replaces"):
        ask_all(
            Planted(SearchUsers=users),
            record=tmp_path,
            redact=cn.Redaction(keep=["summary"], key=b"k" * 32),
        )


def test_a_leak_says_where_in_a_list_it_stands() -> None:
    with pytest.raises(cn.errors.LeakFound, match=r"GetCase\.…\[2\] holds"):
        checker(NAME).check("GetCase", {"cases": ["a", "b", f"for {NAME}"]})
