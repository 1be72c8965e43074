//! AWS bulk offers: `https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/SERVICE/current/REGION/index.csv`.
//!
//! Five lines of metadata, then a table with about a hundred columns. On-demand prices alone are taken, and of
//! instances those with shared or dedicated tenancy, no preinstalled software, and capacity in use: prices of
//! reservations (`UnusedCapacityReservation`) and of SQL Server stand in the same table.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use rust_decimal::Decimal;

use super::ImportError;
use crate::book::{Confidence, Row};

const LIST: &str = "AWS offer";

/// Reads an offer, as a stream.
///
/// # Errors
/// What is not an offer, or has nothing that is known.
pub fn aws_offer(reader: impl Read) -> Result<Vec<Row>, ImportError> {
    let mut reader = BufReader::new(reader);
    skip_metadata(&mut reader)?;
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let headers = csv
        .headers()
        .map_err(|error| form(error.to_string()))?
        .clone();
    let columns: HashMap<String, usize> = headers
        .iter()
        .enumerate()
        .map(|(at, name)| (name.to_owned(), at))
        .collect();
    for needed in [
        "TermType",
        "PricePerUnit",
        "Currency",
        "StartingRange",
        "Location",
        "Product Family",
    ] {
        if !columns.contains_key(needed) {
            return Err(form(format!("the column {needed} is missing")));
        }
    }
    let mut rows = Vec::new();
    for record in csv.records() {
        let record = record.map_err(|error| form(error.to_string()))?;
        let field = |name: &str| {
            let at = columns.get(name).copied().unwrap_or(usize::MAX);
            record.get(at).unwrap_or_default()
        };
        if field("TermType") != "OnDemand" {
            continue;
        }
        if field("Currency") != "USD" {
            return Err(ImportError::Currency(field("Currency").to_owned()));
        }
        let Some((key, attributes, unit)) = meter(&field) else {
            continue;
        };
        let number = |name: &str| {
            crate::money::parse(field(name))
                .ok_or_else(|| form(format!("{name} is not a number: {:?}", field(name))))
        };
        let Some(region) = region(field("Location"), field("Region Code")) else {
            return Err(form(format!(
                "the location {:?} is not known",
                field("Location")
            )));
        };
        rows.push(Row {
            provider: "aws".to_owned(),
            service: field("serviceCode").to_owned(),
            region,
            key: key.to_owned(),
            attributes,
            unit: unit.to_owned(),
            start: number("StartingRange").unwrap_or(Decimal::ZERO),
            price: number("PricePerUnit")?,
            date: field("EffectiveDate").to_owned(),
            source: "aws-offer".to_owned(),
            confidence: Confidence::A,
        });
    }
    if rows.is_empty() {
        return Err(ImportError::Empty { list: LIST });
    }
    Ok(rows)
}

fn form(reason: String) -> ImportError {
    ImportError::Form { list: LIST, reason }
}

fn skip_metadata(reader: &mut impl BufRead) -> Result<(), ImportError> {
    for _ in 0..5 {
        let mut line = Vec::new();
        let limit = 64 * 1024;
        let mut limited = reader.take(limit);
        limited
            .read_until(b'\n', &mut line)
            .map_err(|error| form(error.to_string()))?;
        if line.is_empty() || line.len() as u64 == limit {
            return Err(form("it has no five lines of metadata".to_owned()));
        }
    }
    Ok(())
}

type Meter = (&'static str, Vec<(String, String)>, &'static str);

fn meter<'a>(field: &impl Fn(&'a str) -> &'a str) -> Option<Meter> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match field("Product Family") {
        "Compute Instance" | "Compute Instance (bare metal)" => {
            let used = matches!(field("CapacityStatus"), "" | "Used");
            let plain = matches!(field("Pre Installed S/W"), "" | "NA");
            let licensed = matches!(field("License Model"), "" | "No License required");
            if !(used && plain && licensed) {
                return None;
            }
            let os = match field("Operating System") {
                "Linux" => "linux",
                "Windows" => "windows",
                "RHEL" => "rhel",
                "SUSE" => "suse",
                _ => return None,
            };
            let tenancy = match field("Tenancy") {
                "Shared" => "shared",
                "Dedicated" => "dedicated",
                _ => return None,
            };
            let attributes = vec![
                pair("instance_type", field("Instance Type")),
                pair("os", os),
                pair("tenancy", tenancy),
            ];
            Some(("ec2.instance", attributes, "hour"))
        }
        "Storage" => {
            let kind = volume(field)?;
            Some(("ebs.storage", vec![pair("volume_type", kind)], "GB-month"))
        }
        _ => None,
    }
}

/// Newer offers name the volume's type in a column, older ones in the usage type.
fn volume<'a>(field: &impl Fn(&'a str) -> &'a str) -> Option<&'a str> {
    const TYPES: [&str; 7] = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"];
    let named = field("Volume API Name");
    if TYPES.contains(&named) {
        return Some(named);
    }
    let usage = field("usageType")
        .rsplit_once("EBS:VolumeUsage")?
        .1
        .trim_start_matches('.');
    match usage {
        "" => Some("standard"),
        "piops" => Some("io1"),
        kind => TYPES.into_iter().find(|known| *known == kind),
    }
}

/// `EU (Paris)` → `eu-west-3`. Newer offers have the code in a column.
fn region(location: &str, code: &str) -> Option<String> {
    if !code.is_empty() {
        return Some(code.to_owned());
    }
    let known = match location {
        "US East (N. Virginia)" => "us-east-1",
        "US East (Ohio)" => "us-east-2",
        "US West (N. California)" => "us-west-1",
        "US West (Oregon)" => "us-west-2",
        "Canada (Central)" => "ca-central-1",
        "South America (Sao Paulo)" => "sa-east-1",
        "EU (Ireland)" | "Europe (Ireland)" => "eu-west-1",
        "EU (London)" | "Europe (London)" => "eu-west-2",
        "EU (Paris)" | "Europe (Paris)" => "eu-west-3",
        "EU (Frankfurt)" | "Europe (Frankfurt)" => "eu-central-1",
        "EU (Stockholm)" | "Europe (Stockholm)" => "eu-north-1",
        "EU (Milan)" | "Europe (Milan)" => "eu-south-1",
        "Asia Pacific (Tokyo)" => "ap-northeast-1",
        "Asia Pacific (Seoul)" => "ap-northeast-2",
        "Asia Pacific (Osaka)" => "ap-northeast-3",
        "Asia Pacific (Singapore)" => "ap-southeast-1",
        "Asia Pacific (Sydney)" => "ap-southeast-2",
        "Asia Pacific (Mumbai)" => "ap-south-1",
        "Asia Pacific (Hong Kong)" => "ap-east-1",
        "Africa (Cape Town)" => "af-south-1",
        "Middle East (Bahrain)" => "me-south-1",
        _ => return None,
    };
    Some(known.to_owned())
}
