//! The table against librdkafka's own, line by line.
use super::{Section, Status, Type, find, table};

const LIBRDKAFKA: &str = include_str!("../../../tests/data/librdkafka_config.tsv");

fn range(kind: Type) -> (String, &'static str) {
    match kind {
        Type::Boolean => ("true, false".to_owned(), "boolean"),
        Type::Integer(low, high) => (format!("{low} .. {high}"), "integer"),
        Type::Float(low, high) => (format!("{low} .. {high}"), "float"),
        Type::Enum(words) => (words.join(", "), "enum value"),
        Type::Flags(words) => (words.join(", "), "CSV flags"),
        Type::Text => (String::new(), "string"),
        Type::PatternList => (String::new(), "pattern list"),
        Type::Callback | Type::Internal => (String::new(), "see dedicated API"),
        Type::Object => (String::new(), "of the binding"),
    }
}

#[test]
fn every_property_of_librdkafka_is_here_with_its_range_default_and_alias() {
    let mut seen = 0;
    for line in LIBRDKAFKA.lines().skip(1) {
        let [name, section, scope, expected_range, default, _, kind, alias, deprecated] =
            line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let section = if section == "topic" { Section::Topic } else { Section::Global };
        let row = table()
            .find(|row| row.confluent.name == name && row.confluent.section == section)
            .unwrap_or_else(|| panic!("{name} is missing"));
        let column = row.confluent;
        assert_eq!(column.default.unwrap_or(""), default, "{name}");
        assert_eq!(column.alias_of.unwrap_or(""), alias, "{name}");
        assert_eq!(column.deprecated, deprecated == "yes", "{name}");
        assert_eq!(
            format!("{:?}", row.scope),
            match scope {
                "*" => "Both",
                "C" => "Consumer",
                _ => "Producer",
            },
            "{name}"
        );
        let (range, expected_kind) = range(column.kind);
        assert_eq!(expected_kind, kind, "{name}");
        // The range of builtin.features is its default: what the library was built with.
        assert_eq!(if name == "builtin.features" { "" } else { range.as_str() }, expected_range, "{name}");
        seen += 1;
    }
    let own = table().filter(|row| row.confluent.kind == Type::Object).count();
    assert_eq!(seen + own, table().count());
}

#[test]
fn no_name_stands_twice_in_a_section() {
    let mut names: Vec<_> = table().map(|row| (row.confluent.name, row.confluent.section == Section::Topic)).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn an_alias_means_what_it_stands_for_and_shares_its_fate() {
    assert_eq!(find("acks").unwrap().confluent.name, "request.required.acks");
    assert_eq!(find("compression.type").unwrap().confluent.section, Section::Global);
    assert_eq!(find("enable.auto.commit").unwrap().confluent.section, Section::Global);
    for row in table() {
        if let Some(other) = row.confluent.alias_of {
            let target = find(other).unwrap();
            assert_eq!((row.scope, row.secret), (target.scope, target.secret), "{}", row.confluent.name);
            if row.confluent.section == target.confluent.section {
                assert_eq!(row.confluent.status, target.confluent.status, "{}", row.confluent.name);
            }
        }
    }
}

#[test]
fn what_is_sent_stored_or_trusted_is_never_ignored() {
    for row in table() {
        let name = row.confluent.name;
        let security = ["sasl.", "ssl.", "https."].iter().any(|prefix| name.starts_with(prefix)) || row.secret;
        if security || ["security.protocol", "transactional.id"].contains(&name) {
            let legacy = row.confluent.section == Section::Topic;
            let refused = matches!(row.confluent.status, Status::NotYet { changes_data: true } | Status::Refused(_));
            assert!(refused || legacy, "{name}");
        }
    }
}
