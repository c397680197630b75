"""What a report calls people, fields and values: claims, as no event tells a name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.tables.schema import CHANGES, EVENTS
from casesnb.view.wording import (
    actor_names,
    field_names,
    is_missing,
    tail,
    value_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from casesnb.tables.history import History


class Names(NamedTuple):
    """Names by what they name, each other than what its id says by itself."""

    people: Mapping[str, str]  # by actor
    fields: Mapping[str, str]  # by field
    options: Mapping[tuple[str, str], str]  # by field and value


def names_in(history: History[Any]) -> Names:
    """Return the names that stand beside a history's ids."""
    events, changes = history.events, history.changes
    bare = changes[CHANGES.names]
    known = people_of(events[EVENTS.names], bare), field_names(bare), value_names(bare)
    given = people_of(events, changes), field_names(changes), value_names(changes)
    people, fields = (
        {key: name for key, name in found.items() if name != plain[key]}
        for found, plain in zip(given[:2], known[:2], strict=True)
    )
    values = {
        key: name
        for key, name in given[2].items()
        if name != known[2].get(key, tail(key[1]))
    }
    return Names(people, fields, values)


def with_names_of(history: History[Any], names: Names) -> History[Any]:
    """Return a history with these names, and no others, beside its ids."""
    actor = {"actor_name": names.people} if names.people else {}
    events = _named(history.events[EVENTS.names], actor)
    fields = {"field": names.fields} if names.fields else {}
    changes = _named(history.changes[CHANGES.names], actor | fields)
    if names.options:
        changes = _labelled(changes, names.options)
    return replace(history, events=events, changes=changes)


def with_nameless(history: History[Any]) -> History[Any]:
    """Return a history that says in words which users have no name in it."""
    events, changes = history.events, history.changes
    labels = {value: name for (_, value), name in value_names(changes).items()}
    known = labels | people_of(events, changes)
    users = [
        *events.loc[events["actor_kind"] == "agent", "actor"],
        *changes.loc[changes["old_kind"] == "user_arn", "old"],
        *changes.loc[changes["new_kind"] == "user_arn", "new"],
    ]
    nameless = [
        user
        for user in dict.fromkeys(users)
        if not is_missing(user)
        and known.get(user, tail(user)) == tail(user)
        and tail(user).endswith("…")
    ]
    if not nameless:
        return history
    several = len(nameless) > 1
    said = {
        user: f"user {n} without a name here"
        if several
        else "a user without a name here"
        for n, user in enumerate(nameless, 1)
    }
    found = names_in(history)
    is_user = changes["new_kind"] == "user_arn"
    keys = {*zip(changes["field_id"][is_user], changes["new"][is_user], strict=True)}
    is_user = changes["old_kind"] == "user_arn"
    keys |= {*zip(changes["field_id"][is_user], changes["old"][is_user], strict=True)}
    values = {key: said[key[1]] for key in keys if key[1] in said}
    return with_names_of(
        history,
        Names({**found.people, **said}, found.fields, {**found.options, **values}),
    )


def with_names_of_many(history: History[Any]) -> History[Any]:
    """Return a history with the names alone that are told of many cases at once."""
    found = names_in(history)
    shown = {"status", "assigned_user", "assigned_queue"}
    options = {key: name for key, name in found.options.items() if key[0] in shown}
    return with_names_of(history, Names(found.people, found.fields, options))


def each_name(names: Names) -> Iterator[tuple[str, str, str]]:
    """Yield what each name is of, that one's id, and the name."""
    yield from (("person", actor, name) for actor, name in names.people.items())
    yield from (("field", field, name) for field, name in names.fields.items())
    for (field, value), name in names.options.items():
        yield "value", f"{field}: {value}", name


def people_of(events: pd.DataFrame, changes: pd.DataFrame) -> dict[str, str]:
    """Return what to call each actor of a case."""
    return actor_names(changes) | actor_names(events)


def _named(
    frame: pd.DataFrame, columns: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    ids = {"actor_name": "actor", "field": "field_id"}
    return frame.assign(
        **{name: frame[ids[name]].astype(object).map(columns[name]) for name in columns}
    )


def _labelled(
    changes: pd.DataFrame, names: Mapping[tuple[str, str], str]
) -> pd.DataFrame:
    labels: dict[str, Any] = {
        f"{value}_label": [
            names.get(key)
            for key in zip(changes["field_id"], changes[value], strict=True)
        ]
        for value in ("old", "new")
    }
    return changes.assign(**labels)
