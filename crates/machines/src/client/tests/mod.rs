//! Scenarios of what all clients have in common: connections, metadata, questions, admin operations.
mod admin;
mod admin_client;
mod connections;
mod lanes;
mod questions;

use admin_client::{machine, scenario};
