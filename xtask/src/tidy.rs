//! `cargo xtask tidy`: what the design says of layers, files and names, checked. Each part gives the violations it
//! finds, one a line with its place; here they are gathered and printed.

use std::fs;
use std::path::{Path, PathBuf};

mod layers;
mod names;
mod sources;
mod tables;

/// One file of the repository.
struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

/// Runs all checks.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let files = source_files(root)?;
    let mut violations = layers::check(root)?;
    violations.extend(layers::check_sources(&files));
    violations.extend(names::check(&files));
    for file in &files {
        violations.extend(sources::check(file));
    }
    violations.extend(sources::check_unsafe(&files));
    if violations.is_empty() {
        return Ok(());
    }
    violations.sort();
    Err(format!("{}\ntidy: {} violations", violations.join("\n"), violations.len()))
}

/// All Rust and Python files that are ours.
fn source_files(root: &Path) -> Result<Vec<Source>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let path = entry.map_err(|e| e.to_string())?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                // Build results, caches, and folders of tools (which begin with a dot).
                let skipped = name.starts_with('.') || matches!(name.as_str(), "target" | "__pycache__" | "venv");
                if !skipped && !path.is_symlink() {
                    folders.push(path);
                }
            } else if matches!(path.extension().and_then(|extension| extension.to_str()), Some("rs" | "py" | "pyi")) {
                files.push(Source { path: relative(root, &path), text: read(&path)? });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    path.to_string_lossy().replace('\\', "/")
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
