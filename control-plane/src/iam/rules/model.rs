//! What the rules are, and what they decide.

use std::net::IpAddr;

use chrono::TimeDelta;
use domain::access::TokenKind;
use ipnet::IpNet;

use crate::clock::Timestamp;
use crate::iam::IamError;

/// Longest life that can be asked for, in days, and networks that can be listed.
const MAX_DAYS: i64 = 3650;
const MAX_NETWORKS: usize = 200;

/// An account's rules; by default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    pub user_token_days: Option<i64>,
    /// For tokens of service accounts, teams and environments.
    pub service_account_token_days: Option<i64>,
    /// Where tokens work from; empty: anywhere.
    pub networks: Vec<IpNet>,
}

impl Rules {
    /// How long a token of a kind may live.
    fn longest(&self, kind: TokenKind) -> Option<TimeDelta> {
        let days = match kind {
            TokenKind::User => self.user_token_days,
            TokenKind::ServiceAccount | TokenKind::Team | TokenKind::Environment => {
                self.service_account_token_days
            }
            // A run's token lives as long as its job.
            TokenKind::Run => None,
        };
        days.map(TimeDelta::days)
    }

    /// When a token that was made at `made` ends at the latest.
    pub fn end(&self, kind: TokenKind, made: Timestamp) -> Option<Timestamp> {
        self.longest(kind).map(|life| made + life)
    }

    /// Whether the rules let a token be used from `address`. Without a known address they don't, if
    /// they name any.
    pub fn admit(&self, kind: TokenKind, address: Option<IpAddr>) -> bool {
        if kind == TokenKind::Run || self.networks.is_empty() {
            return true;
        }
        address.is_some_and(|address| {
            // A listener on `::` sees IPv4 callers as mapped addresses.
            let address = address.to_canonical();
            self.networks
                .iter()
                .any(|network| network.contains(&address))
        })
    }

    /// The networks as text.
    pub fn written_networks(&self) -> Vec<String> {
        self.networks.iter().map(ToString::to_string).collect()
    }

    /// # Errors
    /// [`IamError::Invalid`], naming the field.
    pub fn check(&self) -> Result<(), IamError> {
        let days = [
            ("/data/attributes/user-token-days", self.user_token_days),
            (
                "/data/attributes/service-account-token-days",
                self.service_account_token_days,
            ),
        ];
        for (field, days) in days {
            if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
                return Err(IamError::Invalid {
                    field,
                    detail: format!("use 1 to {MAX_DAYS} days, or null for no limit"),
                });
            }
        }
        if self.networks.len() > MAX_NETWORKS {
            return Err(IamError::Invalid {
                field: "/data/attributes/allowed-networks",
                detail: format!("list at most {MAX_NETWORKS} networks"),
            });
        }
        Ok(())
    }
}

/// Networks as they are written: `10.0.0.0/8`, `2001:db8::/32`, or one address.
///
/// # Errors
/// [`IamError::Invalid`], naming the entry.
pub(super) fn networks(texts: &[String]) -> Result<Vec<IpNet>, IamError> {
    texts
        .iter()
        .map(|text| {
            let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse::<IpNet>()
                .ok()
                .or_else(one)
                .ok_or_else(|| IamError::Invalid {
                    field: "/data/attributes/allowed-networks",
                    detail: format!("{text:?} is no network such as `10.0.0.0/8`, and no address"),
                })
        })
        .collect()
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn addresses_are_compared_in_their_own_family() {
        let texts = ["10.0.0.0/8".to_owned(), "2001:db8::7".to_owned()];
        let rules = Rules {
            networks: networks(&texts).unwrap(),
            ..Rules::default()
        };
        let admits = |text: &str| rules.admit(TokenKind::User, Some(text.parse().unwrap()));
        assert!(admits("10.1.2.3") && admits("::ffff:10.1.2.3") && admits("2001:db8::7"));
        assert!(!admits("11.0.0.1") && !admits("::1") && !admits("2001:db8::8"));
        assert!(!rules.admit(TokenKind::Team, None));
        assert!(rules.admit(TokenKind::Run, None));
        assert!(Rules::default().admit(TokenKind::User, None));
        assert!(networks(&["10.0.0.0/33".to_owned()]).is_err());
    }
}
