//! Which crate uses which: from `cargo metadata`, and from the words of the sources where a crate may use a part of
//! another only.

use super::Source;
use super::tables::{FACES, FORBIDDEN_WORDS, IMPURE, IMPURE_BY_WAY, LAYERS, PARTS_OF_MACHINES, PURE};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Package id to name and to what it uses other than for tests.
type Graph = BTreeMap<String, (String, Vec<String>)>;

/// Asks cargo, and checks the answer.
pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata does not start: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    Ok(check_metadata(&metadata))
}

fn check_metadata(metadata: &Value) -> Vec<String> {
    let graph = graph(metadata);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let members: Vec<String> =
        list(&metadata["workspace_members"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let ours: BTreeSet<&str> = members.iter().filter_map(|id| graph.get(id)).map(|(name, _)| name.as_str()).collect();
    let mut violations = Vec::new();
    for (name, uses) in members.iter().filter_map(|id| graph.get(id)) {
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| layer == name) else {
            violations.push(format!("{name}: a crate without a row in xtask/src/tidy/tables.rs"));
            continue;
        };
        let used = uses.iter().filter_map(|id| graph.get(id)).map(|(used, _)| used.as_str());
        for used in used.filter(|used| ours.contains(used) && !allowed.contains(used)) {
            violations.push(format!("{name}: may not use {used} (DESIGN section 2)"));
        }
        if PURE.contains(&name.as_str()) {
            violations.extend(impure(&graph, name, uses));
        }
    }
    violations
}

/// The impure crates that `uses` reach.
fn impure(graph: &Graph, name: &str, uses: &[String]) -> Vec<String> {
    let mut violations = Vec::new();
    for id in uses {
        let Some((direct, _)) = graph.get(id) else { continue };
        let (mut open, mut seen) = (vec![id], BTreeSet::new());
        while let Some(id) = open.pop() {
            let Some((reached, uses)) = graph.get(id).filter(|_| seen.insert(id)) else { continue };
            let excused = IMPURE_BY_WAY.iter().any(|(by, of, _)| by == direct && of == reached);
            if IMPURE.contains(&reached.as_str()) && !excused {
                violations
                    .push(format!("{name}: uses {reached} by way of {direct}; it must not wait, log or tell time"));
            }
            open.extend(uses);
        }
    }
    violations
}

fn graph(metadata: &Value) -> Graph {
    let array = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> =
        array(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let mut graph = Graph::new();
    for node in array(&metadata["resolve"]["nodes"]) {
        let uses = array(&node["deps"])
            .iter()
            // `kind` is null for what the crate itself uses, "build" for its build script, "dev" for its tests.
            .filter(|used| array(&used["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()))
            .map(|used| text(&used["pkg"]))
            .collect();
        let id = text(&node["id"]);
        let name = names.get(&id).cloned().unwrap_or_default();
        graph.insert(id, (name, uses));
    }
    graph
}

/// Checks what the sources name.
pub(super) fn check_sources(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .flat_map(|file| file.text.lines().enumerate().map(move |line| (file, line)))
        .flat_map(check_line)
        .collect()
}

fn check_line((file, (index, line)): (&Source, (usize, &str))) -> Vec<String> {
    let place = format!("{}:{}", file.path, index + 1);
    let code = line.trim_start();
    if code.starts_with("//") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (folder, words, reason) in FORBIDDEN_WORDS {
        let found = words.iter().filter(|word| file.path.starts_with(folder) && code.contains(**word));
        violations.extend(found.map(|word| format!("{place}: {word}: {reason}")));
    }
    for (folder, modules) in PARTS_OF_MACHINES {
        if file.path.starts_with(folder) {
            let wrong = named_of_machines(code).into_iter().filter(|named| !modules.iter().any(|ok| within(named, ok)));
            violations.extend(wrong.map(|named| format!("{place}: of the machines only {modules:?}, not {named}")));
        }
    }
    for (folder, others) in FACES {
        let imports = code.starts_with("import ") || code.starts_with("from ");
        if imports && file.path.starts_with(folder) {
            let found = others.iter().filter(|other| code.contains(**other));
            violations.extend(found.map(|other| format!("{place}: a face may not use the other one ({other})")));
        }
    }
    violations
}

/// Whether a path is the module or stands below it.
fn within(path: &str, module: &str) -> bool {
    path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
}

/// The paths below `ottla_machines` that a line names; those of `{a::B, c}` one by one.
fn named_of_machines(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, prefix) in code.match_indices("ottla_machines::") {
        let rest = code.get(at + prefix.len()..).unwrap_or_default();
        match rest.strip_prefix('{') {
            Some(group) => {
                let (mut depth, mut path) = (0_usize, String::new());
                for character in group.chars() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => named.push(std::mem::take(&mut path)),
                        _ if depth == 0 && !character.is_whitespace() => path.push(character),
                        _ => {}
                    }
                }
                named.push(path);
            }
            None => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
                named.push(rest.get(..end).unwrap_or_default().to_owned());
            }
        }
    }
    named.iter().map(|path| path.trim_end_matches(':').to_owned()).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn violations(uses: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        let names: BTreeSet<&str> = uses.iter().flat_map(|(user, used, _)| [*user, *used]).collect();
        let packages: Vec<Value> = names.iter().map(|name| json!({"id": name, "name": name})).collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = uses
                    .iter()
                    .filter(|(user, ..)| user == name)
                    .map(|(_, used, kind)| json!({"pkg": used, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let members: Vec<&&str> = names.iter().filter(|name| name.starts_with("ottla")).collect();
        check_metadata(&json!({"packages": packages, "workspace_members": members, "resolve": {"nodes": nodes}}))
    }

    #[test]
    fn layers_are_held() {
        assert_eq!(violations(&[("ottla", "ottla-machines", None), ("ottla", "tokio", None)]), Vec::<String>::new());
        assert_eq!(violations(&[("ottla-machines", "ottla", None)]).len(), 1);
        assert_eq!(violations(&[("ottla", "ottla-broker", Some("dev"))]), Vec::<String>::new(), "tests may");
        assert_eq!(
            violations(&[("ottla-new", "ottla", None)]),
            ["ottla-new: a crate without a row in xtask/src/tidy/tables.rs"]
        );
    }

    #[test]
    fn pure_crates_reach_nothing_that_waits() {
        let uses =
            [("ottla-machines", "ottla-protocol", None), ("ottla-protocol", "flate2", None), ("flate2", "mio", None)];
        let found = violations(&uses);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|violation| violation.contains("uses mio")));
    }

    #[test]
    fn words_of_sources() {
        let found =
            |path: &str, text: &str| check_sources(&[Source { path: path.to_owned(), text: text.to_owned() }]).len();
        assert_eq!(found("crates/machines/src/a.rs", "let now = Instant::now();"), 1);
        assert_eq!(found("crates/machines/src/a.rs", "// no Instant::now() here"), 0);
        assert_eq!(found("crates/client/src/a.rs", "let now = Instant::now();"), 0);
        assert_eq!(found("crates/python/src/a.rs", "use ottla_machines::{config::Key, error};"), 0);
        assert_eq!(found("crates/python/src/a.rs", "use ottla_machines::producer::partitioner::murmur2;"), 0);
        assert_eq!(found("crates/python/src/a.rs", "use ottla_machines::{config::{Key, find}, producer::sender};"), 1);
        assert_eq!(found("python/ottla/kafka/client.py", "from ottla.confluent_kafka import Producer"), 1);
        assert_eq!(found("python/ottla/kafka/client.py", "from ottla import _native"), 0);
    }
}
