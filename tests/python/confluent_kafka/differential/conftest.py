"""Differences that were seen once and not again: noted by the test, told after the run."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_SEEN_ONCE = "seen once"


@pytest.fixture
def seen_once(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Note a difference that must be seen again to count."""
    return functools.partial(record_property, _SEEN_ONCE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell them."""
    for report in terminalreporter.getreports("passed"):
        for name, difference in report.user_properties:
            if name == _SEEN_ONCE and report.when == "call":
                terminalreporter.write_line(f"SEEN ONCE {report.nodeid}\n{difference}")
