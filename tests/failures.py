"""What failed, printed again by a process of its own: ``python -m tests.failures REPORT.xml``.

A client that a failed test left behind goes on logging until its process ends, and buries pytest's own summary.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

_LINES_OF_EACH = 40


def failures(report: str) -> list[str]:
    """Every failure and error of a JUnit report: the test's name, and the last lines of what was said about it."""
    found = []
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 — pytest wrote it a moment ago
        for outcome in (*case.findall("failure"), *case.findall("error")):
            lines = (outcome.text or outcome.get("message") or "").splitlines()
            name = f"{case.get('classname')}::{case.get('name')}"
            found.append("\n".join([f"{outcome.tag.upper()} {name}", *lines[-_LINES_OF_EACH:]]))
    return found


if __name__ == "__main__":
    print(*failures(Path(sys.argv[1]).read_text()), sep="\n\n")
