//! The consumer: what it reads, from where, and how records reach the caller.
//!
//! * [`FetchBuffer`]: shared with the caller's thread under one lock: seek, pause, positions; [`assigning`]: assignments;
//!   `stored`: what is to be committed; [`mod@take`]: taking records, `taken`: records as they leave it; `arena`, `batch`:
//!   what waits in it.
//! * [`Fetcher`]: the *io* side: what to fetch, and what to make of the answers. `fetch_session`: what brokers
//!   remember of it (KIP-227); `budget`, `growth`: how much may be held (E14).
//! * [`positions`]: where reading starts; [`list_offsets`]: asking for offsets; `offset_reset`: `auto.offset.reset`;
//!   `aborted`: what read_committed leaves out.
//! * [`Subscription`]: names and patterns; [`Commits`]: sending commits; `committed`: looking committed offsets up;
//!   `offset_requests`: both on the wire.
mod aborted;
mod arena;
pub mod assigning;
mod batch;
mod budget;
pub mod commits;
mod committed;
pub mod fetch_buffer;
mod fetch_session;
pub mod fetcher;
mod footing;
mod growth;
pub mod list_offsets;
mod offset_requests;
mod offset_reset;
pub mod positions;
mod stored;
pub mod subscription;
pub mod take;
pub mod taken;
#[cfg(test)]
mod tests;

pub use assigning::{Displaced, PreparedAssignment, Unfit};
pub use batch::{PartitionError, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE};
pub use commits::Commits;
pub use fetch_buffer::{FetchBuffer, Position};
pub use fetcher::Fetcher;
pub use positions::{Assigned, Assignment, OFFSET_INVALID, StartOffset};
pub use subscription::Subscription;
pub use taken::{COPY_LIMIT, RUN_LIMIT, RecordRun, RunBatch, RunRecord, Scratch, Take, TakenRecord};
