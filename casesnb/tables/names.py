"""Names beside the ids: what people call fields, values, users and queues today.

A history holds ids. Names are looked up when asked, so they are today's: a field
that was renamed shows its new name on old events, and `Catalogue.as_of` says when
they were looked up.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from casesnb.tables.arguments import need_pandas
from casesnb.tables.history import History
from casesnb.tables.load import (
    is_field,
    listed,
    load_fields,
    load_options,
    load_templates,
)
from casesnb.tables.schema import (
    FIELDS,
    OPTIONS,
    QUEUES,
    SERVICE_ROLE,
    TEMPLATES,
    TEXT_TYPE,
    USERS,
)
from casesnb.wire.errors import error_code
from casesnb.wire.pages import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from casesnb.wire.client import Client
    from casesnb.wire.pages import Page

_INSTANCE = re.compile(r"(?:.*:instance/)?([^/:]+)(?:/.*)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SERVICE = "Amazon Connect"
_NOT_FOUND = frozenset({"ResourceNotFoundException"})
_REFUSED = _NOT_FOUND | {
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedException",
    "RecordingNotFound",  # a folder of recordings need not hold the names
}
_HOLDER = "assigned_user"
_USERS = ""  # no field has this id
_LABELS = {
    "old": "old_label",
    "new": "new_label",
    "value": "label",
    "from_value": "from_label",
    "to_value": "to_label",
    "previous": "previous_label",
    "expected": "expected_label",
    "found": "found_label",
    "history_value": "history_label",
    "current_value": "current_label",
}


@dataclass(frozen=True, slots=True, repr=False)
class Catalogue:
    """What a domain's ids are called, as looked up at one moment.

    Parameters
    ----------
    domain_id : str
        The domain.
    as_of : datetime
        When the names were looked up, UTC: they are the names of that day, not of
        the day on which a history's events happened.
    fields : DataFrame
        ``schema.FIELDS``.
    options : DataFrame
        ``schema.OPTIONS``.
    templates : DataFrame
        ``schema.TEMPLATES``.
    users : DataFrame
        ``schema.USERS``; no rows where no ``connect`` client was given.
    queues : DataFrame
        ``schema.QUEUES``; no rows where no ``connect`` client was given.
    unread : tuple of str
        What could not be looked up, and why.
    """

    domain_id: str
    as_of: dt.datetime
    fields: pd.DataFrame
    options: pd.DataFrame
    templates: pd.DataFrame
    users: pd.DataFrame
    queues: pd.DataFrame
    unread: tuple[str, ...] = ()

    def unnamed(self, frame: pd.DataFrame) -> dict[str, int]:
        """Count the distinct ids of a frame that have no name in it.

        Parameters
        ----------
        frame : DataFrame
            Any frame that `with_names` takes.

        Returns
        -------
        dict
            By what they are: ``fields``, ``values``, ``actors``.
        """
        return _with_names(frame, self)[1]

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{len(getattr(self, name))} {name}"
            for name in ("fields", "options", "templates", "users", "queues")
        )
        lacks = f"; not read: {'; '.join(self.unread)}" if self.unread else ""
        return f"Catalogue: {parts}, as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC{lacks}"


def load_catalogue(
    client: Client,
    domain_id: str,
    *,
    connect: Client | None = None,
    field_ids: Iterable[str] = (),
    instance_id: str | None = None,
) -> Catalogue:
    """Look up what a domain's fields, values, users and queues are called today.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    connect : Client, optional
        Any boto3 ``connect`` client, such as ``connect(service_name="connect")``
        makes: it names users and queues.
    field_ids : iterable of str
        Fields that a history mentions, so that deleted ones are named too.
    instance_id : str, optional
        The Connect instance, or any ARN in it, such as a history's ``user_arn``.
        Looked up by the domain otherwise, which needs the right to list
        instances.

    Returns
    -------
    Catalogue
        The names. What the caller may not read is missing and listed in its
        ``unread``.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers other than a refusal; a missing domain is
        ``ResourceNotFoundException``.

    See Also
    --------
    with_names : Puts the names beside a frame's ids.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> client = cn.connect(world)
    >>> domain_id = cn.load_domains(client).loc[0, "domain_id"]
    >>> connect = cn.connect(world, service_name="connect")
    >>> catalogue = load_catalogue(client, domain_id, connect=connect)
    >>> catalogue.unread
    ()
    """
    unread: list[str] = []

    def read(
        what: str,
        load: Callable[[], Any],
        otherwise: Any,
        refused: frozenset[str] = _REFUSED,
    ) -> Any:
        try:
            return load()
        except Exception as error:
            code = error_code(error)
            if code not in refused:
                raise
            unread.append(f"{what} ({code})")
            return otherwise

    domain: Page | None = read(
        "the domain",
        lambda: ask(client, "GetDomain", {"domainId": domain_id}),
        None,
        _REFUSED - _NOT_FOUND,  # a domain that is not there has no names at all
    )
    fields = read(
        "fields",
        lambda: load_fields(client, domain_id, field_ids=field_ids),
        FIELDS.empty(),
    )
    options = [
        read(
            f"options of {field_id}",
            partial(load_options, client, domain_id, [field_id]),
            OPTIONS.empty(),
        )
        for field_id in fields.loc[fields["type"] == "SingleSelect", "field_id"]
    ]
    templates = read(
        "templates", lambda: load_templates(client, domain_id), TEMPLATES.empty()
    )
    users, queues = USERS.empty(), QUEUES.empty()
    if connect is not None:
        given = _INSTANCE.fullmatch(instance_id or "")
        instance = given[1] if given else None
        if instance is None and domain is not None:
            arn = str(json.loads(domain.body)["domainArn"])
            instance = read("instances", lambda: _instance_of(connect, arn), None)
        if instance is None:
            unread.append("users and queues (the instance is not known)")
        else:
            users = read("users", lambda: load_users(connect, instance), users)
            queues = read("queues", lambda: load_queues(connect, instance), queues)
    return Catalogue(
        domain_id,
        (domain and domain.sent_at) or dt.datetime.now(dt.UTC),
        fields,
        OPTIONS.cast(pd.concat(options, ignore_index=True))
        if options
        else OPTIONS.empty(),
        templates,
        users,
        queues,
        tuple(unread),
    )


def load_users(connect: Client, instance_id: str) -> pd.DataFrame:
    """One row per user of a Connect instance."""
    asked: dict[str, Any] = {"InstanceId": instance_id}
    try:
        found = list(listed(connect, "SearchUsers", "Users", **asked, MaxResults=500))
    except Exception as error:
        if error_code(error) not in _REFUSED:
            raise
        found = list(
            listed(connect, "ListUsers", "UserSummaryList", **asked, MaxResults=1000)
        )
    rows = []
    for user in found:
        who = user.get("IdentityInfo") or {}
        name = f"{who.get('FirstName') or ''} {who.get('LastName') or ''}".strip()
        rows.append(
            {
                "user_id": user.get("Id"),
                "user_arn": user.get("Arn"),
                "username": user.get("Username"),
                "name": name or user.get("Username"),
            }
        )
    frame = USERS.cast(pd.DataFrame(rows, columns=USERS.names))
    return frame.sort_values(["username", "user_id"], ignore_index=True)


def load_queues(connect: Client, instance_id: str) -> pd.DataFrame:
    """One row per standard queue of a Connect instance, by name."""
    rows = [
        {
            "queue_id": queue.get("Id"),
            "queue_arn": queue.get("Arn"),
            "name": queue.get("Name"),
        }
        for queue in listed(
            connect,
            "ListQueues",
            "QueueSummaryList",
            InstanceId=instance_id,
            QueueTypes=["STANDARD"],
            MaxResults=1000,
        )
    ]
    frame = QUEUES.cast(pd.DataFrame(rows, columns=QUEUES.names))
    return frame.sort_values(["name", "queue_id"], ignore_index=True)


@overload
def with_names(
    frame: History[pd.DataFrame], catalogue: Catalogue, /
) -> History[pd.DataFrame]: ...
@overload
def with_names(frame: pd.DataFrame, catalogue: Catalogue, /) -> pd.DataFrame: ...
def with_names(
    frame: pd.DataFrame | History[pd.DataFrame], catalogue: Catalogue, /
) -> pd.DataFrame | History[pd.DataFrame]:
    """Put today's names beside a frame's ids, or beside those of a History.

    Parameters
    ----------
    frame : DataFrame or History
        Events, changes, what the analysis returned of them, or cases: any frame
        with a ``field_id`` and its values, with an ``actor``, or with a column for
        each field, such as ``status``. Or a History, for both its frames.
    catalogue : Catalogue
        The names.

    Returns
    -------
    DataFrame or History
        A new one: the ids stay, and those of the columns of ``schema.NAMES``
        that apply come after them; with a column for each field, those whose
        values have names get a ``<field_id>_label``. Where there is no name, the
        id itself or its readable tail stands: `Catalogue.unnamed` counts those.

    Raises
    ------
    TypeError
        If `catalogue` is none, or a table is of another engine than pandas.

    See Also
    --------
    load_catalogue : Looks the names up.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> catalogue = load_catalogue(cn.connect(world), world.showcase[0])
    >>> moves = with_names(cn.transitions(history), catalogue)
    >>> moves.loc[0, ["from_label", "to_label"]].tolist()
    ['Closed', 'Open']
    """
    if not isinstance(catalogue, Catalogue):
        raise TypeError(
            f"{type(catalogue).__name__} is no catalogue. Give what load_catalogue "
            "returned."
        )
    if isinstance(frame, History):
        return replace(
            frame,
            events=with_names(frame.events, catalogue),
            changes=with_names(frame.changes, catalogue),
        )
    return _with_names(frame, catalogue)[0]


def _with_names(
    frame: pd.DataFrame, catalogue: Catalogue
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a frame with names, and how many fields, values and actors have none."""
    need_pandas(frame)
    out = frame.copy(deep=False)
    n_unnamed: dict[str, int] = {}
    known = _value_names(catalogue)
    unnamed: set[tuple[str, str]] = set()
    if "field_id" in frame:
        names = _names(catalogue.fields, "field_id", "name")
        # A related item's own members, such as comment.body, are called what they are.
        ids = frame["field_id"].dropna().unique()
        names |= {name: name for name in ids if not is_field(name)}
        out["field"], n_unnamed["fields"] = _named(frame["field_id"], names)
        for value, label in _LABELS.items():
            kinds = _kinds(frame, value)
            if kinds is not None:
                out[label] = _labels(
                    frame[value], frame["field_id"], kinds, known, unnamed
                )
        if "new" in frame:
            out["new_option"] = _options(frame, catalogue)
        n_unnamed["values"] = len(unnamed)
    else:
        fields = catalogue.fields
        users = {_HOLDER, *fields.loc[fields["type"] == "User", "field_id"]}
        for name in [name for name in frame if name in users or name in known]:
            field = pd.Series(name, frame.index)
            kinds = pd.Series("user_arn" if name in users else "string", frame.index)
            out[f"{name}_label"] = _labels(frame[name], field, kinds, known, unnamed)
            n_unnamed["values"] = len(unnamed)
    if "actor" in frame:
        names = _names(catalogue.users, "user_arn", "name")
        custom = set[str]()
        if "actor_kind" in frame:
            by = frame.loc[frame["actor_kind"] == "custom", "actor"]
            custom = set(by.dropna().unique())
        names |= {actor: actor for actor in custom}  # a name already
        out["actor_name"], n_unnamed["actors"] = _named(frame["actor"], names)
    return out, n_unnamed


