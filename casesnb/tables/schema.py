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
    "is_order_known",
    "bool",
    "False where events at one instant could not be put in order",
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
        *(
            Column(label, TEXT, f"what `{value}` is called today, {where}")
            for value, label, where in (
                ("value", "label", "in spells, states and others"),
                ("from_value", "from_label", "in transitions, handoffs and diff"),
                ("to_value", "to_label", "in transitions, handoffs and diff"),
                ("previous", "previous_label", "in blame"),
                ("expected", "expected_label", "in continuity"),
                ("found", "found_label", "in continuity"),
                ("history_value", "history_label", "in verify"),
                ("current_value", "current_label", "in verify"),
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
    source="what load_case returned",
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
            "is_known",
            "bool",
            "both ends are in the history and nothing contradicts them",
        ),
        Column(
            "event_id", TEXT, "the event that began it; missing if before the history"
        ),
        Column("actor", TEXT, "who began it"),
    ),
    source="what spells returned",
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

OFF_HOURS = Table(
    "off_hours",
    "One row per actor: how much of their work was done outside working hours.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("n_events", "int64", "audit events"),
        Column("n_off_hours", "int64", "those outside the calendar's hours"),
        Column("share", "float64", "of the actor's events, from 0 to 1"),
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

_FIELD = (
    Column("domain_id", TEXT, "the Cases domain"),
    Column("case_id", TEXT, "the case"),
    Column("field_id", TEXT, "the field"),
)

CONTINUITY = Table(
    "continuity",
    "One row per break: an old value that no event before it explains.",
    (
        *_FIELD,
        Column("event_id", TEXT, "the event whose old value does not fit"),
        Column("reason", TEXT, "`contradicted` or `unexplained`"),
        Column("expected_kind", TEXT, "kind of the value that the change before set"),
        Column("expected", TEXT, "that value; missing for empty, absent and none"),
        Column("found_kind", TEXT, "kind of the old value"),
        Column("found", TEXT, "the old value; missing for empty"),
        Column("after_event_id", TEXT, "the change before; missing if there is none"),
        Column("after_at", TIME, "what is lost came after this; missing if unknown"),
        Column("before_at", TIME, "what is lost came before this"),
        Column(
            "is_order_known", "bool", "the event's place among its equals is decided"
        ),
    ),
)

TIME_BOUNDS = Table(
    "time_bounds",
    "One row per case and value: how long it held, at least and at most.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
        Column("value", TEXT, "the value as text; missing for empty and absent"),
        Column("hours_min", "float64", "hours that are sure"),
        Column("hours_max", "float64", "hours at most; missing if nothing bounds them"),
    ),
)

VERIFY = Table(
    "verify",
    "One row per case and field: whether the history ends where the case stands.",
    (
        *_FIELD,
        Column("verdict", TEXT, "`match`, `contradicted` or `unverifiable`"),
        Column("reason", TEXT, "why"),
        Column("history_kind", TEXT, "kind of the value that the last change set"),
        Column("history_value", TEXT, "that value; missing for empty and untold"),
        Column("current_kind", TEXT, "kind of the value that GetCase tells"),
        Column("current_value", TEXT, "that value; missing for empty and untold"),
        Column("event_id", TEXT, "the event of the last change"),
        Column("since_at", TIME, "when that was"),
        Column("n_breaks", "int64", "breaks in the field's chain of values"),
    ),
)

DRIFT = Table(
    "drift",
    "One row per event that two captures of the same cases tell differently.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("event_id", TEXT, "the audit event"),
        Column("performed_at", TIME, "when it was done"),
        Column("verdict", TEXT, "`new`, `late`, `vanished` or `altered`"),
        Column("what", TEXT, "the columns that were altered, a space between two"),
    ),
)

MERGES = Table(
    "merges",
    "One row per merge of two cases.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("merge_event_id", TEXT, "shared by the merge's events on both cases"),
        Column("primary_case_id", TEXT, "the case that was kept"),
        Column("secondary_case_id", TEXT, "the case that was closed"),
        Column("merged_at", TIME, "its first event"),
        Column("n_primary_events", "int64", "its events on the case that was kept"),
        Column("n_secondary_events", "int64", "its events on the one that was closed"),
    ),
)

_THREAD = (
    Column("thread_id", TEXT, "the case that was kept in the end, or the case itself"),
    Column("is_counted", "bool", "False for what a merge repeats from the other case"),
)


def _in_threads(table: Table) -> tuple[Column, ...]:
    """Return a table's columns as analysis gives them: plain texts, in a thread."""
    plain = [
        Column(
            column.name, TEXT if column.dtype == ID else column.dtype, column.meaning
        )
        for column in table.columns
    ]
    return (plain[0], *_THREAD, *plain[1:])


