//! Landlock: the files a command may reach, whatever its user could.
//!
//! The best the kernel has is put on: without the newer rights of a newer kernel, but never
//! without those of the first version. Its scopes (kernel 6.12) also keep signals and abstract
//! sockets inside. It does not cover chmod, chown, utime and stat.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::sandbox::{Error, Plan};

/// The newest version we know; older kernels get what they have of it.
const NEWEST: ABI = ABI::V6;

/// What programs read about the machine and themselves.
const KERNEL_READ_ONLY: [&str; 4] = [
    "/proc",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/sys/devices/system/cpu",
];

const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Restricts this process to the plan's files.
///
/// # Errors
/// Landlock's own, or that the kernel has none.
pub(super) fn restrict(plan: &Plan) -> Result<(), Error> {
    let status = ruleset(plan).map_err(Error::Landlock)?;
    match status {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(Error::LandlockNotEnforced),
    }
}

fn ruleset(plan: &Plan) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::from_read(NEWEST);
    let write = AccessFs::from_all(NEWEST);
    let system = step::SYSTEM_READ_ONLY
        .iter()
        .chain(&KERNEL_READ_ONLY)
        .map(Path::new);
    let readable = system
        .chain([plan.step_directory.as_path(), plan.program.as_path()])
        .chain(plan.sandbox.read_only.iter().map(AsRef::as_ref));
    let writable = DEVICES.iter().map(Path::new);
    let writable = writable
        .chain(plan.writable.iter().map(AsRef::as_ref))
        .chain(plan.sandbox.read_write.iter().map(AsRef::as_ref));
    Ok(Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(write)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(writable, write))?
        .restrict_self()?
        .ruleset)
}
