//! The faults that are armed, what they have seen and done, and which takes hold of a request.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::fault::{Action, Fault, FaultId, Select, When};
use crate::handlers::Call;
use crate::random::Random;

/// One that is armed.
#[derive(Debug)]
struct Armed {
    fault: Fault,
    /// Selected requests that came by.
    seen: u64,
    /// How often it took hold.
    fired: u64,
}

/// All that are armed, in the order of arming.
#[derive(Debug)]
pub(crate) struct Faults {
    armed: BTreeMap<FaultId, Armed>,
    last: u64,
    random: Random,
}

/// One that takes hold.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    pub(crate) select: Select,
    pub(crate) action: Action,
}

impl Faults {
    pub(crate) fn new(random: Random) -> Self {
        Self { armed: BTreeMap::new(), last: 0, random }
    }

    pub(crate) fn arm(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        self.armed.insert(FaultId(self.last), Armed { fault, seen: 0, fired: 0 });
        FaultId(self.last)
    }

    pub(crate) fn disarm(&mut self, id: FaultId) -> bool {
        self.armed.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(crate) fn fired(&self, id: FaultId) -> u64 {
        self.armed.get(&id).map_or(0, |armed| armed.fired)
    }

    pub(crate) fn unfired(&self) -> Vec<(FaultId, String)> {
        let unfired = self.armed.iter().filter(|(_, armed)| armed.fired == 0);
        let told = |(id, armed): (&FaultId, &Armed)| {
            (*id, format!("{}: never fired, {} requests selected", armed.fault, armed.seen))
        };
        unfired.map(told).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// The first that is due of those whose action `applies`: asked last of the one that fires. Those armed later do not
    /// see the request then.
    pub(crate) fn fire(
        &mut self,
        call: &Call,
        facts: &Facts,
        mut applies: impl FnMut(&Action, &Select) -> bool,
    ) -> Option<Firing> {
        for armed in self.armed.values_mut() {
            let Fault { select, when, action } = &armed.fault;
            if !selects(select, call, facts) || !applies(action, select) {
                continue;
            }
            armed.seen += 1;
            let due = match *when {
                When::Once => armed.fired == 0,
                When::Nth(number) => armed.seen == number,
                When::Times(number) => armed.fired < number,
                When::Every(number) => number > 0 && armed.seen % number == 0,
                When::Probability(probability) => self.random.fraction() < probability,
                When::Always => true,
            };
            if due {
                armed.fired += 1;
                return Some(Firing { select: select.clone(), action: action.clone() });
            }
        }
        None
    }
}

fn selects(select: &Select, call: &Call, facts: &Facts) -> bool {
    let Select { api, node, client_id, topic, partition, group, member, transactional_id } = select;
    api.is_none_or(|api| api == call.api)
        && node.is_none_or(|node| node == call.node)
        && client_id.as_ref().is_none_or(|id| call.client_id.as_deref() == Some(id))
        && ((topic.is_none() && partition.is_none()) || facts.names(topic.as_deref(), *partition))
        && group.as_ref().is_none_or(|group| facts.groups.contains(group))
        && member.as_ref().is_none_or(|member| facts.members.contains(member))
        && transactional_id.as_ref().is_none_or(|id| facts.transactional_ids.contains(id))
}
