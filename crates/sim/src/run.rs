//! One seed and what came of it, with the words that a person needs to look into it; and many seeds on two threads.
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
pub use crate::trace::Words;
use crate::world::World;

/// A run in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// Over everything that happened: equal for equal runs.
    pub hash: u64,
    /// What happened, counted.
    pub events: u64,
    /// Virtual microseconds.
    pub virtual_us: u64,
    /// Records that producers took.
    pub records: usize,
    /// Records that were handed over.
    pub given: usize,
}

/// A run in which an invariant did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What should hold.
    pub invariant: &'static str,
    /// What happened instead.
    pub words: String,
    /// The last events.
    pub events: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.events {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "seed {}: does not hold: {}", self.seed, self.invariant)?;
        writeln!(out, "    {}", self.words)?;
        write!(out, "    again: make sim SEED={}", self.seed)
    }
}

/// Runs one seed, keeping no words; a failure is run again to tell its last events.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(seed: u64) -> Result<Summary, Box<Failure>> {
    tell(seed, Words::None).0.map_err(|failure| match tell(seed, Words::Last) {
        (Err(told), _) => told,
        (Ok(_), _) => Box::new(Failure { words: format!("{}; not the second time", failure.words), ..*failure }),
    })
}

/// Runs one seed with these words; what happened, and the words.
pub fn tell(seed: u64, words: Words) -> (Result<Summary, Box<Failure>>, Vec<String>) {
    let mut world = None;
    let ran = catch_unwind(AssertUnwindSafe(|| world.insert(World::new(Plan::draw(seed), words)).run()));
    let Some(mut world) = world else {
        let failure = Failure { seed, invariant: "a plan can be made", words: String::new(), events: Vec::new() };
        return (Err(Box::new(failure)), Vec::new());
    };
    let events = world.stage.trace.lines();
    let broken = match ran {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(("nothing panics", text.unwrap_or_default()))
        }
        Ok(()) => world.stage.ledger.verdict().cloned(),
    };
    let result = match broken {
        Some((invariant, said)) => {
            let last = events.len().saturating_sub(60);
            let words = format!("{said} ({:?}, at {} us)", world.plan.mood, world.stage.agenda.now_us());
            Err(Box::new(Failure { seed, invariant, words, events: events[last..].to_vec() }))
        }
        None => Ok(Summary {
            seed,
            hash: world.stage.trace.hash(),
            events: world.stage.trace.events(),
            virtual_us: world.stage.agenda.now_us(),
            records: world.stage.ledger.producers.iter().map(|one| one.records.len()).sum(),
            given: world.stage.ledger.spans.iter().map(|span| span.given.len()).sum(),
        }),
    };
    (result, events)
}
