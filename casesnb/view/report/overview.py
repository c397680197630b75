"""What a report tells of many cases at once: key figures, findings, what to read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from casesnb.analysis.weekly import key_figures
from casesnb.tables.certificate import case_keys
from casesnb.view.plots.cases import plot_aging
from casesnb.view.plots.flow import plot_backlog
from casesnb.view.report.pictures import picture_of, picture_of_activity
from casesnb.view.wording import counted, hours_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from casesnb.analysis.weekly import Estimate
    from casesnb.tables.history import History
    from casesnb.view.report.pictures import Picture


def overview(
    history: History[Any],
    key: str,
    found: pd.DataFrame,
    top: pd.DataFrame,
    about: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Return what an overview tells; `about` says what the `top` cases are."""
    told: dict[str, Any] = {"key": key, "figures": [], "pictures": [], "triage": []}
    if len(history.events):
        (start, end), figures = key_figures(history)
        told["week"] = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        told["figures"] = [
            {
                "name": each.name,
                "label": each.label,
                "now": _told(each.now, each.unit),
                "before": _told(each.before, each.unit),
            }
            for each in figures
        ]
        told["pictures"] = [*_pictures(history)]
        told["triage"] = [*_triage(top, about)]
    captures = history.certificate.captures
    cases = case_keys(captures)
    return told | {"rules": [*_by_rule(found)], "cases": [*cases]}


def _told(estimate: Estimate, unit: str) -> dict[str, str]:
    """Return a figure in words."""
    if estimate.value is None:
        return {"value": "none", "interval": "", "of": estimate.of}
    low, high = estimate.low, estimate.high
    interval = "" if low is None or high is None else _interval(low, high, unit)
    return {
        "value": _amount(estimate.value, unit),
        "interval": interval,
        "of": estimate.of,
    }


def _interval(low: float, high: float, unit: str) -> str:
    if math.isinf(low):
        return "95%: not reached"
    if math.isinf(high):
        return f"95%: {_amount(low, unit)} or more"
    if unit == "cases":
        return f"95%: {math.floor(low):,} to {math.ceil(high):,}"
    return f"95%: {_amount(low, unit)} to {_amount(high, unit)}"


def _amount(value: float, unit: str) -> str:
    if math.isinf(value):
        return "not reached"
    if unit == "share":
        return f"{value:.0%}"
    return hours_text(value) if unit == "hours" else f"{value:,.0f}"


def _pictures(history: History[Any]) -> Iterator[Picture]:
    yield picture_of("backlog", lambda ax: plot_backlog(history, ax=ax), left=0.5)
    yield picture_of(
        "aging", lambda ax: plot_aging(history, ax=ax), left=0.6, right=0.3
    )
    yield picture_of_activity(history)


def _by_rule(found: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield what each rule found, summed up, the weightiest first."""
    severities = ("problem", "warning", "info")
    groups = [
        (severities.index(str(severity)), -len(rows), str(rule), rows)
        for (severity, rule), rows in found.groupby(["severity", "rule"], observed=True)
    ]
    for place, _, rule, rows in sorted(groups, key=lambda each: each[:3]):
        is_found = rows["verdict"] == "found"
        hits = rows[is_found]
        most = hits["message"].value_counts().sort_index()
        most = most.sort_values(ascending=False, kind="stable")
        yield {
            "rule": rule.replace("_", " "),
            "severity": severities[place],
            "n_found": f"{len(hits):,}",
            "n_cases": f"{_n_cases(hits):,}",
            "n_unsure": f"{_n_cases(rows[~is_found]):,}",
            "message": str(most.index[0]) if len(most) else "",
        }


def _n_cases(rows: pd.DataFrame) -> int:
    return len(rows[["domain_id", "case_id"]].drop_duplicates())


def _triage(
    top: pd.DataFrame, about: Mapping[tuple[str, str], str]
) -> Iterator[Mapping[str, Any]]:
    for row in top.to_dict("records"):
        ids = str(row["event_ids"] or "").split()
        yield {
            "rank": row["rank"],
            "domain_id": row["domain_id"],
            "case_id": row["case_id"],
            "about": about[row["domain_id"], row["case_id"]],
            "reasons": str(row["reasons"]).split("; "),
            "event_ids": ids,
            "n": counted(len(ids), "event"),
        }
