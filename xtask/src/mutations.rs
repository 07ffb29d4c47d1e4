//! Shows that the simulation bites: each patch of `crates/sim/mutations` spoils one decision of the machines in a scratch
//! copy, and a seed must find it. A patch that no longer applies is an error, so that the list cannot go stale.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every mutation is found within so many seeds.
const SEEDS: u32 = 1000;
const PATCHES: &str = "crates/sim/mutations";
/// What the scratch copy is made of: cargo wants every member of the workspace.
const COPIED: [&str; 5] = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "crates", "xtask"];

/// Runs all mutations, or those whose names contain `only`.
///
/// # Errors
/// A patch that does not apply or does not build, a mutation that no seed finds.
pub(crate) fn run(root: &Path, only: Option<&str>) -> Result<(), String> {
    let mut patches: Vec<PathBuf> = fs::read_dir(root.join(PATCHES))
        .map_err(|error| format!("{PATCHES}: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .filter(|path| only.is_none_or(|only| path.to_string_lossy().contains(only)))
        .collect();
    patches.sort();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let scratch = target.join("mutations").join("source");
    let mut missed = Vec::new();
    println!("| mutation | found by seed | what did not hold |");
    println!("| --- | --- | --- |");
    for patch in &patches {
        let name = patch.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        copy_afresh(root, &scratch)?;
        apply(patch, &scratch)?;
        match find(&scratch, &target.join("mutations").join("target"))? {
            Some((seed, invariant)) => println!("| {name} | {seed} | {invariant} |"),
            None => {
                println!("| {name} | none of {SEEDS} | |");
                missed.push(name);
            }
        }
    }
    match missed.is_empty() {
        true => Ok(()),
        false => Err(format!("not found: {}", missed.join(", "))),
    }
}

fn copy_afresh(root: &Path, scratch: &Path) -> Result<(), String> {
    fs::create_dir_all(scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    for name in COPIED {
        copy(&root.join(name), &scratch.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// Copies what differs, so that cargo builds again only what a patch changed.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        let bytes = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn apply(patch: &Path, scratch: &Path) -> Result<(), String> {
    let parent = scratch.parent().unwrap_or(scratch);
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(patch)
        .current_dir(scratch)
        // The scratch copy is no part of the repository that it may lie in.
        .env("GIT_CEILING_DIRECTORIES", parent)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{} does not apply: {}", patch.display(), String::from_utf8_lossy(&output.stderr))),
    }
}

/// The first seed that finds the mutation, and the invariant that does not hold in it.
fn find(scratch: &Path, target: &Path) -> Result<Option<(String, String)>, String> {
    let build = Command::new("cargo")
        .args(["build", "--quiet", "--package", "ottla-sim"])
        .current_dir(scratch)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !build.status.success() {
        return Err(format!("the mutated machines do not build: {}", String::from_utf8_lossy(&build.stderr)));
    }
    let run = Command::new(target.join("debug").join("ottla-sim"))
        .args(["--seeds", &SEEDS.to_string(), "--quiet"])
        .output()
        .map_err(|error| format!("ottla-sim: {error}"))?;
    if run.status.success() {
        return Ok(None);
    }
    let told = String::from_utf8_lossy(&run.stderr);
    let line = told.lines().find(|line| line.starts_with("seed ")).unwrap_or_default();
    let mut parts = line.trim_start_matches("seed ").splitn(3, ": ");
    match (parts.next(), parts.next()) {
        (Some(seed), Some(invariant)) => Ok(Some((seed.to_owned(), invariant.to_owned()))),
        _ => Err(format!("ottla-sim ended without a failed seed: {told}")),
    }
}