def tail(identifier: str) -> str:
    """Return what tells an id from its neighbours."""
    if identifier.startswith("arn:"):
        identifier = identifier.rpartition("/")[2] or identifier
        if identifier.startswith(SERVICE_ROLE):
            return _SERVICE
    if _UUID.fullmatch(identifier):
        return f"{identifier[:8]}…"
    return identifier


def _named(ids: pd.Series[Any], names: Mapping[str, str]) -> tuple[Any, int]:
    """Return names for ids as a category, and how many ids have none."""
    coded = ids.astype("category")
    shown = []
    unnamed = 0
    for name in coded.cat.categories:
        text = str(name)
        if text in names:
            shown.append(names[text])
            continue
        shown.append(tail(text))
        unnamed += shown[-1] != _SERVICE
    distinct = sorted(set(shown))
    place = {name: i for i, name in enumerate(distinct)}
    # The last place is for -1, a missing id.
    codes = pd.array([place[name] for name in shown] + [-1], dtype="int64").to_numpy()
    return (
        pd.Categorical.from_codes(
            codes[coded.cat.codes], categories=pd.Index(distinct, dtype=TEXT_TYPE)
        ),
        unnamed,
    )


def _kinds(frame: pd.DataFrame, value: str) -> pd.Series[Any] | None:
    """Return the kinds of a column of values; None where there is no such column."""
    kind = "kind" if value == "value" else f"{value.removesuffix('_value')}_kind"
    if value not in frame or kind in frame:
        return frame.get(kind) if value in frame else None
    is_holder = frame["field_id"] == _HOLDER
    if (is_holder | (frame["field_id"] == "assigned_queue")).all():
        return is_holder.map({True: "user_arn", False: "string"})  # of a handoff
    return None


