//! A run from its first event to its end: disturbed, healed, settled, quiet, closed, audited.
use std::collections::BTreeMap;

use crate::audit::{Logs, audit};
use crate::driver::Shared;
use crate::ledger::{ABORTED, Place};
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
        let logs = self.read_logs();
        let reading = move |world: &World| world.still_reading(&logs);
        if !self.all_done(settled_us, "every partition is read to its end once faults stop", reading) {
            return;
        }
        self.quiet_records();
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
            if let (App::Reader(app), false) = (&mut client.app, client.dead) {
                app.calm_down(number, &mut client.driver, &mut self.stage);
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
        let reading = move |world: &World| world.still_reading(&logs);
        self.all_done(prompt_us, "in quiet times a record is read soon", reading);
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
