//! The client of these scenarios: an admin client, which does nothing by itself but to learn of the cluster.

use crate::client::ClientMachine;
use crate::config::AdminSettings;
use crate::scenario::{SECOND, Scenario, connection_settings};

pub(super) fn scenario() -> Scenario {
    Scenario::new(machine())
}

pub(super) fn machine() -> ClientMachine {
    let settings = AdminSettings { connection: connection_settings(), request_timeout_us: 60 * SECOND };
    ClientMachine::admin(&settings, 11)
}
