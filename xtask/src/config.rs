//! `cargo xtask config docs [--check]`: writes `docs/configuration.md` from the table of keys, or compares it. The text itself is made by the
//! example `configuration` of the machines crate.
use std::path::Path;
use std::process::Command;

const DOCUMENT: &str = "docs/configuration.md";

/// Writes the document; with `check` it is only compared, and a difference is an error.
pub(crate) fn docs(root: &Path, check: bool) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--package", "ottla-machines", "--example", "configuration"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let path = root.join(DOCUMENT);
    if check {
        return match std::fs::read(&path) {
            Ok(present) if present == output.stdout => Ok(()),
            _ => Err(format!("{DOCUMENT} is not what the table of keys says: run `cargo xtask config docs`")),
        };
    }
    std::fs::write(&path, output.stdout).map_err(|error| format!("{DOCUMENT}: {error}"))
}