def _labels(
    values: pd.Series[Any],
    fields: pd.Series[Any],
    kinds: pd.Series[Any],
    known: Mapping[str, Mapping[str, str]],
    unnamed: set[tuple[str, str]],
) -> pd.Series[Any]:
    """Return the names of values, and set down those that should have one."""
    text = values.astype(TEXT_TYPE)
    shown = text.array.copy()
    for field_id, names in known.items():
        chosen = kinds == "user_arn"
        if field_id != _USERS:
            chosen = (fields == field_id) & (kinds == "string")
        rows = (chosen.fillna(False) & text.notna()).to_numpy(dtype=bool)
        found = text[rows]
        told = {one: names.get(one, tail(one)) for one in found.unique()}
        unnamed.update((field_id, one) for one in told if one not in names)
        if told:
            shown[rows] = found.map(told).array
    named: pd.Series[Any] = pd.Series(shown, values.index, dtype=TEXT_TYPE)
    return named


def _options(frame: pd.DataFrame, catalogue: Catalogue) -> pd.Series[Any]:
    """Return which of its field's options each new value is, from 0."""
    found = np.full(len(frame), np.nan)
    for field_id, options in catalogue.options.groupby("field_id", sort=False):
        rows = (frame["field_id"] == field_id).to_numpy(dtype=bool)
        number = {value: float(n) for n, value in enumerate(options["value"])}
        found[rows] = frame["new"][rows].astype(object).map(number).astype("float64")
    return pd.Series(found, frame.index)


def _value_names(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Return what values are called: those of users, and by field all others."""
    names = {_USERS: _names(catalogue.users, "user_arn", "name")}
    for field_id, options in catalogue.options.groupby("field_id", sort=False):
        names[str(field_id)] = _names(options, "value", "name")
    queues = catalogue.queues
    if len(queues):
        names["assigned_queue"] = {
            **_names(queues, "queue_id", "name"),
            **_names(queues, "queue_arn", "name"),
        }
    return names


def _names(frame: pd.DataFrame, key: str, name: str) -> dict[str, str]:
    known = frame.dropna(subset=[key, name])
    return dict(zip(known[key], known[name], strict=True))


def _instance_of(connect: Client, domain_arn: str) -> str | None:
    """Return the instance that a domain belongs to, if the caller can see it."""
    for instance in listed(connect, "ListInstances", "InstanceSummaryList"):
        for association in listed(
            connect,
            "ListIntegrationAssociations",
            "IntegrationAssociationSummaryList",
            InstanceId=instance["Id"],
            IntegrationType="CASES_DOMAIN",
        ):
            if association.get("IntegrationArn") == domain_arn:
                return str(instance["Id"])
    return None
