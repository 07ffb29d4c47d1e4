# The native part of Ottla, which is compiled. Its names are private: import them from the faces.
from collections.abc import Callable
from types import GenericAlias, ModuleType
from typing import Any, ClassVar, Generic, Literal, Self, TypeAlias, final, overload

from typing_extensions import TypeVar, disjoint_base

from ottla.confluent_kafka.admin._metadata import ClusterMetadata

_K = TypeVar("_K", default=bytes)
_V = TypeVar("_V", default=bytes)
_Payload: TypeAlias = str | bytes | None
_Headers: TypeAlias = list[tuple[str, _Payload]] | dict[str, _Payload]
_OnDelivery: TypeAlias = Callable[[KafkaError | None, Message], object]
_OnRebalance: TypeAlias = Callable[[Consumer, list[TopicPartition]], object]
_Str: TypeAlias = str

__all__ = [
    "ConcurrentModificationException",
    "Consumer",
    "IllegalStateException",
    "KafkaError",
    "KafkaException",
    "Message",
    "NewTopic",
    "Producer",
    "TopicPartition",
    "_AdminClientImpl",
    "_Answers",
    "_Broker",
    "_after_fork_in_child",
    "_floor",
    "_flush_producers",
]

class KafkaException(Exception): ...
class IllegalStateException(RuntimeError): ...
class ConcurrentModificationException(RuntimeError): ...

