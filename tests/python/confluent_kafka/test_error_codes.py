"""Every code that a user can meet, on the original and on Ottla: the same name, text and class attribute."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

import pytest

ORIGINAL: Any = importlib.import_module("confluent_kafka")
OTTLA: Any = importlib.import_module("ottla.confluent_kafka")

# Librdkafka's local codes, Kafka's, and some that nobody uses.
CODES = [*range(-205, -130), *range(-5, 145), -1000, 999]


def described(module: Any, *args: object) -> tuple[object, ...]:
    """Tell all that an error says of itself."""
    error = module.KafkaError(*args)
    flags = (error.fatal(), error.retriable(), error.txn_requires_abort())
    return (error.code(), error.name(), error.str(), str(error), repr(error), *flags)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_described_alike(code: int) -> None:
    """The name and the text of the code, and what they look like printed."""
    assert described(OTTLA, code) == described(ORIGINAL, code)
    assert described(OTTLA, code, "own words") == described(ORIGINAL, code, "own words")


@pytest.mark.parametrize("flags", [(True,), (False, True), (False, False, True), (True, True, True)])
def test_flags_are_kept(flags: tuple[bool, ...]) -> None:
    """Fatal, retriable, transaction to be aborted."""
    assert described(OTTLA, -195, "own words", *flags) == described(ORIGINAL, -195, "own words", *flags)


def test_every_class_attribute_has_its_code() -> None:
    """The constants are there under the same names, the private ones too."""
    names = [name for name in dir(ORIGINAL.KafkaError) if name.isupper()]
    assert len(names) > 150
    assert [getattr(OTTLA.KafkaError, name) for name in names] == [getattr(ORIGINAL.KafkaError, name) for name in names]


def test_an_error_equals_its_code() -> None:
    """Programs compare with the class attributes and with plain integers."""
    for module in (ORIGINAL, OTTLA):
        error = module.KafkaError(-191)
        assert error == module.KafkaError._PARTITION_EOF
        assert error == module.KafkaError(-191, "other words")
        assert error != -190
        assert hash(error) == hash(module.KafkaError(-191, "other words"))


def test_an_exception_keeps_what_it_was_given() -> None:
    """`args[0]` is the error, an exception or a text; it can be subclassed and pickled."""

    class OwnError(OTTLA.KafkaException, ValueError):  # type: ignore[misc]
        retriable = True

    error = OTTLA.KafkaError(-195)
    assert OwnError(error).args[0] is error
    assert OTTLA.KafkaException("text").args == ("text",)
    again = pickle.loads(pickle.dumps(OTTLA.KafkaException(error)))  # noqa: S301 -- made a moment ago
    assert (again.args[0].code(), again.args[0].str()) == (-195, "Local: Broker transport failure")
