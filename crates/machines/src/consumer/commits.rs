//! OffsetCommit and OffsetFetch: not built yet; what is asked is refused.
use crate::client::{Outbox, RequestId};
use crate::connection::{Failure, Network, Response};
use crate::error::{Error, Kind};
use crate::group::{Coordinator, Member, StoredOffset};
use crate::machine::Now;
use std::sync::Arc;

/// See the module.
#[derive(Debug, Default)]
pub struct Commits {}

impl Commits {
    /// Whether no commit is under way or waiting: a member may let others have its partitions.
    pub fn is_idle(&self) -> bool {
        true
    }

    pub fn commit(&mut self, request: Option<RequestId>, _: Vec<StoredOffset>, _deadline_us: u64, outbox: &mut Outbox) {
        if let Some(request) = request {
            outbox.reply(request, Err(Error::new(Kind::NotImplemented)));
        }
    }

    pub fn committed(&mut self, request: RequestId, _: Vec<(Arc<str>, i32)>, _deadline_us: u64, outbox: &mut Outbox) {
        outbox.reply(request, Err(Error::new(Kind::NotImplemented)));
    }

    /// Sends what can be sent to the coordinator, as this member or as none.
    pub fn advance(&mut self, _: Now, _: &mut Network, _: &mut Coordinator, _: Option<&Member>, _: &mut Outbox) {}

    pub fn response(&mut self, _: Now, _: Response, _: &mut Network, _: &mut Coordinator, _: &mut Outbox) {}

    pub fn failure(&mut self, _: Now, _: Failure, _: &mut Coordinator, _: &mut Outbox) {}

    pub fn deadline(&self, _: Now) -> Option<u64> {
        None
    }

    pub fn close(&mut self, _: &mut Outbox) {}
}
