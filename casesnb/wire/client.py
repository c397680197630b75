"""`connect`: a genuine boto3 client, answered by AWS, a recording or a responder."""

from __future__ import annotations

import json
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from casesnb.wire.address import is_loopback
from casesnb.wire.answers import check_answer
from casesnb.wire.calls import prepare
from casesnb.wire.errors import LOCKED_OUT, advise
from casesnb.wire.limits import check_pace
from casesnb.wire.recording import MANIFEST, Recording, refuse_what_leaks
from casesnb.wire.redact.redaction import Redaction
from casesnb.wire.redact.redactor import Redactor
from casesnb.wire.responder import Request, Responder, Response, as_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel, ServiceModel

    from casesnb.wire.limits import Pace

AWS_ERRORS = (BotoCoreError, ClientError)
"""What boto3 raises: before a request is answered, and for an answer that is an error."""

Client = BaseClient
"""Any boto3 client of the ``connectcases`` service, ours or not."""

RECORD_VARIABLE = "CASESNB_RECORD"
"""The environment variable that has folders recorded anew, and from whom."""

_COMMON: dict[str, Any] = {
    "max_pool_connections": 64,
    # Told once: botocore would put it together anew for each request, a quarter of
    # what a page costs on this side.
    "user_agent": f"casesnb Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
}
_sources: weakref.WeakKeyDictionary[Client, str] = weakref.WeakKeyDictionary()
_recordings: weakref.WeakKeyDictionary[Client, Recording] = weakref.WeakKeyDictionary()

_redactors: weakref.WeakValueDictionary[object, Redactor] = (
    weakref.WeakValueDictionary()
)
_redactors_lock = threading.Lock()

_SCHEMES = {"http", "https"}
_OFFLINE_REGION = "us-east-1"
# Nothing answers there: should a hook be lost, no request can reach AWS.
_OFFLINE_ENDPOINT = "https://offline.invalid"


def connect(
    source: str | os.PathLike[str] | Responder | None = None,
    *,
    service_name: str = "connectcases",
    session: boto3.session.Session | None = None,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    record: str | os.PathLike[str] | None = None,
    redact: bool | Redaction = True,
    pace: Pace = True,
) -> Client:
    """Return a boto3 client for Amazon Connect Cases, answered by `source`.

    It is a genuine client in every mode: botocore's own validation, parsing,
    retries and exceptions run whether AWS, a recording or the sandbox answers.

    Parameters
    ----------
    source : str, PathLike or Responder, optional
        Who answers: nothing for AWS, a folder for a recording, a file for an
        archive, or any callable from a Request to a Response, such as
        ``cn.sandbox.World(seed=7)``.
    service_name : str, default "connectcases"
        The service; ``"connect"`` gives the names of users and queues.
    session : boto3.session.Session, optional
        Where credentials and the Region come from; boto3's default otherwise.
    region_name : str, optional
        The Region; the session's own otherwise.
    endpoint_url : str, optional
        Another address than AWS's, such as a simulated service's on loopback,
        which needs no credentials.
    record : str or PathLike, optional
        A folder in which to keep every answer, to be replayed as `source`. A
        good answer stays when a later one is an error, and a whole listing until
        a new one has come to its end.
    redact : bool or Redaction, default True
        Whether the folder gets pseudonyms in place of customers' data, and by
        which policy; the client itself answers as ever. What the sandbox
        invented is kept as it is, unless a Redaction is given.
    pace : bool, float or "full", default True
        How fast to ask over the network. True is half of AWS's published rates,
        for all programs of this user on this machine together, since agents and
        flows share them, and less while requests are refused. ``"full"`` is
        nearly the whole rates, where nobody else asks. A number is requests a
        second for each operation, of this client alone; False is as fast as it
        goes. Answers in process are paced only by a number.

    Returns
    -------
    Client
        A boto3 client.

    Raises
    ------
    FileNotFoundError
        If `source` names no folder.
    CasesError
        If `source` is a file that is no archive.
    TypeError
        If `source` or `redact` is none of these, or `pace` no number.
    ValueError
        If `source` is not a recording, if it is given with `endpoint_url`, if
        that names no scheme, or if `record` holds a recording of something
        else or under another redaction.
    LeakFound
        By a call, if its answer would be written with a value that was to be
        replaced.

    Notes
    -----
    With the environment variable ``CASESNB_RECORD`` set, to ``live`` or to the
    address of a service, a folder as `source` is recorded anew: that service
    answers, the folder gets the redacted answers, and the client sees them as
    the folder will give them. A test run sets it by ``--casesnb-record``.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> client.list_domains()["domains"][0]["name"]
    '...'
    """
    anew = os.environ.get(RECORD_VARIABLE) if record is None else None
    if anew and isinstance(source, (str, os.PathLike)) and not _is_address(source):
        record, source = source, None
        endpoint_url = endpoint_url or (None if anew == "live" else anew)
    else:
        anew = None
    responder = _responder(source)
    if responder is not None and endpoint_url is not None:
        raise ValueError(
            f"source={source!r} answers in process, so endpoint_url is not used. Give "
            "one of the two."
        )
    if endpoint_url is not None and urlsplit(endpoint_url).scheme not in _SCHEMES:
        raise ValueError(
            f"endpoint_url={endpoint_url!r} has no scheme. Give it whole, such as "
            f"'http://{endpoint_url.rpartition('//')[2]}'."
        )
    check_pace(pace)
    recording, redactor = _recording(record, responder, redact, is_seen=bool(anew))
    if responder is not None:
        client = _offline_client(service_name, region_name)
        _sources[client] = _name(responder)
    else:
        client = _live_client(service_name, session, region_name, endpoint_url)
    events = client.meta.events
    service = client.meta.service_model.service_id.hyphenize()
    hooks = _Hooks(client.meta.service_model, responder, recording)
    events.register(f"before-send.{service}", hooks.before_send)  # type: ignore[arg-type]
    if hooks.recording is not None:
        _recordings[client] = hooks.recording
        events.register(f"response-received.{service}", hooks.response_received)
    prepare(client, pace, is_local=responder is not None)
    if anew and redactor is not None:
        _show_redacted(client, hooks, redactor, service)
    return client


