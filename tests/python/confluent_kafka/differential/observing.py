"""What a program sees of a package, as plain values that can be compared between two packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def outcome(call: Callable[[], object]) -> object:
    """What a call returns, or what it raises."""
    try:
        return plain(call())
    except Exception as error:  # noqa: BLE001  # whatever it is, the other package must raise the same
        return ("raised", type(error).__name__, *(plain(argument) for argument in error.args))


def plain(value: Any) -> object:
    """Without anything that differs between two runs: addresses, generated names, object identities."""
    name = type(value).__name__
    if name == "KafkaError":
        return ("KafkaError", value.name(), value.code(), value.fatal(), value.retriable(), value.txn_requires_abort())
    if name == "TopicPartition":
        return ("TopicPartition", value.partition, value.offset, plain(value.error))
    if name == "Message":
        return message(value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, BaseException):
        return ("exception", name, *(plain(argument) for argument in value.args))
    return value


def message(value: Any) -> object:
    """Every field of a Message but its topic's name and its time, of which only the kind and the presence count."""
    kind, milliseconds = value.timestamp()
    return {
        "error": plain(value.error()),
        "partition": value.partition(),
        "offset": value.offset(),
        "key": value.key(),
        "value": value.value(),
        "headers": value.headers(),
        "timestamp": (kind, milliseconds if milliseconds < 1_000_000_000_000 else "now"),
        "length": len(value),
        "latency": value.latency() is None or value.latency() >= 0,
        "leader_epoch": None if value.error() else value.leader_epoch(),
    }
