//! OffsetCommit and OffsetFetch: who may commit when, and what was committed. Which topics exist is the handlers'.

use super::coordinator::Groups;
use super::group::Group;
use super::offsets::{CommittedOffset, Offsets};
use super::state::GroupState;
use crate::machine::Now;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_commit::OffsetCommitRequest;

/// From this version on a group that is not there is called that.
const SAYS_GROUP_ID_NOT_FOUND: i16 = 9;

/// One offset to commit.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Of the last record before it, or -1.
    pub leader_epoch: i32,
    /// A text to keep with it.
    pub metadata: Option<&'a str>,
}

impl Groups {
    /// An OffsetCommit that reached its node; `commits` are those of its offsets whose partitions exist. Gives an
    /// error code for each of them, in order.
    ///
    /// # Errors
    /// What concerns them all; then nothing is committed.
    pub fn commit(
        &mut self,
        now: Now,
        node: i32,
        version: i16,
        request: &OffsetCommitRequest<'_>,
        commits: &[Commit<'_>],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        // The empty group id is allowed, for clients of old.
        self.check(now, node, request.group_id)?;
        match self.groups.get(request.group_id) {
            Some(group) => group.validate_commit(request)?,
            None if request.generation_id_or_member_epoch < 0 => self.make(request.group_id),
            None if version >= SAYS_GROUP_ID_NOT_FOUND => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None => return Err(ErrorCode::ILLEGAL_GENERATION),
        }
        let max = self.settings.offset_metadata_max_bytes;
        let codes = self.change(now, request.group_id, |group, turn| {
            if matches!(group.state, GroupState::Stable | GroupState::PreparingRebalance) {
                // A commit shows that the member lives.
                group.renew_session(turn, request.member_id);
            }
            commits.iter().map(|commit| group.commit(commit, max, now.wall_ms)).collect()
        });
        Ok(codes.unwrap_or_default())
    }

    /// What a group has committed, for an OffsetFetch that reached its node. A group that is not there has committed
    /// nothing. No offset is ever unstable (KIP-447) until there are transactions.
    ///
    /// # Errors
    /// The group is not here.
    pub fn offsets(&self, now: Now, node: i32, group_id: &str) -> Result<&Offsets, ErrorCode> {
        static NOTHING: Offsets = Offsets::new();
        self.check(now, node, group_id)?;
        Ok(self.groups.get(group_id).map_or(&NOTHING, |group| &group.offsets))
    }
}

impl Group {
    fn validate_commit(&self, request: &OffsetCommitRequest<'_>) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if self.state == GroupState::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        if generation < 0 && self.state == GroupState::Empty {
            // An administrator, or a consumer that manages its partitions itself.
            return Ok(());
        }
        if generation >= 0 || !request.member_id.is_empty() || request.group_instance_id.is_some() {
            self.validate_member(request.member_id, request.group_instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else if self.state != GroupState::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if self.state == GroupState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    fn commit(&mut self, commit: &Commit<'_>, max: usize, wall_ms: i64) -> ErrorCode {
        let metadata = commit.metadata.unwrap_or_default();
        if metadata.encode_utf16().count() > max {
            return ErrorCode::OFFSET_METADATA_TOO_LARGE;
        }
        let offset = CommittedOffset {
            offset: commit.offset,
            leader_epoch: commit.leader_epoch,
            metadata: metadata.to_owned(),
            committed_at: wall_ms,
        };
        self.offsets.commit(commit.topic, commit.partition, offset);
        ErrorCode::NONE
    }
}