def source_of(client: Client) -> str:
    """Return who answers `client`, in a few words."""
    known = _sources.get(client) if isinstance(client, BaseClient) else None
    meta = getattr(client, "meta", None)
    return known or str(getattr(meta, "endpoint_url", type(client).__name__))


def recording_of(client: Client) -> Recording:
    """Return where the answers of `client` are kept."""
    return _recordings[client]


class _Hooks:
    """botocore's events around one request: who answers it and what is kept of it."""

    def __init__(
        self,
        service: ServiceModel,
        responder: Responder | None,
        recording: Recording | None,
    ) -> None:
        self.service = service
        self.responder = responder
        self.recording = recording
        self._asked = threading.local()  # one request at a time in each thread

    def before_send(
        self, request: Any, event_name: str, **_: Any
    ) -> AWSResponse | None:
        asked = as_request(request, event_name.rpartition(".")[2], self.name)
        self._asked.request = asked
        if self.responder is None:
            return None
        answer = self.responder(asked)
        headers = HTTPHeaders.from_pairs(answer.headers.items())
        return AWSResponse(request.url, answer.status, headers, _Raw(answer.body))

    def response_received(self, response_dict: dict[str, Any] | None, **_: Any) -> None:
        if self.recording is None or response_dict is None:
            return
        answer = _response(response_dict)
        if self.is_answer(answer):
            self.recording.keep(self.asked, answer)

    def is_answer(self, response: Response) -> bool:
        """Whether the service answered what this thread asked last."""
        return _is_answer(response, self.service.operation_model(self.asked.operation))

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self.service.service_name)

    @property
    def asked(self) -> Request:
        """What this thread asked last."""
        request: Request = self._asked.request
        return request


def _response(response_dict: dict[str, Any]) -> Response:
    headers = {k.lower(): v for k, v in response_dict["headers"].items()}
    return Response(response_dict["status_code"], headers, response_dict["body"])


def _is_answer(response: Response, operation: OperationModel) -> bool:
    """Whether a service answered: not a throttle, a fault, a proxy or a sign-in."""
    if response.status == 429 or response.status >= 500:
        return False
    try:
        body = json.loads(response.body or b"{}")
        if response.status < 300:
            check_answer(operation, response.body)
    except (ValueError, RecursionError):
        return False  # half a body, or a page that something between us wrote
    if not isinstance(body, dict):
        return False
    named = response.headers.get("x-amzn-errortype") or body.get("__type") or ""
    code = str(named).partition(":")[0].rpartition("#")[2]
    return code not in LOCKED_OUT


class _Raw:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def _is_address(source: object) -> bool:
    return isinstance(source, str) and urlsplit(source).scheme in _SCHEMES


def _responder(source: object) -> Responder | None:
    if source is None:
        return None
    if _is_address(source):
        raise ValueError(
            f"{source} is an address. Give it as cn.connect(endpoint_url={source!r})."
        )
    if isinstance(source, (str, os.PathLike)):
        if Path(source).expanduser().is_file():
            from casesnb.wire.store import Store

            return Store(source)
        return Recording(source)
    if isinstance(source, type):
        raise TypeError(
            f"{source.__name__} is a class, not one of it. Make one: "
            f"cn.connect({source.__name__}(...))."
        )
    if callable(source):
        return cast("Responder", source)
    raise TypeError(
        f"connect takes nothing (AWS), a folder or a responder as its source, not "
        f"{type(source).__name__}. Try cn.connect('recordings/') or "
        "cn.connect(cn.sandbox.World(seed=7))."
    )


