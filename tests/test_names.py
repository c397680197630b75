"""Names beside ids: today's, said to be today's, and never in an id's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from answers import Pages, event, reply
from engines import dtypes_of, rows
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS, NAMES, OPTIONS, QUEUES, USERS
from casesnb.tables.names import load_users, tail

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/i-1"
ANNA = f"{INSTANCE}/agent/a-1"
GONE = f"{INSTANCE}/agent/a-9"
QUEUE = f"{INSTANCE}/queue/q-1"


def refused(code: str = "AccessDeniedException") -> cn.raw.Response:
    return reply({"message": "no"}, 403, **{"x-amzn-errortype": code})


class Domain:
    """A small domain and its instance; each call in `refuse` is refused."""

    def __init__(self, *refuse: str, code: str = "AccessDeniedException") -> None:
        self.refuse = refuse
        self.code = code
        self.asked: list[str] = []

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        self.asked.append(request.operation)
        if request.operation in self.refuse:
            return refused(self.code)
        return reply(getattr(self, request.operation)(request))

    def GetDomain(self, _: cn.raw.Request) -> Any:
        return {"domainId": "d", "domainArn": "arn:domain", "name": "D"}

    def ListFields(self, _: cn.raw.Request) -> Any:
        return {"fields": [field("status", "Status", "SingleSelect")]}

    def BatchGetField(self, request: cn.raw.Request) -> Any:
        assert b'"f-old"' in request.body
        old = {**field("f-old", "Old score", "Number"), "deleted": True}
        unknown = {"id": "f-x", "errorCode": "ResourceNotFoundException"}
        return {"fields": [old], "errors": [unknown]}

    def ListFieldOptions(self, request: cn.raw.Request) -> Any:
        if "nextToken" in request.query:
            return {"options": [option("closed", active=False)]}
        return {"options": [option("open"), None], "nextToken": "2"}

    def ListTemplates(self, request: cn.raw.Request) -> Any:
        assert b"Inactive" in request.body or "Inactive" in request.query
        names = {"templateId": "t", "templateArn": "arn:t", "name": "T"}
        return {"templates": [{**names, "status": "Inactive"}]}

    def ListInstances(self, _: cn.raw.Request) -> Any:
        return {"InstanceSummaryList": [{"Id": "i-0"}, {"Id": "i-1"}]}

    def ListIntegrationAssociations(self, request: cn.raw.Request) -> Any:
        mine = "i-1" in request.path
        return {
            "IntegrationAssociationSummaryList": [
                {"IntegrationArn": "arn:domain" if mine else "arn:other"}
            ]
        }

    def SearchUsers(self, request: cn.raw.Request) -> Any:
        anna = {"Id": "a-1", "Arn": ANNA, "Username": "anna"}
        if b"NextToken" in request.body:
            return {"Users": [{"Id": "a-2", "Arn": f"{ANNA}2", "Username": "bo"}]}
        who = {"FirstName": "Anna", "LastName": "Lopez"}
        return {"Users": [{**anna, "IdentityInfo": who}], "NextToken": "n"}

    def ListUsers(self, _: cn.raw.Request) -> Any:
        anna = {"Id": "a-1", "Arn": ANNA, "Username": "anna"}
        return {"UserSummaryList": [anna]}

    def ListQueues(self, _: cn.raw.Request) -> Any:
        return {"QueueSummaryList": [{"Id": "q-1", "Arn": QUEUE, "Name": "Claims"}]}


def field(field_id: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "fieldId": field_id,
        "fieldArn": f"arn:{field_id}",
        "name": name,
        "type": kind,
        "namespace": "Custom",
    }


def option(value: str, *, active: bool = True) -> dict[str, Any]:
    return {"value": value, "name": value.title(), "active": active}


def catalogue(domain: Domain, **how: Any) -> cn.types.Catalogue:
    connect = cn.connect(domain, service_name="connect")
    return cn.load_catalogue(cn.connect(domain), "d", connect=connect, **how)


def changes(*sent: dict[str, Any], **members: Any) -> pd.DataFrame:
    page = {"auditEvents": [event(1, fields=list(sent), **members)]}
    return cn.raw.changes_frame([page], domain_id="d", case_id="c")


def change(field_id: str, old: Any, new: Any) -> dict[str, Any]:
    sent = {"eventFieldId": field_id}
    return {**sent, **({"oldValue": old} if old else {}), "newValue": new}


def test_a_catalogue_holds_every_page_of_every_list() -> None:
    found = catalogue(Domain(), field_ids=["status", "f-old", "f-x"])
    assert found.unread == ()
    assert found.as_of == pd.Timestamp("2026-03-02T12:00Z")
    assert found.fields[["field_id", "is_deleted"]].to_numpy().tolist() == [
        ["f-old", True],
        ["status", False],
    ]
    options = [("d", "status", "open", "Open", True)]
    options += [("d", "status", "closed", "Closed", False)]
    assert_frame_equal(
        found.options, OPTIONS.cast(pd.DataFrame(options, columns=OPTIONS.names))
    )
    users = [("a-1", ANNA, "anna", "Anna Lopez"), ("a-2", f"{ANNA}2", "bo", "bo")]
    assert_frame_equal(
        found.users, USERS.cast(pd.DataFrame(users, columns=USERS.names))
    )
    queues = [("q-1", QUEUE, "Claims")]
    assert_frame_equal(
        found.queues, QUEUES.cast(pd.DataFrame(queues, columns=QUEUES.names))
    )
    assert found.templates[["name", "is_active"]].to_numpy().tolist() == [["T", False]]
    assert repr(found) == (
        "Catalogue: 2 fields, 2 options, 1 templates, 2 users, 1 queues, as of "
        "2026-03-02 12:00:00 UTC"
    )


def test_names_stand_beside_the_ids() -> None:
    found = catalogue(Domain(), field_ids=["f-old"])
    frame = changes(
        change("status", {"stringValue": "open"}, {"stringValue": "closed"}),
        change("status", {"emptyValue": {}}, {"stringValue": "parked"}),
        change("assigned_user", {"userArnValue": GONE}, {"userArnValue": ANNA}),
        change("assigned_queue", None, {"stringValue": QUEUE}),
        change("f-old", {"doubleValue": 0}, {"doubleValue": 1.5}),
        change("f-gone", None, {"stringValue": "open"}),
        change("comment.body", None, {"stringValue": "closed"}),
        performedBy={"user": {"userArn": ANNA}, "iamPrincipalArn": "arn:x"},
    )
    named = cn.with_names(frame, found)
    assert_frame_equal(named[CHANGES.names], frame)
    expected = pd.DataFrame(
        [
            ("Status", "Open", "Closed"),
            ("Status", None, "parked"),
            ("assigned_user", "a-9", "Anna Lopez"),
            ("assigned_queue", None, "Claims"),
            ("Old score", "0.0", "1.5"),
            ("f-gone", None, "open"),
            ("comment.body", None, "closed"),
        ],
        columns=["field", "old_label", "new_label"],
    ).assign(actor_name="Anna Lopez")
    dtypes = {name: NAMES.dtypes[name] for name in expected}
    assert dtypes_of(named[list(dtypes)]) == dtypes
    assert rows(named[list(expected)]) == rows(expected)
    assert found.as_of.isoformat() == "2026-03-02T12:00:00+00:00"
    assert found.unread == ()
    assert found.unnamed(frame) == {
        # assigned_user, assigned_queue, f-gone; parked and the deleted user
        "fields": 3,
        "values": 2,
        "actors": 0,
    }


@pytest.mark.parametrize(
    ("by", "name", "n_unnamed"),
    [
        ({"user": {"userArn": ANNA}}, "Anna Lopez", 0),
        ({"user": {"userArn": GONE}}, "a-9", 1),
        ({"user": {"customEntity": "crm"}}, "crm", 0),
        ({"iamPrincipalArn": "arn:aws:iam::1:role/desk"}, "desk", 1),
        (
            {
                "iamPrincipalArn": "arn:aws:iam::1:role/aws-service-role/"
                "connect.amazonaws.com/AWSServiceRoleForAmazonConnect_x"
            },
            "Amazon Connect",
            0,
        ),
        (None, None, 0),
    ],
)
def test_an_actor_is_named_or_its_tail_stands(
    by: Any, name: Any, n_unnamed: int
) -> None:
    page = {"auditEvents": [event(1, performedBy=by) if by else event(1)]}
    if by is None:
        del page["auditEvents"][0]["performedBy"]
    events = cn.raw.events_frame([page], domain_id="d", case_id="c")
    found = catalogue(Domain())
    named = cn.with_names(events, found)
    assert (
        named["actor_name"].astype(object).where(lambda x: x.notna(), None)[0] == name
    )
    assert found.unnamed(events) == {"actors": n_unnamed}


def test_spells_get_a_label() -> None:
    frame = changes(change("status", None, {"stringValue": "open"}))
    named = cn.with_names(cn.spells(frame), catalogue(Domain()))
    assert named[["field", "label"]].astype(str).to_numpy().tolist() == [
        ["Status", "Open"]
    ]


def test_what_the_analysis_found_is_named() -> None:
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    domain_id, case_id = world.showcase
    people = cn.connect(world, service_name="connect")
    found = cn.load_catalogue(client, domain_id, connect=people)
    history = cn.load_history(client, domain_id, case_id)
    tables = {
        "transitions": cn.transitions(history.changes),
        "handoffs": cn.handoffs(history.changes),
        "blame": cn.blame(history.changes),
        "verify": cn.trust.compare_with_current(
            history, cn.load_case_fields(client, domain_id, case_id)
        ),
        "time_in": cn.time_in(history.changes),
    }
    named = {name: cn.with_names(frame, found) for name, frame in tables.items()}
    for name, frame in tables.items():
        assert_frame_equal(named[name][frame.columns], frame)
        added = [c for c in named[name] if c not in frame]
        assert dtypes_of(named[name][added]) == {c: NAMES.dtypes[c] for c in added}
    rows = named["transitions"].set_index(["from_value", "to_value"])
    pair = rows.loc[("in_progress", "escalated"), ["from_label", "to_label"]]
    assert pair.tolist() == ["In progress", "Escalated"]
    queues, users = (
        dict(zip(table[key], table["name"], strict=True))
        for table, key in ((found.queues, "queue_arn"), (found.users, "user_arn"))
    )
    known = {"assigned_queue": queues, "assigned_user": users}
    moves = named["handoffs"].dropna(subset=["from_value", "to_value"])
    assert set(moves["field_id"]) == set(known)
    for row in moves.to_dict("records"):
        names = known[row["field_id"]]
        for value, label in (("from_value", "from_label"), ("to_value", "to_label")):
            assert row[label] == names.get(row[value], tail(row[value]))
    assert moves["to_label"].isin([*queues.values(), *users.values()]).sum() > 3
    status = named["blame"].set_index("field_id").loc["status"]
    assert (status["label"], status["previous_label"]) == ("Closed", "In progress")
    status = named["verify"].set_index("field_id").loc["status"]
    assert (status["history_label"], status["current_label"]) == ("Closed", "Closed")


def test_a_column_for_each_field_is_named() -> None:
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    domain_id, case_id = world.showcase
    people = cn.connect(world, service_name="connect")
    found = cn.load_catalogue(client, domain_id, connect=people)
    history = cn.load_history(client, domain_id, case_id)
    frame = cn.case_summary(history)
    named = cn.with_names(frame, found)
    assert_frame_equal(named[frame.columns], frame)
    added = [name for name in named if name not in frame]
    assert added == ["status_label", "assigned_user_label", "assigned_queue_label"]
    assert named.loc[0, "status_label"] == "Closed"
    assert named.loc[0, "assigned_user_label"] in set(found.users["name"])
    assert found.unnamed(frame) == {"values": 0}
    cases = cn.load_cases(client, domain_id, limit=5)
    labels = cn.with_names(cases, found)["status_label"]
    assert set(labels) <= set(found.options["name"])


def test_rows_numbered_alike_are_named_each() -> None:
    frame = changes(
        change("status", None, {"stringValue": "open"}),
        change("status", {"stringValue": "open"}, {"stringValue": "closed"}),
    )
    named = cn.with_names(frame.set_axis([0, 0]), catalogue(Domain()))
    assert named["new_label"].tolist() == ["Open", "Closed"]


def test_no_rows_have_the_names_columns_too() -> None:
    named = cn.with_names(CHANGES.empty(), catalogue(Domain()))
    added = ["field", "old_label", "new_label", "new_option", "actor_name"]
    assert named.columns.tolist() == [*CHANGES.names, *added]
    assert dtypes_of(named[added]) == {n: NAMES.dtypes[n] for n in added}
    assert "field" not in cn.with_names(EVENTS.empty(), catalogue(Domain()))


def test_a_history_keeps_its_certificate_when_named() -> None:
    history = cn.load_history(cn.connect(Pages([event(0)])), "d", "c")
    named = cn.with_names(history, catalogue(Domain()))
    assert named.certificate == history.certificate
    assert "field" in named.changes
    assert "field" not in history.changes
    assert not named.changes.attrs


@pytest.mark.parametrize(
    ("refuse", "unread"),
    [
        (("SearchUsers",), ()),
        (("SearchUsers", "ListUsers"), ("users (AccessDeniedException)",)),
        (("ListQueues",), ("queues (AccessDeniedException)",)),
        (("ListFieldOptions",), ("options of status (AccessDeniedException)",)),
        (("ListTemplates",), ("templates (AccessDeniedException)",)),
        (("ListFields",), ("fields (AccessDeniedException)",)),
        (
            ("ListInstances",),
            (
                "instances (AccessDeniedException)",
                "users and queues (the instance is not known)",
            ),
        ),
    ],
)
def test_what_is_refused_is_left_out_and_said(
    refuse: tuple[str, ...], unread: tuple[str, ...]
) -> None:
    found = catalogue(Domain(*refuse))
    assert found.unread == unread
    frame = changes(change("status", None, {"stringValue": "open"}))
    named = cn.with_names(frame, found)
    assert named["field"].notna().all()
    assert all(f"not read: {'; '.join(unread)}" in repr(found) for _ in unread)


def test_what_was_not_recorded_is_left_out_and_said(tmp_path: Path) -> None:
    recorder = cn.connect(Domain(), record=tmp_path, redact=False)
    cn.load_fields(recorder, "d")
    people = cn.connect(tmp_path, service_name="connect")
    found = cn.load_catalogue(cn.connect(tmp_path), "d", connect=people)
    assert found.fields["name"].tolist() == ["Status"]
    assert found.unread == (
        "the domain (RecordingNotFound)",
        "options of status (RecordingNotFound)",
        "templates (RecordingNotFound)",
        "users and queues (the instance is not known)",
    )


def test_another_error_is_not_a_missing_name() -> None:
    client = cn.connect(Domain("ListTemplates", code="ValidationException"))
    with pytest.raises(client.exceptions.ValidationException):
        cn.load_catalogue(client, "d")


def test_the_instance_is_read_from_any_arn_in_it() -> None:
    domain = Domain()
    assert len(catalogue(domain, instance_id=ANNA).users) == 2
    assert "ListInstances" not in domain.asked
    assert len(catalogue(domain, instance_id="i-1").queues) == 1


def test_without_a_connect_client_nobody_is_asked_for_users() -> None:
    domain = Domain()
    found = cn.load_catalogue(cn.connect(domain), "d")
    assert found.users.empty
    assert found.unread == ()
    assert not {"ListInstances", "SearchUsers"} & set(domain.asked)


def test_users_have_their_login_where_they_cannot_be_searched() -> None:
    domain = Domain("SearchUsers")
    users = load_users(cn.connect(domain, service_name="connect"), "i-1")
    assert users["name"].tolist() == ["anna"]


def test_related_items_have_a_row_each_whatever_they_hold() -> None:
    sent = [
        {
            "relatedItemId": "r2",
            "type": "Sla",
            "associationTime": "2026-03-02T10:00:00+01:00",
            "content": {
                "sla": {
                    "slaConfiguration": {
                        "name": "Fast",
                        "status": "Met",
                        "type": "CaseField",
                        "targetTime": 1772445600,
                    }
                }
            },
        },
        None,
        {
            "relatedItemId": "r1",
            "type": "Telepathy",
            "associationTime": 1772438400,
            "content": {"telepathy": {"thought": "?"}},
            "performedBy": {"customEntity": "crm"},
        },
    ]
    client = cn.connect(lambda request: reply({"relatedItems": sent}))
    frame = cn.load_related_items(client, "d", "c")
    assert frame["related_item_id"].tolist() == ["r1", "r2"]
    assert frame["associated_at"].tolist() == [
        pd.Timestamp("2026-03-02T08:00Z"),
        pd.Timestamp("2026-03-02T09:00Z"),
    ]
    assert frame.loc[0, "content"] == '{"telepathy": {"thought": "?"}}'
    assert frame.loc[0, "custom_entity"] == "crm"
    assert frame.loc[1, ["sla_name", "sla_status"]].tolist() == ["Fast", "Met"]
    assert frame.loc[1, "sla_target_at"] == pd.Timestamp("2026-03-02T10:00Z")


def test_a_related_items_time_that_is_none_is_an_error() -> None:
    item = {"relatedItemId": "r", "type": "File", "associationTime": "soon"}
    client = cn.connect(lambda request: reply({"relatedItems": [item]}))
    with pytest.raises(
        cn.errors.PageError, match="SearchRelatedItems page 1.*a text of 4 characters"
    ):
        cn.load_related_items(client, "d", "c")


def test_the_sandbox_names_everything_but_the_deleted_user() -> None:
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    history = cn.load_history(client, *world.showcase)
    found = cn.load_catalogue(
        client,
        world.showcase[0],
        connect=cn.connect(world, service_name="connect"),
        field_ids=history.changes["field_id"].unique(),
    )
    named = cn.with_names(history.changes, found)
    assert set(named["field"]) == set(named["field"].dropna())
    n_unnamed = found.unnamed(history.changes)
    assert n_unnamed["fields"] == 0
    deleted = set(history.changes["actor"].dropna()) - set(found.users["user_arn"])
    deleted = {actor for actor in deleted if "/agent/" in actor}
    assert n_unnamed["actors"] == len(deleted)


def test_names_come_from_a_catalogue_and_stand_in_pandas() -> None:
    frame, names = (
        changes(change("status", None, {"stringValue": "open"})),
        catalogue(Domain()),
    )
    with pytest.raises(
        TypeError, match=r"NoneType is no catalogue\. Give what load_cat"
    ):
        cn.with_names(frame, None)  # type: ignore[call-overload]
    with pytest.raises(
        TypeError, match="takes a pandas DataFrame, not DataFrame of po"
    ):
        cn.with_names(pl.from_pandas(frame), names)  # type: ignore[call-overload]


def test_a_domain_that_is_not_there_has_no_catalogue() -> None:
    gone = Domain("GetDomain", code="ResourceNotFoundException")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        catalogue(gone)
    # Recordings of a domain's cases may hold no domain: a refusal is none either.
    assert catalogue(Domain("GetDomain")).unread[0] == (
        "the domain (AccessDeniedException)"
    )
