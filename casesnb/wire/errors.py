"""What went wrong, and what to try: one table for loaders and the explorer.

What AWS and boto3 raise stays theirs, with the way out in its notes. What casesnb
raises is a `CasesError` and ends in the way out itself.
"""

from __future__ import annotations

from typing import NamedTuple

from casesnb.wire.text import visible


class CasesError(Exception):
    """What casesnb raises of its own, beside what boto3 raises.

    Errors of AWS stay boto3's: ``botocore.exceptions.ClientError`` where the
    service answers with an error, ``BotoCoreError`` where nothing answers.
    A wrong argument is a ``ValueError`` or a ``TypeError``, as in any library.
    """


class PageError(CasesError, ValueError):
    """An answer that is not a whole page: the load stops rather than fall short."""


class LoadStopped(CasesError):  # noqa: N818 - nobody's error: the load was told to stop
    """A request that was not sent, since its load had been stopped."""


class LoadTimeout(CasesError, TimeoutError):  # noqa: N818 - reads as Python's own does
    """The time that a load was given is over; nothing more is asked."""


class Advice(NamedTuple):
    """What went wrong with `{of}`, and what to try."""

    what: str
    to_do: str
    is_final: bool = False  # no other request of the load would be answered either


_WITHOUT = "Without AWS, try cn.connect(cn.sandbox.World(seed=7))."
_SIGN_IN = "Sign in again, such as by `aws sso login`, with the same AWS_PROFILE."
_UNREACHABLE = Advice(
    "Nothing answers to read {of}",
    "Check the Region, endpoint_url and this machine's network; Cases is not in every "
    f"Region. {_WITHOUT}",
)
_LOST = Advice(
    "The connection was lost while reading {of}",
    "Check this machine's network, and load it again.",
)
_SIGNED_OUT = Advice(
    "Your AWS sign-in is not valid any more to read {of}", _SIGN_IN, is_final=True
)
_DENIED = Advice(
    "You are not allowed to read {of}",
    "Ask for the read-only policy of the README, of which {action} is missing on this "
    "domain or what is in it; or choose another case.",
)
_BUSY = Advice(
    "The service is asked too often to read {of}",
    "Other programs of the account share its rate. Ask more slowly, such as by "
    "pace=0.5, or try again in a minute.",
)
_FAILED = Advice("The service failed to read {of}", "Try again in a minute.")
_STRANGER = Advice(
    "Something else than AWS refused to read {of}",
    "A proxy or a firewall may stand in between: check HTTPS_PROXY, NO_PROXY and "
    "endpoint_url.",
)

# By AWS's code, or by the name of the error's class or of one that it derives from.
_ADVICE: dict[str, Advice] = {
    "NoRegionError": Advice(
        "No Region is named to read {of}",
        "That of your Connect instance: cn.connect(region_name='eu-west-2'), or "
        f"AWS_DEFAULT_REGION. {_WITHOUT}",
        is_final=True,
    ),
    "NoCredentialsError": Advice(
        "There are no AWS credentials to read {of}",
        "Sign in, such as by `aws sso login`, and name a profile (AWS_PROFILE), or hand "
        f"one over: cn.connect(session=boto3.Session(profile_name=...)). {_WITHOUT}",
        is_final=True,
    ),
    "PartialCredentialsError": Advice(
        "The AWS credentials to read {of} are not whole",
        "Give both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile "
        f"(AWS_PROFILE). {_WITHOUT}",
        is_final=True,
    ),
    "ProfileNotFound": Advice(
        "The AWS profile to read {of} is not there",
        "AWS_PROFILE, or the session, names it: `aws configure list-profiles` shows "
        f"those there are. {_WITHOUT}",
        is_final=True,
    ),
    "CredentialRetrievalError": Advice(
        "The profile's own way to credentials failed to read {of}",
        f"The program or role that the profile names gave none. {_SIGN_IN}",
        is_final=True,
    ),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "SSOError",
            "TokenRetrievalError",
            "UnauthorizedException",
        ),
        _SIGNED_OUT,
    ),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Advice(
            "AWS does not accept your credentials to read {of}",
            "Check this machine's clock, that key and session token belong together, "
            f"and that the account uses this Region. {_SIGN_IN}",
            is_final=True,
        ),
    ),
    **dict.fromkeys(
        ("AccessDeniedException", "AccessDenied", "ForbiddenException"), _DENIED
    ),
    "ResourceNotFoundException": Advice(
        "There is no {of}",
        "It may be of another domain or Region, or deleted, which deletes its history "
        "too: check both ids and the client's Region.",
    ),
    **dict.fromkeys(
        ("ThrottlingException", "Throttling", "TooManyRequestsException"), _BUSY
    ),
    "ValidationException": Advice(
        "The service does not accept {of}",
        "Check ids, fields and filters. A token lasts for a while only: begin with the "
        "first page again.",
    ),
    **dict.fromkeys(
        (
            "InternalServerException",
            "InternalServiceException",
            "ServiceUnavailableException",
            "500",
            "502",
            "503",
            "504",
        ),
        _FAILED,
    ),
    **dict.fromkeys(("400", "401", "403", "404"), _STRANGER),
    "407": Advice(
        "The proxy asks who you are before it lets you read {of}",
        "Put the proxy's user and password into HTTPS_PROXY.",
    ),
    "ProxyConnectionError": Advice(
        "The proxy does not let through the request to read {of}",
        "Check HTTPS_PROXY and NO_PROXY.",
    ),
    "SSLError": Advice(
        "There is no trusted connection to read {of}",
        "A proxy that looks into TLS needs a certificate of its own: name its bundle in "
        "AWS_CA_BUNDLE. Check this machine's clock, too.",
    ),
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ConnectionClosedError": _LOST,
    "HTTPClientError": _LOST,
}

