//! Thread *work* (E3): compression and decompression, jobs of at most one batch, a queue per client served in turn.
//!
//! What a job is, the machine says; its result returns to the client that asked, in the order of asking. A job that panics
//! fails its client alone.
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ottla_machines::job::{Computed, Contexts, Job, run};

use crate::threads::Counted;

/// Receives the results of one client's jobs.
pub(crate) trait Results: Send + Sync {
    /// On thread *work*: must be short. `Err` is the text of a panic.
    fn computed(&self, result: Result<Computed, String>);
}

/// The queues of thread *work*.
pub(crate) struct Work(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    filled: Condvar,
}

/// Jobs by client; `turns` has each client with jobs once, who waits longest first.
#[derive(Default)]
struct Queues {
    turns: VecDeque<u64>,
    clients: HashMap<u64, Queue>,
}

struct Queue {
    results: Arc<dyn Results>,
    jobs: VecDeque<Job>,
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = shared.clone();
        std::thread::Builder::new().name("ottla-work".into()).spawn(move || work(&thread))?;
        Ok(Self(shared))
    }

    /// Queues a job of `client`.
    pub(crate) fn push(&self, client: u64, results: &Arc<dyn Results>, job: Job) {
        let mut queues = self.0.queues();
        let Queues { turns, clients } = &mut *queues;
        let queue = clients.entry(client).or_insert_with(|| Queue { results: results.clone(), jobs: VecDeque::new() });
        if queue.jobs.is_empty() {
            turns.push_back(client);
        }
        queue.jobs.push_back(job);
        drop(queues);
        self.0.filled.notify_one();
    }

    /// Forgets what `client` asked for and has not been begun.
    pub(crate) fn forget(&self, client: u64) {
        let mut queues = self.0.queues();
        queues.turns.retain(|turn| *turn != client);
        let forgotten = queues.clients.remove(&client);
        drop(queues);
        drop(forgotten);
    }
}

fn work(shared: &Shared) {
    let _counted = Counted::new();
    let mut contexts = Contexts::default();
    loop {
        let (results, job) = next(shared);
        let outcome = catch_unwind(AssertUnwindSafe(|| run(job, &mut contexts)));
        let outcome = outcome.map_err(|panic| {
            // A context that was left in the middle of a batch is not used again.
            contexts = Contexts::default();
            panic_text(&*panic)
        });
        results.computed(outcome);
    }
}

fn next(shared: &Shared) -> (Arc<dyn Results>, Job) {
    let mut queues = shared.queues();
    loop {
        if let Some(found) = queues.next() {
            return found;
        }
        queues = shared.filled.wait(queues).unwrap_or_else(PoisonError::into_inner);
    }
}

impl Queues {
    /// One job of the client whose turn it is, which then goes to the end.
    fn next(&mut self) -> Option<(Arc<dyn Results>, Job)> {
        while let Some(client) = self.turns.pop_front() {
            let Some(queue) = self.clients.get_mut(&client) else { continue };
            let Some(job) = queue.jobs.pop_front() else { continue };
            let results = queue.results.clone();
            if queue.jobs.is_empty() {
                self.clients.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            return Some((results, job));
        }
        None
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_machines::machine::Frame;
    use ottla_protocol::compression::Codec;

    struct Nowhere;

    impl Results for Nowhere {
        fn computed(&self, _: Result<Computed, String>) {}
    }

    fn job(tag: u64) -> Job {
        Job::Decompress {
            tag,
            codec: Codec::Gzip,
            frame: Frame::new(Vec::new()),
            range: 0..0,
            limit: 0,
            out: Vec::new(),
        }
    }

    #[test]
    fn clients_take_turns_and_keep_their_own_order() {
        let work = Work(Arc::default());
        let results: Arc<dyn Results> = Arc::new(Nowhere);
        for tag in [10, 11, 12] {
            work.push(1, &results, job(tag));
        }
        for tag in [20, 21] {
            work.push(2, &results, job(tag));
        }
        work.push(3, &results, job(30));
        work.forget(3);
        let order: Vec<_> = std::iter::from_fn(|| work.0.queues().next())
            .map(|(_, job)| match job {
                Job::Decompress { tag, .. } | Job::Compress { tag, .. } => tag,
            })
            .collect();
        assert_eq!(order, [10, 20, 11, 21, 12]);
        assert!(work.0.queues().clients.is_empty());
    }
}
