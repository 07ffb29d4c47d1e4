//! The whole client in virtual time: client machines and the embedded broker over a virtual network, from one seed.
//!
//! One seed draws a cluster, applications, and what goes wrong; one thread runs it all, event by event; the same seed is
//! the same run. Nothing here waits: no clock, no socket, no thread.
//!
//! * [`plan`]: what a seed stands for. [`draw`]: where every choice comes from. [`trace`]: what happened, hashed.
//! * [`world`]: who is there, and the loop over [`agenda`]'s events; `phases`: from the first event to the audit.
//! * [`network`]: connections between clients and brokers. [`chaos`]: what goes wrong when.
//! * [`driver`]: one client machine, driven as `ottla`'s driver does. `producer`, `reader`, `member`: applications;
//!   `taking`: what readers and members take.
//! * `group_plan`, `serving`, [`groups`]: groups in the plan, in an application's thread, in the model.
//! * [`ledger`]: the model beside the world, which knows what may happen; `audit`: what the logs say in the end; `probe`:
//!   reading them without a client.
//! * [`run`]: one seed, its report, and many seeds.
mod agenda;
mod audit;
mod chaos;
mod draw;
mod driver;
mod group_plan;
mod groups;
mod ledger;
mod member;
mod network;
mod phases;
mod plan;
mod probe;
mod producer;
mod reader;
pub mod run;
mod serving;
mod stage;
mod taking;
mod trace;
mod transactions;
mod world;

pub use run::{Failure, Summary, run};