@disjoint_base
class KafkaError:
    def __init__(
        self,
        error: int,
        reason: str | None = None,
        fatal: bool = False,
        retriable: bool = False,
        txn_requires_abort: bool = False,
    ) -> None: ...
    def code(self) -> int: ...
    def name(self) -> _Str: ...
    def str(self) -> _Str: ...
    def fatal(self) -> bool: ...
    def retriable(self) -> bool: ...
    def txn_requires_abort(self) -> bool: ...
    def __bool__(self) -> bool: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: KafkaError | int, /) -> bool: ...
    def __le__(self, other: KafkaError | int, /) -> bool: ...
    def __gt__(self, other: KafkaError | int, /) -> bool: ...
    def __ge__(self, other: KafkaError | int, /) -> bool: ...
    BROKER_NOT_AVAILABLE: ClassVar[int]
    CLUSTER_AUTHORIZATION_FAILED: ClassVar[int]
    CONCURRENT_TRANSACTIONS: ClassVar[int]
    COORDINATOR_LOAD_IN_PROGRESS: ClassVar[int]
    COORDINATOR_NOT_AVAILABLE: ClassVar[int]
    DELEGATION_TOKEN_AUTHORIZATION_FAILED: ClassVar[int]
    DELEGATION_TOKEN_AUTH_DISABLED: ClassVar[int]
    DELEGATION_TOKEN_EXPIRED: ClassVar[int]
    DELEGATION_TOKEN_NOT_FOUND: ClassVar[int]
    DELEGATION_TOKEN_OWNER_MISMATCH: ClassVar[int]
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: ClassVar[int]
    DUPLICATE_RESOURCE: ClassVar[int]
    DUPLICATE_SEQUENCE_NUMBER: ClassVar[int]
    DUPLICATE_VOTER: ClassVar[int]
    ELECTION_NOT_NEEDED: ClassVar[int]
    ELIGIBLE_LEADERS_NOT_AVAILABLE: ClassVar[int]
    FEATURE_UPDATE_FAILED: ClassVar[int]
    FENCED_INSTANCE_ID: ClassVar[int]
    FENCED_LEADER_EPOCH: ClassVar[int]
    FENCED_MEMBER_EPOCH: ClassVar[int]
    FENCED_STATE_EPOCH: ClassVar[int]
    FETCH_SESSION_ID_NOT_FOUND: ClassVar[int]
    GROUP_AUTHORIZATION_FAILED: ClassVar[int]
    GROUP_ID_NOT_FOUND: ClassVar[int]
    GROUP_MAX_SIZE_REACHED: ClassVar[int]
    GROUP_SUBSCRIBED_TO_TOPIC: ClassVar[int]
    ILLEGAL_GENERATION: ClassVar[int]
    ILLEGAL_SASL_STATE: ClassVar[int]
    INCONSISTENT_GROUP_PROTOCOL: ClassVar[int]
    INCONSISTENT_TOPIC_ID: ClassVar[int]
    INCONSISTENT_VOTER_SET: ClassVar[int]
    INVALID_COMMIT_OFFSET_SIZE: ClassVar[int]
    INVALID_CONFIG: ClassVar[int]
    INVALID_FETCH_SESSION_EPOCH: ClassVar[int]
    INVALID_GROUP_ID: ClassVar[int]
    INVALID_MSG: ClassVar[int]
    INVALID_MSG_SIZE: ClassVar[int]
    INVALID_PARTITIONS: ClassVar[int]
    INVALID_PRINCIPAL_TYPE: ClassVar[int]
    INVALID_PRODUCER_EPOCH: ClassVar[int]
    INVALID_PRODUCER_ID_MAPPING: ClassVar[int]
    INVALID_RECORD: ClassVar[int]
    INVALID_RECORD_STATE: ClassVar[int]
    INVALID_REGISTRATION: ClassVar[int]
    INVALID_REGULAR_EXPRESSION: ClassVar[int]
    INVALID_REPLICATION_FACTOR: ClassVar[int]
    INVALID_REPLICA_ASSIGNMENT: ClassVar[int]
    INVALID_REQUEST: ClassVar[int]
    INVALID_REQUIRED_ACKS: ClassVar[int]
    INVALID_SESSION_TIMEOUT: ClassVar[int]
    INVALID_SHARE_SESSION_EPOCH: ClassVar[int]
    INVALID_TIMESTAMP: ClassVar[int]
    INVALID_TRANSACTION_TIMEOUT: ClassVar[int]
    INVALID_TXN_STATE: ClassVar[int]
    INVALID_UPDATE_VERSION: ClassVar[int]
    INVALID_VOTER_KEY: ClassVar[int]
    KAFKA_STORAGE_ERROR: ClassVar[int]
    LEADER_NOT_AVAILABLE: ClassVar[int]
    LISTENER_NOT_FOUND: ClassVar[int]
    LOG_DIR_NOT_FOUND: ClassVar[int]
    MEMBER_ID_REQUIRED: ClassVar[int]
    MISMATCHED_ENDPOINT_TYPE: ClassVar[int]
    MSG_SIZE_TOO_LARGE: ClassVar[int]
    NETWORK_EXCEPTION: ClassVar[int]
    NON_EMPTY_GROUP: ClassVar[int]
    NOT_CONTROLLER: ClassVar[int]
    NOT_COORDINATOR: ClassVar[int]
    NOT_ENOUGH_REPLICAS: ClassVar[int]
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: ClassVar[int]
    NOT_LEADER_FOR_PARTITION: ClassVar[int]
    NO_ERROR: ClassVar[int]
    NO_REASSIGNMENT_IN_PROGRESS: ClassVar[int]
    OFFSET_METADATA_TOO_LARGE: ClassVar[int]
    OFFSET_NOT_AVAILABLE: ClassVar[int]
    OFFSET_OUT_OF_RANGE: ClassVar[int]
    OPERATION_NOT_ATTEMPTED: ClassVar[int]
    OUT_OF_ORDER_SEQUENCE_NUMBER: ClassVar[int]
    POLICY_VIOLATION: ClassVar[int]
    PREFERRED_LEADER_NOT_AVAILABLE: ClassVar[int]
    PRINCIPAL_DESERIALIZATION_FAILURE: ClassVar[int]
    PRODUCER_FENCED: ClassVar[int]
    REASSIGNMENT_IN_PROGRESS: ClassVar[int]
    REBALANCE_IN_PROGRESS: ClassVar[int]
    REBOOTSTRAP_REQUIRED: ClassVar[int]
    RECORD_LIST_TOO_LARGE: ClassVar[int]
    REPLICA_NOT_AVAILABLE: ClassVar[int]
    REQUEST_TIMED_OUT: ClassVar[int]
    RESOURCE_NOT_FOUND: ClassVar[int]
    SASL_AUTHENTICATION_FAILED: ClassVar[int]
    SECURITY_DISABLED: ClassVar[int]
    SHARE_SESSION_LIMIT_REACHED: ClassVar[int]
    SHARE_SESSION_NOT_FOUND: ClassVar[int]
    STALE_BROKER_EPOCH: ClassVar[int]
    STALE_CTRL_EPOCH: ClassVar[int]
    STALE_MEMBER_EPOCH: ClassVar[int]
    STREAMS_INVALID_TOPOLOGY: ClassVar[int]
    STREAMS_INVALID_TOPOLOGY_EPOCH: ClassVar[int]
    STREAMS_TOPOLOGY_FENCED: ClassVar[int]
    TELEMETRY_TOO_LARGE: ClassVar[int]
    THROTTLING_QUOTA_EXCEEDED: ClassVar[int]
    TOPIC_ALREADY_EXISTS: ClassVar[int]
    TOPIC_AUTHORIZATION_FAILED: ClassVar[int]
    TOPIC_DELETION_DISABLED: ClassVar[int]
    TOPIC_EXCEPTION: ClassVar[int]
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ClassVar[int]
    TRANSACTION_ABORTABLE: ClassVar[int]
    TRANSACTION_COORDINATOR_FENCED: ClassVar[int]
    UNACCEPTABLE_CREDENTIAL: ClassVar[int]
    UNKNOWN: ClassVar[int]
    UNKNOWN_CONTROLLER_ID: ClassVar[int]
    UNKNOWN_LEADER_EPOCH: ClassVar[int]
    UNKNOWN_MEMBER_ID: ClassVar[int]
    UNKNOWN_PRODUCER_ID: ClassVar[int]
    UNKNOWN_SUBSCRIPTION_ID: ClassVar[int]
    UNKNOWN_TOPIC_ID: ClassVar[int]
    UNKNOWN_TOPIC_OR_PART: ClassVar[int]
    UNRELEASED_INSTANCE_ID: ClassVar[int]
    UNSTABLE_OFFSET_COMMIT: ClassVar[int]
    UNSUPPORTED_ASSIGNOR: ClassVar[int]
    UNSUPPORTED_COMPRESSION_TYPE: ClassVar[int]
    UNSUPPORTED_ENDPOINT_TYPE: ClassVar[int]
    UNSUPPORTED_FOR_MESSAGE_FORMAT: ClassVar[int]
    UNSUPPORTED_SASL_MECHANISM: ClassVar[int]
    UNSUPPORTED_VERSION: ClassVar[int]
    VOTER_NOT_FOUND: ClassVar[int]
    _ALL_BROKERS_DOWN: ClassVar[int]
    _APPLICATION: ClassVar[int]
    _ASSIGNMENT_LOST: ClassVar[int]
    _ASSIGN_PARTITIONS: ClassVar[int]
    _AUTHENTICATION: ClassVar[int]
    _AUTO_OFFSET_RESET: ClassVar[int]
    _BAD_COMPRESSION: ClassVar[int]
    _BAD_MSG: ClassVar[int]
    _CONFLICT: ClassVar[int]
    _CRIT_SYS_RESOURCE: ClassVar[int]
    _DESTROY: ClassVar[int]
    _DESTROY_BROKER: ClassVar[int]
    _EXISTING_SUBSCRIPTION: ClassVar[int]
    _FAIL: ClassVar[int]
    _FATAL: ClassVar[int]
    _FENCED: ClassVar[int]
    _FS: ClassVar[int]
    _GAPLESS_GUARANTEE: ClassVar[int]
    _INCONSISTENT: ClassVar[int]
    _INTR: ClassVar[int]
    _INVALID_ARG: ClassVar[int]
    _INVALID_DIFFERENT_RECORD: ClassVar[int]
    _INVALID_TYPE: ClassVar[int]
    _IN_PROGRESS: ClassVar[int]
    _ISR_INSUFF: ClassVar[int]
    _KEY_DESERIALIZATION: ClassVar[int]
    _KEY_SERIALIZATION: ClassVar[int]
    _LOG_TRUNCATION: ClassVar[int]
    _MAX_POLL_EXCEEDED: ClassVar[int]
    _MSG_TIMED_OUT: ClassVar[int]
    _NODE_UPDATE: ClassVar[int]
    _NOENT: ClassVar[int]
    _NOOP: ClassVar[int]
    _NOT_CONFIGURED: ClassVar[int]
    _NOT_IMPLEMENTED: ClassVar[int]
    _NO_OFFSET: ClassVar[int]
    _OUTDATED: ClassVar[int]
    _PARTIAL: ClassVar[int]
    _PARTITION_EOF: ClassVar[int]
    _PREV_IN_PROGRESS: ClassVar[int]
    _PURGE_INFLIGHT: ClassVar[int]
    _PURGE_QUEUE: ClassVar[int]
    _QUEUE_FULL: ClassVar[int]
    _READ_ONLY: ClassVar[int]
    _RESOLVE: ClassVar[int]
    _RETRY: ClassVar[int]
    _REVOKE_PARTITIONS: ClassVar[int]
    _SSL: ClassVar[int]
    _STATE: ClassVar[int]
    _TIMED_OUT: ClassVar[int]
    _TIMED_OUT_QUEUE: ClassVar[int]
    _TRANSPORT: ClassVar[int]
    _UNDERFLOW: ClassVar[int]
    _UNKNOWN_BROKER: ClassVar[int]
    _UNKNOWN_GROUP: ClassVar[int]
    _UNKNOWN_PARTITION: ClassVar[int]
    _UNKNOWN_PROTOCOL: ClassVar[int]
    _UNKNOWN_TOPIC: ClassVar[int]
    _UNSUPPORTED_FEATURE: ClassVar[int]
    _VALUE_DESERIALIZATION: ClassVar[int]
    _VALUE_SERIALIZATION: ClassVar[int]
    _WAIT_CACHE: ClassVar[int]
    _WAIT_COORD: ClassVar[int]

