//! The system calls of a locked child.
//!
//! **What is not listed fails with `EPERM`** instead of killing the child: libraries probe (glibc's allocator opens
//! `/proc/sys/vm/overcommit_memory`, `qsort` asks for the size of memory, stdio for the kind of its stream) and take a
//! refusal for "not there". A kill would cost innocent pages a fault, and it would not refuse more: a call that
//! fails has no effect.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// Allowed whatever their arguments: none takes a path, none makes a descriptor, none reaches another process.
const ALLOWED: &[i64] = &[
    // Memory without a right to execute it.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Descriptors that are open: the socket, standard error, a passed source.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_ppoll,
    // Time, randomness (of hash tables), and what the machine has: `qsort` chooses its algorithm by `sysinfo`, and a
    // child must sort as an unlocked program does.
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_getrusage,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // Locks, signals to itself, the end.
    libc::SYS_futex,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Puts the filter on every thread of this process.
pub(super) fn restrict() -> Result<(), String> {
    let program = filter().map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| format!("{error:?}"))
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    // Mappings that can't be executed (argument 2 is the protection): no code can be brought in.
    let not_executable = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![only_if(2, not_executable.clone(), 0)?]);
    }
    // `abort` signals its own thread; no other process may be signalled.
    let own_pid = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![only_if(0, SeccompCmpOp::Eq, own_pid)?]);
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        TargetArch::try_from(std::env::consts::ARCH)?,
    )?
    .try_into()
}

fn only_if(
    argument: u8,
    compare: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)?])
}
