//! A run from its first event to its end: disturbed, healed, settled, quiet, closed, audited.
use std::collections::BTreeMap;

use ottla_broker::groups::GroupState;

use crate::audit::{Logs, audit};
use crate::driver::Shared;
use crate::group_plan::GROUP;
use crate::ledger::{ABORTED, Place};
use crate::member::MemberApp;
use crate::plan::Mood;
use crate::world::{App, World};

/// After everything works again, all must be done within this: it is longer than every time-out of a plan together, and
/// shorter than what would hide a machine that waits for nothing.
const SETTLE_US: u64 = 30_000_000;
/// Records that are produced once all is quiet must be acknowledged and read within this.
const PROMPT_US: u64 = 3_000_000;
/// Ending takes no longer than this.
const CLOSE_US: u64 = 10_000_000;

impl World {
    /// Runs it all. What is wrong in the end stands in the ledger.
    pub(crate) fn run(&mut self) {
        let heal_us = self.plan.heal_us;
        self.run_until(heal_us, |_| Some(()));
        if self.is_broken() {
            return;
        }
        self.heal();
        let settled_us = self.stage.agenda.now_us() + SETTLE_US;
        let producing = |world: &World| world.still_producing();
        if !self.all_done(settled_us, "every record comes to an end once faults stop", producing) {
            return;
        }
        self.calm_readers();
        let settled_us = self.stage.agenda.now_us() + SETTLE_US;
        let logs = self.read_logs();
        let reading = move |world: &World| world.still_reading(&logs).or_else(|| world.still_unread(&logs));
        if !self.all_done(settled_us, "every partition is read to its end once faults stop", reading) {
            return;
        }
        self.quiet_group();
        if !self.is_broken() {
            self.quiet_records();
        }
        if self.is_broken() {
            return;
        }
        self.close();
        let closed_us = self.stage.agenda.now_us() + CLOSE_US;
        if !self.all_done(closed_us, "every client ends, and its connections with it", World::still_open) {
            return;
        }
        self.check_counters();
        let logs = self.read_logs();
        self.check_commits(&logs);
        audit(&mut self.stage.ledger, &logs);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.stage.ledger.verdict().is_some()
    }

    /// Runs until a time, or until `left` says that nothing is left; returns what is left then.
    fn run_until<T>(&mut self, deadline_us: u64, left: impl Fn(&World) -> Option<T>) -> Option<T> {
        loop {
            left(self)?;
            // Whether something is left may be costly to tell: some events happen between.
            for _ in 0..8 {
                if self.is_broken() {
                    return None;
                }
                if !self.step(deadline_us) {
                    return left(self);
                }
            }
        }
    }

    fn all_done(&mut self, until_us: u64, invariant: &'static str, left: impl Fn(&World) -> Option<String>) -> bool {
        if let Some(words) = self.run_until(until_us, left) {
            self.stage.ledger.broken(invariant, words);
        }
        !self.is_broken()
    }

    fn still_producing(&self) -> Option<String> {
        self.clients.iter().enumerate().find_map(|(number, client)| match (&client.app, &client.driver.shared) {
            (App::Producer(app), Shared::Producer(shared)) if !client.dead && !app.is_done() => {
                Some(format!("client {number} has {} records outstanding", shared.outstanding()))
            }
            _ => None,
        })
    }

    fn still_reading(&self, logs: &Logs) -> Option<String> {
        let last = |committed: bool| -> BTreeMap<Place, i64> {
            let visible = |producer: u32| !(committed && producer == ABORTED);
            let last = logs.iter().filter_map(|(place, log)| {
                let last = log.iter().rev().find(|logged| visible(logged.producer))?;
                Some((*place, last.offset))
            });
            last.collect()
        };
        let (all, committed) = (last(false), last(true));
        self.clients.iter().enumerate().find_map(|(number, client)| match &client.app {
            App::Reader(app) if !client.dead => {
                let last = if app.read_committed() { &committed } else { &all };
                let (place, read, wanted) = app.has_read(last)?;
                Some(format!("client {number} has read {place:?} to {read} of {wanted}"))
            }
            _ => None,
        })
    }

    fn calm_readers(&mut self) {
        for (number, client) in self.clients.iter_mut().enumerate() {
            match &mut client.app {
                App::Reader(app) if !client.dead => app.calm_down(number, &mut client.driver, &mut self.stage),
                App::Member(app) if !client.dead => app.calm_down(number, &mut client.driver, &mut self.stage),
                _ => {}
            }
        }
    }

    /// Nothing goes wrong any more: a record takes no longer than it must.
    fn quiet_records(&mut self) {
        let prompt_us = self.stage.agenda.now_us() + PROMPT_US;
        for (number, client) in self.clients.iter_mut().enumerate() {
            if let (App::Producer(app), false) = (&mut client.app, client.dead) {
                app.more(number, 3, &mut self.stage);
            }
        }
        let producing = |world: &World| world.still_producing();
        if !self.all_done(prompt_us, "in quiet times a record is acknowledged soon", producing) {
            return;
        }
        let logs = self.read_logs();
        let reading = move |world: &World| world.still_reading(&logs).or_else(|| world.still_unread(&logs));
        self.all_done(prompt_us, "in quiet times a record is read soon", reading);
    }

