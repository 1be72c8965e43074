//! Which configurations a phase of a workspace's run receives. Pure.

use std::collections::BTreeMap;

use domain::provider::Provider;

use super::model::Configuration;
use crate::run_identity::Phase;

/// A configuration that a workspace may use, and how.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub configuration: Configuration,
    /// The aliases that the workspace links it under; the empty one is the provider itself.
    pub aliases: Vec<String>,
}

/// Custom ones stand beside each other: nobody knows what they are for.
type Slot = (Provider, String, String);

/// One configuration for each provider and alias: linked ones before defaults, those for applies alone
/// before others in an apply, the environment's before the account's, then by name. One that was
/// linked and may no longer be used (`candidates` has it not) is as if it weren't there.
pub(super) fn resolve(candidates: Vec<Candidate>, phase: Phase) -> Vec<(Configuration, String)> {
    let mut slots: BTreeMap<Slot, (Rank, Configuration)> = BTreeMap::new();
    for candidate in candidates {
        let it = candidate.configuration;
        if it.apply_only && phase == Phase::Plan {
            continue;
        }
        let uses = candidate.aliases.iter().map(|alias| (alias.clone(), true));
        let default = it.is_default && !candidate.aliases.iter().any(String::is_empty);
        for (alias, linked) in uses.chain(default.then(|| (String::new(), false))) {
            let rank = Rank {
                linked,
                apply_only: it.apply_only,
                of_environment: it.environment_id.is_some(),
                name: std::cmp::Reverse(it.name.clone()),
            };
            let apart = match it.provider {
                Provider::Custom => it.name.clone(),
                Provider::Aws
                | Provider::Azure
                | Provider::Google
                | Provider::Kubernetes
                | Provider::Vault => String::new(),
            };
            let slot = (it.provider, alias, apart);
            if slots.get(&slot).is_none_or(|(other, _)| rank > *other) {
                slots.insert(slot, (rank, it.clone()));
            }
        }
    }
    slots
        .into_iter()
        .map(|((_, alias, _), (_, configuration))| (configuration, alias))
        .collect()
}

/// The greater one is received.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    linked: bool,
    apply_only: bool,
    of_environment: bool,
    name: std::cmp::Reverse<String>,
}

#[cfg(test)]
mod tests {
    use domain::ids::{EnvironmentId, ProviderConfigurationId};
    use domain::provider::AccessMethod;

    use super::*;
    use crate::clock::Timestamp;

    fn candidate(name: &str, provider: Provider, aliases: &[&str]) -> Candidate {
        Candidate {
            configuration: Configuration {
                id: ProviderConfigurationId::random(),
                environment_id: None,
                name: name.to_owned(),
                provider,
                method: AccessMethod::Static,
                settings: BTreeMap::new(),
                secret_names: Vec::new(),
                apply_only: false,
                is_default: false,
                is_shared: true,
                version: 1,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            },
            aliases: aliases.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn default(name: &str) -> Candidate {
        let mut made = candidate(name, Provider::Aws, &[]);
        made.configuration.is_default = true;
        made
    }

    fn received(candidates: &[Candidate], phase: Phase) -> Vec<(String, String)> {
        resolve(candidates.to_vec(), phase)
            .into_iter()
            .map(|(it, alias)| (it.name, alias))
            .collect()
    }

    fn names(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, alias)| ((*name).to_owned(), (*alias).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_linked_counts_before_what_is_default() {
        let linked = candidate("mine", Provider::Aws, &["", "west"]);
        let unused = candidate("unused", Provider::Aws, &[]);
        let all = [default("everybody"), linked, unused];
        let expected = names(&[("mine", ""), ("mine", "west")]);
        assert_eq!(received(&all, Phase::Plan), expected);
        // An alias alone leaves the provider itself to the default.
        let aliased = candidate("mine", Provider::Aws, &["west"]);
        let all = [default("everybody"), aliased];
        let expected = names(&[("everybody", ""), ("mine", "west")]);
        assert_eq!(received(&all, Phase::Plan), expected);
    }

    #[test]
    fn of_two_defaults_the_nearer_one_counts() {
        let mut near = default("z-near");
        near.configuration.environment_id = Some(EnvironmentId::random());
        let all = [default("b"), near, default("a")];
        assert_eq!(received(&all, Phase::Plan), names(&[("z-near", "")]));
        assert_eq!(
            received(&[all[0].clone(), all[2].clone()], Phase::Plan),
            names(&[("a", "")])
        );
    }

    #[test]
    fn what_is_for_applies_is_not_given_to_plans() {
        let mut strong = candidate("strong", Provider::Aws, &[""]);
        strong.configuration.apply_only = true;
        let weak = candidate("weak", Provider::Aws, &[""]);
        let all = [weak, strong];
        assert_eq!(received(&all, Phase::Plan), names(&[("weak", "")]));
        assert_eq!(received(&all, Phase::Apply), names(&[("strong", "")]));
    }

    #[test]
    fn custom_ones_stand_beside_each_other() {
        let all = [
            candidate("one", Provider::Custom, &[""]),
            candidate("two", Provider::Custom, &[""]),
        ];
        assert_eq!(
            received(&all, Phase::Plan),
            names(&[("one", ""), ("two", "")])
        );
    }
}
