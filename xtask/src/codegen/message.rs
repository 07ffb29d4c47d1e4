//! The Rust file of one API or message: its structs with their defaults, and how each is written and read.

use super::MARKER;
use super::definition::{Definition, Field, Kind, Type};
use super::fields::FieldCode;
use super::tables::api_name;
use super::versions::{Condition, Versions};
use std::collections::{BTreeMap, BTreeSet};

/// Names that the generated files import, so that no struct may have them.
const IMPORTED: [&str; 12] = [
    "ApiKey",
    "DecodeError",
    "EncodeError",
    "Message",
    "Option",
    "Reader",
    "Records",
    "Request",
    "Response",
    "Struct",
    "Uuid",
    "Writer",
];

/// A struct to generate.
struct Structure {
    rust_name: String,
    within: Versions,
    fields: Vec<Field>,
}

/// The structs of one message, by Kafka's names.
pub(super) struct Structs {
    by_name: BTreeMap<String, Structure>,
    /// In the order of the file.
    order: Vec<String>,
}

impl Structs {
    fn collect(definition: &Definition, clashing: &BTreeSet<String>) -> Result<Self, String> {
        let mut structs = Self { by_name: BTreeMap::new(), order: Vec::new() };
        structs.add(definition, clashing, &definition.name, definition.versions, &definition.fields)?;
        for (name, (versions, fields)) in &definition.shared {
            structs.add(definition, clashing, name, versions.intersect(definition.versions), fields)?;
        }
        Ok(structs)
    }

    fn add(
        &mut self,
        definition: &Definition,
        clashing: &BTreeSet<String>,
        name: &str,
        within: Versions,
        fields: &[Field],
    ) -> Result<(), String> {
        let prefix = match definition.kind {
            _ if !clashing.contains(name) => "",
            Kind::Request => "Request",
            Kind::Response => "Response",
            Kind::Other => return Err(format!("{name}: defined twice")),
        };
        let structure = Structure { rust_name: format!("{prefix}{name}"), within, fields: fields.to_vec() };
        if IMPORTED.contains(&structure.rust_name.as_str()) || self.by_name.contains_key(name) {
            return Err(format!("{}: the struct name {name} is taken", definition.name));
        }
        self.by_name.insert(name.to_owned(), structure);
        self.order.push(name.to_owned());
        for field in fields.iter().filter(|field| !field.fields.is_empty()) {
            let name = struct_name(&field.kind).ok_or_else(|| format!("{}: fields without a struct", field.name))?;
            self.add(definition, clashing, name, field.versions.intersect(within), &field.fields)?;
        }
        Ok(())
    }

    /// The struct, which the definition must have: the generator is run by hand and says what is missing.
    fn structure(&self, name: &str) -> &Structure {
        self.by_name.get(name).unwrap_or_else(|| panic!("a field has the type {name}, which no struct has"))
    }

    pub(super) fn rust_name(&self, name: &str) -> String {
        self.structure(name).rust_name.clone()
    }

    pub(super) fn rust_type(&self, name: &str) -> String {
        let name_in_rust = self.rust_name(name);
        if self.borrows(name) { format!("{name_in_rust}<'a>") } else { name_in_rust }
    }

    /// Whether values of the struct borrow from the frame.
    fn borrows(&self, name: &str) -> bool {
        self.structure(name).fields.iter().any(|field| self.type_borrows(&field.kind))
    }

    fn type_borrows(&self, kind: &Type) -> bool {
        match kind {
            Type::String | Type::Bytes | Type::Records => true,
            Type::Struct(name) => self.borrows(name),
            Type::Array(element) => self.type_borrows(element),
            Type::Bool | Type::Integer(_) | Type::Float | Type::Uuid => false,
        }
    }

    /// The fewest bytes that a value takes in any version of the range.
    pub(super) fn least_over(&self, kind: &Type, range: Versions, flexible: Versions) -> usize {
        (range.low..=range.high).map(|version| self.least(kind, version, flexible)).min().unwrap_or(0)
    }

    fn least(&self, kind: &Type, version: i16, flexible: Versions) -> usize {
        let compact = flexible.contains(version);
        match kind {
            Type::Bool | Type::Integer("i8") => 1,
            Type::Integer("i16" | "u16") => 2,
            Type::Integer("i64") | Type::Float => 8,
            Type::Integer(_) => 4,
            Type::Uuid => 16,
            Type::String => {
                if compact {
                    1
                } else {
                    2
                }
            }
            Type::Bytes | Type::Records | Type::Array(_) => {
                if compact {
                    1
                } else {
                    4
                }
            }
            Type::Struct(name) => {
                let fields = self.structure(name).fields.iter();
                let present = fields.filter(|field| field.versions.contains(version) && field.tagged.is_empty());
                let bytes = present.map(|field| match &field.kind {
                    Type::Struct(_) if field.nullable.contains(version) => 1,
                    kind => self.least(kind, version, field.flexible.unwrap_or(flexible)),
                });
                bytes.sum::<usize>() + usize::from(compact)
            }
        }
    }
}

