"""Read the audit history of Amazon Connect Cases in Jupyter.

Three lines take you from a case id to a picture:

>>> import casesnb as cn
>>> client = cn.connect(cn.sandbox.World(seed=7))    # cn.connect() asks AWS
>>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)

``connect`` gives a genuine boto3 client and ``load_history`` a `History`, the
subject of all that follows: nouns such as ``spells`` summarise it, ``plot_*``
draws it, `timeline` and `CaseExplorer` let you click through it and `write_report`
hands it over. More is in families: ``cn.actors``, ``cn.threads``, ``cn.trust``,
``cn.checks``, ``cn.cohorts``, ``cn.export``, ``cn.raw``, ``cn.rework``, ``cn.types``,
``cn.errors``; the columns are in ``cn.schema``, and a service to try it on is in
``cn.sandbox``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from casesnb import errors as errors
    from casesnb import sandbox as sandbox
    from casesnb import schema as schema
    from casesnb import types as types
    from casesnb.analysis import actors as actors
    from casesnb.analysis import checks as checks
    from casesnb.analysis import cohorts as cohorts
    from casesnb.analysis import rework as rework
    from casesnb.analysis import threads as threads
    from casesnb.analysis import trust as trust
    from casesnb.analysis.calendar import Calendar as Calendar
    from casesnb.analysis.calendar import with_working_hours as with_working_hours
    from casesnb.analysis.checks import findings as findings
    from casesnb.analysis.cohorts import compare as compare
    from casesnb.analysis.conformance import conformance as conformance
    from casesnb.analysis.durations import durations as durations
    from casesnb.analysis.durations import survival as survival
    from casesnb.analysis.flow import first_times as first_times
    from casesnb.analysis.flow import handoffs as handoffs
    from casesnb.analysis.flow import reopens as reopens
    from casesnb.analysis.flow import transitions as transitions
    from casesnb.analysis.flow import variants as variants
    from casesnb.analysis.overlap import overlap as overlap
    from casesnb.analysis.rates import outcomes as outcomes
    from casesnb.analysis.rates import rates as rates
    from casesnb.analysis.slas import sla_edits as sla_edits
    from casesnb.analysis.slas import sla_holders as sla_holders
    from casesnb.analysis.slas import slas as slas
    from casesnb.analysis.spells import backlog as backlog
    from casesnb.analysis.spells import spells as spells
    from casesnb.analysis.spells import time_in as time_in
    from casesnb.analysis.state import blame as blame
    from casesnb.analysis.state import diff as diff
    from casesnb.analysis.state import state_at as state_at
    from casesnb.analysis.state import state_table as state_table
    from casesnb.analysis.summary import case_summary as case_summary
    from casesnb.analysis.triage import triage as triage
    from casesnb.analysis.why import why as why
    from casesnb.analysis.windows import between as between
    from casesnb.analysis.windows import under_way as under_way
    from casesnb.tables import export as export
    from casesnb.tables import raw as raw
    from casesnb.tables.archive import Archive as Archive
    from casesnb.tables.filters import where as where
    from casesnb.tables.filters import where_tag as where_tag
    from casesnb.tables.history import History as History
    from casesnb.tables.history import concat as concat
    from casesnb.tables.load import load_case_fields as load_case_fields
    from casesnb.tables.load import load_cases as load_cases
    from casesnb.tables.load import load_domains as load_domains
    from casesnb.tables.load import load_fields as load_fields
    from casesnb.tables.load import load_options as load_options
    from casesnb.tables.load import load_related_items as load_related_items
    from casesnb.tables.load import load_templates as load_templates
    from casesnb.tables.load_history import load_histories as load_histories
    from casesnb.tables.load_history import load_history as load_history
    from casesnb.tables.names import load_catalogue as load_catalogue
    from casesnb.tables.names import with_names as with_names
    from casesnb.tables.notes import Notes as Notes
    from casesnb.tables.redacted import redacted as redacted
    from casesnb.tables.redacted import verify_redacted as verify_redacted
    from casesnb.tables.values import typed as typed
    from casesnb.view.explorer.view import CaseExplorer as CaseExplorer
    from casesnb.view.plots.case import plot_changes as plot_changes
    from casesnb.view.plots.cases import plot_aging as plot_aging
    from casesnb.view.plots.cases import plot_cases as plot_cases
    from casesnb.view.plots.comparison import plot_comparison as plot_comparison
    from casesnb.view.plots.flow import plot_backlog as plot_backlog
    from casesnb.view.plots.flow import plot_handoffs as plot_handoffs
    from casesnb.view.plots.flow import plot_time_in as plot_time_in
    from casesnb.view.plots.flow import plot_transitions as plot_transitions
    from casesnb.view.plots.people import plot_activity as plot_activity
    from casesnb.view.plots.people import plot_rhythm as plot_rhythm
    from casesnb.view.plots.style import plot_data as plot_data
    from casesnb.view.plots.style import plot_text as plot_text
    from casesnb.view.report.story import story as story
    from casesnb.view.report.verify import verify_report as verify_report
    from casesnb.view.report.write import write_report as write_report
    from casesnb.view.timeline.widget import timeline as timeline
    from casesnb.wire.client import connect as connect
    from casesnb.wire.errors import CasesError as CasesError
    from casesnb.wire.redact.redaction import Redaction as Redaction

# Where each public name lives. A name's module is imported when it is first used,
# so that `import casesnb` stays light.
_HOMES = {
    "wire.client": ("connect",),
    "wire.errors": ("CasesError",),
    "wire.redact.redaction": ("Redaction",),
    "tables.archive": ("Archive",),
    "tables.filters": (
        "where",
        "where_tag",
    ),
    "tables.history": (
        "History",
        "concat",
    ),
    "tables.load_history": (
        "load_histories",
        "load_history",
    ),
    "tables.load": (
        "load_case_fields",
        "load_cases",
        "load_domains",
        "load_fields",
        "load_options",
        "load_related_items",
        "load_templates",
    ),
    "tables.names": (
        "load_catalogue",
        "with_names",
    ),
    "tables.notes": ("Notes",),
    "tables.redacted": (
        "redacted",
        "verify_redacted",
    ),
    "tables.values": ("typed",),
    "analysis.spells": (
        "backlog",
        "spells",
        "time_in",
    ),
    "analysis.durations": (
        "durations",
        "survival",
    ),
    "analysis.windows": (
        "between",
        "under_way",
    ),
    "analysis.overlap": ("overlap",),
    "analysis.rates": (
        "outcomes",
        "rates",
    ),
    "analysis.slas": (
        "sla_edits",
        "sla_holders",
        "slas",
    ),
    "analysis.cohorts": ("compare",),
    "analysis.conformance": ("conformance",),
    "analysis.calendar": (
        "Calendar",
        "with_working_hours",
    ),
    "analysis.state": (
        "blame",
        "diff",
        "state_at",
        "state_table",
    ),
    "analysis.flow": (
        "first_times",
        "handoffs",
        "reopens",
        "transitions",
        "variants",
    ),
    "analysis.summary": ("case_summary",),
    "analysis.checks": ("findings",),
    "analysis.triage": ("triage",),
    "analysis.why": ("why",),
    "view.plots.case": ("plot_changes",),
    "view.plots.cases": (
        "plot_aging",
        "plot_cases",
    ),
    "view.plots.comparison": ("plot_comparison",),
    "view.plots.flow": (
        "plot_backlog",
        "plot_handoffs",
        "plot_time_in",
        "plot_transitions",
    ),
    "view.plots.people": (
        "plot_activity",
        "plot_rhythm",
    ),
    "view.plots.style": (
        "plot_data",
        "plot_text",
    ),
    "view.explorer.view": ("CaseExplorer",),
    "view.report.story": ("story",),
    "view.report.verify": ("verify_report",),
    "view.report.write": ("write_report",),
    "view.timeline.widget": ("timeline",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

# Families of names, which completion shows.
_FAMILIES = {
    "actors": "casesnb.analysis.actors",
    "checks": "casesnb.analysis.checks",
    "cohorts": "casesnb.analysis.cohorts",
    "errors": "casesnb.errors",
    "export": "casesnb.tables.export",
    "raw": "casesnb.tables.raw",
    "rework": "casesnb.analysis.rework",
    "sandbox": "casesnb.sandbox",
    "schema": "casesnb.schema",
    "threads": "casesnb.analysis.threads",
    "trust": "casesnb.analysis.trust",
    "types": "casesnb.types",
}

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
