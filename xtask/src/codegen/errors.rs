//! The error codes of brokers, from `definitions/errors.tsv`.

use super::MARKER;

/// `error_codes/table.rs`: a constant for each code, and the rows that say what is known of it.
pub(super) fn table(text: &str) -> Result<String, String> {
    let mut constants = String::new();
    let mut rows = String::new();
    let mut count = 0;
    for (index, line) in text.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (&[code, name, retriable], rest) = columns.split_first_chunk::<3>().ok_or("errors.tsv: a short line")?;
        // The rows are looked up by their index, so the codes must stand without a gap, from -1.
        if code.parse::<usize>().map_or(code != "-1" || index != 1, |code| code + 2 != index) {
            return Err(format!("errors.tsv: code {code} out of order"));
        }
        let is = |text: &str| text == "yes";
        let metadata = rest.first().is_some_and(|text| is(text));
        constants += &format!("/// {}.\npub const {name}: Self = Self({code});\n", facts(is(retriable), metadata));
        rows += &format!("Row {{ name: {name:?}, retriable: {}, invalid_metadata: {metadata} }},\n", is(retriable));
        count += 1;
    }
    Ok(format!(
        "{MARKER}\n//! The error codes of brokers.\n\nuse super::{{ErrorCode, Row}};\n\nimpl ErrorCode {{\n{constants}}}\n\n\
         /// What is known of each code, in order from -1 on.\npub(super) static ROWS: [Row; {count}] = [\n{rows}];\n"
    ))
}

fn facts(retriable: bool, invalid_metadata: bool) -> &'static str {
    match (retriable, invalid_metadata) {
        (_, true) => "Retriable, with new metadata",
        (true, false) => "Retriable",
        (false, false) => "Not retriable",
    }
}
