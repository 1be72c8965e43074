//! The importers on real answers of the clouds, and on small ones of our own.

use std::path::{Path, PathBuf};

use cost::import::{ImportError, aws_offer, azure_retail, google_catalog};

fn fixture(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = root
        .map(|folder| folder.join("shared/cost/importer-fixtures").join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: ../shared/cost is not here, so {name} is not imported");
    }
    found
}

fn attribute<'a>(row: &'a cost::Row, name: &str) -> &'a str {
    let found = row.attributes.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn an_aws_offer_gives_volumes_of_its_region() {
    let Some(path) = fixture("terracost__AmazonEC2_eu-west-3.csv") else {
        return;
    };
    let rows = aws_offer(std::fs::File::open(path).unwrap()).unwrap();
    assert!(rows.iter().all(|row| row.region == "eu-west-3"));
    let price = |kind: &str| {
        rows.iter()
            .find(|row| attribute(row, "volume_type") == kind)
            .map(|row| row.price.normalize().to_string())
    };
    assert_eq!(price("gp2").as_deref(), Some("0.116"));
    assert_eq!(price("st1").as_deref(), Some("0.053"));
    assert_eq!(price("io1").as_deref(), Some("0.145"));
}

#[test]
fn an_azure_answer_gives_machines_without_spot_and_development_prices() {
    let Some(path) = fixture("terracost__retail_prices.json.gz") else {
        return;
    };
    let reader = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let (rows, next) = azure_retail(std::io::BufReader::new(reader)).unwrap();
    assert_eq!(next, None);
    let of = |os: &str| -> Vec<String> {
        let rows = rows.iter().filter(|row| {
            attribute(row, "vm_size") == "Standard_D16as_v5" && attribute(row, "os") == os
        });
        rows.map(|row| row.price.normalize().to_string()).collect()
    };
    assert_eq!(of("windows"), ["1.544"]);
    assert_eq!(of("linux"), ["0.808"]);
    let book = cost::import::merge(Vec::new(), rows, false).unwrap();
    let packed = cost::pack(&book.rows).unwrap();
    let book = cost::Book::from_bytes(&packed).unwrap();
    let attributes = [
        ("os".to_owned(), "linux".to_owned()),
        ("vm_size".to_owned(), "standard_d16as_v5".to_owned()),
    ];
    let price = book
        .meter("vm.instance", Some("francecentral"), &attributes)
        .unwrap();
    assert_eq!(price.tiers[0].1.to_string(), "0.808");
}

/// In the form of the catalogue: no real answer is published under a licence.
fn catalog(currency: &str, with_memory: bool) -> String {
    let sku = |description: &str, group: &str, usage: &str, nanos: i64| {
        serde_json::json!({
            "description": description, "serviceRegions": ["europe-west1"],
            "category": {"resourceGroup": group, "usageType": usage},
            "pricingInfo": [{"effectiveTime": "2026-01-02T00:00:00Z", "pricingExpression": {
                "tieredRates": [{"unitPrice": {"currencyCode": currency, "units": "0", "nanos": nanos}}]}}]
        })
    };
    let mut skus = vec![
        sku(
            "N2 Instance Core running in Belgium",
            "CPU",
            "OnDemand",
            35_000_000,
        ),
        sku(
            "Spot Preemptible N2 Instance Core running in Belgium",
            "CPU",
            "Preemptible",
            8_000_000,
        ),
        sku(
            "N2 Custom Instance Core running in Belgium",
            "CPU",
            "OnDemand",
            36_000_000,
        ),
    ];
    if with_memory {
        skus.push(sku(
            "N2 Instance Ram running in Belgium",
            "RAM",
            "OnDemand",
            4_000_000,
        ));
    }
    serde_json::json!({ "skus": skus }).to_string()
}

const MACHINES: &str = r#"{"items":[{"name":"n2-standard-2","guestCpus":2,"memoryMb":8192}]}"#;

#[test]
fn a_google_machine_is_composed_of_cores_and_memory() {
    let rows = google_catalog(catalog("USD", true).as_bytes(), MACHINES.as_bytes()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].price.to_string(), "0.102");
    let half = google_catalog(catalog("USD", false).as_bytes(), MACHINES.as_bytes());
    assert!(matches!(half, Err(ImportError::Missing(_))));
    let euros = google_catalog(catalog("EUR", true).as_bytes(), MACHINES.as_bytes());
    assert!(matches!(euros, Err(ImportError::Currency(_))));
}

#[test]
fn real_machine_types_are_composed() {
    let Some(path) = fixture("terracost__machine_types.json") else {
        return;
    };
    let rows = google_catalog(
        catalog("USD", true).as_bytes(),
        std::fs::File::open(path).unwrap(),
    );
    match rows {
        Ok(rows) => assert!(
            rows.iter()
                .all(|row| attribute(row, "machine_type").starts_with("n2-"))
        ),
        Err(error) => assert!(matches!(error, ImportError::Empty { .. }), "{error}"),
    }
}

#[test]
fn what_is_not_a_list_is_refused() {
    assert!(aws_offer("nothing".as_bytes()).is_err());
    assert!(azure_retail("{}".as_bytes()).is_err());
    assert!(google_catalog("{}".as_bytes(), "{}".as_bytes()).is_err());
    assert!(cost::Book::from_bytes(b"nothing").is_err());
}
