"""Every table's columns, dtypes, grain and meaning, as data.

A value of a case is its kind and its text. ``*_kind`` is one of `VALUE_KINDS`,
or missing where AWS sent no value at all; the text is lossless (``repr`` of a
double, ``true``/``false`` for a boolean) and missing for an empty value and for
an absent one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

VALUE_KINDS = ("string", "double", "boolean", "empty", "user_arn", "unknown")
"""What a value can be; ``empty`` is AWS's own "no value", told apart from absent."""

ACTOR_KINDS = ("agent", "custom", "service", "role", "unknown")
"""Who acted: a person, a named integration, Connect itself, an API caller, unknown."""

ID = "category"  # few distinct values in many rows: a small code a row, not a string
TEXT = "str"
TIME = "datetime64[us, UTC]"


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
    """

    name: str
    grain: str
    columns: tuple[Column, ...]

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
        out = frame.loc[:, self.names]
        plain = {
            name: dtype
            for name, dtype in self.dtypes.items()
            if dtype != ID or not isinstance(out[name].dtype, pd.CategoricalDtype)
        }
        # Categories are text whatever the values came as, and with none at all.
        text = {name: TEXT for name, dtype in plain.items() if dtype == ID}
        return (
            out.astype({**plain, **text})
            .astype(dict.fromkeys(text, ID))
            .reset_index(drop=True)
        )


_CASE = (
    Column("domain_id", ID, "the Cases domain"),
    Column("case_id", ID, "the case"),
)
_EVENT = (
    Column("event_id", TEXT, "the audit event, unique in its case"),
    Column("sequence", "int32", "the event's place in its case, oldest first, from 0"),
)
_WHEN = Column("performed_at", TIME, "when it was done")
_TYPE = Column("event_type", ID, "as AWS names it, such as `Case.Updated`")
_ACTOR = (
    Column(
        "actor",
        ID,
        "who acted: user ARN, custom entity or principal ARN; missing if AWS named none",
    ),
    Column("actor_kind", ID, "`agent`, `custom`, `service`, `role` or `unknown`"),
)
_ORDER = Column(
    "order_known", "bool", "False where events at one instant could not be put in order"
)

EVENTS = Table(
    "events",
    "One row per audit event of a case.",
    (
        *_CASE,
        *_EVENT,
        _WHEN,
        _TYPE,
        Column(
            "related_item_type",
            ID,
            "what kind of item was added, changed or deleted; missing for case events",
        ),
        *_ACTOR,
        Column("user_arn", ID, "`performedBy.user.userArn`"),
        Column("custom_entity", ID, "`performedBy.user.customEntity`"),
        Column("iam_principal_arn", ID, "`performedBy.iamPrincipalArn`"),
        Column(
            "merge_event_id", ID, "shared by all events of one merge, on both cases"
        ),
        Column("primary_case_id", ID, "the case that a merge kept"),
        Column("secondary_case_id", ID, "the case that a merge closed"),
        Column("n_changes", "int32", "fields that the event lists"),
        _ORDER,
        Column(
            "extra", TEXT, "members of the event that casesnb does not know, as JSON"
        ),
    ),
)

CHANGES = Table(
    "changes",
    "One row per field of an audit event.",
    (
        *_CASE,
        *_EVENT,
        Column("slot", "int32", "the field's place in its event, from 0"),
        _WHEN,
        _TYPE,
        *_ACTOR,
        Column("field_id", ID, "the field, as AWS identifies it"),
        Column("old_kind", ID, "kind of the value before; missing if AWS sent none"),
        Column("old", TEXT, "the value before, as text; missing for empty and absent"),
        Column("new_kind", ID, "kind of the value after; missing if AWS sent none"),
        Column("new", TEXT, "the value after, as text; missing for empty and absent"),
        _ORDER,
    ),
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

SPELLS = Table(
    "spells",
    "One row per case, field and interval during which it held one value.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("field_id", TEXT, "the field"),
        Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
        Column("value", TEXT, "the value as text; missing for empty and absent"),
        Column("start_at", TIME, "when it began; missing if before the history"),
        Column("end_at", TIME, "when it ended, or `as_of` if it had not"),
        Column("hours", "float64", "hours from `start_at` to `end_at`"),
        Column("is_open", "bool", "the value still held at `as_of`"),
        Column(
            "known", "bool", "both ends are in the history and nothing contradicts them"
        ),
        Column(
            "event_id", TEXT, "the event that began it; missing if before the history"
        ),
        Column("actor", TEXT, "who began it"),
    ),
)

ACTOR_ACTIVITY = Table(
    "actor_activity",
    "One row per actor and period in which they acted.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("period_at", TIME, "when the period began"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_cases", "int64", "distinct cases"),
    ),
)

ACTOR_MATRIX = Table(
    "actor_matrix",
    "One row per actor and kind of event that they caused.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("event_type", TEXT, "as AWS names it"),
        Column("related_item_type", TEXT, "the related item's type, if there is one"),
        Column("n_events", "int64", "audit events"),
        Column("n_cases", "int64", "distinct cases"),
        Column("first_at", TIME, "the first of them"),
        Column("last_at", TIME, "the last of them"),
    ),
)

RHYTHM = Table(
    "rhythm",
    "One row per kind of actor, weekday and hour in which they acted.",
    (
        Column("weekday", "int64", "1 for Monday to 7 for Sunday, in the zone"),
        Column("hour", "int64", "0 to 23, in the zone"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("n_events", "int64", "audit events"),
        Column("n_cases", "int64", "distinct cases"),
    ),
)

ATTRIBUTION = Table(
    "attribution",
    "One row per event: the kind of work it was, and what that rests on.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("event_id", TEXT, "the audit event"),
        Column("sequence", "int64", "the event's place in its case, from 0"),
        Column("performed_at", TIME, "when it was done"),
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("worker", TEXT, "`human`, `automation`, `api` or `unknown`"),
        Column("is_asserted", "bool", "a caller of the API says so; nobody checked"),
        Column("evidence", TEXT, "what in the event says so"),
    ),
)

WORK_SHARE = Table(
    "work_share",
    "One row per kind of work and evidence for it.",
    (
        Column("worker", TEXT, "`human`, `automation`, `api` or `unknown`"),
        Column("evidence", TEXT, "what in the events says so"),
        Column("is_asserted", "bool", "a caller of the API says so; nobody checked"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_cases", "int64", "distinct cases"),
        Column("share", "float64", "of all events, from 0 to 1"),
    ),
)

BURSTS = Table(
    "bursts",
    "One row per burst: one actor gave one field one value on many cases.",
    (
        Column("started_at", TIME, "its first change"),
        Column("ended_at", TIME, "its last change"),
        Column("actor", TEXT, "who did it; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("field_id", TEXT, "the field"),
        Column("kind", TEXT, "kind of the value that it got"),
        Column("value", TEXT, "the value that it got"),
        Column("n_cases", "int64", "distinct cases"),
        Column("n_changes", "int64", "field changes"),
    ),
)

TABLES = (
    EVENTS,
    CHANGES,
    DOMAINS,
    FIELDS,
    CASES,
    CASE_FIELDS,
    UNLOADED,
    SPELLS,
    ACTOR_ACTIVITY,
    ACTOR_MATRIX,
    RHYTHM,
    ATTRIBUTION,
    WORK_SHARE,
    BURSTS,
)
"""All tables, in the order a reader meets them."""
