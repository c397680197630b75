"""What to try when botocore could not ask: notes for errors that tell none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITHOUT = "Without AWS, try cn.connect(cn.sandbox.World(seed=7))."
_SIGN_IN = "Sign in again, such as by `aws sso login`, with the same AWS_PROFILE."
_REACH = (
    "Check the Region, endpoint_url and this machine's network; Cases is not in every "
    f"Region. {_WITHOUT}"
)
_ADVICE: Mapping[type[Exception], str] = {
    NoRegionError: "That of your Connect instance: cn.connect(region_name='eu-west-2')"
    f", or AWS_DEFAULT_REGION. {_WITHOUT}",
    NoCredentialsError: "Name a profile (AWS_PROFILE), or hand one over: "
    f"cn.connect(session=boto3.Session(profile_name=...)). {_WITHOUT}",
    PartialCredentialsError: "Give both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    f"or name a profile (AWS_PROFILE). {_WITHOUT}",
    ProfileNotFound: "AWS_PROFILE, or the session, names it: `aws configure "
    f"list-profiles` shows those there are. {_WITHOUT}",
    SSOError: _SIGN_IN,
    TokenRetrievalError: _SIGN_IN,
    CredentialRetrievalError: f"The profile's own way to credentials failed. {_SIGN_IN}",
    EndpointConnectionError: _REACH,
    ConnectTimeoutError: _REACH,
}

LOCKED_OUT = frozenset(
    {
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "NoCredentialsError",
        "PartialCredentialsError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    }
)
"""What says that nothing is answered until one signs in again."""


def advise(error: Exception) -> None:
    """Add a note that says what to try, where botocore's error says nothing of it."""
    for kind, advice in _ADVICE.items():
        if isinstance(error, kind):
            error.add_note(advice)
            return
