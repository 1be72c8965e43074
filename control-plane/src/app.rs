//! The composition root: what every use case may reach.

use blob::BlobStore;
use db::Db;
use url::Url;
use vault::Signer;

use crate::clock::Clock;
use crate::costs::PriceBook;
use crate::iam::SignInCache;
use crate::outbound::Outbound;
use crate::policies::Checkups;
use crate::supervise::Wake;
use crate::tenancy::Keyring;

/// Facts of this installation that use cases need.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Where clients reach this control plane: scheme, host, port, no path.
    pub public_url: Url,
    pub limits: Limits,
    pub timing: Timing,
    /// How long audit records are kept in accounts without a rule of their own, in days; 0: for ever.
    pub audit_days: i64,
    /// The shortest that an account may choose.
    pub least_audit_days: i64,
}

/// How large things may be, in bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    pub configuration: u64,
    pub state: u64,
    pub artefact: u64,
    /// Largest state that is priced: its resources are all in memory then, in over ten times the room.
    pub priced_state: u64,
    /// Largest log of one phase; what comes after it is dropped with a notice.
    pub log: u64,
    /// How many jobs of an account without a limit of its own may be at work at a time; 0: any
    /// number.
    pub runs_per_account: u32,
}

impl Limits {
    /// [`Limits::runs_per_account`] as a number to compare with.
    pub fn jobs_per_account(&self) -> i64 {
        match self.runs_per_account {
            0 => i64::MAX,
            limit => limit.into(),
        }
    }
}

/// How long things may take, in seconds.
#[derive(Debug, Clone)]
pub struct Timing {
    pub heartbeat: u32,
    /// A lease that was not renewed for this long is over.
    pub lease: u32,
    /// An offer that was not acknowledged for this long is withdrawn.
    pub offer: u32,
    /// How long an apply may be out of contact before its state counts as uncertain.
    pub out_of_contact: u32,
    /// How long a run may take, a phase at a time.
    pub run_timeout: u32,
    /// How long a returning runner may still deliver the states of an ended job.
    pub recovery_grant: u32,
    pub certificate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            configuration: 256 << 20,
            state: 1 << 30,
            artefact: 2 << 30,
            priced_state: 32 << 20,
            log: 256 << 20,
            runs_per_account: 0,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: 8,
            lease: 25,
            offer: 5,
            out_of_contact: 15 * 60,
            run_timeout: 24 * 3600,
            recovery_grant: 30 * 24 * 3600,
            certificate: 24 * 3600,
        }
    }
}

/// What wakes whom inside this process.
#[derive(Default, Clone)]
pub struct Signals {
    /// A run may have become startable.
    pub queue: Wake,
    /// A job may have become offerable, or a runner free.
    pub dispatch: Wake,
    /// A run may have come to a gate.
    pub gates: Wake,
    /// A log phase ended and can be compacted.
    pub logs: Wake,
    /// A policy group may have something to check.
    pub policies: Wake,
    /// An impact analysis may have something to do.
    pub impact: Wake,
    /// States may have to be priced.
    pub costs: Wake,
}

/// Everything a use case may reach. Cloned by reference only.
pub struct App {
    pub db: Db,
    pub blobs: BlobStore,
    pub keys: Keyring,
    pub signer: Signer,
    pub clock: Clock,
    pub prices: PriceBook,
    pub installation: Installation,
    /// Evaluates policies in processes of their own.
    pub policy_worker: policy::worker::Worker,
    pub checkups: Checkups,
    /// Calls what tenants name.
    pub outbound: Outbound,
    /// What identity providers have said of themselves lately.
    pub sign_in: SignInCache,
    pub signals: Signals,
}

impl App {
    /// An absolute URL of this control plane; `path` starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!(
            "{}{path}",
            self.installation.public_url.as_str().trim_end_matches('/')
        )
    }
}