@disjoint_base
class TopicPartition:
    partition: int
    offset: int
    def __init__(
        self, topic: str, partition: int = -1, offset: int = -1001, metadata: str | None = None, leader_epoch: int = -1
    ) -> None: ...
    @property
    def topic(self) -> str: ...
    @property
    def metadata(self) -> str | None: ...
    @property
    def leader_epoch(self) -> int | None: ...
    @property
    def error(self) -> KafkaError | None: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: TopicPartition, /) -> bool: ...
    def __le__(self, other: TopicPartition, /) -> bool: ...
    def __gt__(self, other: TopicPartition, /) -> bool: ...
    def __ge__(self, other: TopicPartition, /) -> bool: ...
    def __getstate__(self) -> object: ...
    def __setstate__(self, state: object) -> None: ...

@disjoint_base
class NewTopic:
    num_partitions: int
    replication_factor: int
    replica_assignment: list[list[int]] | None
    config: dict[str, str] | None
    def __init__(
        self,
        topic: str,
        num_partitions: int = -1,
        replication_factor: int = -1,
        replica_assignment: list[list[int]] | None = None,
        config: dict[str, str] | None = None,
    ) -> None: ...
    @property
    def topic(self) -> str: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __lt__(self, other: NewTopic, /) -> bool: ...
    def __le__(self, other: NewTopic, /) -> bool: ...
    def __gt__(self, other: NewTopic, /) -> bool: ...
    def __ge__(self, other: NewTopic, /) -> bool: ...
    def __getstate__(self) -> object: ...
    def __setstate__(self, state: object) -> None: ...

