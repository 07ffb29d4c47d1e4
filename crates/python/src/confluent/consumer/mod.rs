//! `Consumer`.
//!
//! * `class`: the class, its life, assignment, positions and queries.
//! * `engine`: one client with what the border adds to it. `take`: the raw methods `poll` and `consume`.
mod class;
mod engine;
mod take;

pub(crate) use class::register;
