//! Where a consumer stands with its group, and what leads where. The whole table is kept in `standing.transitions.txt`.
//!
//! ```text
//!       join            assigned              acknowledged           revoke              acknowledged
//! Out -------> Joining ---------> Assigning --------------> Steady --------> Revoking ----------------> Settling
//!  ^ ^           ^ |                                                                                     |    |
//!  | +- given up --+<--------------------------------------- join (others wait) -------------------------+    |
//!  |             | leave                                                                                      |
//!  +-- left -- Leaving <------------------------------------ leave -------------------------------------------+
//! ```

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No member, and nothing is assigned.
    Out,
    /// The protocol joins; nothing is assigned.
    Joining,
    /// The application was told what it has, and has not acknowledged it.
    Assigning,
    /// A member with its share.
    Steady,
    /// The application was told to let go, and has not acknowledged it.
    Revoking,
    /// The application has let go; its last commits are under way.
    Settling,
    /// The coordinator is being told.
    Leaving,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The protocol begins to join.
    Join,
    /// The protocol has a share, and the application is told.
    Assigned,
    /// The application has done what it was told.
    Acknowledged,
    /// The application is told to let go, or that it has lost what it had.
    Revoke,
    /// The protocol leaves.
    Leave,
    /// It has left.
    Left,
    /// It joins no more, for now or for good.
    GivenUp,
}

impl Standing {
    /// The standing after `input`; one that does not fit changes nothing.
    pub fn next(self, input: Input) -> Standing {
        match (self, input) {
            (Standing::Out | Standing::Settling | Standing::Leaving, Input::Join) => Standing::Joining,
            (Standing::Joining, Input::Assigned) => Standing::Assigning,
            (Standing::Assigning, Input::Acknowledged) => Standing::Steady,
            (Standing::Steady, Input::Revoke) => Standing::Revoking,
            (Standing::Revoking, Input::Acknowledged) => Standing::Settling,
            (Standing::Joining | Standing::Settling, Input::Leave) => Standing::Leaving,
            (Standing::Leaving, Input::Left) | (Standing::Joining, Input::GivenUp) => Standing::Out,
            (standing, _) => standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Standing};

    /// Every standing under every input.
    #[test]
    fn the_table_of_transitions_is_as_kept() {
        let standings = [
            Standing::Out,
            Standing::Joining,
            Standing::Assigning,
            Standing::Steady,
            Standing::Revoking,
            Standing::Settling,
            Standing::Leaving,
        ];
        let inputs = [
            Input::Join,
            Input::Assigned,
            Input::Acknowledged,
            Input::Revoke,
            Input::Leave,
            Input::Left,
            Input::GivenUp,
        ];
        let mut table = String::new();
        for standing in standings {
            for input in inputs {
                table.push_str(&format!("{standing:?} --{input:?}--> {:?}\n", standing.next(input)));
            }
        }
        assert_eq!(table, include_str!("standing.transitions.txt"));
    }
}
