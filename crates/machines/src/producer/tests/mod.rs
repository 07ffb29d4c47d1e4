//! Scenarios of the producer: real machine and accumulator, virtual time, answers written by hand.
mod accumulate;
mod deliver;
mod hand_over;
mod idempotent;
mod retry;
mod scene;
mod transitions;
