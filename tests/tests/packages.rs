//! Packages of what was built: what is in them, and what their scripts do.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use hostinfo_tests::install::{Install, files, run};
use hostinfo_tests::paths;
use hostinfo_tests::process::write_script;
use tempfile::TempDir;

/// All packages of a version.
fn packages(version: &str) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    Install::prepare_small()?.package(version, folder.path())?;
    Ok(folder)
}

/// Those whose names end so.
fn ending(folder: &TempDir, end: &str) -> Result<Vec<PathBuf>> {
    let found = fs::read_dir(folder.path())?.map(|entry| Ok(entry?.path()));
    let found = found.collect::<Result<BTreeSet<PathBuf>>>()?;
    Ok(found.into_iter().filter(|path| path.to_string_lossy().ends_with(end)).collect())
}

/// The files, but no folders, in a package of Debian's.
fn in_deb(deb: &Path) -> Result<BTreeSet<String>> {
    let told = run(Command::new("dpkg-deb").arg("-c").arg(deb))?;
    let paths = told.lines().filter_map(|line| line.split_whitespace().last());
    let paths = paths.map(|path| format!("/{}", path.trim_start_matches(['.', '/'])));
    Ok(paths.filter(|path| !path.ends_with('/')).collect())
}

fn in_debs(folder: &TempDir) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for deb in ending(folder, ".deb")? {
        let of_this = in_deb(&deb)?;
        let twice: Vec<_> = all.intersection(&of_this).collect();
        assert!(twice.is_empty(), "in both packages: {twice:?}");
        all.extend(of_this);
    }
    Ok(all)
}

#[test]
fn every_file_that_make_install_lays_out_is_in_one_of_the_packages() -> Result<()> {
    let root = tempfile::tempdir()?;
    Install::prepare()?.make("install", "/usr", root.path())?;
    let wanted = files(root.path())?;
    let found = in_debs(&packages("1.0.0")?)?;
    for file in wanted {
        let compressed = format!("{file}.gz");
        assert!(found.contains(&file) || found.contains(&compressed), "{file}");
    }
    for file in [
        "/usr/share/hostinfo/selinux/hostinfo.pp",
        "/usr/lib/systemd/system/hostinfo-serve.service",
        "/usr/lib/systemd/system/hostinfo-serve.socket",
        "/usr/lib/systemd/system-preset/80-hostinfo-host.preset",
        "/usr/lib/udev/rules.d/60-hostinfo.rules",
    ] {
        assert!(found.contains(file), "{file}");
    }
    Ok(())
}

#[test]
fn the_module_for_selinux_is_built_against_the_hosts_policy_if_that_is_there() -> Result<()> {
    let folder = packages("1.0.0")?;
    let all = ending(&folder, ".noarch.rpm")?;
    let package = all.first().context("hostinfo-selinux")?;
    let root = small_root()?;
    // Without the sources of a policy it says what to do, and is installed all the same.
    rpm(&root, &["-i"], package)?;
    assert!(!calls(&root)?.contains("semodule"));
    rpm(&root, &["-e"], Path::new("hostinfo-selinux"))?;
    assert!(calls(&root)?.contains("semodule -X 200 -r hostinfo"));

    let sources = root.path().join("usr/share/selinux/devel");
    fs::create_dir_all(&sources)?;
    fs::write(sources.join("Makefile"), "")?;
    rpm(&root, &["-i"], package)?;
    let told = calls(&root)?;
    for call in [
        "-f /usr/share/selinux/devel/Makefile hostinfo.pp",
        "semodule -X 200 -i /tmp/",
        "systemctl stop hostinfo-open.socket hostinfo-run.socket hostinfo-vsock.socket hostinfo.service",
        "systemctl start hostinfo-open.socket hostinfo-run.socket hostinfo-vsock.socket hostinfo.service",
    ] {
        assert!(told.contains(call), "{call}: {told}");
    }
    Ok(())
}

