//! What the scenarios are played with: a coordinator on node 1, a clock, and members that join as clients do.

use std::collections::BTreeMap;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::heartbeat::HeartbeatRequest;
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::leave_group::MemberIdentity;
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::groups::{Caller, GroupSettings, GroupSnapshot, Groups, JoinReply, Reply, SyncReply, Ticket};
use crate::machine::Now;
use crate::random::Random;

pub(super) const GROUP: &str = "g";

/// One client's way to join.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) version: i16,
    pub(super) member_id: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) protocols: &'a [(&'a str, &'a [u8])],
    pub(super) protocol_type: &'a str,
    pub(super) session_ms: i32,
    pub(super) rebalance_ms: i32,
}

impl Default for Client<'_> {
    fn default() -> Self {
        Self {
            version: 9,
            member_id: "",
            instance: None,
            protocols: &[("range", b"r"), ("roundrobin", b"rr")],
            protocol_type: "consumer",
            session_ms: 10_000,
            rebalance_ms: 60_000,
        }
    }
}

pub(super) struct Scene {
    pub(super) groups: Groups,
    pub(super) now: Now,
    last: Ticket,
    replies: BTreeMap<Ticket, Reply>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(GroupSettings::default())
    }

    pub(super) fn with(settings: GroupSettings) -> Self {
        let mut groups = Groups::new(settings, Random::new(7));
        let now = Now { mono_us: 5_000_000, wall_ms: 1_790_000_000_000 };
        groups.set_live(now, vec![1]);
        Self { groups, now, last: 0, replies: BTreeMap::new() }
    }

    pub(super) fn settle(&mut self) {
        self.groups.expire(self.now);
        for answer in self.groups.take_answers() {
            assert!(self.replies.insert(answer.ticket, answer.reply).is_none(), "answered twice");
        }
    }

    /// Time goes by, stopping at each deadline.
    pub(super) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.after_ms(ms);
        while let Some(next) = self.groups.next_deadline().filter(|next| *next <= end) {
            self.now.mono_us = next.max(self.now.mono_us);
            self.settle();
        }
        self.now.mono_us = end;
        self.settle();
    }

    /// Sends a JoinGroup; the ticket of its answer.
    pub(super) fn send_join(&mut self, client: Client<'_>) -> Ticket {
        self.last += 1;
        let protocols =
            client.protocols.iter().map(|(name, metadata)| JoinGroupRequestProtocol { name, metadata }).collect();
        let request = JoinGroupRequest {
            group_id: GROUP,
            session_timeout_ms: client.session_ms,
            rebalance_timeout_ms: client.rebalance_ms,
            member_id: client.member_id,
            group_instance_id: client.instance,
            protocol_type: client.protocol_type,
            protocols,
            reason: None,
        };
        let caller = Caller { client_id: "me", client_host: "/127.0.0.1", version: client.version };
        self.groups.join(self.now, 1, caller, self.last, &request);
        self.settle();
        self.last
    }

    /// The answer to a JoinGroup, where there is one.
    pub(super) fn joined(&mut self, ticket: Ticket) -> Option<JoinReply> {
        match self.replies.remove(&ticket)? {
            Reply::Join(reply) => Some(reply),
            Reply::Sync(reply) => panic!("{reply:?}"),
        }
    }

    /// The answer to a SyncGroup, where there is one.
    pub(super) fn synced(&mut self, ticket: Ticket) -> Option<SyncReply> {
        match self.replies.remove(&ticket)? {
            Reply::Sync(reply) => Some(reply),
            Reply::Join(reply) => panic!("{reply:?}"),
        }
    }

    /// A JoinGroup that is answered at once.
    pub(super) fn join(&mut self, client: Client<'_>) -> JoinReply {
        let ticket = self.send_join(client);
        self.joined(ticket).expect("an answer at once")
    }

    /// Asks for a member id, as a dynamic member of version 4 and up does.
    pub(super) fn new_id(&mut self, client: Client<'_>) -> String {
        let reply = self.join(client);
        assert_eq!(reply.error, ErrorCode::MEMBER_ID_REQUIRED);
        reply.member_id
    }

    pub(super) fn send_sync(&mut self, member_id: &str, generation_id: i32, assignments: &[(&str, &[u8])]) -> Ticket {
        self.send_sync_as(member_id, None, generation_id, assignments)
    }

    pub(super) fn send_sync_as(
        &mut self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation_id: i32,
        assignments: &[(&str, &[u8])],
    ) -> Ticket {
        self.last += 1;
        let assignments = assignments
            .iter()
            .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment })
            .collect();
        let request = SyncGroupRequest {
            group_id: GROUP,
            generation_id,
            member_id,
            group_instance_id,
            protocol_type: None,
            protocol_name: None,
            assignments,
        };
        self.groups.sync(self.now, 1, self.last, &request);
        self.settle();
        self.last
    }

    /// A SyncGroup that is answered at once.
    pub(super) fn sync(&mut self, member_id: &str, generation: i32, assignments: &[(&str, &[u8])]) -> SyncReply {
        let ticket = self.send_sync(member_id, generation, assignments);
        self.synced(ticket).expect("an answer at once")
    }

    pub(super) fn heartbeat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        self.heartbeat_as(member_id, None, generation_id)
    }

    pub(super) fn heartbeat_as(&mut self, member_id: &str, instance: Option<&str>, generation_id: i32) -> ErrorCode {
        let request = HeartbeatRequest { group_id: GROUP, generation_id, member_id, group_instance_id: instance };
        let code = self.groups.heartbeat(self.now, 1, &request);
        self.settle();
        code
    }

    /// The code of each member that is to leave.
    pub(super) fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<ErrorCode> {
        let members: Vec<_> = members
            .iter()
            .map(|(member_id, group_instance_id)| MemberIdentity {
                member_id,
                group_instance_id: *group_instance_id,
                reason: Some("tests"),
            })
            .collect();
        let left = self.groups.leave(self.now, 1, GROUP, &members).unwrap();
        self.settle();
        left.into_iter().map(|reply| reply.error).collect()
    }

    pub(super) fn group(&self) -> GroupSnapshot {
        self.groups.snapshot(GROUP).unwrap()
    }

    /// A stable group of one dynamic member, the leader; its id.
    pub(super) fn one(&mut self) -> String {
        let id = self.new_id(Client::default());
        let reply = self.join(Client { member_id: &id, ..Client::default() });
        assert_eq!((reply.error, &reply.leader), (ErrorCode::NONE, &id));
        let synced = self.sync(&id, reply.generation_id, &[(&id, b"all")]);
        assert_eq!((synced.error, &*synced.assignment), (ErrorCode::NONE, &b"all"[..]));
        id
    }

    /// A stable group of two dynamic members; the leader's id first.
    pub(super) fn two(&mut self) -> (String, String) {
        let a = self.one();
        let b = self.new_id(Client::default());
        let second = self.send_join(Client { member_id: &b, ..Client::default() });
        let generation = self.group().generation;
        assert_eq!(self.heartbeat(&a, generation), ErrorCode::REBALANCE_IN_PROGRESS);
        let first = self.join(Client { member_id: &a, ..Client::default() });
        let second = self.joined(second).expect("all have joined");
        assert_eq!((first.generation_id, second.generation_id), (generation + 1, generation + 1));
        let waiting = self.send_sync(&b, second.generation_id, &[]);
        assert_eq!(self.synced(waiting), None, "the leader has not spoken");
        self.sync(&a, first.generation_id, &[(&a, b"1"), (&b, b"2")]);
        assert_eq!(&*self.synced(waiting).expect("the leader has spoken").assignment, b"2");
        (a, b)
    }
}
