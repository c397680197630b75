"""How often each odd thing happens in a world: `Rates`."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each odd thing happens: shares from 0 to 1, of cases unless said.

    Parameters
    ----------
    merge : float
        Of pairs of neighbouring cases: the two are merged.
    reopen : float
        Closed and opened again.
    ping_pong : float
        Passed on and back.
    changed_back : float
        A value changed, and changed back.
    bulk_edit : float
        Of blocks of 100 cases: most of them are edited at one moment.
    edit_after_close : float
        Edited by a program after it was closed.
    out_of_hours : float
        Of the doings of people: outside working hours.
    sla : float
        Has an SLA.
    sla_second : float
        Of cases with an SLA: has another, for the beginning of the work.
    sla_edit : float
        Of SLAs: somebody edits the target; of those that were edited, once more,
        and so on, at most five times.
    sla_without_fields : float
        The events about its SLAs list no field.
    sla_without_events : float
        The history has no event about its SLAs.
    same_instant : float
        Of acts: at the very time of the act before.
    automation : float
        Made and routed by flows and rules.
    integration : float
        Made and kept by an integration.
    unnamed : float
        Of acts of people and programs: AWS does not say who.
    without_creation : float
        The history begins after the case did.
    no_event : float
        The history is empty.
    thousands : float
        Thousands of events.
    hostile : float
        Texts that attack whoever shows them.
    long_text : float
        A text of 4,100 characters.
    empty_text : float
        Created with a summary of no characters.
    empty_before_creation : float
        The creation says that the fields were empty before.
    bookkeeping : float
        Each edit lists ``last_updated_datetime`` and ``last_updated_user`` too.

    Raises
    ------
    ValueError
        If one of them is no number from 0 to 1.
    """

    merge: float = 0.1
    reopen: float = 0.2
    ping_pong: float = 0.1
    changed_back: float = 0.1
    bulk_edit: float = 0.5
    edit_after_close: float = 0.08
    out_of_hours: float = 0.02
    sla: float = 0.5
    sla_second: float = 0.0
    sla_edit: float = 0.0
    sla_without_fields: float = 0.0
    sla_without_events: float = 0.0
    same_instant: float = 0.02
    automation: float = 0.3
    integration: float = 0.15
    unnamed: float = 0.01
    without_creation: float = 0.02
    no_event: float = 0.005
    thousands: float = 0.001
    hostile: float = 0.05
    long_text: float = 0.02
    empty_text: float = 0.05
    empty_before_creation: float = 0.0
    bookkeeping: float = 0.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share!r} is no share. Give 0 to 1.")
