"""Lists to choose from, which a choice and a delivery may reach at one moment."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from casesnb.view.explorer.links import WIDE

if TYPE_CHECKING:
    from casesnb.view.explorer.model import CaseSelection

_KEPT = 4  # menus that are gone from the page but may still be answered


def in_turn(kind: Any, lock: Any, **how: Any) -> Any:
    """Return a widget that what the page says reaches only between two deliveries."""

    class InTurn(kind):
        def set_state(self, sync_data: Any) -> None:
            with lock:
                super().set_state(sync_data)

    return InTurn(**how)


class Picker(widgets.VBox):
    """A list to choose from, in which no place comes to mean something else.

    The page tells a choice by its place in the list that it shows, and that list
    may be older than ours. So the options of one menu may only be renamed, or
    grow at their end; any others come as a new menu, and a late answer to the one
    before still means what stood there.
    """

    def __init__(
        self,
        model: CaseSelection,
        name: str,
        options: str,
        *renewed_by: str,
        kind: Any = widgets.Dropdown,
        of: str = "",
        **how: Any,
    ) -> None:
        self._model, self._name, self._options = model, name, options
        self._kind, self._of, self._how = kind, of, how
        self._before: deque[Any] = deque()
        self._is_offering = False
        self.menu = self._made()
        super().__init__([self.menu], layout=WIDE)
        self._offer()
        model.observe(self._offer, [name, *renewed_by])

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """The labels and values on offer."""
        return tuple(self.menu.options)

    @property
    def value(self) -> str | None:
        """The value chosen; None if it is not on offer."""
        chosen: str | None = self.menu.value
        return chosen

    @value.setter
    def value(self, value: str | None) -> None:
        self.menu.value = value

    def _made(self) -> Any:
        menu = in_turn(self._kind, self._model.lock, layout=WIDE, **self._how)

        def take(change: Any) -> None:
            with self._model.lock:
                if self._is_offering or change.new is None:
                    return
                if self._of:
                    setattr(self._model, self._of, menu.of)
                setattr(self._model, self._name, change.new)

        menu.observe(take, "value")
        return menu

    def _offer(self, _: object = None) -> None:
        with self._model.lock:
            offered = getattr(self._model, self._options)
            values = [value for _, value in offered]
            shown = [value for _, value in self.menu.options]
            if values[: len(shown)] != shown:
                self._before.append(self.menu)
                if len(self._before) > _KEPT:
                    self._before.popleft().close()
                self.menu = self._made()
                self.children = [self.menu]
            chosen = getattr(self._model, self._name)
            self._is_offering = True  # new options choose the first: nobody did
            if self._of and not self.menu.options:
                self.menu.of = getattr(self._model, self._of)
            if offered != list(self.menu.options):
                self.menu.options = offered
            self.menu.value = chosen if chosen in values else None
            self._is_offering = False
