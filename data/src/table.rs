//! Protects cells of tables that people open in a spreadsheet.

/// First characters that a spreadsheet reads as the beginning of a formula.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn begins_formula(cell: &str) -> bool {
    cell.starts_with(FORMULA_STARTS)
}

/// Returns `cell` in a form that no spreadsheet reads as a formula: a cell that begins with `=`, `+`, `-`, `@`, a
/// tab or a carriage return gets a leading `'`. So does a cell that begins with `'` before one of these, so that
/// [`unescape_formula`] can remove exactly one.
pub fn escape_formula(cell: &str) -> String {
    if begins_formula(cell.trim_start_matches('\'')) { format!("'{cell}") } else { cell.to_owned() }
}

/// Returns the original text of a cell from [`escape_formula`].
pub fn unescape_formula(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if begins_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_all_are_restored() {
        for (cell, expected) in [
            ("=HYPERLINK(\"http://x?\"&A1)", "'=HYPERLINK(\"http://x?\"&A1)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("'=x", "''=x"),
            ("''=x", "'''=x"),
            ("'t Hooft", "'t Hooft"),
            ("a=b", "a=b"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(cell), expected);
            assert_eq!(unescape_formula(&escape_formula(cell)), cell);
        }
    }
}
