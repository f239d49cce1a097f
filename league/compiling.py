"""Tells that the simulator is being compiled, which takes a minute or two, once for each version and machine."""

from __future__ import annotations

from collections.abc import Callable

from numba.core import event


class _First(event.Listener):
    """Calls something when the first kernel is compiled; what is loaded from the disk is none."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell: Callable[[], None] | None = tell

    def on_start(self, _: event.Event) -> None:
        tell, self._tell = self._tell, None
        if tell:
            tell()

    def on_end(self, _: event.Event) -> None:
        pass


def when_compiling(tell: Callable[[], None]) -> None:
    """Call something once, as soon as a kernel must be compiled in this process."""
    event.register("numba:compile", _First(tell))  # type: ignore[no-untyped-call]
