//! The settings that the machines take: typed, face-neutral, without defaults of their own (a face's parser fills every field).
//! Times are `u64` microseconds with the suffix `_us`, or what goes on the wire where they go there. Names are Kafka's keys.
//! What a key is called, and what it may be, stands in the table and in each face's parser.

/// One bootstrap address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootstrapServer {
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Which addresses of a host may be used (`broker.address.family`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv4 and IPv6.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// How connections and metadata are kept, the same for every client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// `client.id`, sent with every request.
    pub client_id: String,
    /// `bootstrap.servers`, in the order given. May be empty: the client then never connects.
    pub bootstrap: Vec<BootstrapServer>,
    /// Which addresses of a host are used.
    pub address_family: AddressFamily,
    /// How long a request may go unanswered.
    pub socket_timeout_us: u64,
    /// How long connecting and the handshake may take.
    pub connection_setup_timeout_us: u64,
    /// How long an ApiVersions request may go unanswered.
    pub api_version_request_timeout_us: u64,
    /// Idle connections are closed after this; 0 is never.
    pub connections_max_idle_us: u64,
    /// The first wait before connecting again, doubled with jitter each time; 0 is at once.
    pub reconnect_backoff_us: u64,
    /// The longest wait before connecting again.
    pub reconnect_backoff_max_us: u64,
    /// The first wait before a request is made again, doubled with jitter each time.
    pub retry_backoff_us: u64,
    /// The longest wait before a request is made again.
    pub retry_backoff_max_us: u64,
    /// Metadata of known topics is fetched again this often; `None` is never.
    pub topic_metadata_refresh_interval_us: Option<u64>,
    /// The first wait for metadata that is known to be stale.
    pub topic_metadata_refresh_fast_interval_us: u64,
    /// How long an unknown topic may be one that was just created and is not announced everywhere.
    pub topic_metadata_propagation_max_us: u64,
    /// Requests in flight on one connection at most.
    pub max_in_flight: usize,
    /// A response larger than this, in bytes, closes its connection.
    pub receive_message_max_bytes: usize,
    /// `SO_SNDBUF` in bytes, `None` for the system's.
    pub socket_send_buffer_bytes: Option<u32>,
    /// `SO_RCVBUF` in bytes, `None` for the system's.
    pub socket_receive_buffer_bytes: Option<u32>,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `SO_KEEPALIVE`.
    pub keepalive: bool,
    /// Whether asking for the metadata of a topic may create it on the broker.
    pub allow_auto_create_topics: bool,
    /// syslog's level up to which lines are logged, 0 to 7.
    pub log_level: u8,
}

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, attribute 1.
    Gzip,
    /// snappy, attribute 2.
    Snappy,
    /// lz4, attribute 3.
    Lz4,
    /// zstd, attribute 4 (KIP-110).
    Zstd,
}

/// How a record without a partition of its own gets one. The names are librdkafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioner {
    /// Any, whatever the key.
    Random,
    /// CRC32 of the key; all records without a key go to one partition.
    Consistent,
    /// CRC32 of the key; records without a key or with an empty one go anywhere.
    ConsistentRandom,
    /// murmur2 of the key as in the Java client; all records without a key go to one partition.
    Murmur2,
    /// murmur2 of the key as in the Java client; records without a key go anywhere.
    Murmur2Random,
    /// FNV-1a of the key; all records without a key go to one partition.
    Fnv1a,
    /// FNV-1a of the key; records without a key go anywhere.
    Fnv1aRandom,
}

