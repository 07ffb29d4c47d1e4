//! Sockets: name look-ups, non-blocking TCP with frames cut from the stream, and the buffers that frames are read into.
//!
//! Time-outs of connecting and of requests are the machine's: it says when to close.

mod connection;
mod pool;
mod resolve;

pub(crate) use connection::{Connection, Progress, SocketOptions};
pub(crate) use pool::Pool;
pub(crate) use resolve::{literal, look_up};
