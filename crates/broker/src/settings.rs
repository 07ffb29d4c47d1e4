//! What a cluster is set up with. Defaults are Kafka's, but for what a test never wants to wait for.

/// The settings of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many brokers, 1 to 1,000; their ids are 1 and up.
    pub brokers: u32,
    /// What all randomness comes from.
    pub seed: u64,
    /// `num.partitions`: partitions of a topic that is created without a number.
    pub default_partitions: i32,
    /// `default.replication.factor`; at most as many as there are brokers.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// Most bytes of records in all logs together; beyond it Produce fails with the reason. Nothing is ever dropped.
    pub max_bytes: u64,
    /// `message.max.bytes`: largest batch, its header included.
    pub message_max_bytes: i32,
    /// `socket.request.max.bytes`: largest request; a larger one closes its connection.
    pub socket_request_max_bytes: usize,
    /// `fetch.max.bytes` of the broker: most bytes of records in one Fetch response (but for the first batch).
    pub fetch_max_bytes: i32,
    /// `max.incremental.fetch.session.cache.slots`, per broker.
    pub fetch_session_slots: usize,
    /// `group.initial.rebalance.delay.ms`; 0 here, 3,000 in Kafka.
    pub group_initial_rebalance_delay_ms: u64,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout_ms: i32,
    /// Whether requests are logged.
    pub request_log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            brokers: 1,
            seed: 0,
            default_partitions: 1,
            default_replication_factor: 3,
            auto_create_topics: true,
            max_bytes: 1 << 30,
            message_max_bytes: 1_048_588,
            socket_request_max_bytes: 104_857_600,
            fetch_max_bytes: 57_671_680,
            fetch_session_slots: 1_000,
            group_initial_rebalance_delay_ms: 0,
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            request_log: false,
        }
    }
}
