//! Names of files and folders: they say what is inside.

use super::Source;
use super::tables::EMPTY_NAMES;
use std::collections::BTreeSet;

/// One violation for each file or folder whose name says nothing.
pub(super) fn check(files: &[Source]) -> Vec<String> {
    let empty: BTreeSet<String> = files.iter().filter_map(|file| empty_part(&file.path)).collect();
    empty.into_iter().map(|path| format!("{path}: the name says nothing of what is inside")).collect()
}

/// The path up to the first part with such a name.
fn empty_part(path: &str) -> Option<String> {
    let mut so_far = String::new();
    for part in path.split('/') {
        so_far += part;
        let stem = part.split_once('.').map_or(part, |(stem, _)| stem);
        if stem.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
            return Some(so_far);
        }
        so_far.push('/');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_wherever_they_stand() {
        assert_eq!(empty_part("crates/client/src/utils/a.rs"), Some("crates/client/src/utils".to_owned()));
        assert_eq!(empty_part("tests/python/test_utils.py"), Some("tests/python/test_utils.py".to_owned()));
        assert_eq!(empty_part("crates/machines/src/group/coordinator.rs"), None);
        assert_eq!(empty_part("crates/machines/src/commonality.rs"), None);
    }
}
