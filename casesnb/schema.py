"""Every table that casesnb gives: its columns, dtypes, grain and meaning, as data."""

from casesnb.analysis.actors import (
    ACTOR_ACTIVITY,
    ACTOR_MATRIX,
    ATTRIBUTION,
    BURSTS,
    OFF_HOURS,
    RHYTHM,
    WORK_SHARE,
)
from casesnb.analysis.checks import FINDINGS
from casesnb.analysis.conformance import CONFORMANCE
from casesnb.analysis.durations import DURATIONS, SURVIVAL
from casesnb.analysis.flow import FIRST_TIMES, HANDOFFS, REOPENS, TRANSITIONS, VARIANTS
from casesnb.analysis.rates import OUTCOMES, RATES
from casesnb.analysis.rework import BACKWARD_MOVES, EFFORT, PAIRS
from casesnb.analysis.spells import BACKLOG, SPELLS, TIME_IN
from casesnb.analysis.state import BLAME, DIFF, STATE_AT
from casesnb.analysis.summary import CASE_SUMMARY
from casesnb.analysis.tail import TAIL
from casesnb.analysis.threads import (
    MERGES,
    THREAD_CHANGES,
    THREAD_EVENTS,
    THREAD_SUMMARY,
)
from casesnb.analysis.triage import TRIAGE
from casesnb.analysis.trust import (
    COMPARE_CAPTURES,
    COMPARE_WITH_CURRENT,
    CONTINUITY,
    TIME_BOUNDS,
)
from casesnb.analysis.why import WHY
from casesnb.analysis.windows import UNDER_WAY
from casesnb.tables.archive import ARCHIVED_CASES
from casesnb.tables.schema import (
    CAPTURES,
    CASE_FIELDS,
    CASES,
    CHANGES,
    DOMAINS,
    EVENTS,
    FIELDS,
    NAMES,
    OPTIONS,
    QUEUES,
    RELATED_ITEMS,
    TEMPLATES,
    UNLOADED,
    USERS,
    Column,
    Table,
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
    ARCHIVED_CASES,
    CAPTURES,
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
    SURVIVAL,
    UNDER_WAY,
    RATES,
    OUTCOMES,
    CONFORMANCE,
    BACKWARD_MOVES,
    EFFORT,
    PAIRS,
    TAIL,
    ACTOR_ACTIVITY,
    ACTOR_MATRIX,
    RHYTHM,
    ATTRIBUTION,
    WORK_SHARE,
    OFF_HOURS,
    BURSTS,
    CONTINUITY,
    TIME_BOUNDS,
    COMPARE_WITH_CURRENT,
    COMPARE_CAPTURES,
    MERGES,
    THREAD_EVENTS,
    THREAD_CHANGES,
    THREAD_SUMMARY,
    FINDINGS,
    TRIAGE,
    WHY,
)
"""All tables, in the order a reader meets them."""

__all__ = [
    "ACTOR_ACTIVITY",
    "ACTOR_MATRIX",
    "ARCHIVED_CASES",
    "ATTRIBUTION",
    "BACKLOG",
    "BACKWARD_MOVES",
    "BLAME",
    "BURSTS",
    "CAPTURES",
    "CASES",
    "CASE_FIELDS",
    "CASE_SUMMARY",
    "CHANGES",
    "COMPARE_CAPTURES",
    "COMPARE_WITH_CURRENT",
    "CONFORMANCE",
    "CONTINUITY",
    "DIFF",
    "DOMAINS",
    "DURATIONS",
    "EFFORT",
    "EVENTS",
    "FIELDS",
    "FINDINGS",
    "FIRST_TIMES",
    "HANDOFFS",
    "MERGES",
    "NAMES",
    "OFF_HOURS",
    "OPTIONS",
    "OUTCOMES",
    "PAIRS",
    "QUEUES",
    "RATES",
    "RELATED_ITEMS",
    "REOPENS",
    "RHYTHM",
    "SPELLS",
    "STATE_AT",
    "SURVIVAL",
    "TABLES",
    "TAIL",
    "TEMPLATES",
    "THREAD_CHANGES",
    "THREAD_EVENTS",
    "THREAD_SUMMARY",
    "TIME_BOUNDS",
    "TIME_IN",
    "TRANSITIONS",
    "TRIAGE",
    "UNDER_WAY",
    "UNLOADED",
    "USERS",
    "VARIANTS",
    "WHY",
    "WORK_SHARE",
    "Column",
    "Table",
]


def __dir__() -> list[str]:
    return __all__
