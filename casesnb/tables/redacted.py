"""A history of pseudonyms: the rules of a redacted recording, by column.

Under one key a value gets the same pseudonym here as in the raw answers.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from casesnb.tables.arguments import need_history
from casesnb.tables.certificate import Certificate, case_keys, counted
from casesnb.tables.decode import ESCAPED
from casesnb.tables.history import History
from casesnb.tables.names import tail
from casesnb.tables.order import ORDER_BY
from casesnb.tables.schema import (
    ACTOR_KINDS,
    CAPTURES,
    CHANGES,
    EVENTS,
    TEXT_TYPE,
    TIME,
    UNLOADED,
    VALUE_KINDS,
)
from casesnb.tables.values import json_text
from casesnb.wire.redact.redaction import Redaction
from casesnb.wire.redact.redactor import Redactor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from casesnb.tables.schema import Table

    Made = Callable[..., str | None]

_RULES = {
    "domain_id": "identifier",
    "case_id": "identifier",
    "event_id": "identifier",
    "merge_event_id": "identifier",
    "primary_case_id": "identifier",
    "secondary_case_id": "identifier",
    "tie_id": "identifier",
    "user_arn": "arn",
    "iam_principal_arn": "arn",
    "custom_entity": "custom_entity",
    "event_type": "word",
    "related_item_type": "word",
    "field_id": "field_id",
    "error": "word",
    "message": "text",
}
"""The rule of each column whose values need nothing from beside them."""

_OURS = {
    "actor_kind": {*ACTOR_KINDS},
    "order_by": {*ORDER_BY},
    "old_kind": {*VALUE_KINDS},
    "new_kind": {*VALUE_KINDS},
    "order_seen": {"newest first", "oldest first", "mixed", "not told"},
}
"""Columns of casesnb's own words, which stay; any other text in them goes."""

_LABELS = ("field", "old_label", "new_label", "actor_name")
_NUMBERS = {"double", "boolean"}  # their text says a number, which stays
_MEMBERS = ("performedBy", "user", "mergeMetadata")
_UNKNOWN = re.compile(r"(\w+ member|event type|related item type) (.*)", re.DOTALL)
_CONTRADICTION = re.compile(r"[\d,]+ events? of [\d,]+ cases? told otherwise by .*")
_SOURCE = re.compile(
    r"((redacted )?(recording|archive) of )*"
    r"(live|sandbox( \(seed \d+\))?|frames that were not loaded)",
    re.ASCII,
)
_AWS = re.compile(r"https://cases\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", re.ASCII)
_VERSION = re.compile(r"[\d.]+[\w.+]{0,20}|", re.ASCII)


def redacted(
    history: History[Any], redaction: Redaction | None = None
) -> History[pd.DataFrame]:
    """Return a history of pseudonyms, by the rules of a redacted recording.

    Under one key a value has the pseudonym that a recording has for it. What is
    returned is searched for every value that was replaced. Names that `with_names`
    added become pseudonyms of the names; other columns of your own are left out.

    Parameters
    ----------
    history : History
        What is to be shown around.
    redaction : Redaction, optional
        What stays, and the key; the default policy under one's own key otherwise.

    Returns
    -------
    History
        With frames of pandas and a certificate that names the policy and the key's
        fingerprint. Each capture's ``sha256`` is that of the original under the key.

    Raises
    ------
    TypeError
        If `history` or `redaction` is none.
    ValueError
        If it is redacted already.
    LeakFound
        If a value that was replaced is in what would be returned.

    See Also
    --------
    verify_redacted : Proves with the key that it belongs to the original.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> shown = cn.redacted(history, cn.Redaction(key=bytes(range(32))))
    >>> len(shown.changes) == len(history.changes)
    True
    >>> cn.verify_redacted(history, shown, bytes(range(32)))
    []
    """
    redactor = redactor_of(redaction)
    made = in_pseudonyms(history, redactor)
    refuse_leaks(made, redactor)
    return made


