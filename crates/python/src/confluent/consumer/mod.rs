//! `Consumer`.
//!
//! * `class`: the class, its life, assignment, positions and queries.
//! * `engine`: one client with what the border adds to it. `take`: the raw methods `poll` and `consume`.
//! * `subscribe`: subscriptions and who hears of rebalances. `rebalance`: calling them, and the other callbacks. `commit`: offsets committed and
//!   stored. `member`: who this member is. `leave`: close.
mod class;
mod commit;
mod engine;
mod leave;
mod member;
mod rebalance;
mod subscribe;
mod take;

pub(crate) use class::register;