def _name(responder: Responder) -> str:
    provenance = _provenance(responder)
    source = str(provenance.get("source"))
    seed = f" (seed {provenance['seed']})" if "seed" in provenance else ""
    kinds = {"Recording": "recording", "Store": "archive", "Archive": "archive"}
    kind = kinds.get(type(responder).__name__)
    if kind is None:
        return f"{source}{seed}"
    redacted = "redacted " if getattr(responder, "redacted", None) else ""
    return f"{redacted}{kind} of {source}{seed}"


def _provenance(responder: Responder) -> dict[str, Any]:
    return getattr(responder, "provenance", None) or {
        "source": type(responder).__name__
    }


def _recording(
    folder: str | os.PathLike[str] | None,
    responder: Responder | None,
    redact: bool | Redaction,
    *,
    is_seen: bool,
) -> tuple[Recording | None, Redactor | None]:
    if not isinstance(redact, (bool, Redaction)):
        raise TypeError(
            f"redact={redact!r} is no redaction. Give True, cn.Redaction(...), or False "
            "to keep customers' data as it is."
        )
    if folder is None:
        return None, None
    provenance = {"source": "live"} if responder is None else _provenance(responder)
    redacted = getattr(responder, "redacted", None)
    if redact is True and (provenance.get("source") == "sandbox" or redacted):
        redact = False  # nobody real is in it
    if redact is False:
        return Recording(folder, provenance=provenance, redacted=redacted), None
    if redact is True:
        redact = _as_before(folder) if is_seen else Redaction()
    # All that record into a folder look for each other's values.
    place = (Path(folder).expanduser().absolute(), redact, is_seen)
    with _redactors_lock:
        known = _redactors.get(place)
        redactor = known or Redactor(redact, is_reversible=is_seen)
        recording = Recording(folder, provenance=provenance, redactor=redactor)
        if known is None:
            recording.recall(redactor)
            _redactors[place] = redactor
    # What came last is looked for once more, be it at the end of the process.
    weakref.finalize(recording, refuse_what_leaks, recording.path, redactor)
    return recording, redactor


def _as_before(folder: str | os.PathLike[str]) -> Redaction:
    """Return the redaction of the recording that is made anew."""
    if not (Path(folder).expanduser() / MANIFEST).exists():
        return Redaction()
    policy = dict(Recording(folder).redacted or {})
    policy.pop("key", None)
    if policy.get("free_text") == "own":
        raise ValueError(
            f"{folder} was redacted by a function of its own. Give it again: "
            "cn.connect(folder, redact=cn.Redaction(free_text=...))."
        )
    return Redaction(**policy)


def _show_redacted(
    client: Client, hooks: _Hooks, redactor: Redactor, service: str
) -> None:
    """Let a client see what its recording holds, and ask in its words."""

    def before_parse(response_dict: dict[str, Any], **_: Any) -> None:
        answer = redactor.exchange(hooks.asked, _response(response_dict))[1]
        if hooks.is_answer(_response(response_dict)):
            response_dict["body"] = answer.body
            for name, value in answer.headers.items():
                response_dict["headers"][name] = value

    def in_its_words(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        known = redactor.originals or {}

        def told(value: Any) -> Any:
            match value:
                case str():
                    return known.get(value, value)
                case dict():
                    return {key: told(inner) for key, inner in value.items()}
                case list() | tuple():
                    return [told(inner) for inner in value]
            return value

        return {name: told(value) for name, value in params.items()}

    events = client.meta.events
    events.register_first(f"before-parse.{service}", before_parse)
    events.register(f"provide-client-params.{service}", in_its_words)  # type: ignore[arg-type]


def _bare_session() -> botocore.session.Session:
    # No settings of this machine may matter: not a profile, not a credential.
    unset = {"profile": (None, None, None, None)}
    core = botocore.session.Session(session_vars=unset)
    for name in ("config_file", "credentials_file"):
        core.set_config_variable(name, os.devnull)
    core.set_config_variable("retry_mode", "standard")
    return core


def _offline_client(service_name: str, region_name: str | None) -> Client:
    return _bare_session().create_client(
        service_name,
        region_name=region_name or _OFFLINE_REGION,
        endpoint_url=_OFFLINE_ENDPOINT,
        config=Config(signature_version=UNSIGNED, **_COMMON),
    )


def _live_client(
    service_name: str,
    session: boto3.session.Session | None,
    region_name: str | None,
    endpoint_url: str | None,
) -> Client:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 8},
        **_COMMON,
    )
    if endpoint_url is not None and is_loopback(urlsplit(endpoint_url).hostname or ""):
        # A proxy would look for this address on its own machine.
        config = config.merge(Config(signature_version=UNSIGNED, proxies={}))
        region_name = region_name or _OFFLINE_REGION
        if session is None:
            session = boto3.session.Session(botocore_session=_bare_session())
    try:
        session = session or boto3.session.Session()
        client: Client = session.client(  # type: ignore[call-overload]
            service_name,
            region_name=region_name,
            endpoint_url=endpoint_url,
            config=config,
        )
    except BotoCoreError as error:
        advise(error)
        raise
    return client
