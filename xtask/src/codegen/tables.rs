//! The lists over all messages: the modules, the API keys with their facts, and the table that tests and fuzz targets
//! drive every message with.

use super::MARKER;
use super::definition::{Definition, Kind};
use super::versions::Versions;
use std::collections::BTreeMap;

/// Messages that brokers and controllers exchange among themselves though a broker's listener takes them, and values
/// of the cluster's own metadata log. Compiled for tests and under the feature `broker-internal` only.
const INTERNAL: [&str; 13] = [
    "WriteTxnMarkers",
    "InitializeShareGroupState",
    "ReadShareGroupState",
    "WriteShareGroupState",
    "DeleteShareGroupState",
    "ReadShareGroupStateSummary",
    "KRaftVersionRecord",
    "LeaderChangeMessage",
    "SnapshotFooterRecord",
    "SnapshotHeaderRecord",
    "VotersRecord",
    "RequestHeader",
    "ResponseHeader",
];

/// The API's name, as the variants of `ApiKey` have it: `Fetch`.
pub(super) fn api_name(definition: &Definition) -> &str {
    definition.name.trim_end_matches("Request").trim_end_matches("Response")
}

fn is_internal(members: &[&Definition]) -> bool {
    members.iter().any(|definition| {
        definition.listeners == ["controller"]
            || INTERNAL.contains(&definition.name.as_str())
            || definition.kind != Kind::Other && INTERNAL.contains(&api_name(definition))
            || definition.name == "DefaultPrincipalData"
    })
}

/// `messages/mod.rs`.
pub(super) fn module_list(modules: &BTreeMap<String, Vec<&Definition>>) -> String {
    let mut text = format!(
        "{MARKER}\n//! Kafka's messages, one module an API with its request, its response and their structs. What only brokers\n\
         //! and controllers exchange is compiled for tests and under the feature `broker-internal`.\n\
         #![allow(unused_variables, reason = \"a struct without versions of its own takes the version all the same\")]\n\
         #![allow(clippy::needless_lifetimes, reason = \"one form of impl for all structs\")]\n\n"
    );
    for (module, members) in modules {
        if is_internal(members) {
            text += "#[cfg(any(test, feature = \"broker-internal\"))]\n";
        }
        text += &format!("pub mod {module};\n");
    }
    text + "#[cfg(any(test, feature = \"fuzzing\"))]\npub(crate) mod table;\n"
}

/// `messages/table.rs`: every message as a function from bytes to bytes.
pub(super) fn message_table(definitions: &[Definition]) -> String {
    let mut text = format!(
        "{MARKER}\n//! Every message by name, for the golden frames and the fuzz bodies.\n\n\
         use super::*;\nuse crate::api::ApiKey;\nuse crate::fuzz::{{Direction, Entry, convert}};\n\n\
         /// All messages, in the order of their names.\npub(crate) static MESSAGES: &[Entry] = &[\n"
    );
    for definition in definitions {
        let name = &definition.name;
        let (direction, key) = match definition.kind {
            Kind::Request => ("Request", format!("Some(ApiKey::{})", api_name(definition))),
            Kind::Response => ("Response", format!("Some(ApiKey::{})", api_name(definition))),
            Kind::Other => ("Other", "None".to_owned()),
        };
        let Versions { low, high } = definition.versions;
        text += &format!(
            "Entry {{ name: {name:?}, api_key: {key}, direction: Direction::{direction}, versions: ({low}, {high}), \
             convert: |bytes, from, to| convert::<{}::{name}>(bytes, from, to) }},\n",
            definition.module()
        );
    }
    text + "];\n"
}

/// `api/table.rs`: the keys and what the definitions say of each API.
pub(super) fn api_table(definitions: &[Definition]) -> Result<String, String> {
    let mut requests: Vec<(i16, &Definition)> = Vec::new();
    for definition in definitions.iter().filter(|definition| definition.kind == Kind::Request) {
        let key = definition.api_key.ok_or_else(|| format!("{}: no apiKey", definition.name))?;
        let response = format!("{}Response", api_name(definition));
        let response = definitions.iter().find(|other| other.name == response);
        let response = response.ok_or_else(|| format!("{}: no response", definition.name))?;
        let same = response.versions == definition.versions && response.flexible == definition.flexible;
        if !same || response.api_key != Some(key) {
            return Err(format!("{}: request and response differ in key or versions", definition.name));
        }
        requests.push((key, definition));
    }
    requests.sort_by_key(|(key, _)| *key);
    let mut variants = String::new();
    let mut rows = String::new();
    for (key, definition) in &requests {
        let name = api_name(definition);
        let Versions { low, high } = definition.versions;
        let flexible = if definition.flexible.is_empty() {
            "None".to_owned()
        } else {
            format!("Some({})", definition.flexible.low)
        };
        variants += &format!("/// Versions {low} to {high}.\n{name} = {key},\n");
        rows += &format!(
            "Api {{ key: ApiKey::{name}, name: {name:?}, min_version: {low}, max_version: {high}, \
             first_flexible: {flexible}, latest_unstable: {} }},\n",
            definition.latest_unstable
        );
    }
    Ok(format!(
        "{MARKER}\n//! The keys of Kafka's APIs and their versions.\n\nuse super::Api;\n\n\
         /// Which API a request is of. The number is what stands on the wire.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ApiKey {{\n{variants}}}\n\n\
         /// One row for each key, in the order of the keys.\npub(super) static APIS: [Api; {}] = [\n{rows}];\n",
        requests.len()
    ))
}