/// What a producer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Connections and metadata.
    pub connection: ConnectionSettings,
    /// `acks`: 0 none, 1 the leader, -1 all in-sync replicas. Larger values count as in the original: as given.
    pub acks: i16,
    /// `request.timeout.ms`: how long the broker may wait for its replicas, on the wire.
    pub request_timeout_ms: i32,
    /// From `produce()` to the report at the latest; `u64::MAX` is for ever.
    pub delivery_timeout_us: u64,
    /// How long a batch may wait for further records.
    pub linger_us: u64,
    /// A batch's largest size in bytes.
    pub batch_size: usize,
    /// A batch's largest number of records.
    pub batch_num_messages: usize,
    /// A request's largest size in bytes, and so a record's.
    pub message_max_bytes: usize,
    /// Records that wait for their end at most; `usize::MAX` is without limit.
    pub queue_max_messages: usize,
    /// Bytes of the records that wait for their end at most.
    pub queue_max_bytes: usize,
    /// How often a record's request may be made again.
    pub retries: u32,
    /// Whether the broker drops duplicates and keeps the order (KIP-98).
    pub idempotence: bool,
    /// Whether a record that fails ends the producer, since a gap would follow.
    pub gapless: bool,
    /// Compression of every batch.
    pub codec: Compression,
    /// The codec's level, `None` for its own default.
    pub compression_level: Option<i32>,
    /// Where records without a partition go.
    pub partitioner: Partitioner,
    /// How long records without a key stay with one partition; 0 chooses for each (KIP-480).
    pub sticky_linger_us: u64,
    /// Only failed records call back.
    pub delivery_report_only_error: bool,
}

/// Which records of transactions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All.
    ReadUncommitted,
    /// Those of committed transactions.
    ReadCommitted,
}

/// Where to start without an offset, or with one that the log no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the log's start.
    Earliest,
    /// At the log's end.
    Latest,
    /// Nowhere: the partition yields an error.
    Error,
}

/// How partitions are shared out among the members of a group (`partition.assignment.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions to one member.
    Range,
    /// Partition by partition, members in turn.
    RoundRobin,
}

/// Membership in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.id`.
    pub group_id: String,
    /// `group.instance.id` (KIP-345): a member that returns under this name takes its partitions over.
    pub instance_id: Option<String>,
    /// `group.protocol.type`, on the wire.
    pub protocol_type: String,
    /// In the order of preference; not empty.
    pub assignors: Vec<Assignor>,
    /// The broker takes a member for dead that it has not heard of for so long, on the wire.
    pub session_timeout_ms: i32,
    /// Between two heartbeats.
    pub heartbeat_interval_us: u64,
    /// A member that does not poll for so long leaves the group.
    pub max_poll_interval_us: u64,
    /// A coordinator is asked for again after this long.
    pub coordinator_query_interval_us: u64,
}

/// What a consumer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Connections and metadata.
    pub connection: ConnectionSettings,
    /// The group: offsets are committed for it, and a consumer that subscribes is a member of it.
    pub group: GroupSettings,
    /// `client.rack`: the broker may name a replica there to read from (KIP-392); empty for none.
    pub rack: String,
    /// Stored offsets are committed this often; `None` leaves it to the application.
    pub auto_commit_interval_us: Option<u64>,
    /// A record's offset is stored when it is handed over (`enable.auto.offset.store`).
    pub store_on_handover: bool,
    /// Which records of transactions are read.
    pub isolation: Isolation,
    /// Where to start without an offset.
    pub auto_offset_reset: OffsetReset,
    /// The broker answers a Fetch once it has this many bytes, on the wire.
    pub fetch_min_bytes: i32,
    /// The broker answers a Fetch after this at the latest, on the wire.
    pub fetch_wait_max_ms: i32,
    /// A Fetch response's largest size in bytes (a first batch may exceed it), on the wire.
    pub fetch_max_bytes: i32,
    /// A partition's largest share of a Fetch response in bytes, on the wire.
    pub max_partition_fetch_bytes: i32,
    /// Fetched bytes that wait to be taken at most.
    pub queued_max_bytes: usize,
    /// How long a partition is left alone after its Fetch failed.
    pub fetch_error_backoff_us: u64,
    /// Whether CRCs are checked. The confluent face leaves this on unless the user turns it off (E18).
    pub check_crcs: bool,
    /// Whether the end of a partition is reported.
    pub partition_eof: bool,
}

/// What an admin client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Connections and metadata.
    pub connection: ConnectionSettings,
    /// How long an operation may take that was given no time of its own.
    pub request_timeout_us: u64,
}
