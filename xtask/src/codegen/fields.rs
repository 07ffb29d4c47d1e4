//! What one field becomes in Rust: its type, default, and the statements that write and read it in a version.

use super::definition::{Field, Type, snake_case};
use super::message::Structs;
use super::versions::{Condition, Versions};

/// A field in its struct.
pub(super) struct FieldCode<'a> {
    pub(super) field: &'a Field,
    pub(super) structs: &'a Structs,
    /// The versions in which the struct is written.
    pub(super) within: Versions,
    /// The versions in which the struct is flexible.
    pub(super) flexible: Versions,
}

impl FieldCode<'_> {
    pub(super) fn name(&self) -> String {
        let name = snake_case(&self.field.name);
        // Words that Rust keeps for itself get a mark behind.
        if matches!(name.as_str(), "type" | "match") { format!("{name}_") } else { name }
    }

    pub(super) fn is_tagged(&self) -> bool {
        !self.field.tagged.is_empty()
    }

    fn is_option(&self) -> bool {
        self.field.kind == Type::Records || !self.field.nullable.is_empty()
    }

    pub(super) fn rust_type(&self) -> String {
        let plain = self.type_of(&self.field.kind);
        if self.is_option() { format!("Option<{plain}>") } else { plain }
    }

    fn type_of(&self, kind: &Type) -> String {
        match kind {
            Type::Bool => "bool".to_owned(),
            Type::Integer(name) => (*name).to_owned(),
            Type::Float => "f64".to_owned(),
            Type::Uuid => "Uuid".to_owned(),
            Type::String => "&'a str".to_owned(),
            Type::Bytes => "&'a [u8]".to_owned(),
            Type::Records => "Records<'a>".to_owned(),
            Type::Struct(name) => self.structs.rust_type(name),
            Type::Array(element) => format!("Vec<{}>", self.type_of(element)),
        }
    }

    /// The value that a field has where nothing was said.
    pub(super) fn default(&self) -> Result<String, String> {
        let default = self.field.default.as_deref();
        if default == Some("null") || (self.field.kind == Type::Records && default.is_none()) {
            return if self.is_option() { Ok("None".to_owned()) } else { Err("null is no default here".to_owned()) };
        }
        let plain = match &self.field.kind {
            Type::Bool => match default {
                None | Some("false") => "false".to_owned(),
                Some("true") => "true".to_owned(),
                Some(other) => return Err(format!("default of a bool: {other}")),
            },
            Type::Integer(_) => integer(default.unwrap_or("0"))?,
            Type::Float => format!("{:?}", default.unwrap_or("0").parse::<f64>().map_err(|e| e.to_string())?),
            Type::String => format!("{:?}", default.unwrap_or("")),
            kind => match (kind, default) {
                (Type::Uuid, None) => "Uuid::ZERO".to_owned(),
                (Type::Bytes, None | Some("")) => "&[]".to_owned(),
                (Type::Struct(name), None) => format!("{}::default()", self.structs.rust_name(name)),
                (Type::Array(_), None) => "Vec::new()".to_owned(),
                _ => return Err(format!("default {default:?} of {kind:?}")),
            },
        };
        Ok(if self.is_option() { format!("Some({plain})") } else { plain })
    }

    /// Whether `#[derive(Default)]` gives the same default.
    pub(super) fn default_is_derived(&self) -> Result<bool, String> {
        let default = self.default()?;
        let derived = ["None", "false", "0", "0.0", "Uuid::ZERO", "\"\"", "&[]", "Vec::new()"];
        Ok(derived.contains(&default.as_str()) || default.ends_with("::default()") && !self.is_option())
    }

    /// A Rust expression: the field has its default.
    pub(super) fn is_default(&self) -> Result<String, String> {
        let (name, default) = (format!("self.{}", self.name()), self.default()?);
        Ok(match (&self.field.kind, default.as_str()) {
            (_, "None") => format!("{name}.is_none()"),
            (_, "false") => format!("!{name}"),
            (_, "true") => name,
            (_, "\"\"" | "&[]" | "Vec::new()") => format!("{name}.is_empty()"),
            (_, "Some(\"\")" | "Some(&[])") => format!("{name}.is_some_and(|value| value.is_empty())"),
            (_, "Some(Vec::new())") => format!("{name}.as_ref().is_some_and(Vec::is_empty)"),
            (Type::Uuid, _) => format!("{name}.is_zero()"),
            _ => format!("{name} == {default}"),
        })
    }

    pub(super) fn present(&self) -> Condition {
        self.field.versions.condition(self.within)
    }

    /// The versions in which the field can be met at all.
    fn met(&self) -> Versions {
        self.field.versions.intersect(self.within)
    }

    fn nullable(&self) -> String {
        self.field.nullable.condition(self.met()).expression().to_owned()
    }

    /// The expression for "the field is written in the flexible encoding".
    fn compact(&self) -> String {
        let flexible = self.field.flexible.unwrap_or(self.flexible);
        match flexible.condition(self.met()) {
            Condition::If(_) => "flexible".to_owned(),
            known => known.expression().to_owned(),
        }
    }

    /// Statements that write the field where it is present.
    pub(super) fn write(&self) -> Result<String, String> {
        let (place, field) = (format!("self.{}", self.name()), format!("{:?}", self.field.name));
        let (compact, nullable) = (self.compact(), self.nullable());
        let option = self.is_option();
        Ok(match &self.field.kind {
            Type::String if option => format!("w.nullable_string({compact}, {nullable}, {place}, {field})?;"),
            Type::Bytes if option => format!("w.nullable_bytes({compact}, {nullable}, {place}, {field})?;"),
            Type::Records => format!("w.records({compact}, {nullable}, {place}, {field})?;"),
            Type::Struct(_) if option => format!(
                "w.nullable_struct({nullable}, {place}.is_some(), {field})?;\n\
                 if let Some(value) = &{place} {{ value.write(w, version)?; }}"
            ),
            Type::Array(element) => {
                let write = self.write_plain(element, "element", "*element")?;
                if option {
                    format!(
                        "w.nullable_array({compact}, {nullable}, {place}.as_ref().map(Vec::len), {field})?;\n\
                         for element in {place}.iter().flatten() {{ {write} }}"
                    )
                } else {
                    format!("w.array({compact}, {place}.len(), {field})?;\nfor element in &{place} {{ {write} }}")
                }
            }
            kind if option => return Err(format!("a nullable {kind:?}")),
            kind => self.write_plain(kind, &place, &place)?,
        })
    }

    fn write_plain(&self, kind: &Type, place: &str, value: &str) -> Result<String, String> {
        let (compact, field) = (self.compact(), format!("{:?}", self.field.name));
        Ok(match kind {
            Type::Bool => format!("w.bool({value});"),
            Type::Integer(name) => format!("w.{name}({value});"),
            Type::Float => format!("w.f64({value});"),
            Type::Uuid => format!("w.uuid({value});"),
            Type::String => format!("w.string({compact}, {place}, {field})?;"),
            Type::Bytes => format!("w.bytes({compact}, {place}, {field})?;"),
            Type::Struct(_) => format!("{place}.write(w, version)?;"),
            Type::Records | Type::Array(_) => return Err(format!("{kind:?} in an array")),
        })
    }

    /// The expression that reads the field where it is present.
    pub(super) fn read(&self) -> Result<String, String> {
        let (compact, nullable) = (self.compact(), self.nullable());
        let option = self.is_option();
        Ok(match &self.field.kind {
            Type::String if option => format!("r.nullable_string({compact}, {nullable})?"),
            Type::Bytes if option => format!("r.nullable_bytes({compact}, {nullable})?"),
            Type::Records => format!("r.records({compact}, {nullable})?"),
            Type::Struct(name) if option => {
                let name = self.structs.rust_name(name);
                format!("r.nullable_struct({nullable}, |r| {name}::read(r, version))?")
            }
            Type::Array(element) => {
                let least = self.structs.least_over(element, self.met(), self.flexible);
                let read = match element.as_ref() {
                    Type::String | Type::Bytes | Type::Struct(_) => format!("|r| {}", self.read_plain(element)?),
                    plain => self.read_plain(plain)?.replace("r.", "Reader::").replace("()", ""),
                };
                if option {
                    format!("r.nullable_array({compact}, {nullable}, {least}, {read})?")
                } else {
                    format!("r.array({compact}, {least}, {read})?")
                }
            }
            kind if option => return Err(format!("a nullable {kind:?}")),
            kind => format!("{}?", self.read_plain(kind)?),
        })
    }

    fn read_plain(&self, kind: &Type) -> Result<String, String> {
        let compact = self.compact();
        Ok(match kind {
            Type::Bool => "r.bool()".to_owned(),
            Type::Integer(name) => format!("r.{name}()"),
            Type::Float => "r.f64()".to_owned(),
            Type::Uuid => "r.uuid()".to_owned(),
            Type::String => format!("r.string({compact})"),
            Type::Bytes => format!("r.bytes({compact})"),
            Type::Struct(name) => format!("{}::read(r, version)", self.structs.rust_name(name)),
            Type::Records | Type::Array(_) => return Err(format!("{kind:?} in an array")),
        })
    }

    /// One line on when the field is there.
    pub(super) fn documentation(&self) -> String {
        let field = self.field;
        let mut text = format!("Versions {}", field.versions.text());
        if !field.nullable.is_empty() {
            text += &format!("; null in {}", field.nullable.text());
        }
        if self.is_tagged() {
            text += &format!("; tag {}", field.tag);
        }
        if field.ignorable {
            text += "; dropped where absent";
        }
        text + "."
    }
}

fn integer(text: &str) -> Result<String, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse::<i64>(),
    };
    Ok(match parsed.map_err(|e| format!("default {text}: {e}"))? {
        i64::MAX => "i64::MAX".to_owned(),
        value if value == i64::from(i32::MAX) => "i32::MAX".to_owned(),
        value if value == i64::from(i32::MIN) => "i32::MIN".to_owned(),
        value => value.to_string(),
    })
}