def verify_redacted(
    original: History[Any],
    redacted: History[Any],
    key: bytes | os.PathLike[str] | None = None,
    *,
    free_text: Callable[[str], str] | None = None,
) -> list[str]:
    """Say what of a redacted history is not its original under the key.

    The original is redacted again, by the policy that the certificate names.

    Parameters
    ----------
    original : History
        What it is said to be made of; it may hold more cases.
    redacted : History
        What `redacted` returned, or what a redacted archive holds; cases may be
        left out since.
    key : bytes or Path, optional
        The key, or the file that holds it; one's own key file otherwise.
    free_text : callable, optional
        The function that made the texts, where the redaction had one.

    Returns
    -------
    list of str
        A sentence for each case and table that is not as the original makes it;
        none if the two belong together.

    Raises
    ------
    ValueError
        If `redacted` names no redaction, or one under another key.

    See Also
    --------
    redacted : Makes it.
    """
    need_history(original, redacted)
    policy = redacted.certificate.redacted
    if policy is None:
        raise ValueError(
            "What is to be verified names no redaction. Give what cn.redacted returned."
        )
    redactor = Redactor(redaction_of(policy, key, free_text))
    again, given = in_pseudonyms(original, redactor), redacted.to_pandas()
    return [*_differences(again, given)]


def redactor_of(redaction: object) -> Redactor:
    """Return what acts by a redaction, the default one for None or True."""
    if redaction is None or redaction is True:
        redaction = Redaction()
    if not isinstance(redaction, Redaction):
        raise TypeError(f"{redaction!r:.80} is no redaction. Give cn.Redaction(...).")
    return Redactor(redaction)


def redaction_of(
    policy: Mapping[str, Any],
    key: bytes | os.PathLike[str] | None,
    free_text: Callable[[str], str] | None = None,
) -> Redaction:
    """Return the redaction of which a certificate names the policy, under its key."""
    told = {name: policy.get(name) for name in ("keep", "free_text", "times")}
    if told["free_text"] == "own":
        if free_text is None:
            raise ValueError(
                "Its texts were made by a function of its maker's own. Give it as "
                "free_text=."
            )
        told["free_text"] = free_text
    found = Redaction(**told, key=key)  # type: ignore[arg-type]
    mine = found.pseudonyms().fingerprint()
    if mine != policy.get("key"):
        raise ValueError(
            f"It was redacted under the key {policy.get('key')}, and this key is {mine}. "
            "Give the one that its maker has."
        )
    return found


def in_pseudonyms(history: History[Any], redactor: Redactor) -> History[pd.DataFrame]:
    """Return a history of pseudonyms, not searched for leaks yet."""
    need_history(history)
    if history.certificate.redacted is not None:
        raise ValueError(
            "This history is redacted already: pseudonyms of pseudonyms prove nothing. "
            "Redact the original."
        )
    given = history.to_pandas()
    events = _table(given.events, EVENTS, redactor)
    changes = _table(given.changes, CHANGES, redactor)
    return History(events, changes, _certificate(given.certificate, redactor))


def refuse_leaks(made: History[pd.DataFrame], redactor: Redactor) -> None:
    """Raise if a value that was replaced is in a redacted history."""
    certificate = made.certificate
    frames = {
        "events": made.events,
        "changes": made.changes,
        "captures": certificate.captures,
        "unloaded": certificate.unloaded,
    }
    for name, frame in frames.items():
        for column in frame.columns:
            texts = frame[column]
            if texts.dtype.kind in "biufM" or column in _OURS:
                continue
            if column in {"old", "new"} and f"{column}_kind" in frame:
                texts = texts[~frame[f"{column}_kind"].isin(_NUMBERS)]
            found = texts.dropna().astype(TEXT_TYPE).unique().tolist()
            redactor.leaks.check(f"{name}.{column}", found)


# ------------------------------------------------------------------- the columns


def _table(frame: pd.DataFrame, table: Table, redactor: Redactor) -> pd.DataFrame:
    """Return a table of pseudonyms, and the names beside its ids."""
    made: dict[str, Any] = {}
    for name in (n for n in (*table.names, *_LABELS) if n in frame.columns):
        given = frame[name]
        how: Made | None = None
        beside: list[pd.Series[Any]] = []
        if name in _RULES:
            how = partial(redactor.replace, _RULES[name])
        elif name in _OURS:
            how = partial(_own, redactor, _OURS[name])
        elif name == "extra":
            how = partial(_extra, redactor)
        elif name == "actor":
            how, beside = partial(_actor, redactor), [_beside(frame, "actor_kind")]
        elif name in {"old", "new"}:
            beside = [_beside(frame, f"{name}_kind"), frame["field_id"]]
            how = partial(_value, redactor)
        elif name == "field":
            how, beside = partial(_field_name, redactor), [frame["field_id"]]
        elif name == "actor_name":
            beside = [_beside(frame, "actor_kind"), frame["actor"]]
            how = partial(_actor_name, redactor)
        elif name in _LABELS:
            value = name.removesuffix("_label")
            kind = _beside(frame, f"{value}_kind")
            how, beside = partial(_label, redactor), [kind, frame["field_id"]]
            beside.append(frame[value])
        elif table.dtypes[name] == TIME:
            given = given - redactor.back
        made[name] = given if how is None else _mapped(how, *beside, given)
    return pd.DataFrame(made).reset_index(drop=True)


