"""connect: who answers, what is refused, and that the client stays botocore's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from answers import Pages, event, over_http, reply
from botocore.stub import Stubber

import casesnb as cn
from casesnb.wire.client import source_of


def domains(request: cn.raw.Request) -> cn.raw.Response:
    arn = "arn:aws:cases:us-east-1:111122223333:domain/d1"
    return reply({"domains": [{"domainId": "d1", "domainArn": arn, "name": "Retail"}]})


def missing(request: cn.raw.Request) -> cn.raw.Response:
    return reply(
        {"message": "no such case", "resourceId": "c9", "resourceType": "Case"},
        404,
        **{"x-amzn-errortype": "ResourceNotFoundException"},
    )


def test_a_function_answers_in_place_of_aws_without_credentials() -> None:
    client = cn.connect(domains)
    answer = client.list_domains()
    assert answer["domains"][0]["name"] == "Retail"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_responder_sees_the_request_as_aws_would() -> None:
    seen: list[cn.raw.Request] = []

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        seen.append(request)
        return reply({"domains": []})

    cn.connect(answer).list_domains(maxResults=3)
    assert (seen[0].operation, seen[0].method) == ("ListDomains", "POST")
    assert (seen[0].path, seen[0].query) == ("/domains-list", "maxResults=3")
    assert seen[0].service == "connectcases"


def test_errors_are_botocores_own() -> None:
    client = cn.connect(missing)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_case_audit_events(domainId="d", caseId="c9")
    assert caught.value.response["resourceId"] == "c9"


def test_parameters_are_checked_by_botocore() -> None:
    with pytest.raises(botocore.exceptions.ParamValidationError, match="caseId"):
        cn.connect(domains).get_case_audit_events(domainId="d")


def test_a_throttled_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answers = [
        reply(
            {"message": "slow down"}, 429, **{"x-amzn-errortype": "ThrottlingException"}
        ),
        domains(cn.raw.Request("ListDomains", "POST", "/domains-list")),
    ]
    client = cn.connect(lambda request: answers.pop(0))
    assert client.list_domains()["ResponseMetadata"]["RetryAttempts"] == 1


def test_settings_of_this_machine_do_not_matter_offline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CONNECTCASES", "http://127.0.0.1:9")
    assert cn.connect(domains).list_domains()["domains"]


def test_a_loopback_address_needs_no_credentials() -> None:
    with over_http(domains) as url:
        client = cn.connect(endpoint_url=url, pace=False)
        assert client.list_domains()["domains"][0]["domainId"] == "d1"
        assert source_of(client) == url


def test_a_live_client_takes_the_sessions_region_and_credentials() -> None:
    session = boto3.session.Session(
        aws_access_key_id="x", aws_secret_access_key="y", region_name="eu-west-2"
    )
    client = cn.connect(session=session)
    assert client.meta.region_name == "eu-west-2"
    assert client.meta.endpoint_url == "https://cases.eu-west-2.amazonaws.com"
    assert cn.connect(region_name="us-west-2", session=session).meta.region_name == (
        "us-west-2"
    )


def test_the_connect_service_gives_names() -> None:
    client = cn.connect(
        lambda request: reply({"UserSummaryList": [{"Id": "u1", "Username": "ann"}]}),
        service_name="connect",
    )
    assert client.list_users(InstanceId="i")["UserSummaryList"][0]["Username"] == "ann"


def test_a_source_of_the_wrong_type_is_one_sentence() -> None:
    with pytest.raises(TypeError) as caught:
        cn.connect(7)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "connect takes nothing (AWS), a folder or a responder as its source, not int. "
        "Try cn.connect('recordings/') or cn.connect(cn.sandbox.World(seed=7))."
    )


def test_an_address_as_source_is_told_where_it_belongs() -> None:
    with pytest.raises(ValueError, match=r"Give it as cn\.connect\(endpoint_url="):
        cn.connect("http://127.0.0.1:8700")


def test_a_source_and_an_address_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="Give one of the two"):
        cn.connect(domains, endpoint_url="http://127.0.0.1:8700")


def test_a_live_service_is_redacted_unless_it_is_meant_otherwise(
    tmp_path: Path,
) -> None:
    with over_http(domains) as url:
        live = cn.connect(endpoint_url=url, record=tmp_path, pace=False)
        assert live.list_domains()["domains"][0]["name"] == "Retail"
    (found,) = cn.connect(tmp_path).list_domains()["domains"]
    assert found["name"].startswith("Domain ")
    assert b"Retail" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*.json"))


def test_a_redaction_of_the_wrong_type_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"redact='yes' is no redaction\. Give True"):
        cn.connect(domains, record=tmp_path, redact="yes")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_live_service_is_recorded_when_it_is_meant(tmp_path: Path) -> None:
    with over_http(domains) as url:
        live = cn.connect(endpoint_url=url, record=tmp_path, redact=False, pace=False)
        live.list_domains()
    assert cn.connect(tmp_path).list_domains()["domains"][0]["name"] == "Retail"
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["recorded_from"] == {"source": "live"}


def test_a_stubbed_client_can_be_loaded_from() -> None:
    client = boto3.client(
        "connectcases",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    page = {"auditEvents": [event(0), event(1)]}
    with Stubber(client) as stub:
        stub.add_response("get_case_audit_events", page)
        history = cn.load_history(client, "d", "c")
    assert history.events["event_id"].tolist() == ["e0", "e1"]


def test_a_fake_client_can_be_loaded_from() -> None:
    class Fake:
        def get_case_audit_events(self, **asked: object) -> object:
            return {"auditEvents": [event(0)], "nextToken": None}

    history = cn.load_history(Fake(), "d", "c")  # type: ignore[arg-type]
    assert history.certificate.source == "Fake"
    assert len(history.changes) == 1


def test_a_plain_client_that_connect_never_saw_gives_the_same_frames() -> None:
    pages = Pages([event(n) for n in range(60)])
    with over_http(pages) as url:
        plain = boto3.client(
            "connectcases",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
        )
        live = cn.load_history(plain, "d", "c")
        # The client itself still parses for its owner.
        assert (
            len(plain.get_case_audit_events(domainId="d", caseId="c")["auditEvents"])
            == 25
        )
    ours = cn.load_history(cn.connect(pages), "d", "c")
    assert live.changes.equals(ours.changes)
    assert live.certificate.sha256 == ours.certificate.sha256


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (
            {"source": cn.sandbox.World},
            TypeError,
            r"World is a class.*connect\(World\(",
        ),
        ({"endpoint_url": "localhost:8700"}, ValueError, "as 'http://localhost:8700'"),
        ({"source": domains, "pace": "2"}, TypeError, "pace='2' is not a rate. Give"),
        ({"source": domains, "pace": -1}, ValueError, "pace=-1 is not a rate. Give"),
    ],
)
def test_what_connect_cannot_take_is_one_sentence(
    arguments: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        cn.connect(**arguments)


def test_a_profile_that_is_not_there_is_told_with_what_to_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(botocore.exceptions.ProfileNotFound) as caught:
        cn.connect(region_name="eu-west-2")
    assert "`aws configure list-profiles` shows" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (botocore.exceptions.UnauthorizedSSOTokenError(), "`aws sso login`"),
        (
            botocore.exceptions.SSOTokenLoadError(error_msg="expired"),
            "`aws sso login`",
        ),
        (
            botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            "Give both",
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"),
            "Check the Region",
        ),
    ],
)
def test_an_error_before_the_answer_says_what_to_try(
    error: Exception, told: str
) -> None:
    def fails(_: cn.raw.Request) -> cn.raw.Response:
        raise error

    with pytest.raises(type(error)) as caught:
        cn.load_domains(cn.connect(fails))
    asked, advice = caught.value.__notes__
    assert asked == "casesnb was asking for ListDomains page 1 of the list."
    assert told in advice


def test_a_service_on_this_machine_needs_no_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    client = cn.connect(endpoint_url="http://127.0.0.1:9", pace=False)
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    with pytest.raises(botocore.exceptions.ProfileNotFound):
        cn.connect(endpoint_url="https://cases.us-east-1.amazonaws.com")
