//! Each API's rules in virtual time, through encoded requests and decoded responses.

mod create_and_delete;
mod fetch;
mod fetch_sessions;
mod hostile;
mod init_producer_id;
mod list_offsets;
mod offset_for_leader_epoch;
mod produce;
mod setup;

use setup::{code, world, world_of};
