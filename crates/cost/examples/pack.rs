//! Turns a table of prices into the compact book: `pack TABLE.csv BOOK.zst`.

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(table), Some(book)) = (arguments.next(), arguments.next()) else {
        return Err("pack TABLE.csv BOOK.zst".into());
    };
    let rows = cost::parse_csv(std::fs::File::open(table)?)?;
    std::fs::File::create(book)?.write_all(&cost::pack(&rows)?)?;
    Ok(())
}
