"""The one thread that completes `concurrent.futures.Future`s: engine threads never run Python code.

It starts with the first operation, and again in a forked child, where the parent's is gone.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from typing import TYPE_CHECKING, TypeAlias

from ottla._native import _Answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottla._native import KafkaError, KafkaException

    Outcome: TypeAlias = list[tuple[str, KafkaError | None]] | KafkaException

_numbers = itertools.count(1)
_lock = threading.Lock()
_completions: list[Completions] = []


class Completions:
    """Operations under way in this process."""

    def __init__(self) -> None:
        """Start the thread."""
        self.answers = _Answers()
        self._waiting: dict[int, Callable[[Outcome], None]] = {}
        self._thread = threading.Thread(target=self._run, name="ottla-completion", daemon=True)
        self._thread.start()

    def expect(self, deliver: Callable[[Outcome], None]) -> int:
        """A number for an operation whose outcome goes to `deliver`, on the thread."""
        number = next(_numbers)
        self._waiting[number] = deliver
        return number

    def forget(self, number: int) -> None:
        """Take back a number: its operation was not started."""
        self._waiting.pop(number, None)

    def _run(self) -> None:
        while (answer := self.answers.next()) is not None:
            number, outcome = answer
            deliver = self._waiting.pop(number, None)
            if deliver is not None:
                deliver(outcome)

    def stop(self) -> None:
        """End the thread: the interpreter is about to."""
        self.answers.close()
        self._thread.join(timeout=1)


def completions() -> Completions:
    """Those of this process."""
    with _lock:
        if not _completions:
            _completions.append(Completions())
        return _completions[-1]


def _after_fork() -> None:
    """Leave the parent's alone: its thread is gone, its lock may be held for ever."""
    global _lock  # noqa: PLW0603  # the old one may be held by a thread that is not here
    _lock = threading.Lock()
    _abandoned.extend(_completions)
    _completions.clear()


_abandoned: list[Completions] = []
os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _stop() -> None:
    for each in _completions:
        each.stop()