@disjoint_base
class Message(Generic[_K, _V]):
    def __init__(
        self,
        topic: str | None = None,
        partition: int = -1,
        offset: int = -1001,
        key: object = None,
        value: object = None,
        headers: object = None,
        error: KafkaError | None = None,
        timestamp: tuple[int, int] | None = None,
        latency: float = -1.0,
        leader_epoch: int = -1,
        delivery_count: int = -1,
    ) -> None: ...
    def topic(self, /) -> str | None: ...
    def partition(self, /) -> int | None: ...
    def offset(self, /) -> int | None: ...
    def key(self, /) -> _K | None: ...
    def value(self, /) -> _V | None: ...
    def deserialized_key(self, /) -> _K | None: ...
    def deserialized_value(self, /) -> _V | None: ...
    def headers(self, /) -> list[tuple[str, bytes | None]] | None: ...
    def error(self, /) -> KafkaError | None: ...
    def timestamp(self, /) -> tuple[int, int]: ...
    def latency(self, /) -> float | None: ...
    def leader_epoch(self, /) -> int | None: ...
    def delivery_count(self, /) -> int | None: ...
    def set_topic(self, value: str | None, /) -> None: ...
    def set_key(self, value: object, /) -> None: ...
    def set_value(self, value: object, /) -> None: ...
    def set_headers(self, value: object, /) -> None: ...
    def set_error(self, error: KafkaError | None, /) -> None: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __class_getitem__(cls, item: object, /) -> GenericAlias: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@disjoint_base
class Producer:
    def __init__(self, config: dict[str, Any] = ..., /, **kwargs: object) -> None: ...
    def produce(
        self,
        topic: str,
        value: _Payload = None,
        key: _Payload = None,
        partition: int = -1,
        callback: _OnDelivery | None = None,
        on_delivery: _OnDelivery | None = None,
        timestamp: int = 0,
        headers: _Headers | None = None,
    ) -> None: ...
    def poll(self, timeout: float = -1) -> int: ...
    def flush(self, timeout: float = -1) -> int: ...
    def close(self, timeout: float | None = -1) -> bool: ...
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

