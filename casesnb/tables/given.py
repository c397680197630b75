"""What a caller gave: refused in one sentence where it is something else."""

from __future__ import annotations

import pandas as pd


def need_table(given: object) -> None:
    """Refuse a whole history where one of its tables is asked for.

    Parameters
    ----------
    given : object
        What should be a DataFrame, of any engine.

    Raises
    ------
    TypeError
        If it is a history.
    """
    if hasattr(given, "events") and hasattr(given, "changes"):
        raise TypeError(
            f"A {type(given).__name__} holds several tables. Give one of them: "
            "history.changes or history.events."
        )


def need_pandas(*given: object) -> None:
    """Refuse what is not a pandas frame.

    Parameters
    ----------
    *given : object
        What should be pandas DataFrames.

    Raises
    ------
    TypeError
        If one is something else.
    """
    for each in given:
        need_table(each)
        if not isinstance(each, pd.DataFrame):
            whose = type(each).__module__.partition(".")[0]
            raise TypeError(
                f"This takes a pandas DataFrame, not {type(each).__name__} of {whose}. "
                "Most frames become one by .to_pandas()."
            )


def need_history(*given: object) -> None:
    """Refuse one table where a whole history is asked for.

    Parameters
    ----------
    *given : object
        What should have ``events`` and ``changes``.

    Raises
    ------
    TypeError
        If one has not.
    """
    for each in given:
        if not (hasattr(each, "events") and hasattr(each, "changes")):
            raise TypeError(
                f"This takes a whole history, not {type(each).__name__}. Give what "
                "load_history or load_histories returned."
            )


def need_ids(given: object) -> None:
    """Refuse what holds no ids, but would be read as if it did.

    Parameters
    ----------
    given : object
        What should be several ids.

    Raises
    ------
    TypeError
        If it is one text, a frame or nothing.
    """
    if isinstance(given, str):
        raise TypeError(f"{given!r} is one text. Give several in a list: [{given!r}].")
    if isinstance(given, pd.DataFrame):
        raise TypeError("A DataFrame is no list of ids. Give one column of it.")
    if given is None:
        raise TypeError("None is no list of ids. Give them: ['...', '...'].")
