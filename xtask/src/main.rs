//! Tasks of the repository, run as `cargo xtask TASK`. It only picks the task; each stands in its own file.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks through its output")]

use std::path::Path;
use std::process::ExitCode;

mod codegen;
mod config;
mod mutations;
mod tidy;

const USAGE: &str = "usage: cargo xtask codegen [--check] | config docs [--check] | mutations [NAME] | tidy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // xtask stands directly below the root of the repository.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let result = match arguments.as_slice() {
        ["codegen"] => codegen::run(root, false),
        ["codegen", "--check"] => codegen::run(root, true),
        ["config", "docs"] => config::docs(root, false),
        ["config", "docs", "--check"] => config::docs(root, true),
        ["mutations"] => mutations::run(root, None),
        ["mutations", name] => mutations::run(root, Some(name)),
        ["tidy"] => tidy::run(root),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
