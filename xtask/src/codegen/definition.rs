//! Reads the message definitions (JSON) into values. It resolves shared structs, ranges and names, and refuses what
//! the generator does not know; what Rust becomes of it is not decided here.

use super::versions::Versions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One message.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) api_key: Option<i16>,
    pub(super) versions: Versions,
    pub(super) flexible: Versions,
    pub(super) latest_unstable: bool,
    pub(super) listeners: Vec<String>,
    pub(super) fields: Vec<Field>,
    /// Structs that fields name without spelling them out: name, versions, fields.
    pub(super) shared: BTreeMap<String, (Versions, Vec<Field>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    /// A header, or a value that stands inside of records.
    Other,
}

/// One field of a struct.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) versions: Versions,
    pub(super) nullable: Versions,
    pub(super) tagged: Versions,
    pub(super) tag: u32,
    pub(super) ignorable: bool,
    pub(super) default: Option<String>,
    /// Set where the field has another encoding than its struct (the client id of the request header).
    pub(super) flexible: Option<Versions>,
    /// The fields of the struct, or of the array's elements, where the definition spells them out here.
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Integer(&'static str),
    Float,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Definition {
    /// The file that the message stands in: the API's name, or the message's own.
    pub(super) fn module(&self) -> String {
        snake_case(match self.kind {
            Kind::Request => self.name.trim_end_matches("Request"),
            Kind::Response => self.name.trim_end_matches("Response"),
            Kind::Other => &self.name,
        })
    }
}

/// `MaxWaitMs` as `max_wait_ms`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    // Kafka's name for its consensus protocol is one word.
    for (index, character) in name.replace("KRaft", "Kraft").char_indices() {
        if character.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// All definitions of a folder, by name.
pub(super) fn read_all(folder: &Path) -> Result<Vec<Definition>, String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|e| e.to_string());
            text.and_then(|text| parse(&text)).map_err(|e| format!("{}: {e}", path.display()))
        })
        .collect()
}

fn parse(text: &str) -> Result<Definition, String> {
    let json: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let versions = range(&json, "validVersions")?.ok_or("no validVersions")?;
    let mut shared = BTreeMap::new();
    for structure in list(&json, "commonStructs") {
        let range = range(structure, "versions")?.ok_or("a common struct without versions")?;
        shared.insert(string(structure, "name")?, (range, fields(structure)?));
    }
    Ok(Definition {
        name: string(&json, "name")?,
        kind: match json["type"].as_str() {
            Some("request") => Kind::Request,
            Some("response") => Kind::Response,
            Some("header" | "data") => Kind::Other,
            other => return Err(format!("unknown type of message {other:?}")),
        },
        api_key: json["apiKey"].as_i64().map(i16::try_from).transpose().map_err(|e| e.to_string())?,
        versions,
        flexible: range(&json, "flexibleVersions")?.unwrap_or(Versions::NONE),
        latest_unstable: json["latestVersionUnstable"].as_bool().unwrap_or(false),
        listeners: list(&json, "listeners").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        fields: fields(&json)?,
        shared,
    })
}

fn fields(json: &Value) -> Result<Vec<Field>, String> {
    list(json, "fields").iter().map(|json| field(json).map_err(|e| format!("field {}: {e}", json["name"]))).collect()
}

fn field(json: &Value) -> Result<Field, String> {
    let tagged = range(json, "taggedVersions")?.unwrap_or(Versions::NONE);
    let versions = range(json, "versions")?.ok_or("no versions")?;
    if !tagged.is_empty() && tagged != versions {
        return Err("tagged in some of its versions only".to_owned());
    }
    let kind = parse_type(json["type"].as_str().ok_or("no type")?)?;
    if !tagged.is_empty() && kind == Type::Records {
        // The writer's splits cannot be counted in the length of a tagged field.
        return Err("records in a tagged field".to_owned());
    }
    Ok(Field {
        name: string(json, "name")?,
        kind,
        versions,
        nullable: range(json, "nullableVersions")?.unwrap_or(Versions::NONE),
        tagged,
        tag: json["tag"].as_u64().map(u32::try_from).transpose().map_err(|e| e.to_string())?.unwrap_or(0),
        ignorable: json["ignorable"].as_bool().unwrap_or(false),
        default: match &json["default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        },
        flexible: range(json, "flexibleVersions")?,
        fields: fields(json)?,
    })
}

fn parse_type(text: &str) -> Result<Type, String> {
    Ok(match text {
        "bool" => Type::Bool,
        "int8" => Type::Integer("i8"),
        "int16" => Type::Integer("i16"),
        "uint16" => Type::Integer("u16"),
        "int32" => Type::Integer("i32"),
        "uint32" => Type::Integer("u32"),
        "int64" => Type::Integer("i64"),
        "float64" => Type::Float,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        _ => match text.strip_prefix("[]") {
            Some(element) => Type::Array(Box::new(parse_type(element)?)),
            None if text.starts_with(|first: char| first.is_ascii_uppercase()) => Type::Struct(text.to_owned()),
            None => return Err(format!("unknown type {text}")),
        },
    })
}

fn range(json: &Value, key: &str) -> Result<Option<Versions>, String> {
    json[key].as_str().map(Versions::parse).transpose()
}

fn list<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    json[key].as_array().map_or(&[], Vec::as_slice)
}

fn string(json: &Value, key: &str) -> Result<String, String> {
    json[key].as_str().map(str::to_owned).ok_or_else(|| format!("no {key}"))
}
