//! Where a client is in the classic protocol, and what leads where. The whole table is kept in `state.transitions.txt`.
//!
//! ```text
//!      join            sent            leading           planned          sent             synced
//! Out ------> ToJoin ------> Joining ----------> Planning ------> ToSync ------> Syncing ----------> Stable
//!               ^               |----- following ------------------->^                                  |
//!               |               |                                    |<-- lost --- |                    |
//!               |<-- refused ---+---------------+---------------------- refused ---+                    |
//!               |<------------------------------- join (a rebalance) -----------------------------------|
//! ```
//! A client keeps its member id and generation outside of this state: a member of the last generation joins again as such.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Neither a member nor to become one.
    Out,
    /// JoinGroup is to be sent.
    ToJoin,
    /// JoinGroup was sent: the coordinator answers once all members have joined, or their time is over.
    Joining,
    /// The leader waits for what it must know to share the partitions out.
    Planning,
    /// SyncGroup is to be sent.
    ToSync,
    /// SyncGroup was sent: the coordinator answers once the leader's has come.
    Syncing,
    /// A member with a share; heartbeats go out.
    Stable,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The consumer wants to be a member, or a rebalance asks it to join anew.
    Join,
    /// The request that was to be sent has been.
    Sent,
    /// JoinGroup was answered: this member is the leader.
    Leading,
    /// JoinGroup was answered: another is the leader, or there is nothing to share out (KIP-814).
    Following,
    /// The shares are made.
    Planned,
    /// SyncGroup was answered with a share.
    Synced,
    /// The request in flight had no answer, or one that passes: it is sent again.
    Lost,
    /// The coordinator wants the member to join anew.
    Refused,
    /// The coordinator does not know the member, or was not heard of for a session.
    Expelled,
    /// The consumer is a member no more.
    Leave,
}

impl State {
    /// The state after `input`; one that does not fit changes nothing.
    pub fn next(self, input: Input) -> State {
        match (self, input) {
            (_, Input::Leave) => State::Out,
            (_, Input::Join) => State::ToJoin,
            (State::ToJoin, Input::Sent) => State::Joining,
            (State::Joining, Input::Leading) => State::Planning,
            (State::Joining, Input::Following) | (State::Planning, Input::Planned) => State::ToSync,
            (State::ToSync, Input::Sent) => State::Syncing,
            (State::Syncing, Input::Synced) => State::Stable,
            (State::Joining, Input::Lost) => State::ToJoin,
            (State::Syncing, Input::Lost) => State::ToSync,
            (State::Joining | State::Planning | State::ToSync | State::Syncing, Input::Refused | Input::Expelled) => {
                State::ToJoin
            }
            // What it had is lost: the consumer says when it joins again.
            (State::Stable, Input::Expelled) => State::Out,
            (state, _) => state,
        }
    }

    /// Whether a request of this state is in flight.
    pub fn is_waiting(self) -> bool {
        matches!(self, State::Joining | State::Syncing)
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, State};

    /// Every state under every input.
    #[test]
    fn the_table_of_transitions_is_as_kept() {
        let states =
            [State::Out, State::ToJoin, State::Joining, State::Planning, State::ToSync, State::Syncing, State::Stable];
        let inputs = [
            Input::Join,
            Input::Sent,
            Input::Leading,
            Input::Following,
            Input::Planned,
            Input::Synced,
            Input::Lost,
            Input::Refused,
            Input::Expelled,
            Input::Leave,
        ];
        let mut table = String::new();
        for state in states {
            for input in inputs {
                table.push_str(&format!("{state:?} --{input:?}--> {:?}\n", state.next(input)));
            }
        }
        assert_eq!(table, include_str!("state.transitions.txt"));
    }
}