THREAD_EVENTS = Table(
    "thread_events",
    "One row per event, with the thread that its case belongs to.",
    _in_threads(EVENTS),
)

THREAD_CHANGES = Table(
    "thread_changes",
    "One row per field change, with the thread that its case belongs to.",
    _in_threads(CHANGES),
)

THREAD_SUMMARY = Table(
    "thread_summary",
    "One row per thread: a case, or several that were merged into one.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("thread_id", TEXT, "the case that was kept in the end"),
        Column("n_cases", "int64", "cases"),
        Column("n_merges", "int64", "merges"),
        Column("n_events", "int64", "counted events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_actors", "int64", "distinct actors named by them"),
        Column("first_at", TIME, "the first of them"),
        Column("last_at", TIME, "the last of them"),
    ),
)

FINDINGS = Table(
    "findings",
    "One row per finding of a rule, or per case that it could not check.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("rule", TEXT, "the rule"),
        Column("severity", TEXT, "`info`, `warning` or `problem`"),
        Column("verdict", TEXT, "`found` or `not_checkable`"),
        Column("field_id", TEXT, "the field, where one is meant"),
        Column("found_at", TIME, "when it was done; missing if not checkable"),
        Column("actor", TEXT, "who did it; missing if AWS named none"),
        Column("event_ids", TEXT, "the events that show it, a space between two"),
        Column("message", TEXT, "what was found, or why it cannot be checked"),
    ),
)

_OF_CASE = (
    Column("domain_id", TEXT, "the Cases domain"),
    Column("case_id", TEXT, "the case"),
)
_OF_FIELD = (*_OF_CASE, Column("field_id", TEXT, "the field"))
_HELD = (
    Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
    Column("value", TEXT, "the value as text; missing for empty and absent"),
)
_FROM_TO = (
    Column("from_kind", TEXT, "kind of the value before; missing if not told"),
    Column("from_value", TEXT, "the value before"),
    Column("to_kind", TEXT, "kind of the value after"),
    Column("to_value", TEXT, "the value after"),
)
_BY = (
    Column("event_id", TEXT, "the event that did it"),
    Column("actor", TEXT, "who did it; missing if AWS named none"),
)

TIME_IN = Table(
    "time_in",
    "One row per case and value of a field: how long it held.",
    (
        *_OF_FIELD,
        *_HELD,
        Column(
            "hours", "float64", "hours of all spells, as far as their start is told"
        ),
        Column("n_spells", "int64", "how many"),
        Column("is_open", "bool", "it still held at `as_of`"),
        Column("is_known", "bool", "every one of the spells is known"),
    ),
)

BACKLOG = Table(
    "backlog",
    "One row per period and value in or out of which a case went.",
    (
        Column("period_at", TIME, "when the period began"),
        Column("field_id", TEXT, "the field"),
        *_HELD,
        Column("n_in", "int64", "times that a case got the value in the period"),
        Column("n_out", "int64", "times that a case lost it"),
        Column("n_cases", "int64", "cases that held it when the period ended"),
    ),
)

STATE_AT = Table(
    "state_at",
    "One row per case and field that the history tells by a moment.",
    (
        *_OF_FIELD,
        *_HELD,
        Column("since_at", TIME, "when it got the value; missing if not told"),
        *_BY,
    ),
)

BLAME = Table(
    "blame",
    "One row per case and field: its value, who set it, when, from what.",
    (
        *_OF_FIELD,
        *_HELD,
        *_BY,
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("since_at", TIME, "when it got the value; missing if not told"),
        Column("previous_kind", TEXT, "kind of the value before; missing if not told"),
        Column("previous", TEXT, "the value before"),
    ),
)

DIFF = Table(
    "diff",
    "One row per case and field that held another value at a later moment.",
    (
        *_OF_FIELD,
        *_FROM_TO,
        Column("since_at", TIME, "when it got the later value"),
        *_BY,
    ),
)

TRANSITIONS = Table(
    "transitions",
    "One row per pair of values of a field that followed each other in a case.",
    (
        Column("field_id", TEXT, "the field"),
        *_FROM_TO,
        Column("n", "int64", "how often"),
        Column("n_cases", "int64", "in how many cases"),
        Column(
            "median_hours", "float64", "how long the value before had held, the median"
        ),
    ),
)

HANDOFFS = Table(
    "handoffs",
    "One row per change of who holds a case: its user or its queue.",
    (
        *_OF_FIELD,
        Column("from_value", TEXT, "who held it; missing for nobody"),
        Column("to_value", TEXT, "who holds it then; missing for nobody"),
        Column("at", TIME, "when"),
        Column("held_hours", "float64", "hours since the one before had got it"),
        Column(
            "is_ping_pong", "bool", "back to the holder before last, gaps left aside"
        ),
        *_BY,
    ),
)

