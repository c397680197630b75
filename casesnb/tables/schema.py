"""Every table's columns, dtypes, grain and meaning, as data.

A value of a case is its kind and its text. ``*_kind`` is one of `VALUE_KINDS`,
or missing where AWS sent no value at all; the text is lossless (``repr`` of a
double, ``true``/``false`` for a boolean) and missing for an empty value and for
an absent one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

VALUE_KINDS = ("string", "double", "boolean", "empty", "user_arn", "unknown")
"""What a value can be; ``empty`` is AWS's own "no value", told apart from absent."""

ACTOR_KINDS = ("agent", "custom", "service", "role", "unknown")
"""Who acted: a person, a named integration, Connect itself, an API caller, unknown."""

SERVICE_ROLE = "AWSServiceRoleForAmazonConnect"
"""How the name of the role begins that Connect itself acts under."""

ID = "category"  # few distinct values in many rows: a small code a row, not a string
TEXT = "str"
TIME = "datetime64[us, UTC]"


def _text_type() -> Any:
    """Return what pandas 3 calls "str": texts in Arrow's memory, missing ones NaN."""
    if int(pd.__version__.partition(".")[0]) >= 3:
        return TEXT
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2
        return pd.StringDtype("pyarrow_numpy")


TEXT_TYPE = _text_type()
"""The dtype of texts, as this pandas takes it."""


