"""Argument rules, defaults, values, refusals: hundreds of expressions, evaluated on both packages, come to the same.

`differences.tsv` lists those that differ on purpose, with the reason; one that no longer differs must leave it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(path.name for path in FOLDER.glob("*.txt"))


def evaluated(package: str, file: str) -> dict[str, str]:
    """Each expression of the file with what it comes to."""
    module = "tests.python.confluent_kafka.differential.expressions"
    command = [sys.executable, "-W", "ignore", "-m", module, package, str(FOLDER / file)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    outcomes: dict[str, str] = json.loads(done.stdout)
    return outcomes


def on_purpose() -> dict[str, str]:
    """Expressions that may differ, with the reason."""
    lines = (FOLDER / "differences.tsv").read_text().splitlines()
    return dict(line.split("\t", 1) for line in lines if line)


@pytest.mark.parametrize("file", FILES)
def test_expressions_come_to_the_same(file: str) -> None:
    """On both packages, but for what differs on purpose, and that does differ."""
    original, ottla = evaluated("confluent_kafka", file), evaluated("ottla.confluent_kafka", file)
    assert len(original) > 10
    differ = {each: (original[each], ottla[each]) for each in original if original[each] != ottla[each]}
    expected = on_purpose().keys() & original.keys()
    assert {each: both for each, both in differ.items() if each not in expected} == {}
    assert expected - differ.keys() == set(), "no longer differ"
