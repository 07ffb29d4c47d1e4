"""Faults on demand: which requests they hit, when, and what happens to those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ottla._native import _Broker


#: APIs whose errors stand at partitions.
_OF_PARTITIONS = {"Produce", "Fetch", "ListOffsets", "OffsetForLeaderEpoch", "OffsetCommit"}


class FaultNeverFiredError(AssertionError):
    """A fault was armed, and no request ever met it: the test did not test what it says."""


class Fault:
    """A fault that was armed."""

    def __init__(self, broker: _Broker, number: int) -> None:
        """Made by `Faults.arm`."""
        self._broker = broker
        self._number = number

    @property
    def fired(self) -> int:
        """How many requests it has hit."""
        return self._broker.fired(self._number)

    def disarm(self) -> None:
        """Let it hit no more requests. Whether it ever fired is not asked any more."""
        self._broker.disarm(self._number)


class Faults:
    """The faults of a cluster: `Broker.faults`."""

    def __init__(self, broker: _Broker) -> None:
        """Made by `Broker`."""
        self._broker = broker

    def arm(
        self,
        *,
        api: str | None = None,
        node: int | None = None,
        client_id: str | None = None,
        topic: str | None = None,
        partition: int | None = None,
        group: str | None = None,
        member: str | None = None,
        transactional_id: str | None = None,
        nth: int | None = None,
        times: int | None = None,
        every: int | None = None,
        probability: float | None = None,
        always: bool = False,
        error: str | int | None = None,
        level: Literal["top", "topic", "partition", "member"] | None = None,
        applied: bool = False,
        delay: float | None = None,
        drop: Literal["before", "after"] | None = None,
        never_answer: bool = False,
        corrupt_crc: bool = False,
        unlisted_leader: bool = False,
        wrong_correlation_id: bool = False,
        partial_frame: bool = False,
    ) -> Fault:
        """Break requests from now on. It says three things.

        **Which**: requests of `api` (Kafka's name, such as ``"Produce"``), to broker `node`, of `client_id`, about
        `topic` and `partition`, of `group`, of a `member` (its id or group.instance.id), of a `transactional_id`. What
        is not given matches everything.

        **When**: the first one that matches, or the `nth` (from 1), the first `times`, each that is a multiple of
        `every`, each with a `probability` (drawn from the cluster's seed), or `always`.

        **What**, one of: `error` (Kafka's name or number) at its `level` in the answer (default ``"partition"`` where
        `topic` or `partition` is given or the API is about partitions, else ``"top"``), and nothing is done, unless
        the answer lies (`applied`); handle after a `delay` in seconds; `drop` the connection ``"before"`` the request
        is applied or ``"after"``; `never_answer`; damage the first record batch of a Fetch answer (`corrupt_crc`) or
        the correlation id (`wrong_correlation_id`); leave the leader of the first partition out of the brokers of a
        Metadata answer (`unlisted_leader`; of a cluster of two or more, as an answer without any broker changes
        nothing); or send half the answer and close (`partial_frame`).

        ValueError: names that Kafka does not have, not exactly one *what*, more than one *when*.
        """
        when = _one(
            "when",
            {
                "nth": nth,
                "times": times,
                "every": every,
                "probability": probability,
                "always": 1 if always else None,
            },
        ) or ("once", 1)
        what = _one(
            "what",
            {
                "error": error,
                "delay": None if delay is None else round(delay * 1_000),
                "drop": drop,
                "never_answer": never_answer or None,
                "corrupt_crc": corrupt_crc or None,
                "unlisted_leader": unlisted_leader or None,
                "wrong_correlation_id": wrong_correlation_id or None,
                "partial_frame": partial_frame or None,
            },
        )
        if what is None:
            raise ValueError("a fault does one thing: error, delay, drop, never_answer, corrupt_crc, ...")
        if error is None and (level is not None or applied):
            raise ValueError("level and applied belong to error")
        if level is None:
            level = "partition" if topic is not None or partition is not None or api in _OF_PARTITIONS else "top"
        words = (client_id, topic, group, member, transactional_id)
        number = self._broker.arm(api, node, partition, words, when, what, level, applied)
        return Fault(self._broker, number)

    def clear(self) -> None:
        """Disarm every fault, whether it fired or not."""
        self._broker.clear_faults()

    @property
    def unfired(self) -> list[str]:
        """The armed faults that no request met so far, in words."""
        return self._broker.unfired()

    def check(self) -> None:
        """Raise `FaultNeverFiredError` if an armed fault never fired. Leaving the context of the broker does it too."""
        unfired = self.unfired
        if unfired:
            raise FaultNeverFiredError("armed, but no request ever met it: " + "; ".join(unfired))


def _one(question: str, given: dict[str, object]) -> tuple[str, object] | None:
    """The one answer that was given, None for none."""
    answers = [(name, value) for name, value in given.items() if value is not None]
    if len(answers) > 1:
        raise ValueError(f"one of {', '.join(name for name, _ in answers)} says {question}, not all of them")
    return answers[0] if answers else None