fn struct_name(kind: &Type) -> Option<&str> {
    match kind {
        Type::Struct(name) => Some(name),
        Type::Array(element) => struct_name(element),
        _ => None,
    }
}

fn struct_names(definition: &Definition) -> BTreeSet<String> {
    fn collect(fields: &[Field], names: &mut BTreeSet<String>) {
        for field in fields.iter().filter(|field| !field.fields.is_empty()) {
            names.extend(struct_name(&field.kind).map(str::to_owned));
            collect(&field.fields, names);
        }
    }
    let mut names: BTreeSet<String> = definition.shared.keys().cloned().collect();
    collect(&definition.fields, &mut names);
    for (_, fields) in definition.shared.values() {
        collect(fields, &mut names);
    }
    names
}

/// The file of an API (request, then response) or of one other message.
pub(super) fn file(members: &[&Definition]) -> Result<String, String> {
    let names: Vec<BTreeSet<String>> = members.iter().map(|definition| struct_names(definition)).collect();
    let clashing = match names.as_slice() {
        [request, response] => request.intersection(response).cloned().collect(),
        _ => BTreeSet::new(),
    };
    let mut body = String::new();
    for definition in members {
        body += &message(definition, &clashing).map_err(|e| format!("{}: {e}", definition.name))?;
    }
    if let [request, response] = members {
        body += &api(request, response, &clashing)?;
    }
    let title: Vec<String> = members.iter().map(|definition| format!("`{}`", definition.name)).collect();
    let used: Vec<&str> = IMPORTED
        .into_iter()
        .filter(|name| !matches!(*name, "ApiKey" | "Option" | "Request" | "Response"))
        .chain(if members.len() == 2 { ["Request", "Response"].as_slice() } else { &[] }.iter().copied())
        .filter(|name| match *name {
            "Records" => body.contains("Records<'a>"),
            "Uuid" => body.contains("Uuid"),
            _ => true,
        })
        .collect();
    let api_key = if members.len() == 2 { "use crate::api::ApiKey;\n" } else { "" };
    Ok(format!(
        "{MARKER}\n//! {} and the structs in them.\n\n{api_key}use crate::primitives::{{{}}};\n\n{body}",
        title.join(" and "),
        used.join(", ")
    ))
}

fn message(definition: &Definition, clashing: &BTreeSet<String>) -> Result<String, String> {
    let structs = Structs::collect(definition, clashing)?;
    let mut text = String::new();
    for name in &structs.order {
        text += &structure(definition, &structs, name).map_err(|e| format!("{name}: {e}"))?;
        if *name == definition.name {
            let Versions { low, high } = definition.versions;
            text += &format!(
                "impl<'a> Message<'a> for {} {{\nconst NAME: &'static str = {name:?};\n\
                 const MIN_VERSION: i16 = {low};\nconst MAX_VERSION: i16 = {high};\n}}\n\n",
                structs.rust_type(name)
            );
        }
    }
    Ok(text)
}

/// What says of a request and a response that they belong to the same API.
fn api(request: &Definition, response: &Definition, clashing: &BTreeSet<String>) -> Result<String, String> {
    let key = api_name(request);
    let of = |definition: &Definition, lifetime: &str| {
        let structs = Structs::collect(definition, clashing)?;
        Ok::<String, String>(structs.rust_type(&definition.name).replace("'a", lifetime))
    };
    Ok(format!(
        "impl Request for {} {{\nconst API_KEY: ApiKey = ApiKey::{key};\ntype Response<'r> = {};\n}}\n\n\
         impl Response for {} {{\nconst API_KEY: ApiKey = ApiKey::{key};\n}}\n",
        of(request, "'_")?,
        of(response, "'r")?,
        of(response, "'_")?
    ))
}

fn structure(definition: &Definition, structs: &Structs, name: &str) -> Result<String, String> {
    let Structure { within, fields, .. } = structs.structure(name);
    let rust_type = structs.rust_type(name);
    let flexible = definition.flexible;
    let code: Vec<FieldCode<'_>> =
        fields.iter().map(|field| FieldCode { field, structs, within: *within, flexible }).collect();
    let mut derived = true;
    for field in &code {
        derived &= field.default_is_derived()?;
    }
    let mut text = format!("/// Versions {}.\n", within.text());
    text +=
        if derived { "#[derive(Clone, Debug, Default, PartialEq)]\n" } else { "#[derive(Clone, Debug, PartialEq)]\n" };
    text += &format!("pub struct {rust_type} {{\n");
    for field in &code {
        text += &format!("/// {}\npub {}: {},\n", field.documentation(), field.name(), field.rust_type());
    }
    text += "}\n\n";
    if !derived {
        let anonymous = rust_type.replace("'a", "'_");
        text += &format!("impl Default for {anonymous} {{\nfn default() -> Self {{\nSelf {{\n");
        for field in &code {
            text += &format!("{}: {},\n", field.name(), field.default()?);
        }
        text += "}\n}\n}\n\n";
    }
    let flexible = match flexible.condition(*within) {
        Condition::If(condition) => format!("let flexible = {condition};\n"),
        _ => String::new(),
    };
    let write = write_body(definition, *within, &code)?;
    let read = read_body(definition, *within, &code)?;
    // Where nothing but the condition would use it, the line is left out.
    let needs = |body: &str| if body.contains("flexible") { flexible.as_str() } else { "" };
    text += &format!(
        "impl<'a> Struct<'a> for {rust_type} {{\n\
         fn write(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{\n{}{write}Ok(())\n}}\n\n\
         fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {{\n{}{read}}}\n}}\n\n",
        needs(&write),
        needs(&read)
    );
    Ok(text)
}

