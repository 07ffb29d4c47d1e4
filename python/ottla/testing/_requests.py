"""What clients asked the embedded broker, one object a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a broker of the cluster received."""

    #: Seconds since the cluster started.
    at: float
    #: The broker's id, 1 and up.
    node: int
    #: Tells connections of the cluster apart.
    connection: int
    #: Kafka's name of the API, such as ``"Produce"``.
    api: str
    api_version: int
    client_id: str | None
    correlation_id: int
    #: Of the whole request, without its length.
    bytes: int
    #: The topics that it names, with how many partitions of each; 0 where it is about a topic as a whole.
    topics: Mapping[str, int]
    #: The groups that it names.
    groups: tuple[str, ...]
    #: Seconds since the cluster started; None while it waits, and where it never was answered.
    answered_at: float | None
    #: The first error in the answer, by Kafka's name; None where there was none.
    error: str | None
