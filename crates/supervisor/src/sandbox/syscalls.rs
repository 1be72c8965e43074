//! seccomp: the system calls no command needs and attackers do.
//!
//! A list of what is denied, not of what is allowed: terraform runs any program a configuration
//! names. What is denied answers "not permitted"; what has an older way that programs fall back to
//! answers "no such call".

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error as ApplyError, SeccompAction, SeccompCmpArgLen as Length,
    SeccompCmpOp as Compare, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter,
};

use crate::sandbox::Error;

type BackendError = seccompiler::BackendError;

/// Other processes' memory, mounts and namespaces, the kernel's code, keys and clocks.
const DENIED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Calls that hide their arguments from a filter, or work past it; there are older ways.
const ABSENT: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// `clone` may not make namespaces.
const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Socket families beyond the internet, unix sockets and netlink.
const DENIED_FAMILIES: [libc::c_int; 6] = [
    libc::AF_PACKET,
    libc::AF_VSOCK,
    libc::AF_ALG,
    libc::AF_BLUETOOTH,
    libc::AF_CAN,
    libc::AF_XDP,
];

/// An older way to `AF_PACKET`; libc won't name it any more.
const SOCK_PACKET: libc::c_int = 10;

/// The part of a socket's type that is no flag.
const SOCKET_TYPE: u64 = 0xf;

/// Restricts this process and what it starts.
///
/// # Errors
/// The kernel's own.
pub(super) fn restrict() -> Result<(), Error> {
    for filter in filters().map_err(Error::Filter)? {
        match apply_filter(&filter) {
            Ok(()) | Err(ApplyError::EmptyFilter) => {}
            Err(error) => return Err(Error::ApplyFilter(error)),
        }
    }
    Ok(())
}

fn filters() -> Result<Vec<BpfProgram>, BackendError> {
    let absent: Rules = ABSENT.iter().map(|number| (*number, vec![])).collect();
    Ok(vec![
        build(absent, libc::ENOSYS)?,
        build(denied()?, libc::EPERM)?,
        no_second_numbering(),
    ])
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn build(rules: Rules, answer: libc::c_int) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(answer.unsigned_abs());
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, machine)?.try_into()
}

fn denied() -> Result<Rules, BackendError> {
    let mut rules: Rules = DENIED.iter().map(|number| (*number, vec![])).collect();
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_clone, namespaces()?);
    // Typing into the terminal of whoever started us.
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX];
    let terminal = terminal
        .into_iter()
        .map(|request| rule(&[equal(1, request)?]));
    rules.insert(libc::SYS_ioctl, terminal.collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Raw sockets, except netlink's own kind of them, of which only the routing table is left: Go
/// lists network interfaces with it.
fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = vec![];
    for family in DENIED_FAMILIES {
        rules.push(rule(&[equal(0, number(family))?])?);
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_RAW, SOCK_PACKET] {
            let masked = Compare::MaskedEq(SOCKET_TYPE);
            let kind = SeccompCondition::new(1, Length::Dword, masked, number(kind))?;
            rules.push(rule(&[equal(0, number(family))?, kind])?);
        }
    }
    let route = number(libc::NETLINK_ROUTE);
    let other = SeccompCondition::new(2, Length::Dword, Compare::Ne, route)?;
    rules.push(rule(&[equal(0, number(libc::AF_NETLINK))?, other])?);
    Ok(rules)
}

fn namespaces() -> Result<Vec<SeccompRule>, BackendError> {
    let flags = (0..32).map(|bit| 1_u64 << bit);
    let flags = flags.filter(|flag| number(NEW_NAMESPACES) & flag != 0);
    flags
        .map(|flag| {
            let set = SeccompCondition::new(0, Length::Qword, Compare::MaskedEq(flag), flag)?;
            rule(&[set])
        })
        .collect()
}

fn rule(conditions: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Length::Dword, Compare::Eq, value)
}

fn number(value: libc::c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

/// x86-64 numbers its calls a second time, for 32-bit pointers, under the same architecture: the
/// filters above would not see them.
#[cfg(target_arch = "x86_64")]
fn no_second_numbering() -> BpfProgram {
    use seccompiler::sock_filter;
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const SECOND_NUMBERING: u32 = 0x4000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let answer = ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        sock_filter {
            code: LOAD_NUMBER,
            jt: 0,
            jf: 0,
            k: 0,
        },
        sock_filter {
            code: JUMP_IF_AT_LEAST,
            jt: 0,
            jf: 1,
            k: SECOND_NUMBERING,
        },
        sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: answer,
        },
        sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: ALLOW,
        },
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn no_second_numbering() -> BpfProgram {
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_built() {
        assert_eq!(filters().unwrap().len(), 3);
    }
}
