//! Where tests take hold of the cluster: what happens to a request before and after its handler.
pub(crate) mod hooks;
