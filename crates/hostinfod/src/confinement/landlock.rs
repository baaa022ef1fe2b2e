//! Landlock, landlock(7): where the daemon writes and executes files, and which network and processes it reaches.
//!
//! Reading is not bounded: rules are bound to inodes, and a symbolic link to the rules file that changes has to be
//! followed at once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope, make_bitflags,
};

/// What is refused everywhere but where a rule permits it: all ways to change files, up to ioctl(2) on devices, which
/// Linux 6.10 added. Connecting to a Unix socket by its path can be refused from Linux 7.1 on; the daemon has to connect
/// to sockets wherever `[[sockets]]` says.
const BOUNDED: ABI = ABI::V5;

/// What is permitted below the daemon's own directories: regular files, directories and sockets. `Refer` lets files
/// be moved between two of them: older versions do that, and an upgrade to one of them keeps this.
const WRITE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | MakeSock | RemoveFile | Refer
});

/// Where output goes that nobody reads.
const NULL: &str = "/dev/null";

/// Why the kernel does not confine.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Moving a file from one directory to another is refused by the first version, whatever the rules.
    #[error(
        "the kernel does not offer it: Linux 5.19 or later does, if `landlock` is in its parameter lsm= or is built \
         into its list"
    )]
    Missing,
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] RulesetError),
}

/// Confines this thread and what it starts. TCP sockets can be bound to that `port` alone, or listen at one that the kernel
/// picks, which Landlock does not see.
///
/// # Errors
/// [`Error`].
pub(super) fn restrict(
    writable: &[PathBuf],
    executable: &[PathBuf],
    port: Option<u16>,
) -> Result<(), Error> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .map_err(|_| Error::Missing)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(BOUNDED) | AccessFs::Execute)?
        // The daemon connects to nobody by TCP.
        .handle_access(AccessNet::from_all(BOUNDED))?
        .scope(scopes(std::env::var_os("NOTIFY_SOCKET").as_deref()))?;
    let null = [PathBuf::from(NULL)];
    let mut ruleset = ruleset.create()?;
    for (paths, access) in [
        (writable, WRITE),
        (executable, AccessFs::Execute.into()),
        (&null, AccessFs::WriteFile | AccessFs::Truncate),
    ] {
        for directory in paths.iter().filter_map(|path| open(path)) {
            ruleset = ruleset.add_rule(PathBeneath::new(directory, access))?;
        }
    }
    if let Some(port) = port {
        ruleset = ruleset.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    let status = ruleset.restrict_self()?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(Error::Missing),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

/// Without a rule, what is below is refused.
fn open(path: &Path) -> Option<PathFd> {
    PathFd::new(path)
        .inspect_err(|error| {
            tracing::warn!("Landlock will refuse to let hostinfod use {}: {error}", path.display());
        })
        .ok()
}

/// Since Linux 6.12, signals reach only what the daemon has started, and no abstract socket is connected to, unless the
/// service manager listens at one.
fn scopes(notify: Option<&OsStr>) -> BitFlags<Scope> {
    match notify.map(OsStr::as_bytes) {
        Some([b'@', ..]) => Scope::Signal.into(),
        _ => Scope::Signal | Scope::AbstractUnixSocket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::ErrorKind;

    /// Runs a test in a thread of its own, which alone is confined; nothing, on a kernel without Landlock.
    fn confined(writable: &Path, test: impl FnOnce() + Send) {
        let writable = [writable.to_owned()];
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| match restrict(&writable, &[], None) {
                Ok(()) => test(),
                // As some kernels that build this are.
                Err(Error::Missing) => {}
                Err(error) => panic!("{error}"),
            });
            thread.join().unwrap();
        });
    }

    #[test]
    fn files_are_made_moved_and_removed_below_a_permitted_directory_and_nowhere_else() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let kept = outside.path().join("kept");
        fs::write(&kept, "x").unwrap();
        confined(inside.path(), || {
            let at = |name: &str| inside.path().join(name);
            fs::create_dir(at("a")).unwrap();
            fs::write(at("new"), "x").unwrap();
            fs::rename(at("new"), at("a/old")).unwrap();
            fs::remove_file(at("a/old")).unwrap();
            let refused = |result: std::io::Result<()>| {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
            };
            refused(File::create(outside.path().join("x")).map(drop));
            refused(File::options().append(true).open(&kept).map(drop));
            refused(fs::create_dir(outside.path().join("a")));
            refused(fs::remove_file(&kept));
            refused(std::os::unix::fs::symlink("/", at("link")));
            assert_eq!(fs::read_to_string(&kept).unwrap(), "x");
            fs::write(NULL, "x").unwrap();
        });
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn landlock_counts_as_missing_whether_the_kernel_lacks_it_or_a_filter_hides_it() {
        use nix::libc;
        use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
        for error in [libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM] {
            let rules = [(libc::SYS_landlock_create_ruleset, Vec::new())].into();
            let action = SeccompAction::Errno(error.unsigned_abs());
            let arch = std::env::consts::ARCH.try_into().unwrap();
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
            let filter: BpfProgram = filter.try_into().unwrap();
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    seccompiler::apply_filter(&filter).unwrap();
                    assert!(matches!(restrict(&[], &[], None), Err(Error::Missing)));
                });
                thread.join().unwrap();
            });
        }
    }

    #[test]
    fn an_abstract_socket_of_the_service_managers_stays_reachable() {
        let all = Scope::Signal | Scope::AbstractUnixSocket;
        for (notify, wanted) in
            [(None, all), (Some("/run/systemd/notify"), all), (Some("@x"), Scope::Signal.into())]
        {
            assert_eq!(scopes(notify.map(OsStr::new)), wanted, "{notify:?}");
        }
    }
}
