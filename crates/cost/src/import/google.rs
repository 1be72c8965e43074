//! Google's Cloud Billing Catalog: `https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus`.
//!
//! Google prices cores and memory of a machine family, not machines: a machine's price is composed of both, by the table
//! of machine types of the Compute Engine API. A machine whose family has one price but not the other is refused.

use std::collections::HashMap;
use std::io::Read;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::ImportError;
use crate::book::{Confidence, Row};

const LIST: &str = "answer of the Cloud Billing Catalog";

#[derive(Deserialize)]
struct Catalog {
    skus: Vec<Sku>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sku {
    description: String,
    category: Category,
    #[serde(default)]
    service_regions: Vec<String>,
    #[serde(default)]
    pricing_info: Vec<Pricing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    #[serde(default)]
    resource_group: String,
    #[serde(default)]
    usage_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pricing {
    #[serde(default)]
    effective_time: String,
    pricing_expression: Expression,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expression {
    tiered_rates: Vec<Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    unit_price: Money,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Money {
    currency_code: String,
    #[serde(default)]
    units: serde_json::Value,
    #[serde(default)]
    nanos: i64,
}

#[derive(Deserialize)]
struct Machines {
    items: Vec<Machine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    name: String,
    guest_cpus: u32,
    memory_mb: u32,
}

/// Reads the catalogue and the table of machine types.
///
/// # Errors
/// What is in another form, has nothing that is known, or gives a machine half a price.
pub fn google_catalog(catalog: impl Read, machines: impl Read) -> Result<Vec<Row>, ImportError> {
    let form = |error: serde_json::Error| ImportError::Form {
        list: LIST,
        reason: error.to_string(),
    };
    let catalog: Catalog = serde_json::from_reader(catalog).map_err(form)?;
    let machines: Machines = serde_json::from_reader(machines).map_err(form)?;
    let mut rates: HashMap<(String, &str, String), (Decimal, String)> = HashMap::new();
    for sku in &catalog.skus {
        let Some((family, resource)) = composed(sku) else {
            continue;
        };
        let Some(pricing) = sku.pricing_info.first() else {
            continue;
        };
        let [rate] = pricing.pricing_expression.tiered_rates.as_slice() else {
            return Err(ImportError::Form {
                list: LIST,
                reason: format!("{} has tiers, which machines have not", sku.description),
            });
        };
        let price = amount(&rate.unit_price)?;
        for region in &sku.service_regions {
            let place = (family.clone(), resource, region.clone());
            let date = pricing.effective_time.chars().take(10).collect();
            if let Some((known, _)) = rates.insert(place, (price, date))
                && known != price
            {
                return Err(ImportError::Ambiguous {
                    what: format!("{resource} of {family} in {region}"),
                    one: known.to_string(),
                    other: price.to_string(),
                });
            }
        }
    }
    let rows = compose(&machines.items, &rates)?;
    if rows.is_empty() {
        return Err(ImportError::Empty { list: LIST });
    }
    Ok(rows)
}

fn compose(
    machines: &[Machine],
    rates: &HashMap<(String, &str, String), (Decimal, String)>,
) -> Result<Vec<Row>, ImportError> {
    let mut rows = Vec::new();
    for machine in machines {
        let family = machine.name.split('-').next().unwrap_or_default();
        for ((priced, resource, region), (core, date)) in rates {
            if priced != family || *resource != "core" {
                continue;
            }
            let memory = (family.to_owned(), "memory", region.clone());
            let Some((gb, _)) = rates.get(&memory) else {
                return Err(ImportError::Missing(format!(
                    "memory of {family} in {region}"
                )));
            };
            let memory = Decimal::from(machine.memory_mb) / Decimal::from(1024);
            let price = *core * Decimal::from(machine.guest_cpus) + *gb * memory;
            rows.push(Row {
                provider: "gcp".to_owned(),
                service: "Compute Engine".to_owned(),
                region: region.clone(),
                key: "gce.instance".to_owned(),
                attributes: vec![("machine_type".to_owned(), machine.name.clone())],
                unit: "hour".to_owned(),
                start: Decimal::ZERO,
                price: price.normalize(),
                date: date.clone(),
                source: "google-catalog".to_owned(),
                confidence: Confidence::A,
            });
        }
    }
    rows.sort_by(|a, b| (&a.region, &a.attributes).cmp(&(&b.region, &b.attributes)));
    Ok(rows)
}

/// `N2 Instance Core running in Americas` → family and resource; on demand only, no custom or sole-tenant machines.
fn composed(sku: &Sku) -> Option<(String, &'static str)> {
    let words: Vec<&str> = sku.description.split(' ').collect();
    let resource = match sku.category.resource_group.as_str() {
        "CPU" => "core",
        "RAM" => "memory",
        _ => return None,
    };
    let other = [
        "Custom",
        "Sole",
        "Reserved",
        "Commitment",
        "Spot",
        "Preemptible",
        "Premium",
    ];
    if sku.category.usage_type != "OnDemand"
        || other.iter().any(|word| sku.description.contains(word))
    {
        return None;
    }
    match words.as_slice() {
        [family, "Instance", ..] => Some((family.to_lowercase(), resource)),
        [family, kind, "Instance", ..] if matches!(*kind, "AMD" | "Arm" | "Predefined") => {
            Some((family.to_lowercase(), resource))
        }
        ["Compute", "optimized", ..] => Some(("c2".to_owned(), resource)),
        _ => None,
    }
}

/// Whole units and billionths; units come as a text.
fn amount(money: &Money) -> Result<Decimal, ImportError> {
    if money.currency_code != "USD" {
        return Err(ImportError::Currency(money.currency_code.clone()));
    }
    let units = match &money.units {
        serde_json::Value::String(text) => crate::money::parse(text),
        serde_json::Value::Number(number) => crate::money::parse(&number.to_string()),
        serde_json::Value::Null => Some(Decimal::ZERO),
        serde_json::Value::Bool(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            None
        }
    };
    let units = units.ok_or_else(|| ImportError::Form {
        list: LIST,
        reason: "a price is not a number".to_owned(),
    })?;
    Ok(units + Decimal::new(money.nanos, 9))
}
