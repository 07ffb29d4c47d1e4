"""What a closed client, and one whose `__init__` never ran, answers to each call: the original's exception and text."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGINAL, OTTLA = "confluent_kafka", "ottla.confluent_kafka"

Call = tuple[str, tuple[object, ...]]

PRODUCER: list[Call] = [
    ("produce", ("t", b"v")),
    ("poll", (0,)),
    ("flush", (0,)),
    ("list_topics", ("t", 0.1)),
    ("close", ()),
    ("__len__", ()),
    ("__bool__", ()),
]
CONSUMER: list[Call] = [
    ("assign", ([],)),
    ("unassign", ()),
    ("assignment", ()),
    ("poll", (0,)),
    ("consume", (1, 0)),
    ("position", ([],)),
    ("seek", ()),
    ("pause", ([],)),
    ("resume", ([],)),
    ("get_watermark_offsets", ()),
    ("list_topics", ("t", 0.1)),
    ("subscribe", (["t"],)),
    ("unsubscribe", ()),
    ("commit", ()),
    ("committed", ([],)),
    ("store_offsets", (None, [])),
    ("incremental_assign", ([],)),
    ("incremental_unassign", ([],)),
    ("memberid", ()),
    ("consumer_group_metadata", ()),
    ("__exit__", (None, None, None)),
    ("close", ()),
]
CASES = [("Producer", call) for call in PRODUCER] + [("Consumer", call) for call in CONSUMER]
STATES = ["closed", "without __init__"]


def made(package: Any, name: str, state: str) -> Any:
    """Make a client in the state."""
    client = getattr(package, name)
    if state != "closed":
        return client.__new__(client)
    closed = client({"group.id": "g"} if name == "Consumer" else {})
    closed.close()
    return closed


def outcome(package_name: str, name: str, state: str, call: Call) -> tuple[str, str]:
    """Make the call and tell its value, or the exception's type and text."""
    package = importlib.import_module(package_name)
    member, args = call
    if member in {"seek", "get_watermark_offsets"}:
        args = (package.TopicPartition("t", 0, 0),)
    called: Callable[..., object] = getattr(made(package, name, state), member)
    try:
        return ("value", repr(called(*args)))
    except (RuntimeError, ValueError, package.KafkaException) as error:
        return (type(error).__name__, str(error))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("name", "call"), CASES, ids=[f"{name}.{call[0]}" for name, call in CASES])
def test_a_client_that_cannot_work_says_so_alike(name: str, call: Call, state: str) -> None:
    """The same exception with the same text, or the same value."""
    assert outcome(OTTLA, name, state, call) == outcome(ORIGINAL, name, state, call)
