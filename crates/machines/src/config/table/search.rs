//! All rows, and the search by name.
use super::key::{Key, Section};
use super::{binding, client, consumer, producer, security};

/// Every row, in the order of the files.
pub fn table() -> impl Iterator<Item = &'static Key> {
    [client::KEYS, security::KEYS, producer::KEYS, consumer::KEYS, binding::KEYS].into_iter().flatten()
}

/// The row that `name` means in the confluent face: an alias gives the row of what it stands for, and a global property goes before a topic's.
pub fn find(name: &str) -> Option<&'static Key> {
    let named = |name: &str| {
        let mut rows = table().filter(|row| row.confluent.name == name);
        let first = rows.next()?;
        match first.confluent.section {
            Section::Global => Some(first),
            Section::Topic => rows.find(|row| row.confluent.section == Section::Global).or(Some(first)),
        }
    };
    let row = named(name)?;
    match row.confluent.alias_of {
        Some(other) => named(other),
        None => Some(row),
    }
}