LOCKED_OUT = frozenset(name for name, advice in _ADVICE.items() if advice.is_final)
"""What says that nothing is answered until one signs in, by AWS's code or by class."""

_THROTTLES = frozenset(name for name, advice in _ADVICE.items() if advice is _BUSY)
_OF_CONNECT = frozenset(
    {
        "DescribeUser",
        "ListInstances",
        "ListIntegrationAssociations",
        "ListQueues",
        "ListUsers",
        "SearchUsers",
    }
)


def error_code(error: BaseException) -> str:
    """Return an error's name as AWS gives it, or as Python does."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)


def _names(error: BaseException) -> list[str]:
    return [error_code(error), *(kind.__name__ for kind in type(error).__mro__)]


def advice(error: BaseException) -> Advice | None:
    """Return what there is to try, or None where an error says it itself."""
    found = next((_ADVICE[name] for name in _names(error) if name in _ADVICE), None)
    return found and found._replace(to_do=found.to_do.format(action=_action(error)))


def is_throttle(status: int, code: str) -> bool:
    """Return whether an answer says that we ask too fast."""
    return status == 429 or code.partition(":")[0] in _THROTTLES


def is_locked_out(error: BaseException) -> bool:
    """Return whether no other request of the load would be answered either."""
    is_signed_out = not LOCKED_OUT.isdisjoint(_names(error))
    return is_signed_out or isinstance(error, LoadTimeout)


def advise(error: BaseException, *notes: str) -> None:
    """Note on an error what was asked and what to try, and let its words be shown."""
    error.args = tuple(
        visible(said, lines=True) if isinstance(said, str) else said
        for said in error.args
    )
    found = advice(error)
    for note in (*notes, found.to_do if found else ""):
        if note:
            error.add_note(note)


def about_body(body: bytes) -> str:
    """Return what to try where a body is no JSON, by what it is instead."""
    start = body[:16].lstrip()
    if start.startswith(b"<"):
        return (
            "It is a web page, as proxies and sign-in pages of a network send: check "
            "HTTPS_PROXY, NO_PROXY and endpoint_url, then load it again."
        )
    if start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"\x78\xda")):
        return (
            "It is compressed, which nobody asked for: a proxy in between does so. "
            "Check HTTPS_PROXY and NO_PROXY, then load it again."
        )
    return (
        "Something between you and the service cut or replaced it: load it again."
        if body
        else "It is empty: load it again."
    )


def _action(error: BaseException) -> str:
    """Return the IAM action that an error was about."""
    operation = getattr(error, "operation_name", None)
    if operation is None:
        return "the action"
    return f"{'connect' if operation in _OF_CONNECT else 'cases'}:{operation}"
