"""What went wrong and what to try: one table, told by loaders and the explorer alike."""

from __future__ import annotations

import json
import re
import traceback
from pathlib import Path
from typing import Any

import botocore.exceptions as boto
import pytest
from answers import reply
from botocore.exceptions import ClientError

import casesnb as cn
from casesnb.view.explorer.jobs import explain
from casesnb.wire.errors import (
    LoadStopped,
    LoadTimeout,
    advice,
    error_code,
    is_locked_out,
    is_throttle,
)
from casesnb.wire.pages import ask

ROOT = Path(__file__).parents[1]
URL = "https://cases.eu-west-2.amazonaws.com/"


def refused(code: str, message: str = "why", operation: str = "GetCase") -> ClientError:
    told: Any = {"Error": {"Code": code, "Message": message}}
    return ClientError(told, operation)


@pytest.mark.parametrize(
    ("error", "what", "to_do", "is_final"),
    [
        (refused("ExpiredTokenException"), "sign-in is not valid", "aws sso login", 1),
        (refused("ExpiredToken"), "sign-in is not valid", "aws sso login", 1),
        (boto.UnauthorizedSSOTokenError(), "sign-in is not", "aws sso login", 1),
        (boto.SSOTokenLoadError(error_msg="x"), "sign-in is not", "aws sso login", 1),
        (
            boto.TokenRetrievalError(provider="sso", error_msg="x"),
            "sign-in is not",
            "aws sso login",
            1,
        ),
        (
            boto.CredentialRetrievalError(provider="process", error_msg="x"),
            "own way to credentials",
            "aws sso login",
            1,
        ),
        (refused("UnrecognizedClientException"), "does not accept your", "clock", 1),
        (refused("SignatureDoesNotMatch"), "does not accept your", "clock", 1),
        (boto.NoCredentialsError(), "no AWS credentials", "AWS_PROFILE", 1),
        (
            boto.PartialCredentialsError(provider="env", cred_var="x"),
            "not whole",
            "Give both",
            1,
        ),
        (boto.NoRegionError(), "No Region", "cn.connect(region_name=", 1),
        (boto.ProfileNotFound(profile="x"), "is not there", "list-profiles", 1),
        (
            refused("AccessDeniedException"),
            "not allowed",
            "of which cases:GetCase is missing",
            0,
        ),
        (
            refused("AccessDeniedException", operation="ListQueues"),
            "not allowed",
            "of which connect:ListQueues is missing",
            0,
        ),
        (
            refused("ResourceNotFoundException"),
            "There is no case 7",
            "another domain or Region, or deleted",
            0,
        ),
        (refused("ThrottlingException"), "asked too often", "pace=0.5", 0),
        (refused("TooManyRequestsException"), "asked too often", "pace=0.5", 0),
        (refused("ValidationException"), "does not accept case 7", "first page", 0),
        (refused("InternalServerException"), "service failed", "in a minute", 0),
        (refused("503"), "service failed", "in a minute", 0),
        (refused("403"), "Something else than AWS", "HTTPS_PROXY", 0),
        (refused("407"), "The proxy asks who you are", "HTTPS_PROXY", 0),
        (
            boto.SSLError(endpoint_url=URL, error="CERTIFICATE_VERIFY_FAILED"),
            "no trusted connection",
            "AWS_CA_BUNDLE",
            0,
        ),
        (
            boto.ProxyConnectionError(proxy_url="http://proxy", error="x"),
            "proxy does not let through",
            "NO_PROXY",
            0,
        ),
        (
            boto.EndpointConnectionError(endpoint_url=URL, error="x"),
            "Nothing answers",
            "Check the Region",
            0,
        ),
        (
            boto.ConnectTimeoutError(endpoint_url=URL, error="x"),
            "Nothing answers",
            "Check the Region",
            0,
        ),
        (
            boto.ReadTimeoutError(endpoint_url=URL, error="x"),
            "connection was lost",
            "load it again",
            0,
        ),
        (
            boto.ConnectionClosedError(endpoint_url=URL, error="x"),
            "connection was lost",
            "load it again",
            0,
        ),
    ],
    ids=lambda value: error_code(value) if isinstance(value, Exception) else "",
)
def test_what_went_wrong_is_told_with_what_to_try(
    error: Exception, what: str, to_do: str, is_final: int
) -> None:
    found = advice(error)
    assert found is not None
    assert what in found.what.format(of="case 7")
    assert to_do in found.to_do
    assert is_locked_out(error) == found.is_final == bool(is_final)
    line = explain(error, "case 7")
    assert line.startswith(found.what.format(of="case 7") + ": ")
    assert line.endswith(found.to_do)

    class Fake:
        def get_domain(self, **_: object) -> None:
            raise error

    with pytest.raises(type(error)) as caught:
        ask(Fake(), "GetDomain", {"domainId": "d"})  # type: ignore[arg-type]
    assert caught.value.__notes__ == [
        "casesnb was asking for GetDomain page 1 of domainId d.",
        found.to_do,
    ]


