//! The causes that the client can report, and the one mapping of each to what the faces show (E21). Faces contain no other mapping.
//! What to do about an error is decided by the producer, consumer and admin machines.
use super::codes;

/// An error code as a broker sent it, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerError(pub i16);

impl BrokerError {
    /// Kafka's own name of the code (`NOT_LEADER_OR_FOLLOWER`), or `None` for a code that Kafka 4.4 does not know.
    pub fn name(self) -> Option<&'static str> {
        codes::find(i32::from(self.0)).map(|row| row.kafka)
    }

    /// Whether Kafka's own clients take the code as worth a retry; false for an unknown code.
    pub fn is_retriable(self) -> bool {
        codes::find(i32::from(self.0)).is_some_and(|row| row.retriable)
    }
}

/// What the confluent face shows for a [`Kind`]. The columns of the kafka-python face and of the native one stand beside it in [`Kind`]
/// when those faces come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibrdkafkaColumn {
    /// `KafkaError.code()`.
    pub code: i32,
    /// `KafkaError.fatal()`.
    pub fatal: bool,
    /// `KafkaError.retriable()`: as in the original, true only where a transaction's call may be made again.
    pub retriable: bool,
    /// `KafkaError.txn_requires_abort()`.
    pub txn_requires_abort: bool,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident => $code:literal, $constant:literal, retry $retry:literal, fatal $fatal:literal;)+) => {
        /// Why something failed: what a broker answered, or one local cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            /// A broker answered with this code.
            Broker(BrokerError),
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every local cause, in the order of their declaration.
            pub const LOCAL: &'static [Kind] = &[$(Kind::$name),+];

            /// What the confluent face shows.
            pub fn librdkafka(self) -> LibrdkafkaColumn {
                let (code, fatal) = match self {
                    Kind::Broker(error) => (i32::from(error.0), false),
                    $(Kind::$name => ($code, $fatal),)+
                };
                LibrdkafkaColumn { code, fatal, retriable: false, txn_requires_abort: false }
            }

            /// Whether the same call, made again later and unchanged, may succeed.
            pub fn is_retriable(self) -> bool {
                match self {
                    Kind::Broker(error) => error.is_retriable(),
                    $(Kind::$name => $retry,)+
                }
            }
        }

        #[cfg(test)]
        const CONSTANTS: &[(Kind, &str)] = &[$((Kind::$name, $constant)),+];
    };
}

