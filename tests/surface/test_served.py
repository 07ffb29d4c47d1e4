"""What `served.txt` says is served matches the original's surface; what it does not say is not there."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest

from tests.surface.surface_check import Checker

_FOLDER = Path(__file__).parent
# The schema registry's clients, whose modules need packages of their own.
_ELSEWHERE = ("confluent_kafka.avro", "confluent_kafka.schema_registry")
_ORIGINAL, _FACE = "confluent_kafka", "ottla.confluent_kafka"


class Recorder(Checker):
    """The checker, with every item's outcome kept: None is a match, else the problem."""

    def __init__(self, surface: dict, mapping: list[tuple[str, str]]) -> None:
        """Begin with nothing."""
        super().__init__(surface, mapping)
        self.outcomes: dict[tuple[str, str], str | None] = {}

    def item(self, where: str, problem: str | None) -> None:
        """Note one."""
        super().item(where, problem)
        self.outcomes[self.module, where] = problem


def check(mapping: list[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    """Every item of the surface outside `_ELSEWHERE`, with its outcome."""
    surface = json.loads((_FOLDER / "confluent_kafka.json").read_text())
    modules = surface["modules"].items()
    surface["modules"] = {name: facts for name, facts in modules if not name.startswith(_ELSEWHERE)}
    recorder = Recorder(surface, mapping)
    recorder.run([])
    return recorder.outcomes


def served() -> list[tuple[str, str]]:
    """Module and pattern of each line."""
    lines = (_FOLDER / "served.txt").read_text().splitlines()
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "every line is MODULE NAME"
    return [(module, name) for module, name in pairs]


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], str | None]:
    """The face's outcomes."""
    return check([(_ORIGINAL, _FACE)])


def is_served(item: tuple[str, str], lines: list[tuple[str, str]]) -> bool:
    """Whether a line names the item."""
    module, where = item
    return any(module == each and fnmatch.fnmatchcase(where, name) for each, name in lines)


def test_the_checker_finds_the_original_whole() -> None:
    """The recorded surface is the original's: else no outcome below would mean anything."""
    problems = {item: problem for item, problem in check([]).items() if problem is not None}
    assert problems == {}


def test_every_line_names_something(outcomes: dict[tuple[str, str], str | None]) -> None:
    """A line that names nothing of the surface is a slip of the pen."""
    idle = [line for line in served() if not any(is_served(item, [line]) for item in outcomes)]
    assert idle == []


def test_nothing_served_is_missing(outcomes: dict[tuple[str, str], str | None]) -> None:
    """Same kind, same calls taken, same values."""
    lines = served()
    problems = {item: problem for item, problem in outcomes.items() if problem is not None and is_served(item, lines)}
    assert problems == {}


def test_nothing_unserved_is_there(outcomes: dict[tuple[str, str], str | None]) -> None:
    """An unserved member is absent, never a stub; one that is there and right belongs into the list."""
    lines = served()
    there = [item for item, problem in outcomes.items() if problem is None and not is_served(item, lines)]
    assert there == []
