//! Every error code that a user can meet, as data: broker codes (-1 and up, Kafka's own) and the local codes of librdkafka (below -1), with
//! the names and the descriptions that confluent-kafka 2.16.1 gives for them. Programs match on these short texts, so they are part of the API.
//! What the client does about a code is decided where it arrives (producer, consumer, admin), not here.
use std::borrow::Cow;

/// One error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    /// The number: -1 and up as on the wire, below -1 local.
    pub code: i32,
    /// Kafka's own name (`UNKNOWN_TOPIC_OR_PARTITION`), empty for a local code.
    pub kafka: &'static str,
    /// Whether Kafka's own clients take the code as worth a retry; always false for a local code.
    pub retriable: bool,
    /// The class attribute of `KafkaError` and its `name()`; empty where confluent-kafka 2.16.1 does not know the code.
    pub confluent: &'static str,
    /// What `KafkaError(code).str()` says there; empty where it does not know the code.
    pub description: &'static str,
}

/// Looks `code` up; `None` for a number that neither Kafka 4.4 nor librdkafka uses.
pub fn find(code: i32) -> Option<&'static ErrorCode> {
    CODES.binary_search_by_key(&code, |row| row.code).ok().map(|at| &CODES[at])
}

/// `KafkaError(code).name()` of the confluent face: the constant's name, or `ERR_<code>?` for a code it does not know.
pub fn confluent_name(code: i32) -> Cow<'static, str> {
    match find(code) {
        Some(row) if !row.confluent.is_empty() => Cow::Borrowed(row.confluent),
        _ => Cow::Owned(format!("ERR_{code}?")),
    }
}

/// `KafkaError(code).str()` of the confluent face: the description, or `Err-<code>?` for a code it does not know.
pub fn confluent_description(code: i32) -> Cow<'static, str> {
    match find(code) {
        Some(row) if !row.confluent.is_empty() => Cow::Borrowed(row.description),
        _ => Cow::Owned(format!("Err-{code}?")),
    }
}

/// Every code, ascending.
pub fn all() -> &'static [ErrorCode] {
    CODES
}

const fn row(
    code: i32,
    kafka: &'static str,
    retriable: bool,
    confluent: &'static str,
    description: &'static str,
) -> ErrorCode {
    ErrorCode { code, kafka, retriable, confluent, description }
}