kinds! {
    /// No connection to the broker, or it broke before the answer.
    Transport => -195, "_TRANSPORT", retry true, fatal false;
    /// Not one of the known brokers can be reached.
    AllBrokersDown => -187, "_ALL_BROKERS_DOWN", retry true, fatal false;
    /// A broker's host name has no address.
    Resolve => -193, "_RESOLVE", retry true, fatal false;
    /// A request or a call had no answer in its time.
    TimedOut => -185, "_TIMED_OUT", retry true, fatal false;
    /// A record was not acknowledged within the delivery timeout.
    MessageTimedOut => -192, "_MSG_TIMED_OUT", retry false, fatal false;
    /// A request's time was over before it was sent.
    TimedOutQueue => -166, "_TIMED_OUT_QUEUE", retry true, fatal false;
    /// The producer's queue is at its limit of records or bytes (E13).
    QueueFull => -184, "_QUEUE_FULL", retry true, fatal false;
    /// The topic has no such partition, or it is not assigned.
    UnknownPartition => -190, "_UNKNOWN_PARTITION", retry false, fatal false;
    /// The cluster has no such topic.
    UnknownTopic => -188, "_UNKNOWN_TOPIC", retry false, fatal false;
    /// The consumer reached the partition's end (`enable.partition.eof`).
    PartitionEof => -191, "_PARTITION_EOF", retry false, fatal false;
    /// An argument or a setting is not acceptable.
    InvalidArgument => -186, "_INVALID_ARG", retry false, fatal false;
    /// The call does not fit the state that the client is in.
    State => -172, "_STATE", retry false, fatal false;
    /// The client cannot go on; its text says why.
    Fatal => -150, "_FATAL", retry false, fatal true;
    /// A frame or a batch is damaged or not understood (E19).
    BadMessage => -199, "_BAD_MSG", retry false, fatal false;
    /// A batch's compressed records cannot be decompressed (E19).
    BadCompression => -198, "_BAD_COMPRESSION", retry false, fatal false;
    /// There is no offset to go on from and `auto.offset.reset` is `error`.
    AutoOffsetReset => -140, "_AUTO_OFFSET_RESET", retry false, fatal false;
    /// The part of the log that was read is gone or was rewritten.
    LogTruncation => -139, "_LOG_TRUNCATION", retry false, fatal false;
    /// The client does not do this yet.
    NotImplemented => -170, "_NOT_IMPLEMENTED", retry false, fatal false;
    /// The broker does not do this.
    UnsupportedFeature => -165, "_UNSUPPORTED_FEATURE", retry false, fatal false;
    /// The client is being closed.
    Destroy => -197, "_DESTROY", retry false, fatal false;
    /// The record was purged before it was sent.
    PurgeQueue => -152, "_PURGE_QUEUE", retry false, fatal false;
    /// The record was purged while its request was under way: it may have been written.
    PurgeInflight => -151, "_PURGE_INFLIGHT", retry false, fatal false;
    /// What the broker says contradicts what is known (an acknowledgement for a sequence never sent).
    Inconsistent => -149, "_INCONSISTENT", retry false, fatal true;
    /// The record alone is larger than `message.max.bytes`.
    MessageSizeTooLarge => 10, "MSG_SIZE_TOO_LARGE", retry false, fatal false;
    /// A gap in the order would follow (`enable.gapless.guarantee`).
    GaplessGuarantee => -148, "_GAPLESS_GUARANTEE", retry false, fatal true;
    /// Another record of the same batch was refused, this one with it (KIP-467).
    InvalidDifferentRecord => -138, "_INVALID_DIFFERENT_RECORD", retry false, fatal false;
    /// The producer's epoch is over: another with its transactional id lives.
    Fenced => -144, "_FENCED", retry false, fatal true;
    /// What was stored is of partitions that are another member's by now.
    AssignmentLost => -142, "_ASSIGNMENT_LOST", retry false, fatal false;
    /// No committed or stored offset.
    NoOffset => -168, "_NO_OFFSET", retry false, fatal false;
    /// The broker refused the client's credentials.
    Authentication => -169, "_AUTHENTICATION", retry false, fatal false;
    /// TLS failed.
    Ssl => -181, "_SSL", retry false, fatal false;
    /// A signal ended a wait.
    Interrupted => -163, "_INTR", retry true, fatal false;
    /// The operation is already under way.
    InProgress => -178, "_IN_PROGRESS", retry true, fatal false;
    /// The operation excludes another that is under way.
    Conflict => -173, "_CONFLICT", retry false, fatal false;
    /// A file cannot be read or written.
    FileSystem => -189, "_FS", retry false, fatal false;
    /// The system refused a socket, a thread or memory.
    CriticalSystemResource => -194, "_CRIT_SYS_RESOURCE", retry false, fatal false;
    /// The coordinator is not known yet.
    WaitCoordinator => -180, "_WAIT_COORD", retry true, fatal false;
    /// The metadata that the call needs has not come yet.
    WaitCache => -164, "_WAIT_CACHE", retry true, fatal false;
    /// No broker with this id.
    UnknownBroker => -146, "_UNKNOWN_BROKER", retry true, fatal false;
    /// The feature is not configured.
    NotConfigured => -145, "_NOT_CONFIGURED", retry false, fatal false;
    /// A broker was removed from the cluster, or moved to another address.
    DestroyBroker => -137, "_DESTROY_BROKER", retry true, fatal false;
    /// The application did not poll within `max.poll.interval.ms`.
    MaxPollExceeded => -147, "_MAX_POLL_EXCEEDED", retry false, fatal false;
    /// Something else failed; the text says what.
    Fail => -196, "_FAIL", retry false, fatal false;
}

impl Kind {
    /// The kind of a broker's code, `None` for 0 (no error).
    pub fn from_broker(code: i16) -> Option<Kind> {
        (code != 0).then_some(Kind::Broker(BrokerError(code)))
    }

    /// The confluent face's short description, used where an error has no text of its own.
    pub fn description(self) -> std::borrow::Cow<'static, str> {
        codes::confluent_description(self.librdkafka().code)
    }

    /// The confluent face's name of the code.
    pub fn name(self) -> std::borrow::Cow<'static, str> {
        codes::confluent_name(self.librdkafka().code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_local_kind_has_a_code_of_its_own_that_the_table_knows_by_the_same_name() {
        let mut codes_seen = std::collections::BTreeSet::new();
        for &(kind, constant) in CONSTANTS {
            let column = kind.librdkafka();
            let row = codes::find(column.code).unwrap_or_else(|| panic!("{kind:?}"));
            assert_eq!(row.confluent, constant, "{kind:?}");
            assert!(codes_seen.insert(column.code), "{kind:?} shares its code with another kind");
            assert!(!column.fatal || !kind.is_retriable(), "{kind:?} is fatal and retriable");
        }
        assert_eq!(CONSTANTS.len(), Kind::LOCAL.len());
    }

    #[test]
    fn every_broker_code_maps_to_itself() {
        for row in codes::all().iter().filter(|row| row.code >= -1 && row.code != 0) {
            let kind = Kind::from_broker(row.code as i16).unwrap();
            assert_eq!(kind.librdkafka().code, row.code);
            assert_eq!(kind.is_retriable(), row.retriable);
        }
        assert_eq!(Kind::from_broker(0), None);
    }

    #[test]
    fn a_code_from_a_newer_broker_is_shown_and_not_retried() {
        let kind = Kind::from_broker(999).unwrap();
        assert_eq!((kind.name().as_ref(), kind.description().as_ref()), ("ERR_999?", "Err-999?"));
        assert!(!kind.is_retriable());
        assert_eq!(BrokerError(999).name(), None);
    }
}
