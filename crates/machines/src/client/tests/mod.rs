//! Scenarios of what all clients have in common: connections, metadata, questions, admin operations.
mod admin;
mod connections;
mod questions;

use crate::client::ClientMachine;
use crate::config::AdminSettings;
use crate::scenario::{SECOND, Scenario, connection_settings};

/// An admin client, which does nothing by itself but to learn of the cluster.
fn scenario() -> Scenario {
    Scenario::new(machine())
}

fn machine() -> ClientMachine {
    let settings = AdminSettings { connection: connection_settings(), request_timeout_us: 60 * SECOND };
    ClientMachine::admin(&settings, 11)
}
