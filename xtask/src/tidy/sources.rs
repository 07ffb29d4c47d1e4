//! What stands in a source file: its length, its first line, what `mod.rs` and `lib.rs` may hold, `unsafe`.

use super::Source;
use super::tables::{GENERATED, MOST_LINES, UNSAFE};
use crate::codegen::MARKER;

/// The violations of one file.
pub(super) fn check(file: &Source) -> Vec<String> {
    let Source { path, text } = file;
    let mut violations = Vec::new();
    let generated = GENERATED.iter().any(|place| path == place || place.ends_with('/') && path.starts_with(place));
    let marked = text.lines().next() == Some(MARKER);
    if generated && !marked {
        violations.push(format!("{path}: stands among generated files without their first line"));
    } else if !generated && text.starts_with("//! GENERATED") {
        violations.push(format!("{path}: says that it is generated, but codegen does not write it"));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES && !generated {
        violations.push(format!("{path}: {lines} lines, more than {MOST_LINES}"));
    }
    if !explains_itself(path, text) {
        violations.push(format!("{path}: does not begin with what it does and what it leaves to others"));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if matches!(name, "mod.rs" | "lib.rs")
        && let Some((line, code)) = first_definition(text)
    {
        violations.push(format!("{path}:{line}: holds more than docs, mod and use: {code}"));
    }
    violations
}

/// Whether a file begins with `//!`, or with a docstring. Stubs and empty files have nothing to explain.
fn explains_itself(path: &str, text: &str) -> bool {
    if path.ends_with(".rs") {
        return text.starts_with("//!");
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    path.ends_with(".pyi") || first.is_none_or(|line| line.starts_with("\"\"\"") || line.starts_with("r\"\"\""))
}

/// The first line, with its number, that is neither documentation, nor an attribute, nor part of a `mod` or `use`.
fn first_definition(text: &str) -> Option<(usize, &str)> {
    let mut open_use = false;
    let mut open_attribute = false;
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line).trim();
        let item = code.strip_prefix("pub").map_or(code, |rest| match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
            None => rest,
        });
        let item = item.trim_start();
        if open_use {
            open_use = !code.ends_with(';');
        } else if open_attribute {
            open_attribute = !code.ends_with(']');
        } else if code.starts_with("#[") || code.starts_with("#![") {
            // `#[cfg(test)] mod tests;` on one line counts as the attribute that it begins with.
            open_attribute = !code.ends_with(']') && !code.ends_with(';');
        } else if item.starts_with("use ") || item.starts_with("extern crate ") {
            open_use = !code.ends_with(';');
        } else if !(code.is_empty() || code == "}" || item.starts_with("mod ")) {
            return Some((index + 1, code));
        }
    }
    None
}

/// `unsafe` stands in the files of the table only, and in each of them.
pub(super) fn check_unsafe(files: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for Source { path, text } in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let allowed = UNSAFE.iter().any(|(file, _)| file == path);
        let found = text.lines().enumerate().find(|(_, line)| has_unsafe(line));
        match found {
            Some((index, _)) if !allowed => {
                violations
                    .push(format!("{path}:{}: unsafe in a file without a row in xtask/src/tidy/tables.rs", index + 1));
            }
            None if allowed => violations.push(format!("{path}: in tidy's table of unsafe, but has none")),
            _ => {}
        }
    }
    for (path, _) in UNSAFE.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path)) {
        violations.push(format!("{path}: in tidy's table of unsafe, but not there"));
    }
    violations
}

/// Whether a line has the keyword, in front of what it can stand in front of.
fn has_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    // What stands between quotes is text.
    let code: String = code.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    code.match_indices("unsafe").any(|(at, word)| {
        let before = code.get(..at).and_then(|before| before.chars().next_back());
        let after = code.get(at + word.len()..).unwrap_or_default();
        let keyword = !before.is_some_and(|character| character.is_alphanumeric() || character == '_');
        let follows = [" {", " fn", " impl", " trait", " extern", "(", "{"];
        keyword && (after.is_empty() || follows.iter().any(|next| after.starts_with(next)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> usize {
        check(&Source { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn files_explain_themselves() {
        assert_eq!(violations("a/b.rs", "//! Does this.\nfn a() {}\n"), 0);
        assert_eq!(violations("a/b.rs", "fn a() {}\n"), 1);
        assert_eq!(violations("a/b.py", "#!/usr/bin/env python3\n\"\"\"Does this.\"\"\"\n"), 0);
        assert_eq!(violations("a/b.py", "import os\n"), 1);
        assert_eq!(violations("a/__init__.py", ""), 0);
    }

    #[test]
    fn files_are_not_too_long_unless_generated() {
        let long = "//! Long.\n".repeat(MOST_LINES + 1);
        assert_eq!(violations("a/b.rs", &long), 1);
        let generated = format!("{MARKER}\n{long}");
        assert_eq!(violations("crates/protocol/src/messages/fetch.rs", &generated), 0);
    }

    #[test]
    fn the_generated_mark_and_its_places_go_together() {
        assert_eq!(violations("crates/protocol/src/messages/own.rs", "//! By hand.\n"), 1);
        assert_eq!(violations("crates/protocol/src/api/table.rs", "//! GENERATED by an older generator.\n"), 1);
        assert_eq!(violations("crates/protocol/src/own.rs", &format!("{MARKER}\n")), 1);
    }

    #[test]
    fn roots_of_modules_hold_no_code() {
        let clean = "//! A.\n#![allow(\n    dead_code,\n    reason = \"x\"\n)]\nmod a;\npub(crate) mod b;\n#[cfg(test)]\nmod tests;\n\
                     pub use a::{\n    B,\n    C,\n};\n";
        assert_eq!(violations("a/mod.rs", clean), 0);
        for code in ["fn a() {}\n", "pub struct A;\n", "const A: u8 = 1;\n", "macro_rules! a { () => {} }\n"] {
            assert_eq!(violations("a/lib.rs", &format!("{clean}{code}")), 1, "{code}");
            assert_eq!(violations("a/other.rs", &format!("{clean}{code}")), 0, "{code}");
        }
    }

    #[test]
    fn the_keyword_unsafe_is_told_from_the_word() {
        for code in ["unsafe { a() }", "unsafe impl Send for A {}", "pub unsafe fn a() {}", "unsafe extern \"C\" {"] {
            assert!(has_unsafe(code), "{code}");
        }
        for code in ["#![allow(unsafe_code)]", "// unsafe { }", "let not_unsafe = 1;", "\"unsafe\""] {
            assert!(!has_unsafe(code), "{code}");
        }
    }
}
