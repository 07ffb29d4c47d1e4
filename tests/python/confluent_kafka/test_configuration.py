"""Configurations, good and bad, on the original and on Ottla: the same exception with the same code and text, or none.

What Ottla refuses on purpose stands apart, with its own text. No broker is needed: no configuration names one that
answers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ORIGINAL = "confluent_kafka"
OTTLA = "ottla.confluent_kafka"


def nothing(*_: object) -> None:
    """Stand where a callback is asked for."""


def each(key: str, values: list[object]) -> Iterable[dict[str, object]]:
    """Give one configuration for each value of the key."""
    return [{key: value} for value in values]


PRODUCER: list[dict[Any, Any]] = [
    {},
    {5: "x"},
    *each("foo", [1, "bar", None]),
    *each("", ["x"]),
    *each(
        "linger.ms", ["abc", "5.5", 0.5, -1, 900001, 900001.5, 9000015, "-0.5", "1e300", "", None, "1e2", " 5", "5ms"]
    ),
    *each("linger.ms", ["inf", "infinity", ".5", ".", "0x10", True]),
    *each("enable.idempotence", ["maybe", "TRUE", "t", "1", "yes", "on", 1, True, False, "", "f", "0", None]),
    *each(
        "acks", ["x", 2, -2, 1001, "ALL", "all", "0", "-1", "", "1x", "0x1", "0x10000", "99999999999", 1.0, 1.5, True]
    ),
    *each("acks", ["010", "08", "+1", "- 1", "\t1", "0x", "al", "all "]),
    *each("request.required.acks", ["x"]),
    *each("batch.size", [0, "1MB", 2147483648, "2147483647", 10**30]),
    *each("batch.num.messages", [0]),
    *each("compression.type", ["foo", "GZIP", "Zstd", None, "", 1, "gzip "]),
    *each("compression.codec", ["foo", "inherit"]),
    *each("compression.level", [13, -2, "x"]),
    *each("partitioner", ["foo", "murmur2", "MURMUR2", "", None, "random ", "fnv1a_random"]),
    *each("message.timeout.ms", [0, -1]),
    *each("delivery.timeout.ms", [3]),
    *each("request.timeout.ms", [0]),
    *each("socket.timeout.ms", [9, 300001]),
    *each("retries", [-1, 2147483648]),
    *each("message.send.max.retries", ["abc"]),
    *each("message.max.bytes", [999, 1000000000]),
    *each("queue.buffering.max.messages", [0, -1]),
    *each("queue.buffering.max.kbytes", [0]),
    *each("max.in.flight", [0]),
    *each("metadata.max.age.ms", [0]),
    *each("topic.metadata.refresh.interval.ms", [-1, -2]),
    *each("bootstrap.servers", ["", None, ",", "a,,b", "[::1]:9092", "PLAINTEXT://a:1", 5]),
    *each("security.protocol", ["foo", "", "PLAINTEXT"]),
    *each("sasl.mechanisms", [""]),
    *each("ssl.endpoint.identification.algorithm", [""]),
    *each("isolation.level", ["foo", "read_uncommitted"]),
    *each("client.id", ["", "ä", 5, [1], True]),
    *each("log_level", [8, "x"]),
    *each("debug", ["foo", "generic,foo", "generic broker", "", None, ","]),
    *each("broker.address.family", ["v5", "V4"]),
    *each("broker.version.fallback", ["", "0.9.0"]),
    *each("client.dns.lookup", ["foo"]),
    *each("builtin.features", ["foo", "gzip"]),
    *each("enabled_events", [-1]),
    *each("LINGER.MS", [5]),
    *each("linger_ms", [5]),
    *each("queuing.strategy", ["x"]),
    *each("interceptors", ["x"]),
    *each("ssl_key", ["x"]),
    *each("ssl_ca", ["x"]),
    *each("dr_cb", [1, nothing]),
    *each("dr_msg_cb", [1]),
    *each("log_cb", [1, nothing]),
    *each("rebalance_cb", [nothing]),
    *each("partitioner_cb", [nothing]),
    *each("opaque", ["x"]),
    *each("socket_cb", [1]),
    *each("consume_cb", ["x"]),
    *each("on_commit", [nothing]),
    *each("on_delivery", [None, 1, nothing]),
    *each("error_cb", [None, 1, nothing]),
    *each("stats_cb", ["x", None, nothing]),
    *each("throttle_cb", [None, 1, nothing]),
    *each("oauth_cb", [1, None]),
    *each("logger", [None]),
    *each("default.topic.config", [{"acks": 1}, {"foo": 1}, {"linger.ms": 1}, {"acks": "x"}, "x", None]),
    {"acks": 1, "default.topic.config": {"acks": "x"}},
    {"acks": "x", "default.topic.config": {"acks": 1}},
    {"default.topic.config": {"acks": "x"}, "linger.ms": "x"},
    {"foo": 1, "linger.ms": "x"},
    {"linger.ms": "x", "foo": 1},
    {"foo": 1, "error_cb": 1},
    {"error_cb": 1, "foo": 1},
    {"foo": 1, "on_delivery": 1},
    {"enable.idempotence": True, "acks": 1},
    {"enable.idempotence": True, "acks": "all"},
    {"enable.idempotence": True, "max.in.flight": 6},
    {"enable.idempotence": True, "max.in.flight": 5},
    {"enable.idempotence": True, "retries": 0},
    {"enable.idempotence": True, "retries": 0, "message.send.max.retries": 1},
    {"enable.idempotence": True, "queuing.strategy": "lifo"},
    {"enable.idempotence": True, "queue.buffering.backpressure.threshold": 2},
    {"enable.idempotence": True, "acks": 1, "max.in.flight": 6, "retries": 0},
    {"enable.idempotence": True, "acks": 1, "reconnect.backoff.ms": 20000},
    {"enable.gapless.guarantee": True},
    {"enable.gapless.guarantee": True, "enable.idempotence": True},
    {"message.timeout.ms": 5, "linger.ms": 5},
    {"message.timeout.ms": 6, "linger.ms": 5},
    {"linger.ms": 400000},
    {"reconnect.backoff.max.ms": 50},
    {"retry.backoff.ms": 2000, "retry.backoff.max.ms": 1000},
    {"group.id": "g", "fetch.min.bytes": 2, "enable.auto.commit": True, "group.instance.id": "i"},
]

CONSUMER: list[dict[Any, Any]] = [
    {"foo": 1},
    {"fetch.min.bytes": "x"},
    {},
]

CONSUMER_IN_GROUP: list[dict[Any, Any]] = [
    {},
    *each("foo", [1]),
    *each("group.id", [5]),
    *each("enable.auto.commit", ["x", False, ""]),
    *each("auto.offset.reset", ["foo", "EARLIEST", "beginning", "none", "error", "", 0, "largest"]),
    *each("isolation.level", ["foo", "READ_COMMITTED", 1]),
    *each("linger.ms", [5, "x"]),
    *each("acks", [1]),
    *each("transactional.id", ["t"]),
    *each("on_delivery", [nothing]),
    *each("on_commit", [None, 1, nothing]),
    *each("dr_cb", [nothing]),
    *each("fetch.min.bytes", [-1, 5]),
    *each("fetch.max.bytes", [100, 200000000, 2147483135]),
    *each("receive.message.max.bytes", [1000, 52429311, 52429312]),
    *each("max.partition.fetch.bytes", [0]),
    *each("fetch.message.max.bytes", ["x"]),
    *each("session.timeout.ms", [400000]),
    *each("max.poll.interval.ms", [0]),
    *each("queued.min.messages", [0]),
    *each("queued.max.messages.kbytes", [0, 3000000, 1]),
    *each("fetch.wait.max.ms", [300001, 300000, "5.0"]),
    *each("fetch.error.backoff.ms", [-1]),
    *each("check.crcs", ["x", False]),
    *each("enable.partition.eof", ["x", "true"]),
    *each("group.protocol", ["foo"]),
    *each("auto.commit.interval.ms", [-1, 0]),
    *each("offset.store.method", ["file"]),
    *each("default.topic.config", [{"auto.offset.reset": "foo"}, {"auto.offset.reset": "earliest", "acks": 1}]),
    {"fetch.max.bytes": 100, "message.max.bytes": 1000},
    {"session.timeout.ms": 400000, "reconnect.backoff.ms": 20000},
    {"session.timeout.ms": 400000, "receive.message.max.bytes": 1000},
]

ADMIN: list[dict[Any, Any]] = [
    {},
    *each("foo", [1]),
    *each("linger.ms", [4, "x"]),
    *each("group.id", ["g"]),
    *each("on_delivery", [nothing]),
    *each("error_cb", [1]),
    {"enable.idempotence": True, "acks": 1},
    {"reconnect.backoff.ms": 20000},
]

CASES = [
    *(("Producer", config) for config in PRODUCER),
    *(("Consumer", config) for config in CONSUMER),
    *(("Consumer", {"group.id": "g", **config}) for config in CONSUMER_IN_GROUP),
    *(("AdminClient", config) for config in ADMIN),
]

# What Ottla refuses and the original takes: keys that are not served yet and change what is sent, stored or trusted.
REFUSED: list[tuple[str, str, object]] = [
    ("Producer", "security.protocol", "SSL"),
    ("Producer", "sasl.mechanism", "PLAIN"),
    ("Producer", "sasl.username", "me"),
    ("Producer", "sasl.password", "hunter2"),
    ("Producer", "ssl.ca.location", "/nowhere"),
    ("Producer", "ssl.key.password", "hunter2"),
    ("Producer", "enable.ssl.certificate.verification", False),
    ("Producer", "transactional.id", "t"),
    ("Producer", "topic.blacklist", "^a"),
    ("Producer", "queuing.strategy", "lifo"),
    ("Consumer", "group.protocol", "consumer"),
    ("AdminClient", "sasl.password", "hunter2"),
]


def client(package: str, name: str) -> Callable[[dict[Any, Any]], Any]:
    """Find the class by its name in the package or in its `admin`."""
    module = importlib.import_module(f"{package}.admin" if name == "AdminClient" else package)
    found: Callable[[dict[Any, Any]], Any] = getattr(module, name)
    return found


def outcome(package: str, name: str, config: dict[Any, Any]) -> tuple[object, ...]:
    """Make the client and tell what came of it: nothing, or the exception's type, code and text."""
    kafka_exception = importlib.import_module(package).KafkaException
    try:
        made = client(package, name)(dict(config))
    except kafka_exception as error:
        cause = error.args[0]
        return ("KafkaException", cause.code(), cause.name(), cause.str(), cause.fatal(), cause.retriable())
    except (TypeError, ValueError, AttributeError) as error:
        return (type(error).__name__, str(error))
    if name != "AdminClient":
        made.close()
    return ()


