"""What projects built on confluent-kafka rely on: construction, subclassing, replaced methods, values, collector."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import typing
import unittest.mock
import weakref
from typing import Any

import pytest

NOBODY = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
CONSUMER = NOBODY | {"group.id": "g"}


def test_new_takes_anything_and_init_may_come_late(package: Any) -> None:
    """A subclass has parameters of its own and calls the base when it likes, or never."""

    class Late(package.Producer):  # type: ignore[misc]
        def __init__(self, name: str, *, start: bool) -> None:
            self.name = name
            if start:
                super().__init__(NOBODY)

    assert Late("a", start=True).poll(0) >= 0
    never = Late("b", start=False)
    assert (never.name, len(never)) == ("b", 0)
    with pytest.raises(RuntimeError, match="Producer has been closed"):
        never.produce("t")


@pytest.mark.parametrize(("name", "config"), [("Producer", NOBODY), ("Consumer", CONSUMER)])
def test_init_configures_once(package: Any, name: str, config: dict[str, object]) -> None:
    """A second call is refused and changes nothing."""
    client = getattr(package, name)(config)
    with pytest.raises(RuntimeError, match="already"):
        client.__init__(config)
    client.poll(0)
    client.close()


def test_the_configuration_stays_the_callers(package: Any) -> None:
    """Dict, keywords, both; nothing is taken out or added."""
    logger = logging.getLogger("ottla.test")
    config = NOBODY | {"error_cb": print, "logger": logger, "default.topic.config": {"acks": 1}, "linger.ms": None}
    del config["linger.ms"]
    before = dict(config)
    package.Producer(config, **{"linger.ms": 3})
    package.Producer(**config)
    package.Producer(NOBODY, logger=logger)
    assert config == before


def test_no_method_calls_another_public_one_of_self(package: Any) -> None:
    """A subclass that wraps one must not see calls that nobody made."""
    called: list[str] = []

    def wrapping(base: type, names: list[str]) -> type:
        def wrapper(name: str) -> Any:
            def method(self: Any, *args: object, **kwargs: object) -> object:
                called.append(name)
                return getattr(base, name)(self, *args, **kwargs)

            return method

        return type("Wrapping", (base,), {name: wrapper(name) for name in names})

    consumer = wrapping(package.Consumer, ["poll", "consume", "close", "assign", "unassign", "position"])(CONSUMER)
    consumer.consume(1, 0.01)
    consumer.poll(0)
    consumer.close()
    assert called == ["consume", "poll", "close"]
    called.clear()
    producer = wrapping(package.Producer, ["poll", "flush", "close", "produce", "__len__"])(NOBODY)
    producer.flush(0)
    producer.close()
    assert called == ["flush", "close"]


def test_methods_are_replaced_on_the_class_and_restored(ottla: Any) -> None:
    """By mock, with autospec, and by plain assignment."""
    with unittest.mock.patch.object(ottla.Producer, "produce", autospec=True) as replaced:
        ottla.Producer(NOBODY).produce("t", value="v")
    assert replaced.call_args.args[-1] == "t"
    assert replaced.call_args.kwargs == {"value": "v"}
    original = ottla.Consumer.poll
    ottla.Consumer.poll = lambda _self, timeout=-1: ("replaced", timeout)
    try:
        assert ottla.Consumer(CONSUMER).poll(0) == ("replaced", 0)
    finally:
        ottla.Consumer.poll = original
    assert ottla.Consumer(CONSUMER).poll(0) is None


def test_a_raw_method_checks_its_self(ottla: Any) -> None:
    """It is called with what it is a method of."""
    for method in (ottla.Producer.produce, ottla.Producer.poll, ottla.Consumer.poll, ottla.Consumer.consume):
        with pytest.raises(TypeError):
            method(object())
    with pytest.raises(TypeError):
        ottla.Producer.poll(ottla.Consumer(CONSUMER))


def test_truth(package: Any) -> None:
    """An empty producer is true; a message is by its value; errors and metadata are."""
    assert package.Producer(NOBODY)
    assert not package.Message(value=b"")
    assert not package.Message()
    assert package.Message(value=b"x")
    assert package.KafkaError(0)
    assert package.admin.ClusterMetadata()


def test_a_message_is_a_class_for_annotations(ottla: Any) -> None:
    """isinstance, Union, Generic, subscripts."""
    message = ottla.Message("t")
    assert isinstance(message, ottla.Message)
    assert typing.get_args(ottla.Message[int, str]) == (int, str)
    assert typing.get_origin(ottla.Message[int, str]) is ottla.Message
    assert typing.get_args(ottla.Message | None) == (ottla.Message, type(None))

    key = typing.TypeVar("key")

    class Typed(ottla.Message, typing.Generic[key]):  # type: ignore[misc]
        pass

    assert Typed("t", value=b"v").value() == b"v"
    assert not hasattr(message, "len")


def test_values_and_exceptions_are_pickled_and_copied(ottla: Any) -> None:
    """With all that they hold."""
    error = ottla.KafkaError(3, "text", fatal=True, retriable=True, txn_requires_abort=True)
    for made in (error, copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        flags = (made.fatal(), made.retriable(), made.txn_requires_abort())
        assert (made.code(), made.str(), flags) == (3, "text", (True, True, True))
    exception = pickle.loads(pickle.dumps(ottla.KafkaException(error)))  # noqa: S301
    assert exception.args[0].str() == "text"
    partition = ottla.TopicPartition("t", 1, 2, "m", 3)
    for again in (copy.copy(partition), pickle.loads(pickle.dumps(partition))):  # noqa: S301
        assert (again, again.offset, again.metadata, again.leader_epoch) == (partition, 2, "m", 3)
    message = ottla.Message("t", 1, 2, b"k", b"v", [("a", b"b")], error, (1, 5), 0.5, 4, 2)
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301


def test_exceptions_are_subclassed_beside_others(package: Any) -> None:
    """With attributes; args[0] is what was given."""

    class MineError(package.KafkaException, ValueError):  # type: ignore[misc]
        retriable = True

    for given in (package.KafkaError(3), ValueError("x"), "text"):
        with pytest.raises(package.KafkaException) as raised:
            raise MineError(given)
        assert raised.value.args[0] is given
        assert isinstance(raised.value, ValueError)


def test_error_codes_are_attributes_and_compare_as_integers(package: Any) -> None:
    """Also the private ones."""
    error = package.KafkaError(package.KafkaError._PARTITION_EOF)
    assert error == -191
    assert error == package.KafkaError._PARTITION_EOF
    assert error != package.KafkaError._ALL_BROKERS_DOWN
    assert error.name() == "_PARTITION_EOF"
    assert package.KafkaError(package.KafkaError._NO_OFFSET).str() == "Local: No offset stored"
    assert "TOPIC_ALREADY_EXISTS" in str(package.KafkaError(36))


def test_partitions_are_keys_by_topic_and_partition(package: Any) -> None:
    """Whatever their offsets."""
    one, two = package.TopicPartition("t", 1, 5), package.TopicPartition("t", 1)
    assert {one: "x"}[two] == "x"
    assert two.offset == package.OFFSET_INVALID == -1001
    assert min(package.TopicPartition("b", 0), package.TopicPartition("a", 2), one).topic == "a"


class Cyclic:
    """A callback that knows its client."""

    def __init__(self) -> None:
        """Know none yet."""
        self.client: Any = None

    def __call__(self, *_: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize("name", ["Producer", "Consumer", "AdminClient"])
def test_a_cycle_through_a_callback_is_collected(ottla: Any, name: str) -> None:
    """From the configuration."""
    callback = Cyclic()
    client = getattr(ottla.admin if name == "AdminClient" else ottla, name)
    callback.client = client(CONSUMER if name == "Consumer" else NOBODY, error_cb=callback)
    gone = weakref.ref(callback)
    del callback, client
    gc.collect()
    assert gone() is None


def test_a_cycle_through_a_record_is_collected(ottla: Any) -> None:
    """The callback of a record that waits for a broker holds its producer."""
    producer, callback = ottla.Producer(NOBODY), Cyclic()
    callback.client = producer
    for _ in range(10):
        producer.produce("t", "v", on_delivery=callback)
    gone, producer_gone = weakref.ref(callback), weakref.ref(producer)
    del callback, producer
    gc.collect()
    assert (gone(), producer_gone()) == (None, None)


def test_messages_are_reused_without_a_trace(ottla: Any) -> None:
    """More than the free list holds, kept and dropped, of the type and of a subclass."""

    class Mine(ottla.Message):  # type: ignore[misc]
        pass

    for _ in range(3):
        kinds = (ottla.Message, Mine)
        kept = [kind(f"t{number}", number, value=str(number)) for number in range(3000) for kind in kinds]
        assert all(each.topic() == f"t{each.partition()}" for each in kept)
        assert all(each.value() == str(each.partition()) for each in kept)
        del kept
    fresh = ottla.Message()
    assert (fresh.topic(), fresh.value(), fresh.headers(), fresh.error(), fresh.offset()) == (None,) * 5
