"""`docs/errors.md` names a test for each error: every one of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for pattern in ("crates/*/src/**/*.rs", "crates/*/tests/**/*.rs", "tests/python/**/*.py")
    for path in sorted(ROOT.glob(pattern))
]


def test_every_test_that_the_document_names_exists() -> None:
    """The last cell of each row is the name of a function of the tests."""
    rows = [
        line
        for line in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| cause", "| ---"))
    ]
    assert rows
    defined = {name for path in SOURCES for name in re.findall(r"(?:fn|def) (\w+)\(", path.read_text(encoding="utf-8"))}
    for row in rows:
        tests = re.findall(r"`(\w+)`", row.rstrip(" |").rsplit("|", 1)[1])
        assert tests, f"no test is named: {row}"
        assert set(tests) <= defined, f"no such test: {sorted(set(tests) - defined)}"
