//! Scenarios of the coordinator in virtual time, without frames.
mod fencing;
mod membership;
mod moving;
mod offsets;
mod scene;
mod seeds;
mod timing;
