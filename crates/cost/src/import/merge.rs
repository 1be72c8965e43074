//! Puts imported rows into a book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::ImportError;
use crate::book::Row;

/// A new book's rows, and what was done.
#[derive(Debug)]
pub struct Merged {
    /// All rows.
    pub rows: Vec<Row>,
    /// Prices that were not in the book.
    pub added: usize,
    /// Prices that replace another.
    pub changed: usize,
    /// Prices that were the same.
    pub unchanged: usize,
}

type Place = (String, String, String, String, Decimal);

fn place(row: &Row) -> Place {
    (
        row.provider.clone(),
        row.block(),
        row.region.clone(),
        crate::book::normalise(&row.selecting()),
        row.start,
    )
}

/// Puts `imported` into `book`. What is imported replaces what the book has for the same meter, region, attributes
/// and tier; the rest stays.
///
/// # Errors
/// Two prices for one place in the list, or (unless `allow_jumps`) prices that moved more than threefold.
pub fn merge(book: Vec<Row>, imported: Vec<Row>, allow_jumps: bool) -> Result<Merged, ImportError> {
    let mut fresh: BTreeMap<Place, Row> = BTreeMap::new();
    for row in imported {
        if let Some(known) = fresh.get(&place(&row)) {
            if known.price != row.price {
                return Err(ImportError::Ambiguous {
                    what: format!(
                        "{} {} in {}",
                        row.block(),
                        crate::book::normalise(&row.selecting()),
                        row.region
                    ),
                    one: known.price.to_string(),
                    other: row.price.to_string(),
                });
            }
            continue;
        }
        fresh.insert(place(&row), row);
    }
    let mut merged = Merged {
        rows: Vec::with_capacity(book.len() + fresh.len()),
        added: 0,
        changed: 0,
        unchanged: 0,
    };
    let mut jumps: Vec<String> = Vec::new();
    let mut replaced: BTreeMap<Place, bool> = BTreeMap::new();
    for row in book {
        let at = place(&row);
        let Some(new) = fresh.get(&at) else {
            merged.rows.push(row);
            continue;
        };
        if moved(row.price, new.price) {
            jumps.push(format!(
                "{} in {} from {} to {}",
                row.block(),
                row.region,
                row.price,
                new.price
            ));
        }
        let same = row.price == new.price;
        let known = replaced.entry(at).or_insert(same);
        *known = *known && same;
    }
    if !jumps.is_empty() && !allow_jumps {
        return Err(ImportError::Jump {
            count: jumps.len(),
            example: jumps.swap_remove(0),
        });
    }
    merged.unchanged = replaced.values().filter(|same| **same).count();
    merged.changed = replaced.len() - merged.unchanged;
    merged.added = fresh.len() - replaced.len();
    merged.rows.extend(fresh.into_values());
    Ok(merged)
}

fn moved(old: Decimal, new: Decimal) -> bool {
    let three = Decimal::from(3);
    old > new.saturating_mul(three) || new > old.saturating_mul(three)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Confidence, parse_csv};

    fn row(price: &str) -> Row {
        let table = format!(
            "provider,service,region,key,attributes,unit,start_usage,price_usd,effective_date,source,confidence\n\
             aws,AmazonEC2,eu-west-3,ec2.instance,instance_type=t3.micro;os=linux;tenancy=shared,hour,0,{price},2020-10-01,X,A\n"
        );
        parse_csv(table.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_price_that_jumps_needs_a_word() {
        let (book, list) = (vec![row("1")], vec![row("4")]);
        let refused = merge(book.clone(), list.clone(), false).unwrap_err();
        assert!(matches!(refused, ImportError::Jump { count: 1, .. }));
        let merged = merge(book, list, true).unwrap();
        assert_eq!((merged.changed, merged.rows.len()), (1, 1));
        assert_eq!(merged.rows[0].price, Decimal::from(4));
        assert_eq!(merged.rows[0].confidence, Confidence::A);
    }

    #[test]
    fn two_prices_of_one_thing_are_refused() {
        let error = merge(Vec::new(), vec![row("1"), row("2")], true).unwrap_err();
        assert!(matches!(error, ImportError::Ambiguous { .. }));
    }
}