fn write_body(definition: &Definition, within: Versions, code: &[FieldCode<'_>]) -> Result<String, String> {
    let mut text = String::new();
    for field in code {
        let absent = if field.field.ignorable {
            String::new()
        } else {
            format!("w.absent({}, {:?})?;", field.is_default()?, field.field.name)
        };
        let write = if field.is_tagged() { String::new() } else { field.write()? };
        text += &match field.present() {
            Condition::Always => format!("{write}\n"),
            Condition::Never => format!("{absent}\n"),
            Condition::If(condition) => match (write.as_str(), absent.as_str()) {
                ("", "") => String::new(),
                (write, "") => format!("if {condition} {{ {write} }}\n"),
                ("", absent) => format!("if {} {{ {absent} }}\n", field.field.versions.outside(within)),
                (write, absent) => format!("if {condition} {{ {write} }} else {{ {absent} }}\n"),
            },
        };
    }
    let tags = write_tags(definition.flexible.intersect(within), code)?;
    text += &match definition.flexible.condition(within) {
        Condition::Always => tags,
        Condition::Never => String::new(),
        Condition::If(_) => format!("if flexible {{ {tags} }}\n"),
    };
    Ok(text)
}

fn tagged_fields<'c, 'a>(code: &'c [FieldCode<'a>]) -> Vec<&'c FieldCode<'a>> {
    let mut tagged: Vec<_> = code.iter().filter(|field| field.is_tagged()).collect();
    tagged.sort_by_key(|field| field.field.tag);
    tagged
}

/// `within`: the versions that are flexible.
fn write_tags(within: Versions, code: &[FieldCode<'_>]) -> Result<String, String> {
    let tagged = tagged_fields(code);
    if tagged.is_empty() {
        return Ok("w.unsigned_varint(0);\n".to_owned());
    }
    let mut text = String::new();
    for field in &tagged {
        let set = negated(&field.is_default()?);
        let set = match field.field.versions.condition(within) {
            Condition::Always => set,
            Condition::Never => "false".to_owned(),
            Condition::If(condition) => format!("{condition} && {set}"),
        };
        text += &format!("let {}_set = {set};\n", field.name());
    }
    let sum: Vec<String> = tagged.iter().map(|field| format!("u32::from({}_set)", field.name())).collect();
    text += &format!("w.unsigned_varint({});\n", sum.join(" + "));
    for field in &tagged {
        let write = field.write()?;
        text += &format!("if {}_set {{ w.tagged({}, |w| {{ {write} Ok(()) }})?; }}\n", field.name(), field.field.tag);
    }
    Ok(text)
}

fn negated(condition: &str) -> String {
    match condition.strip_prefix('!') {
        Some(positive) => positive.to_owned(),
        None if condition.ends_with(".is_none()") => condition.replace(".is_none()", ".is_some()"),
        None if condition.contains(" == ") => condition.replacen(" == ", " != ", 1),
        None => format!("!{condition}"),
    }
}

fn read_body(definition: &Definition, within: Versions, code: &[FieldCode<'_>]) -> Result<String, String> {
    let mut fields = String::new();
    for field in code {
        let value = match field.present() {
            _ if field.is_tagged() => field.default()?,
            Condition::Always => field.read()?,
            Condition::Never => field.default()?,
            Condition::If(condition) => {
                format!("if {condition} {{ {} }} else {{ {} }}", field.read()?, field.default()?)
            }
        };
        fields += &format!("{}: {value},\n", field.name());
    }
    let tagged = tagged_fields(code);
    let tags = if tagged.is_empty() {
        "r.skip_tags()?;\n".to_owned()
    } else {
        let mut arms = String::new();
        for field in &tagged {
            let guard = match field.field.versions.condition(definition.flexible.intersect(within)) {
                Condition::If(condition) => format!(" if {condition}"),
                _ => String::new(),
            };
            arms += &format!("{}{guard} => value.{} = {},\n", field.field.tag, field.name(), field.read()?);
        }
        format!("r.tags(|r, tag| {{ match tag {{ {arms} _ => return Ok(false), }} Ok(true) }})?;\n")
    };
    let tags = match definition.flexible.condition(within) {
        Condition::Always => tags,
        Condition::Never => return Ok(format!("Ok(Self {{ {fields} }})\n")),
        Condition::If(_) => format!("if flexible {{ {tags} }}\n"),
    };
    let binding = if tagged.is_empty() { "value" } else { "mut value" };
    Ok(format!("let {binding} = Self {{ {fields} }};\n{tags}Ok(value)\n"))
}
