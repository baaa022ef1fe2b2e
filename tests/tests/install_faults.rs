//! Installations that cannot be completed, or would put a second hostinfo beside a first: refused in words, and nothing
//! has changed. On this machine's own files, under an overlay that is gone afterwards; no systemd runs there.

use std::process::Command;

use anyhow::{Result, ensure};
use hostinfo_tests::install::Install;
use tempfile::TempDir;

/// Makes the overlay in $1 and runs the script $3 in it. The folder $2 is `/mnt` there.
const OVERLAY: &str = r#"
mount --make-rprivate /
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount --rbind /proc proc && mount --rbind /dev dev && mount --bind "$2" mnt
for folder in run tmp usr/local; do mount -t tmpfs none $folder; done
rm -rf usr/share/hostinfo usr/libexec/hostinfo etc/hostinfo etc/apparmor.d/hostinfo*
exec chroot . sh -ec "$3"
"#;

const READ_ONLY: &str = "mount --bind /etc /etc && mount -o remount,bind,ro /etc";
const TARBALL: &str = "tar -C /tmp -xzf /mnt/hostinfo-1.0.0-x86_64.tar.gz";
const MAKE_INSTALL: &str = "/tmp/hostinfo-1.0.0/install";
const DEB: &str =
    "dpkg --force-depends --no-triggers --install /mnt/hostinfo-host_1.0.0-1_amd64.deb 2>&1";
const RPM: &str =
    "rpm --force-debian --nodeps --dbpath /tmp/rpm --install /mnt/hostinfo-host-1.0.0-1.x86_64.rpm";
/// What dpkg thinks of the host's package, and of all that it left half done.
const STATE: &str = "dpkg-query --show --showformat '${Status} ${Version}\n' hostinfo-host; dpkg --audit hostinfo-host";

/// Packages, and a tarball.
struct Packages(TempDir);

impl Packages {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        Install::prepare_small()?.package("1.0.0", folder.path())?;
        Ok(Self(folder))
    }

    /// What these commands say. The first that fails is the last, and an error.
    fn run(&self, lines: &[&str]) -> Result<String> {
        let place = tempfile::tempdir()?;
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-ec", OVERLAY, "sh"])
            .args([place.path(), self.0.path()])
            .arg(lines.join("\n"))
            .output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(said)
    }
}

fn refused(command: &str) -> String {
    format!("if {command} 2>&1; then echo 'not refused: {command}'; exit 1; fi")
}

fn has(said: &str, words: &str) -> Result<()> {
    ensure!(said.contains(words), "{words:?} is missing: {said}");
    Ok(())
}

#[test]
fn nothing_is_half_installed_on_a_full_disk_or_with_a_read_only_etc() -> Result<()> {
    let packages = Packages::make()?;
    let old =
        "mkdir -p /usr/local/libexec/hostinfo && echo old >/usr/local/libexec/hostinfo/hostinfod";
    let left = "find /usr/local /etc -name '*hostinfo*' -type f -exec head -q -c 4 {} +";
    for (fault, why) in [
        ("mount -t tmpfs -o size=4m none /usr/local", "No space left on device"),
        (READ_ONLY, "Read-only file system"),
    ] {
        let said = packages.run(&[TARBALL, fault, old, &refused(MAKE_INSTALL), left])?;
        has(&said, why)?;
        ensure!(said.ends_with("nothing was installed: see the error above\nold\n"), "{said}");
    }
    let said = packages.run(&[DEB, READ_ONLY, &refused(DEB), STATE])?;
    has(&said, "hostinfo-host: /etc is read-only: remount it read-write. Nothing was changed.\n")?;
    ensure!(said.ends_with("\ninstall ok installed 1.0.0-1\n"), "{said}");
    Ok(())
}

#[test]
fn a_package_and_make_install_refuse_each_other_and_say_without_systemd_how_hostinfod_is_started()
-> Result<()> {
    let packages = Packages::make()?;
    let none = "! command -v /usr/sbin/hostinfod";
    let made = packages.run(&[TARBALL, MAKE_INSTALL, &refused(DEB), &refused(RPM), none])?;
    let words =
        "hostinfo-host: /usr/local has another hostinfo: take that away first, with make uninstall";
    ensure!(made.matches(words).count() == 2, "{made}");

    let uninstall = format!("PREFIX=/usr {MAKE_INSTALL} uninstall");
    let empty = "test -z \"$(find /usr/local -type f)\" && dpkg --verify hostinfo-host";
    let packaged = packages.run(&[
        DEB,
        TARBALL,
        &refused(MAKE_INSTALL),
        &refused(&uninstall),
        empty,
        STATE,
    ])?;
    let words = "the package hostinfo-host is installed: take that away first";
    ensure!(packaged.matches(words).count() == 2, "{packaged}");
    ensure!(
        packaged.ends_with("Nothing was changed.\ninstall ok installed 1.0.0-1\n"),
        "{packaged}"
    );

    for said in [made, packaged] {
        has(&said, "no systemd runs here")?;
        has(&said, "install -d /run/hostinfo && hostinfod &\n")?;
    }
    Ok(())
}