SYSTEM_FIELDS = {
    "assigned_queue": "Text",
    "assigned_user": "User",
    "case_id": "Text",
    "case_reason": "SingleSelect",
    "created_by": "User",
    "created_datetime": "DateTime",
    "customer_id": "Text",
    "last_closed_datetime": "DateTime",
    "last_reopened_datetime": "DateTime",
    "last_updated_datetime": "DateTime",
    "last_updated_user": "User",
    "next_sla_breach_datetime": "DateTime",
    "reference_id": "Text",
    "reference_number": "Text",
    "status": "SingleSelect",
    "summary": "Text",
    "title": "Text",
}
"""The fields that every domain has, and their types."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, pandas dtype and meaning.

    Parameters
    ----------
    name : str
        The column's name.
    dtype : str
        The pandas dtype it always has.
    meaning : str
        What it holds, with the unit.
    """

    name: str
    dtype: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One tidy table: its name, its grain and its columns.

    Parameters
    ----------
    name : str
        The table's name.
    grain : str
        What one row is.
    columns : tuple of Column
        The columns, in order.
    needs : tuple of str, optional
        Those without which a frame is not this table, or not the whole of it:
        they tell its rows apart, and the table from another one.
    source : str, optional
        Where such a frame is found.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    needs: tuple[str, ...] = ()
    source: str = ""

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]

    @property
    def dtypes(self) -> dict[str, str]:
        """The pandas dtype of each column."""
        return {column.name: column.dtype for column in self.columns}

    def empty(self) -> pd.DataFrame:
        """Return the table with no rows, all columns and all dtypes.

        Returns
        -------
        DataFrame
            No rows.
        """
        return self.cast(pd.DataFrame({name: [] for name in self.names}))

    def cast(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame` with this table's columns, in order, in their dtypes.

        Parameters
        ----------
        frame : DataFrame
            At least this table's columns; any others are dropped.

        Returns
        -------
        DataFrame
            A new frame with a fresh index.

        Raises
        ------
        KeyError
            If a column is missing.
        """
        if missing := [name for name in self.names if name not in frame.columns]:
            raise KeyError(
                f"{', '.join(missing)}: give a frame with every column of {self.name}."
            )
        out = frame.loc[:, self.names]
        types = {name: out[name].dtype for name in self.names}
        # Categories are text whatever the values came as, and with none at all.
        coded = [
            name
            for name, dtype in self.dtypes.items()
            if dtype == ID and not isinstance(types[name], pd.CategoricalDtype)
        ]
        wanted: dict[str, Any] = {
            name: TEXT_TYPE if dtype == TEXT else dtype
            for name, dtype in self.dtypes.items()
            if dtype != ID
        } | dict.fromkeys(coded, TEXT_TYPE)
        # A cast copies the whole frame, whatever it casts.
        changed = {name: to for name, to in wanted.items() if types[name] != to}
        if changed:
            out = out.astype(changed)
        if coded:
            out = out.astype(dict.fromkeys(coded, ID))
        return out.reset_index(drop=True)


CASE = (
    Column("domain_id", ID, "the Cases domain"),
    Column("case_id", ID, "the case"),
)
EVENT = (
    Column("event_id", TEXT, "the audit event, unique in its case"),
    Column("sequence", "int32", "the event's place in its case, oldest first, from 0"),
)
WHEN = Column("performed_at", TIME, "when it was done")
EVENT_TYPE = Column("event_type", ID, "as AWS names it, such as `Case.Updated`")
ACTOR = (
    Column(
        "actor",
        ID,
        "who acted: user ARN, custom entity or principal ARN; missing if AWS named none",
    ),
    Column("actor_kind", ID, "`agent`, `custom`, `service`, `role` or `unknown`"),
)
PLACED = (
    Column(
        "is_order_known",
        "bool",
        "False where the event's place among those of its instant is not decided",
    ),
    Column(
        "order_by",
        ID,
        "what decided it: `time`, `creation` or `chain`; `page` is no more than a hint, "
        "`undecided` none",
    ),
    Column(
        "tie_id",
        ID,
        "the first of the events that may change places, for each of them; missing "
        "where decided",
    ),
)

# The columns that tell a field's changes from those of others, and their order.
CHAIN = ("domain_id", "case_id", "field_id")
CHAIN_ORDER = ("sequence", "slot")

OF_CASE = (
    Column("domain_id", TEXT, "the Cases domain"),
    Column("case_id", TEXT, "the case"),
)
OF_FIELD = (*OF_CASE, Column("field_id", TEXT, "the field"))
HELD = (
    Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
    Column("value", TEXT, "the value as text; missing for empty and absent"),
)
FROM_TO = (
    Column("from_kind", TEXT, "kind of the value before; missing if not told"),
    Column("from_value", TEXT, "the value before"),
    Column("to_kind", TEXT, "kind of the value after"),
    Column("to_value", TEXT, "the value after"),
)
BY = (
    Column("event_id", TEXT, "the event that did it"),
    Column("actor", TEXT, "who did it; missing if AWS named none"),
)

EVENTS = Table(
    "events",
    "One row per audit event of a case.",
    (
        *CASE,
        *EVENT,
        WHEN,
        EVENT_TYPE,
        Column(
            "related_item_type",
            ID,
            "what kind of item was added, changed or deleted; missing for case events",
        ),
        *ACTOR,
        Column("user_arn", ID, "`performedBy.user.userArn`"),
        Column("custom_entity", ID, "`performedBy.user.customEntity`"),
        Column("iam_principal_arn", ID, "`performedBy.iamPrincipalArn`"),
        Column(
            "merge_event_id", ID, "shared by all events of one merge, on both cases"
        ),
        Column("primary_case_id", ID, "the case that a merge kept"),
        Column("secondary_case_id", ID, "the case that a merge closed"),
        Column("n_changes", "int32", "fields that the event lists"),
        *PLACED,
        Column(
            "extra", TEXT, "members of the event that casesnb does not know, as JSON"
        ),
    ),
    needs=(
        *("domain_id", "case_id", "event_id", "sequence"),
        *("performed_at", "event_type", "n_changes"),
    ),
    source="history.events",
)

CHANGES = Table(
    "changes",
    "One row per field of an audit event.",
    (
        *CASE,
        *EVENT,
        Column("slot", "int32", "the field's place in its event, from 0"),
        WHEN,
        EVENT_TYPE,
        *ACTOR,
        Column("field_id", ID, "the field, as AWS identifies it"),
        Column("old_kind", ID, "kind of the value before; missing if AWS sent none"),
        Column("old", TEXT, "the value before, as text; missing for empty and absent"),
        Column("new_kind", ID, "kind of the value after; missing if AWS sent none"),
        Column("new", TEXT, "the value after, as text; missing for empty and absent"),
        *PLACED,
        Column(
            "is_outcome_known",
            "bool",
            "False where another order of its instant may leave the field with another "
            "value",
        ),
    ),
    needs=(
        *("domain_id", "case_id", "event_id", "sequence", "slot"),
        *("performed_at", "event_type", "field_id"),
        *("old_kind", "old", "new_kind", "new"),
    ),
    source="history.changes",
)

DOMAINS = Table(
    "domains",
    "One row per Cases domain that the caller may list.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("domain_arn", TEXT, "its ARN"),
        Column("name", TEXT, "its name"),
    ),
)

FIELDS = Table(
    "fields",
    "One row per field of a domain.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("field_id", TEXT, "the field"),
        Column("name", TEXT, "its name today"),
        Column(
            "type",
            TEXT,
            "`Text`, `Number`, `Boolean`, `DateTime`, `SingleSelect`, `Url` or `User`",
        ),
        Column("namespace", TEXT, "`System` or `Custom`"),
        Column("field_arn", TEXT, "its ARN"),
        Column(
            "is_deleted", "bool", "the field was deleted, but histories may mention it"
        ),
    ),
)

OPTIONS = Table(
    "options",
    "One row per option of a single-select field.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("field_id", TEXT, "the field"),
        Column("value", TEXT, "the value that cases and histories hold"),
        Column("name", TEXT, "its name today"),
        Column("is_active", "bool", "it may still be chosen"),
    ),
)

TEMPLATES = Table(
    "templates",
    "One row per template of a domain, active or not.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("template_id", TEXT, "the template"),
        Column("name", TEXT, "its name today"),
        Column("template_arn", TEXT, "its ARN"),
        Column("is_active", "bool", "cases may still be made from it"),
    ),
)

USERS = Table(
    "users",
    "One row per user of a Connect instance.",
    (
        Column("user_id", TEXT, "the user"),
        Column("user_arn", TEXT, "their ARN, as histories give it"),
        Column("username", TEXT, "their login"),
        Column("name", TEXT, "first and last name today; the login where unknown"),
    ),
)

QUEUES = Table(
    "queues",
    "One row per standard queue of a Connect instance.",
    (
        Column("queue_id", TEXT, "the queue"),
        Column("queue_arn", TEXT, "its ARN, as histories give it"),
        Column("name", TEXT, "its name today"),
    ),
)

NAMES = Table(
    "names",
    "One row per row of the frame that `with_names` was given, beside its own columns.",
    (
        Column("field", ID, "the field's name today; its id where unnamed"),
        Column(
            "old_label",
            TEXT,
            "the value before, as people name it today; its own text where unnamed",
        ),
        Column(
            "new_label",
            TEXT,
            "the value after, as people name it today; its own text where unnamed",
        ),
        Column(
            "new_option",
            "float64",
            "which of its field's options the value after is, from 0; missing if none",
        ),
        *(
            Column(label, TEXT, f"what `{value}` is called today, {where}")
            for value, label, where in (
                ("value", "label", "in spells, states and others"),
                ("from_value", "from_label", "in transitions, handoffs and diff"),
                ("to_value", "to_label", "in transitions, handoffs and diff"),
                ("previous", "previous_label", "in blame"),
                ("expected", "expected_label", "in continuity"),
                ("found", "found_label", "in continuity"),
                ("history_value", "history_label", "in compare_with_current"),
                ("current_value", "current_label", "in compare_with_current"),
            )
        ),
        Column(
            "actor_name",
            ID,
            "who acted, as named today; the tail of the id where unnamed",
        ),
    ),
)

RELATED_ITEMS = Table(
    "related_items",
    "One row per related item of a case, as it stands when asked.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column("related_item_id", TEXT, "the related item"),
        Column("related_item_type", TEXT, "what kind of item, as AWS names it"),
        Column("associated_at", TIME, "when it was added to the case"),
        Column("user_arn", TEXT, "the user who added it, if AWS names one"),
        Column("custom_entity", TEXT, "the custom entity that added it, if named"),
        Column("contact_arn", TEXT, "of a contact"),
        Column("channel", TEXT, "of a contact"),
        Column("comment", TEXT, "of a comment: its text"),
        Column("file_arn", TEXT, "of a file"),
        Column("sla_name", TEXT, "of an SLA"),
        Column("sla_status", TEXT, "of an SLA: `Active`, `Overdue`, `Met`, `NotMet`"),
        Column("sla_target_at", TIME, "of an SLA: when it is due"),
        Column("sla_completed_at", TIME, "of an SLA: when it was met or missed"),
        Column("linked_case_id", TEXT, "of a linked case"),
        Column("content", TEXT, "all that AWS says about the item's content, as JSON"),
    ),
)

CASES = Table(
    "cases",
    "One row per case, its fields as they stand when asked.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column("template_id", TEXT, "the template it was made from"),
    ),
)

CASE_FIELDS = Table(
    "case_fields",
    "One row per field of a case, as it stands when asked.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column("field_id", TEXT, "the field"),
        Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
        Column("value", TEXT, "the value as text; missing for empty and absent"),
    ),
    needs=("case_id", "field_id", "kind", "value"),
    source="what load_case_fields returned",
)

CAPTURES = Table(
    "captures",
    "One row per case that a history holds: what came when it was asked for.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column("n_pages", "int64", "pages read; 0 for frames that nobody loaded"),
        Column("n_events", "int64", "events in the tables"),
        Column("n_changes", "int64", "field changes in the tables"),
        Column("n_nulls", "int64", "null items and members that came, skipped"),
        Column("n_duplicates", "int64", "events that came twice, dropped once"),
        Column("n_conflicts", "int64", "of them with other content the second time"),
        Column("n_ties", "int64", "events of one instant in an undecided order"),
        Column("n_tokens", "int64", "page tokens followed"),
        Column("n_retries", "int64", "requests that were sent again"),
        Column("n_throttles", "int64", "answers that said that we ask too fast"),
        Column("unknowns", TEXT, "what casesnb does not know and how often, as JSON"),
        Column(
            "order_seen", TEXT, "`newest first`, `oldest first`, `mixed` or `not told`"
        ),
        Column("first_event_at", TIME, "the oldest event"),
        Column("last_event_at", TIME, "the newest event"),
        Column("has_creation", "bool", "the history holds its `Case.Created`"),
        Column("reached_end", "bool", "the last page was reached"),
        Column(
            "start_at", TIME, "events before it were cut away; missing if none were"
        ),
        Column("end_at", TIME, "events from it on were cut away; missing if none were"),
        Column("fetched_at", TIME, "when the last page was answered"),
        Column("sha256", TEXT, "over the raw pages, in the order they came"),
        Column("source", TEXT, "who answered"),
        Column("boto3_version", TEXT, "the boto3 that asked"),
        Column("casesnb_version", TEXT, "the casesnb that read the answers"),
    ),
)

NOTES = Table(
    "notes",
    "One row per note that somebody wrote on a case.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column(
            "event_ids", TEXT, "the events that it is on, a space between; else missing"
        ),
        Column("start_at", TIME, "since when, of a note on a span; else missing"),
        Column("end_at", TIME, "until when, both ends included; else missing"),
        Column("text", TEXT, "what was written"),
        Column("by", TEXT, "who wrote it"),
        Column("written_at", TIME, "when"),
    ),
)

UNLOADED = Table(
    "unloaded",
    "One row per case that could not be loaded.",
    (
        Column("domain_id", TEXT, "the domain"),
        Column("case_id", TEXT, "the case"),
        Column("error", TEXT, "the kind of error, such as `AccessDeniedException`"),
        Column("message", TEXT, "what it said"),
    ),
)