REOPENS = Table(
    "reopens",
    "One row per time that a closed case was opened again.",
    (
        *_OF_CASE,
        Column("closed_at", TIME, "when it was closed; missing if not told"),
        Column("reopened_at", TIME, "when it was opened again"),
        Column("hours", "float64", "hours between"),
        Column("to_value", TEXT, "the status that it got"),
        Column("closed_by", TEXT, "`merge` or `change`; missing without events"),
        Column("close_event_id", TEXT, "the event that closed it"),
        *_BY,
    ),
)

VARIANTS = Table(
    "variants",
    "One row per way that cases took through a field's values.",
    (
        Column("field_id", TEXT, "the field"),
        Column("variant", TEXT, "the values in order, `→` between them"),
        Column("n_steps", "int64", "how many values are told"),
        Column("n_cases", "int64", "cases that went so"),
        Column("share", "float64", "of all cases, from 0 to 1"),
    ),
)

FIRST_TIMES = Table(
    "first_times",
    "One row per case: when something first happened to it.",
    (
        *_OF_CASE,
        Column("created_at", TIME, "when it was created; missing if not told"),
        Column("first_touch_at", TIME, "an agent's first event after creation"),
        Column("touch_hours", "float64", "hours from creation to it"),
        Column("first_assigned_at", TIME, "first time that a user held it"),
        Column("assigned_hours", "float64", "hours from creation to it"),
        Column("first_comment_at", TIME, "its first comment"),
        Column("comment_hours", "float64", "hours from creation to it"),
        Column("first_closed_at", TIME, "first close that no merge made"),
        Column("closed_hours", "float64", "hours from creation to it"),
    ),
)

CASE_SUMMARY = Table(
    "case_summary",
    "One row per case: its times, its counts and where it stands.",
    (
        *FIRST_TIMES.columns,
        Column("last_event_at", TIME, "its newest event"),
        Column("idle_hours", "float64", "hours since then"),
        Column("status", TEXT, "the status that it has"),
        Column("status_at", TIME, "since when; missing if not told"),
        Column("status_hours", "float64", "hours since then"),
        Column("is_closed", "bool", "the status means closed"),
        Column("age_hours", "float64", "hours from creation to its close, if it is"),
        Column("assigned_user", TEXT, "who holds it; missing for nobody"),
        Column("assigned_queue", TEXT, "which queue holds it; missing for none"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_actors", "int64", "distinct actors that AWS names"),
        Column("n_agents", "int64", "of them agents"),
        Column("n_by_agents", "int64", "events by agents"),
        Column("n_comments", "int64", "comments added"),
        Column("n_contacts", "int64", "contacts added"),
        Column("n_merge_events", "int64", "events that a merge made"),
        Column("n_status_changes", "int64", "changes of status after its first"),
        Column("n_breaks", "int64", "old values that the history does not explain"),
        Column("n_reopens", "int64", "times that it was opened again"),
        Column("n_user_handoffs", "int64", "from one user to another"),
        Column("n_queue_handoffs", "int64", "from one queue to another"),
        Column("n_ping_pongs", "int64", "back to the holder before last"),
    ),
)

DURATIONS = Table(
    "durations",
    "One row per field and value: how long its spells last, open ones censored.",
    (
        Column("field_id", TEXT, "the field"),
        *_HELD,
        Column("n", "int64", "spells"),
        Column("n_open", "int64", "of them still open"),
        Column("n_unknown", "int64", "of them without a known start, not counted"),
        Column("q25_hours", "float64", "hours after which a quarter had ended"),
        Column("median_hours", "float64", "hours after which half had ended"),
        Column("q90_hours", "float64", "hours after which nine tenths had ended"),
    ),
)

TABLES = (
    EVENTS,
    CHANGES,
    DOMAINS,
    FIELDS,
    OPTIONS,
    TEMPLATES,
    USERS,
    QUEUES,
    NAMES,
    RELATED_ITEMS,
    CASES,
    CASE_FIELDS,
    UNLOADED,
    SPELLS,
    TIME_IN,
    BACKLOG,
    STATE_AT,
    BLAME,
    DIFF,
    TRANSITIONS,
    HANDOFFS,
    REOPENS,
    VARIANTS,
    FIRST_TIMES,
    CASE_SUMMARY,
    DURATIONS,
    ACTOR_ACTIVITY,
    ACTOR_MATRIX,
    RHYTHM,
    ATTRIBUTION,
    WORK_SHARE,
    OFF_HOURS,
    BURSTS,
    CONTINUITY,
    TIME_BOUNDS,
    VERIFY,
    DRIFT,
    MERGES,
    THREAD_EVENTS,
    THREAD_CHANGES,
    THREAD_SUMMARY,
    FINDINGS,
)
"""All tables, in the order a reader meets them."""
