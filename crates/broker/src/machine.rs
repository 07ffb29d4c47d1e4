//! What the machine is fed and what it gives: time, connections, outputs. What they lead to is `cluster`'s.

use crate::frame::Segment;

/// The time, as given by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Microseconds of a clock that never goes back; its origin means nothing.
    pub mono_us: u64,
    /// Milliseconds since 1970 (UTC), for timestamps of records alone.
    pub wall_ms: i64,
}

impl Now {
    /// The monotonic time `ms` milliseconds from here. Saturates.
    pub fn after_ms(self, ms: u64) -> u64 {
        self.mono_us.saturating_add(ms.saturating_mul(1000))
    }
}

/// A connection; chosen by the driver and never used again within a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One request of one connection; never used again within a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the driver is to do.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes, in this order, behind all that was sent before on the connection.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// The bytes, the four of the length in front included.
        segments: Vec<Segment>,
    },
    /// Close the connection, once all that was sent on it before is written. The machine has forgotten it.
    Close {
        /// Which connection.
        connection: ConnectionId,
    },
    /// The broker accepts connections at its address from now on.
    Listen {
        /// The broker's id.
        node: i32,
    },
    /// The broker accepts no more connections.
    StopListening {
        /// The broker's id.
        node: i32,
    },
    /// Nothing more to do until that time of [`Now::mono_us`], or until the next input where there is none.
    Wait {
        /// When to poll again.
        until_us: Option<u64>,
    },
}