def _beside(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column, of missing values where there is none."""
    nothing: pd.Series[Any] = pd.Series(None, frame.index, dtype=TEXT_TYPE)
    return frame[name] if name in frame.columns else nothing


def _mapped(made: Made, *columns: pd.Series[Any]) -> pd.Series[Any]:
    """Return what is made of each value of the last column and what is beside it."""
    given = columns[-1]
    key = np.zeros(len(given), dtype=np.int64)
    known: list[Any] = []
    for column in columns:
        codes, names = pd.factorize(column.astype(TEXT_TYPE))
        known.append([*names.tolist(), None])  # whose place is -1
        key = key * (len(names) + 1) + np.where(codes < 0, len(names), codes)
        # So that the key of many columns stays small.
        key = np.unique(key, return_inverse=True)[1] if len(columns) > 1 else key
        known[-1] = np.asarray(known[-1], dtype=object)[codes]
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    told = [
        None if values[-1] is None else made(*values)
        for values in zip(*(column[first] for column in known), strict=True)
    ]
    texts = pd.Series(told, dtype=TEXT_TYPE).take(place)
    texts.index = given.index
    is_coded = isinstance(given.dtype, pd.CategoricalDtype)
    return texts.astype("category") if is_coded else texts


def _own(redactor: Redactor, own: set[str], text: str) -> str:
    return text if text in own else redactor.replace("unknown", text)


def _actor(redactor: Redactor, kind: str | None, actor: str) -> str:
    is_custom = kind == "custom" or (kind is None and not actor.startswith("arn:"))
    return redactor.replace("custom_entity" if is_custom else "arn", actor)


def _value(
    redactor: Redactor, kind: str | None, field_id: str | None, text: str
) -> str | None:
    """Return the text of a value, as its kind and its field have it."""
    match kind:
        case "double" | "boolean" if _is_number(text):
            return text
        case "empty":
            return None
        case "user_arn":
            return redactor.replace("arn", text)
        case "unknown":
            try:
                return json_text(redactor.unknown_members(json.loads(text)))
            except (AttributeError, ValueError):
                return redactor.replace("unknown", text)
    return redactor.field_value(field_id or "", text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in {"true", "false"}
    return True


def _extra(redactor: Redactor, text: str) -> str:
    """Return what casesnb does not know of an event, its members without their names."""
    try:
        made: dict[str, Any] = {}
        for name, left in json.loads(text).items():
            if name == "fields" and isinstance(left, list):
                made[name] = [_extra_field(redactor, each) for each in left]
            elif name in _MEMBERS and isinstance(left, dict):
                made[name] = redactor.unknown_members(left)
            else:
                made |= redactor.unknown_members({name: left})
        return json.dumps(made, ensure_ascii=True)
    except (AttributeError, KeyError, TypeError, ValueError):
        return redactor.replace("unknown", text)


def _extra_field(redactor: Redactor, field: Mapping[str, Any]) -> dict[str, Any]:
    left = dict(field)
    field_id = redactor.replace("field_id", left.pop("eventFieldId"))
    return {"eventFieldId": field_id, **redactor.unknown_members(left)}


# ---------------------------------------------------------------- names beside ids


def _field_name(redactor: Redactor, field_id: str | None, name: str) -> str:
    field_id = field_id or ""
    if name in (field_id, tail(field_id)):
        return tail(redactor.replace("field_id", field_id))
    return redactor.field_name(field_id, name)


def _actor_name(
    redactor: Redactor, kind: str | None, actor: str | None, name: str
) -> str:
    actor = actor or ""
    if name in (actor, tail(actor)):
        return tail(_actor(redactor, kind, actor))
    return redactor.person_name(name)


def _label(
    redactor: Redactor,
    kind: str | None,
    field_id: str | None,
    value: str | None,
    label: str,
) -> str:
    value, field_id = value or "", field_id or ""
    if label in (value, tail(value)):
        return tail(_value(redactor, kind, field_id, value) or "")
    if kind == "user_arn":
        return redactor.person_name(label)
    if value.startswith("arn:"):
        return redactor.replace("queue_name", label)
    return redactor.option_name(field_id, label)


# ----------------------------------------------------------------- the certificate


def _certificate(given: Certificate, redactor: Redactor) -> Certificate:
    """Return what a certificate says, in pseudonyms."""
    captures = _table(given.captures, CAPTURES, redactor)
    proof = redactor.pseudonyms.proof
    captures["sha256"] = _mapped(lambda v: v and proof(v), captures["sha256"])
    captures["source"] = _mapped(partial(_source, redactor), captures["source"])
    captures["unknowns"] = _mapped(partial(_unknowns, redactor), captures["unknowns"])
    for name in ("boto3_version", "casesnb_version"):
        captures[name] = _mapped(partial(_version, redactor), captures[name])
    return Certificate(
        captures=CAPTURES.cast(captures),
        unloaded=UNLOADED.cast(_table(given.unloaded, UNLOADED, redactor)),
        # What ended it may quote what the service said.
        ended_by=given.ended_by and "the load ended early",
        n_left_out=given.n_left_out,
        contradictions=tuple(
            said if _CONTRADICTION.fullmatch(said) else redactor.replace("text", said)
            for said in given.contradictions
        ),
        redacted=redactor.redaction.to_dict(),
    )


def _version(redactor: Redactor, text: str) -> str:
    return text if _VERSION.fullmatch(text) else redactor.replace("unknown", text)


def _source(redactor: Redactor, text: str) -> str:
    """Return who answered, if that is a kind of source and not a name."""
    if _SOURCE.fullmatch(text):
        return text
    return "live" if _AWS.fullmatch(text) else redactor.replace("unknown", text)


def _unknowns(redactor: Redactor, text: str) -> str:
    """Return what casesnb does not know and how often, without the names."""
    made: dict[str, int] = {}
    for name, n in json.loads(text).items():
        found = _UNKNOWN.fullmatch(name)
        if found is None:
            told = name if name == ESCAPED else redactor.replace("unknown", name)
        else:
            rule = "unknown" if found[1].endswith("member") else "word"
            told = f"{found[1]} {redactor.replace(rule, found[2])}"
        made[told] = made.get(told, 0) + n
    return json.dumps(made)


# -------------------------------------------------------------------- the proof


def _differences(
    again: History[pd.DataFrame], given: History[pd.DataFrame]
) -> Iterator[str]:
    """Yield what of a redacted history its original does not make."""
    captures = again.certificate.captures
    known = {*case_keys(captures)}
    said = given.certificate.captures
    cases = [*case_keys(said)]
    for _, case_id in (case for case in cases if case not in known):
        yield f"case {case_id} is of no case of the original"
    for name, one, other, by in (
        ("captures", captures, said, []),
        ("events", again.events, given.events, ["sequence"]),
        ("changes", again.changes, given.changes, ["sequence", "slot"]),
    ):
        columns = ["sha256"] if name == "captures" else [*other.columns]
        yield from _rows_differing(name, one, other, by, columns, known)


def _rows_differing(
    name: str,
    again: pd.DataFrame,
    given: pd.DataFrame,
    by: list[str],
    columns: list[str],
    known: set[tuple[str, str]],
) -> Iterator[str]:
    key = ["domain_id", "case_id", *by]
    columns = [column for column in columns if column not in key]
    if missing := [column for column in (*key, *columns) if column not in again]:
        yield f"{name} have columns that the original lacks: {', '.join(missing)}"
        return
    texts = [
        frame[[*key, *columns]].astype(
            {
                column: TEXT_TYPE
                for column in (*key, *columns)
                if isinstance(frame[column].dtype, pd.CategoricalDtype)
            }
        )
        for frame in (again, given)
    ]
    of_cases = pd.MultiIndex.from_frame(texts[0][key[:2]])
    wanted = pd.MultiIndex.from_frame(texts[1][key[:2]])
    both = texts[1].merge(
        texts[0][of_cases.isin(wanted)],
        on=key,
        how="outer",
        suffixes=("", " again"),
        indicator=True,
    )
    is_odd = both.pop("_merge") != "both"
    for column in columns:
        one, other = both[column], both[f"{column} again"]
        is_odd |= ~((one == other) | (one.isna() & other.isna())).fillna(False)
    odd = both.loc[is_odd, key[:2]]
    counts = odd.groupby(key[:2], sort=False).size()
    told: dict[tuple[str, str], int] = counts.to_dict()  # type: ignore[assignment]
    for case, n in told.items():
        case_id = case[1]
        if case in known:
            yield (
                f"case {case_id}: {counted(n, 'row')} of {name} "
                f"{'is' if n == 1 else 'are'} not what the original gives"
            )
