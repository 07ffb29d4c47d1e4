"""Programs that administer."""

from __future__ import annotations

import time
from typing import Any

from tests.python.confluent_kafka.differential.setup import PATIENCE, Setup, attempt, show


def _one(futures: dict[str, Any], topic: str) -> str:
    return attempt(lambda: futures[topic].result(PATIENCE))


def _partitions(client: Any, name: str) -> int:
    """How many a topic has that was just made: the broker that is asked learns of it a moment later."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = len(client.list_topics(name, PATIENCE).topics[name].partitions)
        if found or time.monotonic() > deadline:
            return found


def topics_are_created_and_deleted(setup: Setup) -> object:
    """And described in between."""
    client, name = setup.admin_client(), f"{setup.topic}-new"
    created = _one(client.create_topics([setup.admin.NewTopic(name, 3, 1)]), name)
    partitions = _partitions(client, name)
    again = _one(client.create_topics([setup.admin.NewTopic(name, 3, 1)]), name).replace(name, "T")
    deleted = _one(client.delete_topics([name]), name)
    return created, partitions, again, deleted, _one(client.delete_topics([f"{name}-never"]), f"{name}-never")


def creation_is_refused(setup: Setup) -> object:
    """By the broker, in its words."""
    client, new = setup.admin_client(), setup.admin.NewTopic
    base = f"{setup.topic}-no"
    topics = [
        new("bad name!", 1, 1),
        new(f"{base}1", 1, 5),
        new(f"{base}2", 0, 1),
        new(f"{base}3", 1, 1, config={"nope": "1"}),
        new(f"{base}4", 2, replica_assignment=[[7], [0]]),
        new("", 1, 1),
    ]
    return [_one(client.create_topics([topic]), topic.topic).replace(base, "B") for topic in topics]


def each_topic_of_a_request_has_its_own_end(setup: Setup) -> object:
    """Good beside bad."""
    client, new = setup.admin_client(), setup.admin.NewTopic
    good, bad = f"{setup.topic}-good", "bad name!"
    futures = client.create_topics([new(good, 1, 1), new(bad, 1, 1)])
    created = [_one(futures, good), _one(futures, bad)]
    gone = client.delete_topics([good, f"{good}-never"])
    return created, _one(gone, good), _one(gone, f"{good}-never"), sorted(map(len, (futures, gone)))


def validation_creates_nothing(setup: Setup) -> object:
    """It says what would be."""
    client, name = setup.admin_client(), f"{setup.topic}-valid"
    valid = _one(client.create_topics([setup.admin.NewTopic(name, 1, 1)], validate_only=True), name)
    error = client.list_topics(name, PATIENCE).topics[name].error
    return valid, show(error)


def replicas_and_settings_are_taken(setup: Setup) -> object:
    """By assignment and by config."""
    client, new = setup.admin_client(), setup.admin.NewTopic
    assigned, configured = f"{setup.topic}-assigned", f"{setup.topic}-configured"
    futures = client.create_topics(
        [
            new(assigned, 2, replica_assignment=[[0], [0]]),
            new(configured, 1, 1, config={"cleanup.policy": "compact", "retention.ms": 1000}),
        ],
        operation_timeout=PATIENCE,
        request_timeout=PATIENCE,
    )
    outcome = [_one(futures, assigned), _one(futures, configured)]
    partitions = client.list_topics(assigned, PATIENCE).topics[assigned].partitions
    for each in client.delete_topics([assigned, configured]).values():
        each.result(PATIENCE)
    return outcome, {number: each.replicas for number, each in partitions.items()}


def futures_are_futures(setup: Setup) -> object:
    """Of the standard library; they call back, and cannot be cancelled."""
    client, name, called = setup.admin_client(), f"{setup.topic}-future", []
    future = client.create_topics([setup.admin.NewTopic(name, 1, 1)])[name]
    cancelled = future.cancel()
    result = future.result(PATIENCE)
    future.add_done_callback(lambda done: called.append(done.result()))
    client.delete_topics([name])[name].result(PATIENCE)
    return type(future).__module__, cancelled, result, called, future.done(), show(future.exception())


def a_closed_admin_client_refuses(setup: Setup) -> object:
    """Every call."""
    with setup.admin_client() as client:
        cluster = client.list_topics(timeout=PATIENCE)
    calls = [lambda: client.list_topics(timeout=1), lambda: client.create_topics([setup.admin.NewTopic("t", 1, 1)])]
    calls.append(lambda: client.delete_topics(["t"]))
    return isinstance(cluster.cluster_id, str), [attempt(call) for call in calls]