// One code a line reads as the table that it is.
#[rustfmt::skip]
static CODES: &[ErrorCode] = &[
    row(-199, "", false, "_BAD_MSG", "Local: Bad message format"),
    row(-198, "", false, "_BAD_COMPRESSION", "Local: Invalid compressed data"),
    row(-197, "", false, "_DESTROY", "Local: Broker handle destroyed for termination"),
    row(-196, "", false, "_FAIL", "Local: Communication failure with broker"),
    row(-195, "", false, "_TRANSPORT", "Local: Broker transport failure"),
    row(-194, "", false, "_CRIT_SYS_RESOURCE", "Local: Critical system resource failure"),
    row(-193, "", false, "_RESOLVE", "Local: Host resolution failure"),
    row(-192, "", false, "_MSG_TIMED_OUT", "Local: Message timed out"),
    row(-191, "", false, "_PARTITION_EOF", "Broker: No more messages"),
    row(-190, "", false, "_UNKNOWN_PARTITION", "Local: Unknown partition"),
    row(-189, "", false, "_FS", "Local: File or filesystem error"),
    row(-188, "", false, "_UNKNOWN_TOPIC", "Local: Unknown topic"),
    row(-187, "", false, "_ALL_BROKERS_DOWN", "Local: All broker connections are down"),
    row(-186, "", false, "_INVALID_ARG", "Local: Invalid argument or configuration"),
    row(-185, "", false, "_TIMED_OUT", "Local: Timed out"),
    row(-184, "", false, "_QUEUE_FULL", "Local: Queue full"),
    row(-183, "", false, "_ISR_INSUFF", "Local: ISR count insufficient"),
    row(-182, "", false, "_NODE_UPDATE", "Local: Broker node update"),
    row(-181, "", false, "_SSL", "Local: SSL error"),
    row(-180, "", false, "_WAIT_COORD", "Local: Waiting for coordinator"),
    row(-179, "", false, "_UNKNOWN_GROUP", "Local: Unknown group"),
    row(-178, "", false, "_IN_PROGRESS", "Local: Operation in progress"),
    row(-177, "", false, "_PREV_IN_PROGRESS", "Local: Previous operation in progress"),
    row(-176, "", false, "_EXISTING_SUBSCRIPTION", "Local: Existing subscription"),
    row(-175, "", false, "_ASSIGN_PARTITIONS", "Local: Assign partitions"),
    row(-174, "", false, "_REVOKE_PARTITIONS", "Local: Revoke partitions"),
    row(-173, "", false, "_CONFLICT", "Local: Conflicting use"),
    row(-172, "", false, "_STATE", "Local: Erroneous state"),
    row(-171, "", false, "_UNKNOWN_PROTOCOL", "Local: Unknown protocol"),
    row(-170, "", false, "_NOT_IMPLEMENTED", "Local: Not implemented"),
    row(-169, "", false, "_AUTHENTICATION", "Local: Authentication failure"),
    row(-168, "", false, "_NO_OFFSET", "Local: No offset stored"),
    row(-167, "", false, "_OUTDATED", "Local: Outdated"),
    row(-166, "", false, "_TIMED_OUT_QUEUE", "Local: Timed out in queue"),
    row(-165, "", false, "_UNSUPPORTED_FEATURE", "Local: Required feature not supported by broker"),
    row(-164, "", false, "_WAIT_CACHE", "Local: Awaiting cache update"),
    row(-163, "", false, "_INTR", "Local: Operation interrupted"),
    row(-162, "", false, "_KEY_SERIALIZATION", "Local: Key serialization error"),
    row(-161, "", false, "_VALUE_SERIALIZATION", "Local: Value serialization error"),
    row(-160, "", false, "_KEY_DESERIALIZATION", "Local: Key deserialization error"),
    row(-159, "", false, "_VALUE_DESERIALIZATION", "Local: Value deserialization error"),
    row(-158, "", false, "_PARTIAL", "Local: Partial response"),
    row(-157, "", false, "_READ_ONLY", "Local: Read-only object"),
    row(-156, "", false, "_NOENT", "Local: No such entry"),
    row(-155, "", false, "_UNDERFLOW", "Local: Read underflow"),
    row(-154, "", false, "_INVALID_TYPE", "Local: Invalid type"),
    row(-153, "", false, "_RETRY", "Local: Retry operation"),
    row(-152, "", false, "_PURGE_QUEUE", "Local: Purged in queue"),
    row(-151, "", false, "_PURGE_INFLIGHT", "Local: Purged in flight"),
    row(-150, "", false, "_FATAL", "Local: Fatal error"),
    row(-149, "", false, "_INCONSISTENT", "Local: Inconsistent state"),
    row(-148, "", false, "_GAPLESS_GUARANTEE", "Local: Gap-less ordering would not be guaranteed if proceeding"),
    row(-147, "", false, "_MAX_POLL_EXCEEDED", "Local: Maximum application poll interval (max.poll.interval.ms) exceeded"),
    row(-146, "", false, "_UNKNOWN_BROKER", "Local: Unknown broker"),
    row(-145, "", false, "_NOT_CONFIGURED", "Local: Functionality not configured"),
    row(-144, "", false, "_FENCED", "Local: This instance has been fenced by a newer instance"),
    row(-143, "", false, "_APPLICATION", "Local: Application generated error"),
    row(-142, "", false, "_ASSIGNMENT_LOST", "Local: Group partition assignment lost"),
    row(-141, "", false, "_NOOP", "Local: No operation performed"),
    row(-140, "", false, "_AUTO_OFFSET_RESET", "Local: No offset to automatically reset to"),
    row(-139, "", false, "_LOG_TRUNCATION", "Local: Partition log truncation detected"),
    row(-138, "", false, "_INVALID_DIFFERENT_RECORD", "Local: an invalid record in the same batch caused the failure of this message too"),
    row(-137, "", false, "_DESTROY_BROKER", "Local: Broker handle destroyed without termination"),
    row(-1, "UNKNOWN_SERVER_ERROR", false, "UNKNOWN", "Unknown broker error"),
    row(0, "NONE", false, "NO_ERROR", "Success"),
    row(1, "OFFSET_OUT_OF_RANGE", false, "OFFSET_OUT_OF_RANGE", "Broker: Offset out of range"),
    row(2, "CORRUPT_MESSAGE", true, "INVALID_MSG", "Broker: Invalid message"),
    row(3, "UNKNOWN_TOPIC_OR_PARTITION", true, "UNKNOWN_TOPIC_OR_PART", "Broker: Unknown topic or partition"),
    row(4, "INVALID_FETCH_SIZE", false, "INVALID_MSG_SIZE", "Broker: Invalid message size"),
    row(5, "LEADER_NOT_AVAILABLE", true, "LEADER_NOT_AVAILABLE", "Broker: Leader not available"),
    row(6, "NOT_LEADER_OR_FOLLOWER", true, "NOT_LEADER_FOR_PARTITION", "Broker: Not leader for partition"),
    row(7, "REQUEST_TIMED_OUT", true, "REQUEST_TIMED_OUT", "Broker: Request timed out"),
    row(8, "BROKER_NOT_AVAILABLE", false, "BROKER_NOT_AVAILABLE", "Broker: Broker not available"),
    row(9, "REPLICA_NOT_AVAILABLE", true, "REPLICA_NOT_AVAILABLE", "Broker: Replica not available"),
    row(10, "MESSAGE_TOO_LARGE", false, "MSG_SIZE_TOO_LARGE", "Broker: Message size too large"),
    row(11, "STALE_CONTROLLER_EPOCH", false, "STALE_CTRL_EPOCH", "Broker: StaleControllerEpochCode"),
    row(12, "OFFSET_METADATA_TOO_LARGE", false, "OFFSET_METADATA_TOO_LARGE", "Broker: Offset metadata string too large"),
    row(13, "NETWORK_EXCEPTION", true, "NETWORK_EXCEPTION", "Broker: Broker disconnected before response received"),
    row(14, "COORDINATOR_LOAD_IN_PROGRESS", true, "COORDINATOR_LOAD_IN_PROGRESS", "Broker: Coordinator load in progress"),
    row(15, "COORDINATOR_NOT_AVAILABLE", true, "COORDINATOR_NOT_AVAILABLE", "Broker: Coordinator not available"),
    row(16, "NOT_COORDINATOR", true, "NOT_COORDINATOR", "Broker: Not coordinator"),
    row(17, "INVALID_TOPIC_EXCEPTION", false, "TOPIC_EXCEPTION", "Broker: Invalid topic"),
    row(18, "RECORD_LIST_TOO_LARGE", false, "RECORD_LIST_TOO_LARGE", "Broker: Message batch larger than configured server segment size"),
    row(19, "NOT_ENOUGH_REPLICAS", true, "NOT_ENOUGH_REPLICAS", "Broker: Not enough in-sync replicas"),
    row(20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "Broker: Message(s) written to insufficient number of in-sync replicas"),
    row(21, "INVALID_REQUIRED_ACKS", false, "INVALID_REQUIRED_ACKS", "Broker: Invalid required acks value"),
    row(22, "ILLEGAL_GENERATION", false, "ILLEGAL_GENERATION", "Broker: Specified group generation id is not valid"),
    row(23, "INCONSISTENT_GROUP_PROTOCOL", false, "INCONSISTENT_GROUP_PROTOCOL", "Broker: Inconsistent group protocol"),
    row(24, "INVALID_GROUP_ID", false, "INVALID_GROUP_ID", "Broker: Invalid group.id"),
    row(25, "UNKNOWN_MEMBER_ID", false, "UNKNOWN_MEMBER_ID", "Broker: Unknown member"),
    row(26, "INVALID_SESSION_TIMEOUT", false, "INVALID_SESSION_TIMEOUT", "Broker: Invalid session timeout"),
    row(27, "REBALANCE_IN_PROGRESS", false, "REBALANCE_IN_PROGRESS", "Broker: Group rebalance in progress"),
    row(28, "INVALID_COMMIT_OFFSET_SIZE", false, "INVALID_COMMIT_OFFSET_SIZE", "Broker: Commit offset data size is not valid"),
    row(29, "TOPIC_AUTHORIZATION_FAILED", false, "TOPIC_AUTHORIZATION_FAILED", "Broker: Topic authorization failed"),
    row(30, "GROUP_AUTHORIZATION_FAILED", false, "GROUP_AUTHORIZATION_FAILED", "Broker: Group authorization failed"),
    row(31, "CLUSTER_AUTHORIZATION_FAILED", false, "CLUSTER_AUTHORIZATION_FAILED", "Broker: Cluster authorization failed"),
    row(32, "INVALID_TIMESTAMP", false, "INVALID_TIMESTAMP", "Broker: Invalid timestamp"),
    row(33, "UNSUPPORTED_SASL_MECHANISM", false, "UNSUPPORTED_SASL_MECHANISM", "Broker: Unsupported SASL mechanism"),
    row(34, "ILLEGAL_SASL_STATE", false, "ILLEGAL_SASL_STATE", "Broker: Request not valid in current SASL state"),
    row(35, "UNSUPPORTED_VERSION", false, "UNSUPPORTED_VERSION", "Broker: API version not supported"),
    row(36, "TOPIC_ALREADY_EXISTS", false, "TOPIC_ALREADY_EXISTS", "Broker: Topic already exists"),
    row(37, "INVALID_PARTITIONS", false, "INVALID_PARTITIONS", "Broker: Invalid number of partitions"),
    row(38, "INVALID_REPLICATION_FACTOR", false, "INVALID_REPLICATION_FACTOR", "Broker: Invalid replication factor"),
    row(39, "INVALID_REPLICA_ASSIGNMENT", false, "INVALID_REPLICA_ASSIGNMENT", "Broker: Invalid replica assignment"),
    row(40, "INVALID_CONFIG", false, "INVALID_CONFIG", "Broker: Configuration is invalid"),
    row(41, "NOT_CONTROLLER", true, "NOT_CONTROLLER", "Broker: Not controller for cluster"),
    row(42, "INVALID_REQUEST", false, "INVALID_REQUEST", "Broker: Invalid request"),
    row(43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "Broker: Message format on broker does not support request"),
    row(44, "POLICY_VIOLATION", false, "POLICY_VIOLATION", "Broker: Policy violation"),
    row(45, "OUT_OF_ORDER_SEQUENCE_NUMBER", false, "OUT_OF_ORDER_SEQUENCE_NUMBER", "Broker: Broker received an out of order sequence number"),
    row(46, "DUPLICATE_SEQUENCE_NUMBER", false, "DUPLICATE_SEQUENCE_NUMBER", "Broker: Broker received a duplicate sequence number"),
    row(47, "INVALID_PRODUCER_EPOCH", false, "INVALID_PRODUCER_EPOCH", "Broker: Producer attempted an operation with an old epoch"),
    row(48, "INVALID_TXN_STATE", false, "INVALID_TXN_STATE", "Broker: Producer attempted a transactional operation in an invalid state"),
    row(49, "INVALID_PRODUCER_ID_MAPPING", false, "INVALID_PRODUCER_ID_MAPPING", "Broker: Producer attempted to use a producer id which is not currently assigned to its transactional id"),
    row(50, "INVALID_TRANSACTION_TIMEOUT", false, "INVALID_TRANSACTION_TIMEOUT", "Broker: Transaction timeout is larger than the maximum value allowed by the broker's max.transaction.timeout.ms"),
    row(51, "CONCURRENT_TRANSACTIONS", true, "CONCURRENT_TRANSACTIONS", "Broker: Producer attempted to update a transaction while another concurrent operation on the same transaction was ongoing"),
    row(52, "TRANSACTION_COORDINATOR_FENCED", false, "TRANSACTION_COORDINATOR_FENCED", "Broker: Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a given producer"),
    row(53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "Broker: Transactional Id authorization failed"),
    row(54, "SECURITY_DISABLED", false, "SECURITY_DISABLED", "Broker: Security features are disabled"),
    row(55, "OPERATION_NOT_ATTEMPTED", false, "OPERATION_NOT_ATTEMPTED", "Broker: Operation not attempted"),
    row(56, "KAFKA_STORAGE_ERROR", true, "KAFKA_STORAGE_ERROR", "Broker: Disk error when trying to access log file on disk"),
    row(57, "LOG_DIR_NOT_FOUND", false, "LOG_DIR_NOT_FOUND", "Broker: The user-specified log directory is not found in the broker config"),
    row(58, "SASL_AUTHENTICATION_FAILED", false, "SASL_AUTHENTICATION_FAILED", "Broker: SASL Authentication failed"),
    row(59, "UNKNOWN_PRODUCER_ID", false, "UNKNOWN_PRODUCER_ID", "Broker: Unknown Producer Id"),
    row(60, "REASSIGNMENT_IN_PROGRESS", false, "REASSIGNMENT_IN_PROGRESS", "Broker: Partition reassignment is in progress"),
    row(61, "DELEGATION_TOKEN_AUTH_DISABLED", false, "DELEGATION_TOKEN_AUTH_DISABLED", "Broker: Delegation Token feature is not enabled"),
    row(62, "DELEGATION_TOKEN_NOT_FOUND", false, "DELEGATION_TOKEN_NOT_FOUND", "Broker: Delegation Token is not found on server"),
    row(63, "DELEGATION_TOKEN_OWNER_MISMATCH", false, "DELEGATION_TOKEN_OWNER_MISMATCH", "Broker: Specified Principal is not valid Owner/Renewer"),
    row(64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "Broker: Delegation Token requests are not allowed on this connection"),
    row(65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "Broker: Delegation Token authorization failed"),
    row(66, "DELEGATION_TOKEN_EXPIRED", false, "DELEGATION_TOKEN_EXPIRED", "Broker: Delegation Token is expired"),
    row(67, "INVALID_PRINCIPAL_TYPE", false, "INVALID_PRINCIPAL_TYPE", "Broker: Supplied principalType is not supported"),
    row(68, "NON_EMPTY_GROUP", false, "NON_EMPTY_GROUP", "Broker: The group is not empty"),
    row(69, "GROUP_ID_NOT_FOUND", false, "GROUP_ID_NOT_FOUND", "Broker: The group id does not exist"),
    row(70, "FETCH_SESSION_ID_NOT_FOUND", true, "FETCH_SESSION_ID_NOT_FOUND", "Broker: The fetch session ID was not found"),
    row(71, "INVALID_FETCH_SESSION_EPOCH", true, "INVALID_FETCH_SESSION_EPOCH", "Broker: The fetch session epoch is invalid"),
    row(72, "LISTENER_NOT_FOUND", true, "LISTENER_NOT_FOUND", "Broker: No matching listener"),
    row(73, "TOPIC_DELETION_DISABLED", false, "TOPIC_DELETION_DISABLED", "Broker: Topic deletion is disabled"),
    row(74, "FENCED_LEADER_EPOCH", true, "FENCED_LEADER_EPOCH", "Broker: Leader epoch is older than broker epoch"),
    row(75, "UNKNOWN_LEADER_EPOCH", true, "UNKNOWN_LEADER_EPOCH", "Broker: Leader epoch is newer than broker epoch"),
    row(76, "UNSUPPORTED_COMPRESSION_TYPE", false, "UNSUPPORTED_COMPRESSION_TYPE", "Broker: Unsupported compression type"),
    row(77, "STALE_BROKER_EPOCH", false, "STALE_BROKER_EPOCH", "Broker: Broker epoch has changed"),
    row(78, "OFFSET_NOT_AVAILABLE", true, "OFFSET_NOT_AVAILABLE", "Broker: Leader high watermark is not caught up"),
    row(79, "MEMBER_ID_REQUIRED", false, "MEMBER_ID_REQUIRED", "Broker: Group member needs a valid member ID"),
    row(80, "PREFERRED_LEADER_NOT_AVAILABLE", true, "PREFERRED_LEADER_NOT_AVAILABLE", "Broker: Preferred leader was not available"),
    row(81, "GROUP_MAX_SIZE_REACHED", false, "GROUP_MAX_SIZE_REACHED", "Broker: Consumer group has reached maximum size"),
    row(82, "FENCED_INSTANCE_ID", false, "FENCED_INSTANCE_ID", "Broker: Static consumer fenced by other consumer with same group.instance.id"),
    row(83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "Broker: Eligible partition leaders are not available"),
    row(84, "ELECTION_NOT_NEEDED", true, "ELECTION_NOT_NEEDED", "Broker: Leader election not needed for topic partition"),
    row(85, "NO_REASSIGNMENT_IN_PROGRESS", false, "NO_REASSIGNMENT_IN_PROGRESS", "Broker: No partition reassignment is in progress"),
    row(86, "GROUP_SUBSCRIBED_TO_TOPIC", false, "GROUP_SUBSCRIBED_TO_TOPIC", "Broker: Deleting offsets of a topic while the consumer group is subscribed to it"),
    row(87, "INVALID_RECORD", false, "INVALID_RECORD", "Broker: Broker failed to validate record"),
    row(88, "UNSTABLE_OFFSET_COMMIT", true, "UNSTABLE_OFFSET_COMMIT", "Broker: There are unstable offsets that need to be cleared"),
    row(89, "THROTTLING_QUOTA_EXCEEDED", true, "THROTTLING_QUOTA_EXCEEDED", "Broker: Throttling quota has been exceeded"),
    row(90, "PRODUCER_FENCED", false, "PRODUCER_FENCED", "Broker: There is a newer producer with the same transactionalId which fences the current one"),
    row(91, "RESOURCE_NOT_FOUND", false, "RESOURCE_NOT_FOUND", "Broker: Request illegally referred to resource that does not exist"),
    row(92, "DUPLICATE_RESOURCE", false, "DUPLICATE_RESOURCE", "Broker: Request illegally referred to the same resource twice"),
    row(93, "UNACCEPTABLE_CREDENTIAL", false, "UNACCEPTABLE_CREDENTIAL", "Broker: Requested credential would not meet criteria for acceptability"),
    row(94, "INCONSISTENT_VOTER_SET", false, "INCONSISTENT_VOTER_SET", "Broker: Indicates that the either the sender or recipient of a voter-only request is not one of the expected voters"),
    row(95, "INVALID_UPDATE_VERSION", false, "INVALID_UPDATE_VERSION", "Broker: Invalid update version"),
    row(96, "FEATURE_UPDATE_FAILED", false, "FEATURE_UPDATE_FAILED", "Broker: Unable to update finalized features due to server error"),
    row(97, "PRINCIPAL_DESERIALIZATION_FAILURE", false, "PRINCIPAL_DESERIALIZATION_FAILURE", "Broker: Request principal deserialization failed during forwarding"),
    row(98, "SNAPSHOT_NOT_FOUND", false, "", ""),
    row(99, "POSITION_OUT_OF_RANGE", false, "", ""),
    row(100, "UNKNOWN_TOPIC_ID", true, "UNKNOWN_TOPIC_ID", "Broker: Unknown topic id"),
    row(101, "DUPLICATE_BROKER_REGISTRATION", false, "", ""),
    row(102, "BROKER_ID_NOT_REGISTERED", false, "", ""),
    row(103, "INCONSISTENT_TOPIC_ID", true, "INCONSISTENT_TOPIC_ID", "Broker: The log's topic ID did not match the topic ID in the request"),
    row(104, "INCONSISTENT_CLUSTER_ID", false, "", ""),
    row(105, "TRANSACTIONAL_ID_NOT_FOUND", false, "", ""),
    row(106, "FETCH_SESSION_TOPIC_ID_ERROR", true, "", ""),
    row(107, "INELIGIBLE_REPLICA", false, "", ""),
    row(108, "NEW_LEADER_ELECTED", false, "", ""),
    row(109, "OFFSET_MOVED_TO_TIERED_STORAGE", false, "", ""),
    row(110, "FENCED_MEMBER_EPOCH", false, "FENCED_MEMBER_EPOCH", "Broker: The member epoch is fenced by the group coordinator"),
    row(111, "UNRELEASED_INSTANCE_ID", false, "UNRELEASED_INSTANCE_ID", "Broker: The instance ID is still used by another member in the consumer group"),
    row(112, "UNSUPPORTED_ASSIGNOR", false, "UNSUPPORTED_ASSIGNOR", "Broker: The assignor or its version range is not supported by the consumer group"),
    row(113, "STALE_MEMBER_EPOCH", false, "STALE_MEMBER_EPOCH", "Broker: The member epoch is stale"),
    row(114, "MISMATCHED_ENDPOINT_TYPE", false, "MISMATCHED_ENDPOINT_TYPE", "Broker: The request was sent to an endpoint of the wrong type"),
    row(115, "UNSUPPORTED_ENDPOINT_TYPE", false, "UNSUPPORTED_ENDPOINT_TYPE", "Broker: This endpoint type is not supported yet"),
    row(116, "UNKNOWN_CONTROLLER_ID", false, "UNKNOWN_CONTROLLER_ID", "Broker: This controller ID is not known"),
    row(117, "UNKNOWN_SUBSCRIPTION_ID", false, "UNKNOWN_SUBSCRIPTION_ID", "Broker: Client sent a push telemetry request with an invalid or outdated subscription ID"),
    row(118, "TELEMETRY_TOO_LARGE", false, "TELEMETRY_TOO_LARGE", "Broker: Client sent a push telemetry request larger than the maximum size the broker will accept"),
    row(119, "INVALID_REGISTRATION", false, "INVALID_REGISTRATION", "Broker: The controller has considered the broker registration to be invalid"),
    row(120, "TRANSACTION_ABORTABLE", false, "TRANSACTION_ABORTABLE", "Broker: The server encountered an error with the transaction"),
    row(121, "INVALID_RECORD_STATE", false, "INVALID_RECORD_STATE", "Broker: The record state is invalid"),
    row(122, "SHARE_SESSION_NOT_FOUND", true, "SHARE_SESSION_NOT_FOUND", "Broker: The share session was not found"),
    row(123, "INVALID_SHARE_SESSION_EPOCH", true, "INVALID_SHARE_SESSION_EPOCH", "Broker: The share session epoch is invalid"),
    row(124, "FENCED_STATE_EPOCH", false, "FENCED_STATE_EPOCH", "Broker: The share-group state epoch did not match"),
    row(125, "INVALID_VOTER_KEY", false, "INVALID_VOTER_KEY", "Broker: The voter key doesn't match the receiving replica's key"),
    row(126, "DUPLICATE_VOTER", false, "DUPLICATE_VOTER", "Broker: The voter is already part of the set of voters"),
    row(127, "VOTER_NOT_FOUND", false, "VOTER_NOT_FOUND", "Broker: The voter is not part of the set of voters"),
    row(128, "INVALID_REGULAR_EXPRESSION", false, "INVALID_REGULAR_EXPRESSION", "Broker: The regular expression is not valid"),
    row(129, "REBOOTSTRAP_REQUIRED", false, "REBOOTSTRAP_REQUIRED", "Broker: Client metadata is stale, client should rebootstrap to obtain new metadata"),
    row(130, "STREAMS_INVALID_TOPOLOGY", false, "STREAMS_INVALID_TOPOLOGY", "Broker: The supplied topology is invalid"),
    row(131, "STREAMS_INVALID_TOPOLOGY_EPOCH", false, "STREAMS_INVALID_TOPOLOGY_EPOCH", "Broker: The supplied topology epoch is invalid"),
    row(132, "STREAMS_TOPOLOGY_FENCED", false, "STREAMS_TOPOLOGY_FENCED", "Broker: The supplied topology epoch is outdated"),
    row(133, "SHARE_SESSION_LIMIT_REACHED", true, "SHARE_SESSION_LIMIT_REACHED", "Broker: The limit of share sessions has been reached"),
    row(134, "GROUP_DELETION_FAILED", false, "", ""),
    row(135, "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED", false, "", ""),
    row(136, "CONTROLLER_ID_NOT_REGISTERED", false, "", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Kafka's and librdkafka's codes that the sources were read into.
    const ERRORS: &str = include_str!("../../tests/data/errors.tsv");

    #[test]
    fn every_code_of_the_surface_is_here_with_its_names() {
        let mut seen = 0;
        for line in ERRORS.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let code: i32 = fields[0].parse().unwrap();
            let row = find(code).unwrap_or_else(|| panic!("code {code} is missing"));
            assert_eq!(
                (row.kafka, row.retriable, row.confluent),
                (fields[2], fields[3] == "yes", fields[5]),
                "code {code}"
            );
            assert_eq!(row.confluent.is_empty(), row.description.is_empty(), "code {code}");
            seen += 1;
        }
        assert_eq!(seen, all().len());
    }

    #[test]
    fn codes_ascend_so_that_find_works() {
        assert!(all().windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn names_and_texts_are_those_of_the_original() {
        assert_eq!(confluent_name(-195), "_TRANSPORT");
        assert_eq!(confluent_description(-195), "Local: Broker transport failure");
        assert_eq!(confluent_name(36), "TOPIC_ALREADY_EXISTS");
        assert_eq!(confluent_description(-168), "Local: No offset stored");
        assert_eq!(confluent_description(-191), "Broker: No more messages");
        // 98 is Kafka's SNAPSHOT_NOT_FOUND, which librdkafka does not know.
        assert_eq!((confluent_name(98).as_ref(), confluent_description(98).as_ref()), ("ERR_98?", "Err-98?"));
        assert_eq!((confluent_name(-200).as_ref(), confluent_description(-200).as_ref()), ("ERR_-200?", "Err--200?"));
    }
}
