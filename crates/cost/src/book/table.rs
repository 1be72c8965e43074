//! The book as a CSV table: the form that importers write, people read, and `pack` turns into the compact one.

use std::io::{Read, Write};

use super::row::{self, BookError, Confidence, Row};

const COLUMNS: [&str; 11] = [
    "provider",
    "service",
    "region",
    "key",
    "attributes",
    "unit",
    "start_usage",
    "price_usd",
    "effective_date",
    "source",
    "confidence",
];

/// Reads a table, row by row. Columns are found by their names; further ones are ignored.
///
/// # Errors
/// The first line that can't be understood.
pub fn parse_csv(reader: impl Read) -> Result<Vec<Row>, BookError> {
    let mut csv = csv::Reader::from_reader(reader);
    let headers = csv.headers().map_err(|error| bad(1, &error))?.clone();
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        *place = headers
            .iter()
            .position(|header| header == name)
            .ok_or(BookError::Format("a column of the price table is missing"))?;
    }
    let mut rows = Vec::new();
    for (index, record) in csv.records().enumerate() {
        let line = index as u64 + 2;
        let record = record.map_err(|error| bad(line, &error))?;
        let field = |column: usize| record.get(places[column]).unwrap_or_default();
        let number = |column: usize| {
            crate::money::parse(field(column)).ok_or_else(|| BookError::Line {
                line,
                reason: format!("{} is not a number", COLUMNS[column]),
            })
        };
        rows.push(Row {
            provider: field(0).to_owned(),
            service: field(1).to_owned(),
            region: field(2).to_owned(),
            key: field(3).to_owned(),
            attributes: row::attributes(field(4)),
            unit: field(5).to_owned(),
            start: number(6)?,
            price: number(7)?,
            date: field(8).to_owned(),
            source: field(9).to_owned(),
            confidence: Confidence::from_letter(field(10)).unwrap_or(Confidence::C),
        });
    }
    Ok(rows)
}

/// Writes a table that [`parse_csv`] reads.
///
/// # Errors
/// What the writer says.
pub fn write_csv(rows: &[Row], writer: impl Write) -> Result<(), BookError> {
    let mut csv = csv::Writer::from_writer(writer);
    csv.write_record(COLUMNS).map_err(|error| bad(1, &error))?;
    for (index, row) in rows.iter().enumerate() {
        let attributes: Vec<String> = row
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        csv.write_record([
            row.provider.as_str(),
            &row.service,
            &row.region,
            &row.key,
            &attributes.join(";"),
            &row.unit,
            &row.start.normalize().to_string(),
            &row.price.normalize().to_string(),
            &row.date,
            &row.source,
            &row.confidence.letter().to_string(),
        ])
        .map_err(|error| bad(index as u64 + 2, &error))?;
    }
    csv.flush().map_err(BookError::Compression)
}

fn bad(line: u64, error: &csv::Error) -> BookError {
    BookError::Line {
        line,
        reason: error.to_string(),
    }
}
