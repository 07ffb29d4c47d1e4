//! The brokers: ids, addresses, and which are alive.

/// One broker.
#[derive(Clone, Debug)]
pub struct Node {
    /// 1 and up.
    pub id: i32,
    /// What clients are told to connect to.
    pub host: String,
    /// What clients are told to connect to.
    pub port: u16,
    /// Whether it serves.
    pub alive: bool,
}

/// All brokers, in the order of their ids.
#[derive(Clone, Debug)]
pub struct Nodes(Vec<Node>);

impl Nodes {
    /// One broker an address, all alive.
    pub(crate) fn new(addresses: Vec<(String, u16)>) -> Self {
        let node =
            |(index, (host, port)): (usize, (String, u16))| Node { id: index as i32 + 1, host, port, alive: true };
        Self(addresses.into_iter().enumerate().map(node).collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.0.iter()
    }

    /// Those that serve.
    pub fn alive(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().filter(|node| node.alive)
    }

    /// One of them.
    pub fn by_id(&self, id: i32) -> Option<&Node> {
        self.0.iter().find(|node| node.id == id)
    }

    /// Whether the broker serves.
    pub fn is_alive(&self, id: i32) -> bool {
        self.by_id(id).is_some_and(|node| node.alive)
    }

    /// Says whether the broker serves; gives whether that is a change.
    pub(crate) fn set_alive(&mut self, id: i32, alive: bool) -> bool {
        match self.0.iter_mut().find(|node| node.id == id) {
            Some(node) => std::mem::replace(&mut node.alive, alive) != alive,
            None => false,
        }
    }
}
