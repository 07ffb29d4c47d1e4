//! Every interleaving, within loom's bounds, of the client's lock, the wake-up edge of thread *io* and the hand-over to
//! waiting callers: `cargo test -p ottla --features loom --test loom`.
//!
//! The models of the hand-over take loom's mutex for the client's lock, which has a model of its own: spinning multiplies
//! the interleavings.
use std::task::Poll;

use loom::sync::{Arc, Mutex};
use loom::thread;
use ottla::Contention;
use ottla::model::{Edge, Lock, Waiters};

/// loom's threads have no time: every wait is a yield.
fn wait(_: Contention) {
    thread::yield_now();
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

#[test]
fn the_lock_lets_one_in_and_shows_what_the_last_wrote() {
    check(3, || {
        let lock = Arc::new(Lock::new(0_u32));
        let other = lock.clone();
        let thread = thread::spawn(move || *other.lock(&mut wait) += 1);
        *lock.lock(&mut wait) += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(&mut wait), 2);
    });
}

#[test]
fn a_refused_try_is_made_good_by_coming_back() {
    check(3, || {
        let lock = Arc::new(Lock::new(Vec::new()));
        let caller = lock.clone();
        let thread = thread::spawn(move || caller.lock(&mut wait).push(1));
        // Thread io: only tries, and serves others in between.
        loop {
            if let Some(mut guard) = lock.try_lock_first() {
                guard.push(2);
                break;
            }
            thread::yield_now();
        }
        thread.join().unwrap();
        assert_eq!(lock.lock(&mut wait).len(), 2);
    });
}

/// A caller appends under the lock and wakes on the edge from empty; the driver rests when it finds nothing.
#[test]
fn no_record_is_left_while_the_driver_rests() {
    check(3, || {
        let lock = Arc::new(Lock::new(0_u32));
        let edge = Arc::new(Edge::new());
        let (caller_lock, caller_edge) = (lock.clone(), edge.clone());
        let caller = thread::spawn(move || {
            for _ in 0..2 {
                let first = {
                    let mut queue = caller_lock.lock(&mut wait);
                    *queue += 1;
                    *queue == 1
                };
                if first {
                    caller_edge.wake();
                }
            }
        });
        let mut seen = 0;
        loom::future::block_on(std::future::poll_fn(|context| {
            loop {
                edge.begin();
                match lock.try_lock_shortly() {
                    Some(mut queue) => seen += std::mem::take(&mut *queue),
                    None => {
                        thread::yield_now();
                        continue;
                    }
                }
                if seen == 2 {
                    return Poll::Ready(());
                }
                if edge.rest(context.waker()) {
                    return Poll::Pending;
                }
            }
        }));
        caller.join().unwrap();
    });
}

/// Two callers wait for records; the driver brings both in one hold and wakes one, as there is one edge.
#[test]
fn who_leaves_while_something_is_ready_wakes_the_next() {
    check(2, || {
        let lock = Arc::new(Mutex::new(0_u32));
        let waiters = Arc::new(Waiters::new());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (lock, waiters) = (lock.clone(), waiters.clone());
                thread::spawn(move || {
                    loop {
                        waiters.wait(None, &mut || *lock.lock().unwrap() > 0);
                        let mut ready = lock.lock().unwrap();
                        if *ready > 0 {
                            *ready -= 1;
                            break;
                        }
                    }
                })
            })
            .collect();
        *lock.lock().unwrap() += 2;
        waiters.wake_one();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Two edges from empty to ready, each waking one of two waiters.
#[test]
fn every_edge_wakes_a_waiter() {
    check(2, || {
        let lock = Arc::new(Mutex::new(0_u32));
        let waiters = Arc::new(Waiters::new());
        let (other_lock, other_waiters) = (lock.clone(), waiters.clone());
        let waiter = thread::spawn(move || {
            let mut taken = 0;
            while taken < 2 {
                other_waiters.wait(None, &mut || *other_lock.lock().unwrap() > 0);
                taken += std::mem::take(&mut *other_lock.lock().unwrap());
            }
        });
        for _ in 0..2 {
            let edge = {
                let mut ready = lock.lock().unwrap();
                *ready += 1;
                *ready == 1
            };
            if edge {
                waiters.wake_one();
            }
        }
        waiter.join().unwrap();
    });
}

/// The count of outstanding records reaches zero: every flush returns.
#[test]
fn zero_wakes_every_flush() {
    check(2, || {
        let lock = Arc::new(Mutex::new(1_u32));
        let waiters = Arc::new(Waiters::new());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (lock, waiters) = (lock.clone(), waiters.clone());
                thread::spawn(move || waiters.wait(None, &mut || *lock.lock().unwrap() == 0))
            })
            .collect();
        *lock.lock().unwrap() -= 1;
        waiters.wake_all();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    });
}
