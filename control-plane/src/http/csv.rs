//! CSV for spreadsheets.

/// A text that no spreadsheet takes for a formula: messages and names are written by others.
pub fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

/// Lines as they go out.
///
/// # Errors
/// None that memory could give.
pub fn lines<R: AsRef<[S]>, S: AsRef<str>>(rows: &[R]) -> Result<Vec<u8>, std::io::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(row.as_ref().iter().map(|cell| cell.as_ref().as_bytes()))
            .map_err(std::io::Error::other)?;
    }
    writer
        .into_inner()
        .map_err(|error| std::io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        assert_eq!(plain("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(plain("a=b"), "a=b");
        let text = lines(&[["a,b", "c\nd"]]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\"a,b\",\"c\nd\"\n");
    }
}