@disjoint_base
class Consumer:
    def __init__(self, config: dict[str, Any] = ..., /, **kwargs: object) -> None: ...
    def assign(self, partitions: list[TopicPartition], /) -> None: ...
    def unassign(self) -> None: ...
    def incremental_assign(self, partitions: list[TopicPartition], /) -> None: ...
    def incremental_unassign(self, partitions: list[TopicPartition], /) -> None: ...
    def subscribe(
        self,
        topics: list[str],
        on_assign: _OnRebalance = ...,
        on_revoke: _OnRebalance = ...,
        on_lost: _OnRebalance = ...,
    ) -> None: ...
    def unsubscribe(self) -> None: ...
    @overload
    def commit(
        self,
        message: Message | None = None,
        offsets: list[TopicPartition] | None = None,
        *,
        asynchronous: Literal[True] = True,
        **kwargs: bool,
    ) -> None: ...
    @overload
    def commit(
        self,
        message: Message | None = None,
        offsets: list[TopicPartition] | None = None,
        *,
        asynchronous: Literal[False],
        **kwargs: bool,
    ) -> list[TopicPartition]: ...
    def committed(self, partitions: list[TopicPartition], timeout: float = -1) -> list[TopicPartition]: ...
    def store_offsets(self, message: Message | None = None, offsets: list[TopicPartition] | None = None) -> None: ...
    def memberid(self) -> str | None: ...
    def consumer_group_metadata(self) -> bytes: ...
    def assignment(self, /) -> list[TopicPartition]: ...
    def poll(self, timeout: float = -1) -> Message | None: ...
    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]: ...
    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]: ...
    def seek(self, partition: TopicPartition) -> None: ...
    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...
    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]: ...
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata: ...
    def close(self, /) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

@disjoint_base
class _AdminClientImpl:
    def __init__(self, *args: object, **kwargs: object) -> None: ...
    def _create_topics(self, answers: _Answers, number: int, topics: list[NewTopic], **kwargs: float) -> None: ...
    def _delete_topics(self, answers: _Answers, number: int, topics: list[str], **kwargs: float) -> None: ...
    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata: ...
    def poll(self, timeout: float = -1) -> int: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

@final
class _Answers:
    def __new__(cls) -> Self: ...
    def next(self) -> tuple[int, list[tuple[str, KafkaError | None]] | KafkaException] | None: ...
    def close(self) -> None: ...

def _after_fork_in_child() -> None: ...
def _flush_producers() -> None: ...

# Native methods that only parse and make objects: the floor that the benchmark compares with.
_floor: ModuleType

@final
class _Broker:
    def __new__(
        cls,
        *,
        brokers: int,
        seed: int,
        auto_create_topics: bool,
        default_partitions: int,
        max_bytes: int,
        ports: list[int] | None,
        group_initial_rebalance_delay_ms: int,
        group_min_session_timeout_ms: int,
        message_max_bytes: int,
    ) -> Self: ...
    def bootstrap_servers(self) -> str: ...
    def check(self) -> None: ...
    def _panic(self) -> None: ...
    def create_topic(self, name: str, partitions: int, replication_factor: int | None) -> None: ...
    def delete_topic(self, name: str) -> None: ...
    def kill(self, node: int) -> None: ...
    def start(self, node: int) -> None: ...
    def leader(self, topic: str, partition: int) -> int | None: ...
    def move_leader(self, topic: str, partition: int, node: int) -> None: ...
    def coordinator(self, group: str) -> int | None: ...
    def move_coordinator(self, group: str, node: int) -> None: ...
    def load_coordinator(self, group: str, milliseconds: int) -> None: ...
    def log_end(self, topic: str, partition: int) -> int: ...
    def group(
        self, name: str
    ) -> (
        tuple[
            str,
            int,
            str | None,
            str | None,
            list[tuple[str, str | None, str, bytes]],
            dict[tuple[str, int], int],
        ]
        | None
    ): ...
    def arm(
        self,
        api: str | None,
        node: int | None,
        partition: int | None,
        words: tuple[str | None, str | None, str | None, str | None, str | None],
        when: tuple[str, object],
        what: tuple[str, object],
        level: str,
        applied: bool,
    ) -> int: ...
    def fired(self, fault: int) -> int: ...
    def disarm(self, fault: int) -> None: ...
    def clear_faults(self) -> None: ...
    def unfired(self) -> list[str]: ...
    def requests(
        self,
    ) -> list[
        tuple[
            float,
            int,
            int,
            str,
            int,
            str | None,
            int,
            int,
            dict[str, int],
            tuple[str, ...],
            float | None,
            str | None,
        ]
    ]: ...
    def stop(self) -> None: ...
