"""`docs/errors.md` names a test for each error: each exists, and looks at the code that its row promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for pattern in ("crates/*/src/**/*.rs", "crates/*/tests/**/*.rs", "tests/python/**/*.py")
    for path in sorted(ROOT.glob(pattern))
]
_KINDS = ROOT / "crates" / "machines" / "src" / "error"


class Row(NamedTuple):
    """One error of the document."""

    code: str
    tests: list[str]


def rows() -> list[Row]:
    """Those with a test in the last cell."""
    lines = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("| ") and not line.startswith(("| cause", "| ---"))
    ]
    return [Row(each[1], re.findall(r"`(\w+)`", each[-1])) for each in cells]


def bodies() -> dict[str, str]:
    """The text of every function, up to the next one that is not indented deeper."""
    found: dict[str, str] = {}
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        starts = [*re.finditer(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:async )?(?:fn|def) (\w+)", text, re.MULTILINE)]
        for at, start in enumerate(starts):
            ends = (other.start() for other in starts[at + 1 :] if len(other[1]) <= len(start[1]))
            found[start[2]] = found.get(start[2], "") + text[start.start() : next(ends, len(text))]
    return found


def words_for(code: str) -> list[str]:
    """How a test may name a code: as the face does, by number, or by the machine's kind."""
    kinds = (_KINDS / "kind.rs").read_text(encoding="utf-8")
    codes = (_KINDS / "codes.rs").read_text(encoding="utf-8")
    words = [rf"\b{code}\b"]
    words += [rf"\bKind::{name}\b" for name in re.findall(rf'^    (\w+) => -?\d+, "{code}"', kinds, re.MULTILINE)]
    for number, kafka in re.findall(rf'row\((-?\d+), "(\w*)", \w+, "{code}"', codes):
        words += [rf"(?<![\w-]){re.escape(number)}\b", rf"\b{kafka}\b" if kafka else words[0]]
    return words


def test_every_test_that_the_document_names_exists() -> None:
    """The last cell of each row is the name of a function of the tests."""
    defined = bodies()
    assert rows()
    for row in rows():
        assert row.tests, f"no test is named: {row}"
        assert {*row.tests} <= {*defined}, f"no such test: {sorted({*row.tests} - {*defined})}"


def test_every_test_that_the_document_names_looks_at_the_code() -> None:
    """In the test itself, or in a function or table of the tests that it uses."""
    defined = bodies()
    unproven = []
    for row in rows():
        named = re.fullmatch(r"`(\w+)`", row.code)
        if named is None:
            continue  # whatever code the broker sent
        words = words_for(named[1])
        if not any(_looks(name, words, defined) for name in row.tests):
            unproven.append((named[1], row.tests))
    assert unproven == []


def _looks(name: str, words: list[str], defined: dict[str, str]) -> bool:
    text = defined[name]
    used = [defined[word] for word in {*re.findall(r"\b(\w+)\(", text)} & {*defined} if word != name]
    return any(re.search(word, part) for part in (text, *used) for word in words)
