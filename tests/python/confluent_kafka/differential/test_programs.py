"""The same programs on both packages over real Kafka, each with a topic of its own: they must see the same."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.realkafka import Cluster

PACKAGES = ("confluent_kafka", "ottla.confluent_kafka")
MODULES = (
    "programs_produce",
    "programs_consume",
    "programs_values",
    "programs_admin",
    "programs_commit",
    "programs_group",
    "programs_raising",
)


def programs() -> list[tuple[str, str]]:
    """Each function of the modules that has a text and is made there."""
    found = []
    for module in MODULES:
        name = f"tests.python.confluent_kafka.differential.{module}"
        for program, value in vars(importlib.import_module(name)).items():
            if callable(value) and getattr(value, "__module__", None) == name and not program.startswith("_"):
                found.append((module, program))
    return found


@pytest.mark.parametrize(("module", "program"), programs())
def test_both_see_the_same(
    module: str,
    program: str,
    kafka: Cluster,
    create_topic: Callable[..., str],
    seen_once: Callable[[object], None],
) -> None:
    """A difference counts when it is seen twice.

    On a busy machine the original races with itself: a pause in on_assign may come after the first fetch, an answer
    before a timeout of 0. What was seen once is told after the run (`conftest.py`).
    """
    original, ottla = _outcomes(module, program, kafka, create_topic)
    if ottla != original:
        seen_once(f"original {original}\nottla    {ottla}")
        original, ottla = _outcomes(module, program, kafka, create_topic)
    assert ottla == original, f"seen twice:\noriginal {original}\nottla    {ottla}"


def _outcomes(module: str, program: str, kafka: Cluster, create_topic: Callable[..., str]) -> list[object]:
    """What both see: run at once, in processes of their own."""
    runner = "tests.python.confluent_kafka.differential.run"
    running = []
    for package in PACKAGES:
        arguments = [package, module, program, kafka.bootstrap, create_topic(kafka)]
        command = [sys.executable, "-m", runner, *arguments]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    outcomes = []
    for package, process in zip(PACKAGES, running, strict=True):
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, f"{package}: {errors[-3000:]}"
        outcomes.append(json.loads(out))
    return outcomes