#[test]
fn the_tarball_installs_the_files_that_make_install_does() -> Result<()> {
    let [wanted, unpacked, root] =
        [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    Install::prepare()?.make("install", "/usr", wanted.path())?;
    let folder = packages("1.0.0")?;
    run(Command::new("tar")
        .arg("-C")
        .arg(unpacked.path())
        .arg("-xf")
        .args(ending(&folder, ".tar.gz")?))?;
    let destination = format!("DESTDIR={}", root.path().display());
    run(Command::new("env")
        .args(["PREFIX=/usr", &destination])
        .arg(unpacked.path().join("hostinfo-1.0.0/install")))?;
    assert_eq!(files(root.path())?, files(wanted.path())?);
    Ok(())
}

#[test]
fn lintian_and_rpmlint_find_nothing() -> Result<()> {
    let folder = packages("1.0.0")?;
    run(Command::new("lintian")
        .args(["--allow-root", "--fail-on", "error,warning"])
        .args(ending(&folder, ".deb")?))?;
    let settings = paths::workspace().join("dist/packages/rpmlint.toml");
    let told = run(Command::new("rpmlint").arg("-c").arg(settings).args(ending(&folder, ".rpm")?))?;
    assert!(told.contains(" 0 errors, 0 warnings"), "{told}");
    Ok(())
}

#[test]
fn the_same_sources_give_the_same_packages_to_the_byte() -> Result<()> {
    let install = Install::prepare_small()?;
    let [first, second] = [tempfile::tempdir()?, tempfile::tempdir()?];
    for folder in [&first, &second] {
        install.package("1.0.0", folder.path())?;
    }
    let files = fs::read_dir(first.path())?.collect::<Result<Vec<_>, _>>()?;
    // A deb and an rpm of the host's part, the guest's and the module, and the tarball.
    assert_eq!(files.len(), 7, "{files:?}");
    for file in files {
        let again = fs::read(second.path().join(file.file_name()))?;
        assert!(fs::read(file.path())? == again, "{file:?} differs");
    }
    Ok(())
}

/// A root with a shell and a systemd that only writes down how it was called, for rpm's scripts.
fn small_root() -> Result<TempDir> {
    let root = tempfile::tempdir()?;
    let bin = root.path().join("usr/bin");
    fs::create_dir_all(&bin)?;
    std::os::unix::fs::symlink("usr/bin", root.path().join("bin"))?;
    for folder in ["run/systemd/system", "var/lib/rpm", "dev"] {
        fs::create_dir_all(root.path().join(folder))?;
    }
    fs::write(root.path().join("dev/null"), "")?;
    fs::copy(paths::workspace().join("target/guest/busybox"), bin.join("busybox"))?;
    std::os::unix::fs::symlink("busybox", bin.join("sh"))?;
    fs::create_dir_all(root.path().join("tmp"))?;
    for program in [
        "systemctl",
        "systemd-sysusers",
        "systemd-tmpfiles",
        "make",
        "semodule",
        "selinuxenabled",
        "restorecon",
    ] {
        write_script(&bin.join(program), "#!/bin/sh\necho \"${0##*/} $*\" >>/calls\n")?;
    }
    Ok(root)
}

/// rpm with that root, as its root.
fn rpm(root: &TempDir, arguments: &[&str], package: &Path) -> Result<String> {
    run(Command::new("unshare")
        .args(["--map-root-user", "rpm", "--nodeps", "--root"])
        .arg(root.path())
        .args(arguments)
        .arg(package))
}

/// How its systemd was called since the last time.
fn calls(root: &TempDir) -> Result<String> {
    let path = root.path().join("calls");
    let told = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, "")?;
    Ok(told)
}

/// The host's package of that version.
fn host_rpm(folder: &TempDir) -> Result<PathBuf> {
    let all = ending(folder, ".rpm")?;
    let host = all.into_iter().find(|path| path.to_string_lossy().contains("hostinfo-host"));
    host.context("the host's package")
}

#[test]
fn rpm_installs_upgrades_and_removes_and_keeps_what_is_the_administrators() -> Result<()> {
    let [old, new] = [packages("1.0.0")?, packages("1.1.0")?];
    let root = small_root()?;
    rpm(&root, &["-i"], &host_rpm(&old)?)?;
    let told = calls(&root)?;
    for call in [
        "systemd-sysusers hostinfo.conf",
        "systemd-tmpfiles --create hostinfo.conf",
        "systemctl --no-reload preset hostinfo.service",
        "systemctl daemon-reload",
        "systemctl start hostinfo",
    ] {
        assert!(told.contains(call), "{call}: {told}");
    }

    let rules = root.path().join("etc/hostinfo/hostinfo.conf");
    fs::write(&rules, "*:\n  interval = 5\n")?;
    let guests = root.path().join("var/lib/hostinfo");
    fs::create_dir_all(&guests)?;
    rpm(&root, &["-U"], &host_rpm(&new)?)?;
    let told = calls(&root)?;
    assert!(!told.contains("disable") && !told.contains(" stop"), "{told}");
    assert!(told.contains("systemctl is-active --quiet hostinfo"), "{told}");
    assert_eq!(fs::read_to_string(&rules)?, "*:\n  interval = 5\n");

    rpm(&root, &["-U", "--oldpackage"], &host_rpm(&old)?)?;
    assert_eq!(fs::read_to_string(&rules)?, "*:\n  interval = 5\n");
    calls(&root)?;
    // An energy meter as the rule leaves it: of the daemon's group, which is this user's in here.
    let meter = root.path().join("sys/class/powercap/intel-rapl:0/energy_uj");
    fs::create_dir_all(meter.parent().context("a folder")?)?;
    fs::write(&meter, "1\n")?;
    fs::set_permissions(&meter, Permissions::from_mode(0o440))?;
    fs::write(root.path().join("etc/group"), "hostinfo:x:0:\n")?;
    rpm(&root, &["-e"], Path::new("hostinfo-host"))?;
    assert_eq!(fs::metadata(&meter)?.permissions().mode() & 0o777, 0o400, "the meter is root's");
    assert!(calls(&root)?.contains("disable --now hostinfo-follow.service hostinfo.service"));
    assert!(!root.path().join("usr/sbin/hostinfod").exists());
    assert!(guests.exists(), "guests' sockets are gone");
    let saved = root.path().join("etc/hostinfo/hostinfo.conf.rpmsave");
    assert_eq!(fs::read_to_string(saved)?, "*:\n  interval = 5\n");
    Ok(())
}