def test_an_error_of_no_row_gets_no_advice_and_one_line() -> None:
    error = refused("TeapotException")
    assert advice(error) is None
    assert explain(error, "case 7") == (
        "Could not read case 7: why (TeapotException). Try again."
    )


def test_what_casesnb_raises_is_a_cases_error_and_what_it_was_before() -> None:
    assert issubclass(cn.errors.PageError, cn.CasesError)
    assert issubclass(cn.errors.PageError, ValueError)
    assert issubclass(cn.errors.RecordingNotFound, cn.CasesError)
    assert issubclass(cn.errors.RecordingNotFound, LookupError)
    assert issubclass(LoadTimeout, cn.CasesError)
    assert issubclass(LoadTimeout, TimeoutError)
    assert issubclass(LoadStopped, cn.CasesError)
    assert not issubclass(ClientError, cn.CasesError)
    for error in (
        cn.errors.PageError("Load it again."),
        cn.errors.RecordingNotFound("Record it."),
    ):
        assert advice(error) is None
        assert explain(error, "case 7") == f"Could not read case 7: {error}"


def test_a_load_whose_time_is_over_asks_for_no_other_case() -> None:
    assert is_locked_out(LoadTimeout("over"))
    assert not is_locked_out(cn.errors.PageError("odd"))


@pytest.mark.parametrize(
    ("status", "code", "is_one"),
    [
        (429, "", True),
        (400, "ThrottlingException", True),
        (400, "ThrottlingException:http://internal.amazon.com/", True),
        (400, "ValidationException", False),
        (503, "", False),
    ],
)
def test_what_a_throttle_is(status: int, code: str, is_one: bool) -> None:
    assert is_throttle(status, code) is is_one


def test_what_aws_says_reaches_no_terminal_as_it_is() -> None:
    hostile = "no \x1b[2J\x1b]0;owned\x07 \u202efdp.exe case"
    headers = {"x-amzn-errortype": "ResourceNotFoundException"}
    client = cn.connect(lambda request: reply({"message": hostile}, 404, **headers))
    with pytest.raises(ClientError) as caught:
        cn.load_history(client, "d", "\x1b[31mc")
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "no ‹U+001B›[2J‹U+001B›]0;owned‹U+0007› ‹U+202E›fdp.exe case" in shown
    assert "caseId ‹U+001B›[31mc" in shown
    assert shown.replace("\n", "").isprintable()
    # A program still has what AWS said.
    assert caught.value.response["Error"]["Message"] == hostile


def policy() -> set[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    (found,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    statements = json.loads(found)["Statement"]
    return {action for each in statements for action in each["Action"]}


def asked() -> set[str]:
    """The operations that the loaders ask, from their code."""
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "casesnb" / "tables").glob("*.py")
    )
    return set(re.findall(r'"((?:Get|List|Search|BatchGet)[A-Z]\w+)"', code))


def test_the_readmes_policy_allows_what_is_asked_and_the_advice_names_its_action() -> (
    None
):
    operations = asked()
    assert operations >= {"GetCaseAuditEvents", "SearchCases", "ListQueues"}
    for operation in operations:
        found = advice(refused("AccessDeniedException", operation=operation))
        assert found is not None
        (action,) = re.findall(r"of which (\S+) is missing", found.to_do)
        assert action in policy(), operation
