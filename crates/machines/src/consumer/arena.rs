//! Queues that are joined and emptied without allocating: linked lists through one array of nodes.
//!
//! The fetch buffer stands under a lock where nothing is allocated or dropped (E6): io brings the nodes, a finished batch
//! is linked into another list, and io takes it out to drop it elsewhere.
use super::batch::Item;

const NIL: u32 = u32::MAX;

/// A list's ends; the nodes are in the arena.
#[derive(Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self { head: NIL, tail: NIL }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.head == NIL
    }
}

#[derive(Debug)]
struct Node {
    next: u32,
    item: Option<Item>,
}

/// The nodes of all lists, and the list of those that are free.
#[derive(Debug)]
pub(crate) struct Arena {
    nodes: Vec<Node>,
    free: u32,
    free_count: usize,
}

impl Arena {
    /// An arena of `size` free nodes.
    pub(crate) fn new(size: usize) -> Self {
        let mut arena = Self { nodes: Vec::with_capacity(size), free: NIL, free_count: 0 };
        arena.fill();
        arena
    }

    /// How many items still fit. One more is kept back for [`Arena::push_front`].
    pub(crate) fn room(&self) -> usize {
        self.free_count.saturating_sub(1)
    }

    pub(crate) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Adds at the end; a full arena gives the item back.
    pub(crate) fn push_back(&mut self, list: &mut List, item: Item) -> Result<(), Item> {
        if self.room() == 0 {
            return Err(item);
        }
        let node = self.fresh(item);
        match self.nodes.get_mut(list.tail as usize) {
            Some(tail) => tail.next = node,
            None => list.head = node,
        }
        list.tail = node;
        Ok(())
    }

    /// Adds before the first: for the one item that was popped to be worked on, for which a node is always left.
    pub(crate) fn push_front(&mut self, list: &mut List, item: Item) {
        let node = self.fresh(item);
        if list.tail == NIL {
            list.tail = node;
        }
        if let Some(entry) = self.nodes.get_mut(node as usize) {
            entry.next = list.head;
        }
        list.head = node;
    }

    pub(crate) fn pop_front(&mut self, list: &mut List) -> Option<Item> {
        let index = list.head;
        let node = self.nodes.get_mut(index as usize)?;
        list.head = node.next;
        if list.head == NIL {
            list.tail = NIL;
        }
        let item = node.item.take();
        node.next = self.free;
        self.free = index;
        self.free_count += 1;
        item
    }

    /// Moves all of `from` to the end of `to`.
    pub(crate) fn append(&mut self, from: &mut List, to: &mut List) {
        if from.is_empty() {
            return;
        }
        match self.nodes.get_mut(to.tail as usize) {
            Some(tail) => tail.next = from.head,
            None => to.head = from.head,
        }
        to.tail = from.tail;
        *from = List::new();
    }

    pub(crate) fn iter<'a>(&'a self, list: &List) -> impl Iterator<Item = &'a Item> {
        let mut next = list.head;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next as usize)?;
            next = node.next;
            node.item.as_ref()
        })
    }

    /// Runs `change` on each item of `list`.
    pub(crate) fn for_each(&mut self, list: &List, mut change: impl FnMut(&mut Item)) {
        let mut next = list.head;
        while let Some(node) = self.nodes.get_mut(next as usize) {
            next = node.next;
            if let Some(item) = &mut node.item {
                change(item);
            }
        }
    }

    /// Moves into `larger`, an arena without items in use, which then is what this was: empty, to be dropped elsewhere.
    pub(crate) fn move_into(&mut self, larger: &mut Arena) {
        larger.nodes.clear();
        larger.free = self.free;
        larger.free_count = self.free_count;
        larger.nodes.append(&mut self.nodes);
        larger.fill();
        std::mem::swap(self, larger);
        larger.free = NIL;
        larger.free_count = 0;
    }

    /// Uses the capacity there is.
    fn fill(&mut self) {
        while self.nodes.len() < self.nodes.capacity() && self.nodes.len() < NIL as usize {
            self.nodes.push(Node { next: self.free, item: None });
            self.free = self.nodes.len() as u32 - 1;
            self.free_count += 1;
        }
    }

    fn fresh(&mut self, item: Item) -> u32 {
        let index = self.free;
        if let Some(node) = self.nodes.get_mut(index as usize) {
            self.free = node.next;
            self.free_count -= 1;
            *node = Node { next: NIL, item: Some(item) };
            return index;
        }
        // Not reached while the room is asked first; growing is right, if slow under the lock.
        self.nodes.push(Node { next: NIL, item: Some(item) });
        self.nodes.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::batch::PartitionError;
    use super::*;
    use crate::error::{Error, Kind};

    fn item(offset: i64) -> Item {
        let error = Error::new(Kind::PartitionEof);
        Item::Error(Box::new(PartitionError { topic: Arc::from("t"), partition: 0, offset, error }))
    }

    fn offsets(arena: &Arena, list: &List) -> Vec<i64> {
        arena.iter(list).map(|item| if let Item::Error(error) = item { error.offset } else { -1 }).collect()
    }

    #[test]
    fn lists_keep_their_order_and_nodes_are_used_again() {
        let mut arena = Arena::new(4);
        let (mut left, mut right) = (List::new(), List::new());
        arena.push_back(&mut left, item(1)).unwrap();
        arena.push_back(&mut right, item(2)).unwrap();
        arena.push_back(&mut left, item(3)).unwrap();
        assert!(arena.push_back(&mut left, item(4)).is_err(), "one node is kept back");
        arena.push_front(&mut left, item(0));
        assert_eq!(offsets(&arena, &left), [0, 1, 3]);
        arena.append(&mut left, &mut right);
        assert!(left.is_empty());
        assert_eq!(offsets(&arena, &right), [2, 0, 1, 3]);
        for _ in 0..4 {
            assert!(arena.pop_front(&mut right).is_some());
        }
        assert!(arena.pop_front(&mut right).is_none() && right.is_empty());
        arena.push_back(&mut right, item(7)).unwrap();
        assert_eq!((offsets(&arena, &right), arena.room()), (vec![7], 2));
    }

    #[test]
    fn growing_keeps_the_lists() {
        let mut arena = Arena::new(3);
        let mut list = List::new();
        arena.push_back(&mut list, item(1)).unwrap();
        arena.push_back(&mut list, item(2)).unwrap();
        let mut larger = Arena::new(8);
        arena.move_into(&mut larger);
        assert_eq!((offsets(&arena, &list), arena.size() >= 8, larger.size()), (vec![1, 2], true, 0));
        for offset in 3..7 {
            arena.push_back(&mut list, item(offset)).unwrap();
        }
        assert_eq!(offsets(&arena, &list), [1, 2, 3, 4, 5, 6]);
        arena.for_each(&list, |item| {
            if let Item::Error(error) = item {
                error.offset *= 2;
            }
        });
        assert_eq!(offsets(&arena, &list), [2, 4, 6, 8, 10, 12]);
    }
}
