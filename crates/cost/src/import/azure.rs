//! The Azure Retail Prices API: `https://prices.azure.com/api/retail/prices?$filter=serviceName eq 'Virtual Machines'`.
//!
//! An answer has up to a thousand items and names the next page in `NextPageLink`. Consumption prices of primary meters
//! alone are taken: spot, low priority, development and reservation prices stand beside them under the same machine.

use std::io::Read;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::ImportError;
use crate::book::{Confidence, Row};

const LIST: &str = "answer of the Azure Retail Prices API";

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Items", alias = "items")]
    items: Vec<Item>,
    #[serde(rename = "NextPageLink", default)]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    currency_code: String,
    #[serde(default = "from_nothing")]
    tier_minimum_units: serde_json::Number,
    retail_price: serde_json::Number,
    #[serde(default)]
    arm_region_name: String,
    #[serde(default)]
    effective_start_date: String,
    #[serde(default)]
    meter_name: String,
    #[serde(default)]
    product_name: String,
    #[serde(default)]
    sku_name: String,
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    unit_of_measure: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    arm_sku_name: String,
    #[serde(default = "yes")]
    is_primary_meter_region: bool,
}

fn from_nothing() -> serde_json::Number {
    0.into()
}

fn yes() -> bool {
    true
}

/// Reads one answer: its rows, and the address of the next page.
///
/// # Errors
/// What is not an answer, or has nothing that is known.
pub fn azure_retail(reader: impl Read) -> Result<(Vec<Row>, Option<String>), ImportError> {
    let page: Page = serde_json::from_reader(reader).map_err(|error| ImportError::Form {
        list: LIST,
        reason: error.to_string(),
    })?;
    let mut rows = Vec::new();
    for item in &page.items {
        if item.currency_code != "USD" {
            return Err(ImportError::Currency(item.currency_code.clone()));
        }
        rows.extend(machine(item)?);
    }
    if rows.is_empty() {
        return Err(ImportError::Empty { list: LIST });
    }
    Ok((rows, page.next.filter(|next| !next.is_empty())))
}

fn machine(item: &Item) -> Result<Option<Row>, ImportError> {
    let special = |text: &str| {
        ["Spot", "Low Priority"]
            .iter()
            .any(|word| text.contains(word))
    };
    let taken = item.service_name == "Virtual Machines"
        && item.kind == "Consumption"
        && item.is_primary_meter_region
        && item.unit_of_measure == "1 Hour"
        && !item.arm_sku_name.is_empty()
        && !special(&item.meter_name)
        && !special(&item.sku_name)
        && !item.product_name.contains("CloudServices")
        && !item.product_name.contains("Cloud Services")
        && !item.product_name.contains("Dedicated Host");
    if !taken {
        return Ok(None);
    }
    let number = |value: &serde_json::Number| {
        crate::money::parse(&value.to_string()).ok_or_else(|| ImportError::Form {
            list: LIST,
            reason: format!("{value} is not a price"),
        })
    };
    let start = number(&item.tier_minimum_units)?;
    if start != Decimal::ZERO {
        return Ok(None);
    }
    let os = if item.product_name.contains("Windows") {
        "windows"
    } else {
        "linux"
    };
    Ok(Some(Row {
        provider: "azure".to_owned(),
        service: item.service_name.clone(),
        region: item.arm_region_name.clone(),
        key: "vm.instance".to_owned(),
        attributes: vec![
            ("os".to_owned(), os.to_owned()),
            ("vm_size".to_owned(), item.arm_sku_name.clone()),
        ],
        unit: "hour".to_owned(),
        start,
        price: number(&item.retail_price)?,
        date: item.effective_start_date.chars().take(10).collect(),
        source: "azure-retail".to_owned(),
        confidence: Confidence::A,
    }))
}