@pytest.mark.parametrize(("name", "config"), CASES, ids=[f"{name}-{config}" for name, config in CASES])
def test_the_same_configuration_gives_the_same(name: str, config: dict[Any, Any]) -> None:
    """The same exception with the same code and text, or none."""
    assert outcome(OTTLA, name, config) == outcome(ORIGINAL, name, config)


@pytest.mark.parametrize(
    "config",
    [
        {"nonsense": 1},
        {"retries": -1},
        {"retries": "many"},
        {"compression.type": "zip"},
        {"enable.idempotence": "perhaps"},
        {"retries": ""},
        {"opaque": "x"},
        {"enable.idempotence": True, "acks": 1},
        {"linger.ms": 1_000, "delivery.timeout.ms": 1_000},
        {"security.protocol": "SSL"},
        {"bootstrap.servers": "host:port"},
    ],
    ids=str,
)
def test_every_refusal_of_a_setting_has_one_code(config: dict[str, object]) -> None:
    """Whatever is wrong with a setting: one of each cause of the document."""
    kind, code, constant, text, *_ = outcome(OTTLA, "Producer", config)
    assert (kind, code, constant) == ("KafkaException", -186, "_INVALID_ARG")
    assert text


@pytest.mark.parametrize(("name", "key", "value"), REFUSED)
def test_a_key_that_is_not_served_yet_is_refused_by_name(name: str, key: str, value: object) -> None:
    """The text names the key and shows no secret."""
    group = {"group.id": "g"} if name == "Consumer" else {}
    kind, code, constant, text, *_ = outcome(OTTLA, name, {**group, key: value})
    assert (kind, code, constant) == ("KafkaException", -186, "_INVALID_ARG")
    assert f'"{key}"' in str(text)
    assert "hunter2" not in str(text)


@pytest.mark.parametrize("group", [None, ""])
def test_a_consumer_without_a_group_is_refused(group: str | None) -> None:
    """The original aborts the process for a `group.id` that is set to nothing."""
    assert outcome(OTTLA, "Consumer", {"group.id": group}) == (
        "ValueError",
        "Failed to create consumer: group.id must be set",
    )


def test_a_list_of_bad_addresses_is_refused() -> None:
    """The original only logs it, and never connects."""
    *_, text, _, _ = outcome(OTTLA, "Producer", {"bootstrap.servers": "a:b"})
    assert 'port "b" is not a number from 1 to 65535' in str(text)


def test_the_dict_stays_the_callers() -> None:
    """Nothing is taken out of the dict or put into it."""
    config = {"group.id": "g", "default.topic.config": {"auto.offset.reset": "earliest"}, "error_cb": nothing}
    before = {**config}
    client(OTTLA, "Consumer")(config).close()
    assert config == before
