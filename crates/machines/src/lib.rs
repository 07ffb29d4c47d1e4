//! Every decision of the client as pure state machines.
//!
//! * [`config`]: the table of keys, the faces' parsers, typed settings.
//! * [`error`]: the causes that the client can report and what the faces show for them.
pub mod config;
pub mod error;
