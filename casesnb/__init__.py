"""Read the audit history of Amazon Connect Cases in Jupyter.

Three lines take you from a case id to a picture:

>>> import casesnb as cn
>>> client = cn.connect(cn.sandbox.World(seed=7))    # cn.connect() asks AWS
>>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)

``connect`` gives a genuine boto3 client, ``load_*`` returns tidy DataFrames,
nouns such as ``spells`` summarise them, ``plot_*`` draws them, `CaseExplorer`
lets you click through them and `write_report` hands them over. The columns are
in `casesnb.tables.schema`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from casesnb import sandbox as sandbox
    from casesnb.analysis.actors import actor_activity as actor_activity
    from casesnb.analysis.actors import actor_matrix as actor_matrix
    from casesnb.analysis.actors import attribution as attribution
    from casesnb.analysis.actors import bursts as bursts
    from casesnb.analysis.actors import off_hours as off_hours
    from casesnb.analysis.actors import rhythm as rhythm
    from casesnb.analysis.actors import with_users as with_users
    from casesnb.analysis.actors import work_share as work_share
    from casesnb.analysis.calendar import Calendar as Calendar
    from casesnb.analysis.calendar import with_working_hours as with_working_hours
    from casesnb.analysis.checks import RULES as RULES
    from casesnb.analysis.checks import Rule as Rule
    from casesnb.analysis.checks import Tables as Tables
    from casesnb.analysis.checks import findings as findings
    from casesnb.analysis.checks import rule as rule
    from casesnb.analysis.durations import durations as durations
    from casesnb.analysis.flow import first_times as first_times
    from casesnb.analysis.flow import handoffs as handoffs
    from casesnb.analysis.flow import reopens as reopens
    from casesnb.analysis.flow import transitions as transitions
    from casesnb.analysis.flow import variants as variants
    from casesnb.analysis.lineage import merges as merges
    from casesnb.analysis.lineage import thread_changes as thread_changes
    from casesnb.analysis.lineage import thread_events as thread_events
    from casesnb.analysis.lineage import thread_summary as thread_summary
    from casesnb.analysis.spells import backlog as backlog
    from casesnb.analysis.spells import spells as spells
    from casesnb.analysis.spells import time_in as time_in
    from casesnb.analysis.state import blame as blame
    from casesnb.analysis.state import diff as diff
    from casesnb.analysis.state import state_at as state_at
    from casesnb.analysis.state import state_table as state_table
    from casesnb.analysis.summary import case_summary as case_summary
    from casesnb.analysis.trust import continuity as continuity
    from casesnb.analysis.trust import drift as drift
    from casesnb.analysis.trust import time_bounds as time_bounds
    from casesnb.analysis.trust import verify as verify
    from casesnb.tables import schema as schema
    from casesnb.tables.certificate import Certificate as Certificate
    from casesnb.tables.event_log import to_ocel as to_ocel
    from casesnb.tables.event_log import to_pm4py as to_pm4py
    from casesnb.tables.event_log import to_xes as to_xes
    from casesnb.tables.files import read_csv as read_csv
    from casesnb.tables.files import read_parquet as read_parquet
    from casesnb.tables.files import to_csv as to_csv
    from casesnb.tables.files import to_parquet as to_parquet
    from casesnb.tables.filters import CaseFilter as CaseFilter
    from casesnb.tables.filters import where as where
    from casesnb.tables.filters import where_tag as where_tag
    from casesnb.tables.history import History as History
    from casesnb.tables.history import iter_audit_events as iter_audit_events
    from casesnb.tables.history import iter_audit_pages as iter_audit_pages
    from casesnb.tables.history import load_histories as load_histories
    from casesnb.tables.history import load_history as load_history
    from casesnb.tables.load import iter_cases as iter_cases
    from casesnb.tables.load import load_case as load_case
    from casesnb.tables.load import load_cases as load_cases
    from casesnb.tables.load import load_domains as load_domains
    from casesnb.tables.load import load_fields as load_fields
    from casesnb.tables.load import load_options as load_options
    from casesnb.tables.load import load_related_items as load_related_items
    from casesnb.tables.load import load_templates as load_templates
    from casesnb.tables.names import Catalogue as Catalogue
    from casesnb.tables.names import load_catalogue as load_catalogue
    from casesnb.tables.names import with_names as with_names
    from casesnb.tables.tidy import changes_frame as changes_frame
    from casesnb.tables.tidy import events_frame as events_frame
    from casesnb.tables.values import typed as typed
    from casesnb.view.explorer.view import CaseExplorer as CaseExplorer
    from casesnb.view.plots.case import plot_changes as plot_changes
    from casesnb.view.plots.cases import plot_aging as plot_aging
    from casesnb.view.plots.cases import plot_cases as plot_cases
    from casesnb.view.plots.flow import plot_backlog as plot_backlog
    from casesnb.view.plots.flow import plot_handoffs as plot_handoffs
    from casesnb.view.plots.flow import plot_time_in as plot_time_in
    from casesnb.view.plots.flow import plot_transitions as plot_transitions
    from casesnb.view.plots.people import plot_activity as plot_activity
    from casesnb.view.plots.people import plot_rhythm as plot_rhythm
    from casesnb.view.plots.style import describe as describe
    from casesnb.view.plots.style import drawn as drawn
    from casesnb.view.report.story import story as story
    from casesnb.view.report.verify import Verification as Verification
    from casesnb.view.report.verify import verify_report as verify_report
    from casesnb.view.report.write import write_report as write_report
    from casesnb.wire.client import connect as connect
    from casesnb.wire.pages import Page as Page
    from casesnb.wire.pages import PageError as PageError
    from casesnb.wire.recording import RecordingNotFound as RecordingNotFound
    from casesnb.wire.redact.leaks import LeakFound as LeakFound
    from casesnb.wire.redact.redaction import Redaction as Redaction
    from casesnb.wire.responder import Request as Request
    from casesnb.wire.responder import Responder as Responder
    from casesnb.wire.responder import Response as Response

# Where each public name lives. A name's module is imported when it is first used,
# so that `import casesnb` stays light.
_HOMES = {
    "wire.client": ("connect",),
    "wire.pages": ("Page", "PageError"),
    "wire.recording": ("RecordingNotFound",),
    "wire.redact.leaks": ("LeakFound",),
    "wire.redact.redaction": ("Redaction",),
    "wire.responder": ("Request", "Responder", "Response"),
    "tables.certificate": ("Certificate",),
    "tables.event_log": ("to_ocel", "to_pm4py", "to_xes"),
    "tables.files": ("read_csv", "read_parquet", "to_csv", "to_parquet"),
    "tables.history": (
        "History",
        "iter_audit_events",
        "iter_audit_pages",
        "load_histories",
        "load_history",
    ),
    "tables.load": (
        "iter_cases",
        "load_case",
        "load_cases",
        "load_domains",
        "load_fields",
        "load_options",
        "load_related_items",
        "load_templates",
    ),
    "tables.names": ("Catalogue", "load_catalogue", "with_names"),
    "tables.tidy": ("changes_frame", "events_frame"),
    "tables.values": ("typed",),
    "tables.filters": ("CaseFilter", "where", "where_tag"),
    "analysis.spells": ("backlog", "spells", "time_in"),
    "analysis.state": ("blame", "diff", "state_at", "state_table"),
    "analysis.flow": ("first_times", "handoffs", "reopens", "transitions", "variants"),
    "analysis.durations": ("durations",),
    "analysis.summary": ("case_summary",),
    "analysis.calendar": ("Calendar", "with_working_hours"),
    "analysis.actors": (
        "actor_activity",
        "actor_matrix",
        "attribution",
        "bursts",
        "off_hours",
        "rhythm",
        "with_users",
        "work_share",
    ),
    "analysis.lineage": (
        "merges",
        "thread_changes",
        "thread_events",
        "thread_summary",
    ),
    "analysis.trust": (
        "continuity",
        "drift",
        "time_bounds",
        "verify",
    ),
    "analysis.checks": (
        "RULES",
        "Rule",
        "Tables",
        "findings",
        "rule",
    ),
    "view.explorer.view": ("CaseExplorer",),
    "view.plots.case": ("plot_changes",),
    "view.plots.cases": ("plot_aging", "plot_cases"),
    "view.plots.flow": (
        "plot_backlog",
        "plot_handoffs",
        "plot_time_in",
        "plot_transitions",
    ),
    "view.plots.style": ("describe", "drawn"),
    "view.plots.people": ("plot_activity", "plot_rhythm"),
    "view.report.write": ("write_report",),
    "view.report.story": ("story",),
    "view.report.verify": ("Verification", "verify_report"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

# Families of names, which completion shows.
_FAMILIES = {"sandbox": "casesnb.sandbox", "schema": "casesnb.tables.schema"}

__all__ = [*_FAMILIES, *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        return import_module(_FAMILIES[name])
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'casesnb' has no attribute {name!r}") from None
    value = getattr(import_module(f"casesnb.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