    /// Nothing happens to a group whose members are in time, for longer than a session lasts.
    fn quiet_group(&mut self) {
        let Some(session_ms) = self.members().map(|app| app.plan.settings.group.session_timeout_ms as u64).next()
        else {
            return;
        };
        let stable_us = self.stage.agenda.now_us() + SETTLE_US;
        if !self.all_done(stable_us, "a group comes to rest once faults stop", World::still_unstable) {
            return;
        }
        // Members of before the trouble may have to be thrown out yet.
        let thrown_out_us = self.members().map(|app| app.plan.settings.group.max_poll_interval_us).max().unwrap_or(0);
        let until_us = self.stage.agenda.now_us() + thrown_out_us + 1000 * session_ms;
        self.run_until(until_us, |_| Some(()));
        if !self.all_done(stable_us, "a group comes to rest once faults stop", World::still_unstable) {
            return;
        }
        let before = self.stage.ledger.groups.rebalances;
        let until_us = self.stage.agenda.now_us() + 2 * 1000 * session_ms;
        self.run_until(until_us, |_| Some(()));
        let after = self.stage.ledger.groups.rebalances;
        if after > before {
            let words = format!("{} rebalances in {} ms", after - before, 2 * session_ms);
            self.stage.ledger.broken("a group is left alone in quiet times", words);
        }
    }

    /// Members that live and have not left.
    fn members(&self) -> impl Iterator<Item = &MemberApp> {
        self.clients.iter().filter(|client| !client.dead).filter_map(|client| match &client.app {
            App::Member(app) if app.takes_part() => Some(&**app),
            _ => None,
        })
    }

    fn still_unstable(&self) -> Option<String> {
        let members = self.members().count();
        let group = self.cluster.group(GROUP)?;
        let partitions: usize = self.members().map(|app| app.reading.len()).sum();
        let without = self.clients.iter().enumerate().find(|(number, client)| {
            let member = matches!(&client.app, App::Member(app) if app.takes_part());
            member && !client.dead && !self.stage.ledger.groups.has_assigned(*number)
        });
        let stable = group.state == GroupState::Stable && group.members.len() == members && without.is_none();
        (!stable || partitions != self.plan.places().len()).then(|| {
            format!("{:?} with {} members of {members}, who read {partitions}", group.state, group.members.len())
        })
    }

    /// A record that no member of the group was given.
    fn still_unread(&self, logs: &Logs) -> Option<String> {
        let committed = self.members().next()?.read_committed();
        let nothing = BTreeMap::new();
        logs.iter().find_map(|(place, log)| {
            let given = self.stage.ledger.groups.given.get(place).unwrap_or(&nothing);
            let missing = log
                .iter()
                .rev()
                .find(|logged| !(committed && logged.producer == ABORTED || given.contains_key(&logged.offset)))?;
            Some(format!("the group was not given {missing:?} of {place:?}"))
        })
    }

    /// Whose offsets are stored as records are handed over, and committed without being asked, has nothing left behind.
    fn check_commits(&mut self, logs: &Logs) {
        let Some(app) = self.plan.members.first() else { return };
        if app.settings.auto_commit_interval_us.is_none() || !app.settings.store_on_handover {
            return;
        }
        let seeks = self.plan.members.iter().any(|member| member.seeks > 0);
        let deserters = self.plan.members.iter().any(|member| member.deserts);
        let untroubled = self.plan.mood == Mood::Calm && !seeks && !deserters;
        for (place, given) in &self.stage.ledger.groups.given {
            let committed = self.stage.ledger.groups.committed(GROUP, *place);
            let last = given.keys().next_back().copied().unwrap_or(-1);
            if committed.unwrap_or(0) < last + 1 {
                let words = format!("{place:?}: {committed:?} is committed, and {last} was given last");
                self.stage.ledger.broken("what was given is committed in the end", words);
                return;
            }
            let twice = given.iter().find(|(_, times)| **times > 1);
            if let (true, Some((offset, times))) = (untroubled, twice) {
                let words = format!("{offset} of {place:?} was given {times} times ({} records)", logs[place].len());
                self.stage.ledger.broken("a record is given once where no commit was lost", words);
                return;
            }
        }
    }

    fn still_open(&self) -> Option<String> {
        let running = self.clients.iter().position(|client| !client.dead && !client.driver.is_stopped());
        if let Some(number) = running {
            return Some(format!("client {number} has not stopped"));
        }
        (!self.network.all_closed()).then(|| "connections are open".to_owned())
    }

    fn check_counters(&mut self) {
        for (number, client) in self.clients.iter().enumerate().filter(|(_, client)| !client.dead) {
            let left = match &client.driver.shared {
                Shared::Producer(shared) => shared.outstanding() + shared.reports_waiting(),
                Shared::Consumer(buffer) => usize::from(buffer.has_records()) + buffer.assigned(),
            };
            if left > 0 {
                let words = format!("client {number} has {left} left");
                self.stage.ledger.broken("queues and counters come to zero", words);
            }
        }
    }
}
