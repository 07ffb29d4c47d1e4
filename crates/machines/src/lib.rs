//! Every decision of the client as pure state machines.
