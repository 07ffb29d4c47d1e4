//! What the coordinator answers, as plain values; encoding them is the handlers'. Requests come as the protocol's own
//! messages.

use ottla_protocol::error_codes::ErrorCode;
use std::sync::Arc;

/// The caller's own number for a request that may be answered later.
pub type Ticket = u64;

/// Who asks, from the header and the connection of the request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the client calls itself; the front part of the member ids made for it.
    pub client_id: &'a str,
    /// Where it connects from, such as `/127.0.0.1`.
    pub client_host: &'a str,
    /// The version of the request.
    pub version: i16,
}

/// One member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its `group.instance.id` (KIP-345).
    pub group_instance_id: Option<String>,
    /// Its metadata for the chosen protocol.
    pub metadata: Arc<[u8]>,
}

/// The answer to JoinGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinReply {
    /// NONE when the member is in `generation_id`.
    pub error: ErrorCode,
    /// The generation, or -1.
    pub generation_id: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The chosen protocol.
    pub protocol_name: Option<Arc<str>>,
    /// The leader's member id.
    pub leader: String,
    /// A leader that came back need not assign (KIP-814).
    pub skip_assignment: bool,
    /// The member's id, new or as sent.
    pub member_id: String,
    /// All members, for the leader only.
    pub members: Vec<JoinedMember>,
}

impl JoinReply {
    /// A refusal.
    pub(crate) fn error(error: ErrorCode, member_id: &str) -> Self {
        Self {
            error,
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }
}

/// The answer to SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncReply {
    /// NONE when there is an assignment.
    pub error: ErrorCode,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The chosen protocol.
    pub protocol_name: Option<Arc<str>>,
    /// What the leader assigned to the member, as sent.
    pub assignment: Arc<[u8]>,
}

impl SyncReply {
    /// A refusal.
    pub(crate) fn error(error: ErrorCode) -> Self {
        Self { error, protocol_type: None, protocol_name: None, assignment: Arc::from([]) }
    }
}

/// What became of one member of a LeaveGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveReply {
    /// As sent.
    pub member_id: String,
    /// As sent.
    pub group_instance_id: Option<String>,
    /// NONE when it is gone.
    pub error: ErrorCode,
}

/// The answer to a request that was parked, or that might have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To JoinGroup.
    Join(JoinReply),
    /// To SyncGroup.
    Sync(SyncReply),
}

/// A reply and whose it is. The one who asked may be gone: then nobody takes it, as in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As given with the request.
    pub ticket: Ticket,
    /// What to say.
    pub reply: Reply,
}
