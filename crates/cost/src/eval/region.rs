//! Where a resource is: its own attribute, what it refers to, its provider. Never a guess.

use super::{Side, value::Value};
use crate::plan::Entity;

/// Regions are sought through this many links.
const DEPTH: usize = 4;

impl Side<'_> {
    /// The region of a resource in its cloud's spelling, or `None` if nothing tells.
    pub(crate) fn region(&self, index: usize) -> Option<String> {
        self.region_within(index, DEPTH)
            .or_else(|| self.default_region.map(str::to_owned))
    }

    fn region_within(&self, index: usize, depth: usize) -> Option<String> {
        if let Some(known) = self.regions.borrow().get(&index) {
            return known.clone();
        }
        let entity = self.world.entities.get(index)?;
        let found = own(entity)
            .or_else(|| self.configured(entity))
            .or_else(|| self.zonal(entity))
            .or_else(|| self.referred(index, entity, depth));
        if found.is_some() || depth == DEPTH {
            self.regions.borrow_mut().insert(index, found.clone());
        }
        found
    }

    fn configured(&self, entity: &Entity) -> Option<String> {
        let (module, base) = (entity.module_path(), entity.base());
        let setting = |name| self.configuration.provider_setting(&module, &base, name);
        match cloud(&entity.kind)? {
            Cloud::Aws => setting("region"),
            Cloud::Google => setting("region").or_else(|| Some(of_zone(&setting("zone")?))),
            Cloud::Azure => None,
        }
        .map(|region| region.to_lowercase())
    }

    /// AWS zones and ARNs name their region.
    fn zonal(&self, entity: &Entity) -> Option<String> {
        if !matches!(cloud(&entity.kind)?, Cloud::Aws) {
            return None;
        }
        let text = |name: &str| entity.values.get(name)?.as_str().map(str::to_owned);
        if let Some(zone) = text("availability_zone") {
            return Some(
                zone.trim_end_matches(|c: char| c.is_ascii_alphabetic())
                    .to_owned(),
            );
        }
        let arn = text("arn")?;
        let region = arn.split(':').nth(3)?;
        (!region.is_empty()).then(|| region.to_owned())
    }

    fn referred(&self, index: usize, entity: &Entity, depth: usize) -> Option<String> {
        if depth == 0 {
            return None;
        }
        let mut linked = self.linked(index, "resource_group_name");
        for target in self
            .configuration
            .all_targets(&entity.module_path(), &entity.base())
        {
            linked.extend(self.instances(index, &target));
        }
        linked
            .into_iter()
            .filter(|other| *other != index)
            .find_map(|other| self.region_within(other, depth - 1))
    }
}

enum Cloud {
    Aws,
    Azure,
    Google,
}

fn cloud(kind: &str) -> Option<Cloud> {
    match kind.split('_').next()? {
        "aws" => Some(Cloud::Aws),
        "azurerm" | "azapi" => Some(Cloud::Azure),
        "google" => Some(Cloud::Google),
        _ => None,
    }
}

fn own(entity: &Entity) -> Option<String> {
    let values = Value::Json(&entity.values, None);
    let text = |path: &str| match values.path(path) {
        Value::Text(text) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    };
    match cloud(&entity.kind)? {
        Cloud::Aws => text("region"),
        Cloud::Azure => text("location").map(|place| azure(&place)),
        Cloud::Google => {
            let place = text("region")
                .or_else(|| text("zone"))
                .or_else(|| text("location"))?;
            Some(of_zone(
                &place.rsplit('/').next().unwrap_or(&place).to_lowercase(),
            ))
        }
    }
}

/// `West Europe` → `westeurope`.
pub(super) fn azure(place: &str) -> String {
    place.to_lowercase().replace(' ', "")
}

/// How Azure writes a region for people.
pub(super) fn azure_name(region: &str) -> Option<&'static str> {
    const NAMES: [&str; 36] = [
        "Australia Central",
        "Australia East",
        "Australia Southeast",
        "Brazil South",
        "Canada Central",
        "Canada East",
        "Central India",
        "Central US",
        "East Asia",
        "East US",
        "East US 2",
        "France Central",
        "France South",
        "Germany North",
        "Germany West Central",
        "Italy North",
        "Japan East",
        "Japan West",
        "Korea Central",
        "Korea South",
        "North Central US",
        "North Europe",
        "Norway East",
        "Poland Central",
        "Qatar Central",
        "South Africa North",
        "South Central US",
        "South India",
        "Southeast Asia",
        "Sweden Central",
        "Switzerland North",
        "UAE North",
        "UK South",
        "West Europe",
        "West US",
        "West US 2",
    ];
    let wanted = azure(region);
    NAMES.into_iter().find(|name| azure(name) == wanted)
}

/// `us-central1-a` → `us-central1`.
fn of_zone(zone: &str) -> String {
    match zone.rsplit_once('-') {
        Some((region, letter)) if letter.len() == 1 && region.contains('-') => region.to_owned(),
        _ => zone.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_give_their_region() {
        assert_eq!(of_zone("us-central1-a"), "us-central1");
        assert_eq!(of_zone("europe-west1"), "europe-west1");
        assert_eq!(azure("West Europe"), "westeurope");
    }
}
