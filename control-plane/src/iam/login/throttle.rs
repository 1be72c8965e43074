//! How fast passwords may be tried: per user name and per source address, slower with every
//! attempt that doesn't succeed.
//!
//! An attempt counts when it is let through, before its password is checked, so that a thousand
//! sent at once are no way around. The delay per user is short, or anybody could lock a user out;
//! the one per address is long.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::store;
use crate::app::App;
use crate::clock::Timestamp;

/// What came before this long ago is forgotten.
const MEMORY: TimeDelta = TimeDelta::hours(1);
/// Old rows are swept long after they have lost their meaning, so that the sweep meets no attempt
/// that has them locked.
const KEPT: TimeDelta = TimeDelta::days(1);

/// How many attempts are free, and the longest wait between later ones.
#[derive(Debug, Clone, Copy)]
struct Policy {
    free: i64,
    longest_wait: TimeDelta,
}

const PER_USER: Policy = Policy {
    free: 5,
    longest_wait: TimeDelta::minutes(1),
};
const PER_ADDRESS: Policy = Policy {
    free: 20,
    longest_wait: TimeDelta::minutes(15),
};

/// Attempts without success, of one user name or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Attempts {
    pub attempts: i64,
    pub last_at: Timestamp,
}

/// Lets one more attempt through, or says until when to wait.
fn decide(before: Attempts, policy: Policy, now: Timestamp) -> Result<Attempts, Timestamp> {
    if now - before.last_at > MEMORY {
        return Ok(Attempts {
            attempts: 1,
            last_at: now,
        });
    }
    let over = before.attempts - policy.free;
    if over >= 0 {
        let seconds = 1_i64 << over.min(20);
        let next = before.last_at + TimeDelta::seconds(seconds).min(policy.longest_wait);
        if now < next {
            return Err(next);
        }
    }
    Ok(Attempts {
        attempts: before.attempts + 1,
        last_at: now,
    })
}

/// Who tries.
#[derive(Debug)]
pub(super) struct Tried {
    user: String,
    address: Option<String>,
}

impl Tried {
    pub(super) fn new(username: &str, address: Option<IpAddr>) -> Self {
        Self {
            user: format!("user {username}"),
            address: address.map(|address| format!("address {}", subnet(address))),
        }
    }

    /// The user's row first, always: two attempts can't wait for each other.
    fn rows(&self) -> impl Iterator<Item = (&str, Policy)> {
        std::iter::once((self.user.as_str(), PER_USER)).chain(
            self.address
                .as_deref()
                .map(|address| (address, PER_ADDRESS)),
        )
    }

    /// Counts this attempt, or says until when to wait.
    ///
    /// # Errors
    /// The outer one is the database's own.
    pub(super) async fn admit(&self, app: &App) -> Result<Result<(), Timestamp>, db::Error> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        for (id, policy) in self.rows() {
            let before = store::lock_attempts(&mut tx, id, now).await?;
            match decide(before, policy, now) {
                Ok(after) => store::set_attempts(&mut tx, id, after).await?,
                // Dropping the transaction leaves the counts as they were.
                Err(until) => return Ok(Err(until)),
            }
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// The password was wrong: the count stands, and rows that nobody needs any more are swept.
    pub(super) async fn failed(&self, app: &App, conn: &mut db::Conn) -> Result<(), db::Error> {
        store::forget_attempts_before(conn, app.clock.now() - KEPT).await
    }

    /// The password was right: the user starts anew, the address gets this attempt back.
    pub(super) async fn succeeded(&self, conn: &mut db::Conn) -> Result<(), db::Error> {
        store::forget_attempts_of(conn, &self.user).await?;
        if let Some(address) = &self.address {
            store::take_attempt_back(conn, address).await?;
        }
        Ok(())
    }
}

/// One host: an IPv6 host has a whole /64 to itself.
fn subnet(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    const POLICY: Policy = Policy {
        free: 2,
        longest_wait: TimeDelta::seconds(4),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let mut attempts = Attempts {
            attempts: 0,
            last_at: at(0),
        };
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..7 {
            if let Err(until) = decide(attempts, POLICY, now) {
                waits.push((until - now).num_seconds());
                now = until;
            }
            attempts = decide(attempts, POLICY, now).unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 4, 4]);
    }

    #[test]
    fn an_hour_later_all_is_forgotten() {
        let many = Attempts {
            attempts: 1000,
            last_at: at(0),
        };
        assert!(decide(many, POLICY, at(2)).is_err());
        assert_eq!(decide(many, POLICY, at(3601)).unwrap().attempts, 1);
    }

    #[test]
    fn an_ipv6_host_can_not_use_its_many_addresses() {
        let subnet = |text: &str| subnet(text.parse().unwrap());
        assert_eq!(subnet("2001:db8::1"), subnet("2001:db8::ffff:1"));
        assert_eq!(subnet("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
