//! Fetch sessions (KIP-227): what a client said once, and what it was told last, so that either side names only changes.
//! Each broker has its own; reading records is the Fetch handler's.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::primitives::Uuid;

use crate::machine::Now;
use crate::random::Random;

/// `min.incremental.fetch.session.eviction.ms`: a session that was used since is not given up for a new one.
const EVICTION_US: u64 = 120_000_000;
/// The epoch of a request that begins a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants none.
pub(crate) const FINAL_EPOCH: i32 = -1;

/// A partition as a request names it: by id from version 13 on, by name before; the other one is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionName {
    pub(crate) id: Uuid,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

/// What is asked of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) name: PartitionName,
    pub(crate) fetch_offset: i64,
    /// -1 where the client does not know it.
    pub(crate) current_leader_epoch: i32,
    /// -1 where the client does not know it.
    pub(crate) last_fetched_epoch: i32,
    pub(crate) max_bytes: i32,
}

/// What the client was told of a partition last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) failed: bool,
    pub(crate) records: bool,
}

#[derive(Debug)]
struct Cached {
    asked: Asked,
    high_watermark: i64,
    log_start_offset: i64,
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    uses_topic_ids: bool,
    used_us: u64,
    /// Where each partition stands in `order`.
    places: BTreeMap<PartitionName, u64>,
    /// Whose records come first: who got some goes to the end.
    order: BTreeMap<u64, Cached>,
    last_place: u64,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole, and nothing is remembered.
    Sessionless,
    /// Whole, and a session begins.
    Full,
    /// What changed, in this session.
    Incremental(i32),
}

/// The sessions of one broker.
#[derive(Debug, Default)]
pub(crate) struct FetchSessions {
    sessions: BTreeMap<i32, Session>,
}

impl Session {
    fn put(&mut self, asked: Asked) {
        if let Some(cached) = self.places.get(&asked.name).and_then(|place| self.order.get_mut(place)) {
            cached.asked = asked;
        } else {
            self.append(Cached { asked, high_watermark: -1, log_start_offset: -1 });
        }
    }

    fn append(&mut self, cached: Cached) {
        self.last_place += 1;
        self.places.insert(cached.asked.name.clone(), self.last_place);
        self.order.insert(self.last_place, cached);
    }

    fn remove(&mut self, name: &PartitionName) {
        if let Some(place) = self.places.remove(name) {
            self.order.remove(&place);
        }
    }

    /// Notes what the client is told; gives whether it has to be.
    fn tell(&mut self, name: &PartitionName, told: Told) -> bool {
        let Some(place) = self.places.get(name).copied() else { return true };
        let Some(cached) = self.order.get_mut(&place) else { return true };
        let changed = cached.high_watermark != told.high_watermark || cached.log_start_offset != told.log_start_offset;
        // After an error the next answer is news in any case.
        cached.high_watermark = if told.failed { -1 } else { told.high_watermark };
        cached.log_start_offset = told.log_start_offset;
        if told.records
            && let Some(cached) = self.order.remove(&place)
        {
            self.append(cached);
        }
        told.records || told.failed || changed
    }
}

impl FetchSessions {
    /// Takes a request's partitions and gives all that are to be fetched, in order.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH`, `FETCH_SESSION_TOPIC_ID_ERROR`.
    pub(crate) fn open(
        &mut self,
        now: Now,
        id: i32,
        epoch: i32,
        uses_topic_ids: bool,
        asked: Vec<Asked>,
        forgotten: &[PartitionName],
    ) -> Result<(Kind, Vec<Asked>), ErrorCode> {
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            // A whole request ends the session that it names.
            self.sessions.remove(&id);
            return Ok((if epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full }, asked));
        }
        let Some(session) = self.sessions.get_mut(&id) else { return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND) };
        if session.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        for asked in asked {
            session.put(asked);
        }
        for name in forgotten {
            session.remove(name);
        }
        if session.order.is_empty() {
            self.sessions.remove(&id);
            return Ok((Kind::Sessionless, Vec::new()));
        }
        session.epoch = next_epoch(session.epoch);
        session.used_us = now.mono_us;
        Ok((Kind::Incremental(id), session.order.values().map(|cached| cached.asked.clone()).collect()))
    }

    /// Begins a session with what a whole request asked and was told; gives its id, 0 where there is no room.
    pub(crate) fn begin(
        &mut self,
        now: Now,
        slots: usize,
        uses_topic_ids: bool,
        partitions: impl Iterator<Item = (Asked, Told)>,
        random: &mut Random,
    ) -> i32 {
        if self.sessions.len() >= slots {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used_us);
            match oldest.map(|(id, session)| (*id, session.used_us)) {
                Some((id, used_us)) if now.mono_us.saturating_sub(used_us) > EVICTION_US => {
                    self.sessions.remove(&id);
                }
                _ => return 0,
            }
        }
        let mut session = Session {
            epoch: next_epoch(INITIAL_EPOCH),
            uses_topic_ids,
            used_us: now.mono_us,
            places: BTreeMap::new(),
            order: BTreeMap::new(),
            last_place: 0,
        };
        for (asked, told) in partitions {
            let name = asked.name.clone();
            session.put(asked);
            session.tell(&name, told);
        }
        loop {
            let id = (random.next_u64() >> 33) as i32;
            if id != 0 && !self.sessions.contains_key(&id) {
                self.sessions.insert(id, session);
                return id;
            }
        }
    }

    /// The partitions of a session; none where there is no such session.
    pub(crate) fn names(&self, id: i32) -> impl Iterator<Item = &PartitionName> {
        self.sessions.get(&id).into_iter().flat_map(|session| session.places.keys())
    }

    /// Notes what an incremental answer says of a partition; gives whether it has to say it.
    pub(crate) fn tell(&mut self, id: i32, name: &PartitionName, told: Told) -> bool {
        self.sessions.get_mut(&id).is_none_or(|session| session.tell(name, told))
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}
