//! `make install` and `make uninstall`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use hostinfo_tests::install::{Install, files, run};
use tempfile::TempDir;

const PROGRAMS: &str = "\
/usr/bin/hostinfo
/usr/bin/hostinfoctl
/usr/libexec/hostinfo/hostinfo-libvirt
/usr/libexec/hostinfo/hostinfo-open
/usr/libexec/hostinfo/hostinfo-run
/usr/libexec/hostinfo/hostinfod
/usr/share/hostinfo/guest/install
/usr/share/hostinfo/selinux/install";

const OTHERS: &str = "\
/etc/apparmor.d/hostinfo-open
/etc/apparmor.d/hostinfod
/etc/hostinfo/follow.conf
/etc/hostinfo/hostinfo.conf
/etc/hostinfo/hostinfod.toml
/usr/lib/systemd/system/hostinfo-follow.service
/usr/lib/systemd/system/hostinfo-open.service
/usr/lib/systemd/system/hostinfo-open.socket
/usr/lib/systemd/system/hostinfo-run.service
/usr/lib/systemd/system/hostinfo-run.socket
/usr/lib/systemd/system/hostinfo-textfile.service
/usr/lib/systemd/system/hostinfo-textfile.timer
/usr/lib/systemd/system/hostinfo-vsock.socket
/usr/lib/systemd/system/hostinfo.service
/usr/lib/sysusers.d/hostinfo.conf
/usr/lib/tmpfiles.d/hostinfo.conf
/usr/lib/udev/rules.d/70-hostinfo.rules
/usr/share/bash-completion/completions/hostinfo
/usr/share/bash-completion/completions/hostinfoctl
/usr/share/bash-completion/completions/hostinfod
/usr/share/doc/hostinfo/CHANGELOG.md
/usr/share/doc/hostinfo/LICENSE-APACHE
/usr/share/doc/hostinfo/LICENSE-MIT
/usr/share/doc/hostinfo/README.md
/usr/share/doc/hostinfo/SECURITY.md
/usr/share/fish/vendor_completions.d/hostinfo.fish
/usr/share/fish/vendor_completions.d/hostinfoctl.fish
/usr/share/fish/vendor_completions.d/hostinfod.fish
/usr/share/man/man1/hostinfo.1
/usr/share/man/man5/hostinfo-custom.5
/usr/share/man/man5/hostinfo.conf.5
/usr/share/man/man5/hostinfod.toml.5
/usr/share/hostinfo/ansible/roles/hostinfo/defaults/main.yml
/usr/share/hostinfo/ansible/roles/hostinfo/handlers/main.yml
/usr/share/hostinfo/ansible/roles/hostinfo/meta/argument_specs.yml
/usr/share/hostinfo/ansible/roles/hostinfo/meta/main.yml
/usr/share/hostinfo/ansible/roles/hostinfo/tasks/configure.yml
/usr/share/hostinfo/ansible/roles/hostinfo/tasks/guests.yml
/usr/share/hostinfo/ansible/roles/hostinfo/tasks/install.yml
/usr/share/hostinfo/ansible/roles/hostinfo/tasks/main.yml
/usr/share/hostinfo/grafana/hostinfo.json
/usr/share/hostinfo/guest/60-hostinfo.rules
/usr/share/hostinfo/guest/hostinfo-serve.service
/usr/share/hostinfo/guest/hostinfo-serve.socket
/usr/share/hostinfo/prometheus/hostinfo.rules.yml
/usr/share/hostinfo/selinux/hostinfo.fc
/usr/share/hostinfo/selinux/hostinfo.if
/usr/share/hostinfo/selinux/hostinfo.te
/usr/share/polkit-1/rules.d/49-hostinfo.rules
/usr/share/man/man7/hostinfo-administration.7
/usr/share/man/man7/hostinfo-audit.7
/usr/share/man/man7/hostinfo-clouds.7
/usr/share/man/man7/hostinfo-control.7
/usr/share/man/man7/hostinfo-fleet.7
/usr/share/man/man7/hostinfo-guest.7
/usr/share/man/man7/hostinfo-json.7
/usr/share/man/man7/hostinfo-monitoring.7
/usr/share/man/man7/hostinfo-packages.7
/usr/share/man/man7/hostinfo-policies.7
/usr/share/man/man7/hostinfo-protocol.7
/usr/share/man/man7/hostinfo-proxmox.7
/usr/share/man/man7/hostinfo-service.7
/usr/share/man/man7/hostinfo-statistics.7
/usr/share/man/man7/hostinfo-troubleshooting.7
/usr/share/man/man7/hostinfo-vhostmd.7
/usr/share/man/man7/hostinfo-vsock.7
/usr/share/man/man7/hostinfo-windows.7
/usr/share/man/man7/hostinfo-with-libvirt.7
/usr/share/man/man7/hostinfo-with-qemu.7
/usr/share/man/man8/hostinfoctl.8
/usr/share/man/man8/hostinfod.8
/usr/share/zsh/site-functions/_hostinfo
/usr/share/zsh/site-functions/_hostinfoctl
/usr/share/zsh/site-functions/_hostinfod";

#[test]
fn everything_has_its_place_below_destdir_and_goes_away_again_but_for_what_is_the_administrators()
-> Result<()> {
    let install = Install::prepare()?;
    let root = tempfile::tempdir()?;
    install.make("install", "/usr", root.path())?;

    let docs = fs::read_dir(hostinfo_tests::paths::workspace().join("docs"))?;
    let docs = docs.map(|entry| {
        Ok(format!("/usr/share/doc/hostinfo/{}", entry?.file_name().to_string_lossy()))
    });
    let mut wanted: BTreeSet<String> = docs.collect::<Result<_>>()?;
    wanted.extend(PROGRAMS.lines().chain(OTHERS.lines()).map(str::to_owned));
    assert_eq!(files(root.path())?, wanted);
    for file in &wanted {
        let mode = fs::metadata(root.path().join(file.trim_start_matches('/')))?.permissions();
        let wanted = if PROGRAMS.contains(file.as_str()) { 0o755 } else { 0o644 };
        assert_eq!(mode.mode() & 0o7777, wanted, "{file}");
    }
    let unit = fs::read_to_string(root.path().join("usr/lib/systemd/system/hostinfo.service"))?;
    assert!(unit.contains("ExecStart=/usr/sbin/hostinfod\n"), "{unit}");
    let command = root.path().join("usr/sbin/hostinfod");
    assert_eq!(fs::canonicalize(&command)?, root.path().join("usr/libexec/hostinfo/hostinfod"));

    let state = root.path().join("var/lib/hostinfo");
    fs::create_dir_all(&state)?;
    install.make("uninstall", "/usr", root.path())?;
    let left: Vec<String> = files(root.path())?.into_iter().collect();
    let kept = ["follow.conf", "hostinfo.conf", "hostinfod.toml"];
    assert_eq!(left, kept.map(|file| format!("/etc/hostinfo/{file}")));
    assert!(state.exists() && !command.is_symlink());
    assert!(!root.path().join("usr/share/doc/hostinfo").exists());
    Ok(())
}

#[test]
fn files_that_the_administrator_has_written_are_kept() -> Result<()> {
    let install = Install::prepare()?;
    let root = tempfile::tempdir()?;
    let etc = root.path().join("etc/hostinfo");
    fs::create_dir_all(&etc)?;
    for file in ["follow.conf", "hostinfo.conf", "hostinfod.toml"] {
        fs::write(etc.join(file), "# mine\n")?;
    }
    install.make("install", "/usr/local", root.path())?;
    for file in ["follow.conf", "hostinfo.conf", "hostinfod.toml"] {
        assert_eq!(fs::read_to_string(etc.join(file))?, "# mine\n", "{file}");
    }
    Ok(())
}

#[test]
fn the_examples_change_nothing_and_the_rules_among_them_are_valid_when_uncommented() -> Result<()> {
    let install = Install::prepare()?;
    let root = tempfile::tempdir()?;
    install.make("install", "/usr", root.path())?;
    let etc = root.path().join("etc/hostinfo");

    let rules = fs::read_to_string(etc.join("hostinfo.conf"))?;
    assert!(rules.lines().all(|line| line.starts_with('#')), "{rules}");
    // The example begins with the first line that has no blank behind its #.
    let mut example = rules.lines().skip_while(|line| *line == "#" || line.starts_with("# "));
    let first = example.next().context("no example")?;
    let lines = std::iter::once(first).chain(example).map(|line| line.trim_start_matches('#'));
    let host =
        hostinfo_tests::Host::new(&lines.map(|line| format!("{line}\n")).collect::<String>())?;

    let settings = fs::read_to_string(etc.join("hostinfod.toml"))?;
    assert!(
        !settings.lines().any(|line| line.contains('=') && !line.starts_with('#')),
        "{settings}"
    );
    host.write_config(&settings)?;
    let daemon = host.start_daemon()?;
    assert!(!daemon.log().contains("WARN"), "{}", daemon.log());
    Ok(())
}

#[test]
fn the_textfile_service_has_an_exposure_of_at_most_0_9_and_is_off() -> Result<()> {
    let root = installed()?;
    let exposure = exposure(&path_of(&root, "hostinfo-textfile.service"))?;
    assert!(exposure < 0.95, "{exposure}");
    let command = "ExecStart=/usr/bin/hostinfoctl stats --format prometheus --output \
                   /var/lib/prometheus/node-exporter/hostinfod.prom";
    has_lines(
        &root,
        "hostinfo-textfile.service",
        &[command, "CapabilityBoundingSet=CAP_DAC_OVERRIDE"],
    )?;
    has_lines(&root, "hostinfo-textfile.timer", &["WantedBy=timers.target"])?;
    let preset = fs::read_to_string("../dist/packages/host.preset")?;
    assert!(preset.contains("disable hostinfo-textfile.timer\n"), "{preset}");
    Ok(())
}

/// The exposure that systemd-analyze(1) tells, from 0 to 10.
fn exposure(unit: &Path) -> Result<f64> {
    let told = run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit))?;
    let overall = told.lines().rev().find(|line| line.contains("Overall exposure"));
    let number = overall.and_then(|line| line.split_once(": ")?.1.split(' ').next());
    Ok(number.with_context(|| told.clone())?.parse()?)
}

/// All that `make install` lays out.
fn installed() -> Result<TempDir> {
    let root = tempfile::tempdir()?;
    Install::prepare()?.make("install", "/usr", root.path())?;
    Ok(root)
}

/// The text of an installed unit.
fn unit(root: &TempDir, name: &str) -> Result<String> {
    Ok(fs::read_to_string(path_of(root, name))?)
}

fn path_of(root: &TempDir, unit: &str) -> PathBuf {
    root.path().join("usr/lib/systemd/system").join(unit)
}

/// That an installed unit has these lines.
fn has_lines(root: &TempDir, name: &str, lines: &[&str]) -> Result<()> {
    let text = unit(root, name)?;
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{name}: {line}");
    }
    Ok(())
}

#[test]
fn the_service_is_exposed_to_1_1_at_the_most_and_hides_nothing_that_guests_ask_for() -> Result<()> {
    let root = installed()?;
    let exposure = exposure(&path_of(&root, "hostinfo.service"))?;
    assert!(exposure < 1.15, "{exposure}");
    let text = unit(&root, "hostinfo.service")?;
    for hiding in [
        "ProtectProc",
        "ProcSubset",
        "PrivateNetwork",
        "PrivateUsers",
        "DynamicUser",
        "ProtectHostname",
    ] {
        assert!(!text.lines().any(|line| line.starts_with(hiding)), "{hiding}");
    }
    Ok(())
}

#[test]
fn the_opener_is_exposed_to_1_1_at_the_most_and_has_one_capability() -> Result<()> {
    let root = installed()?;
    let exposure = exposure(&path_of(&root, "hostinfo-open.service"))?;
    assert!(exposure < 1.15, "{exposure}");
    let lines =
        ["ExecStart=/usr/libexec/hostinfo/hostinfo-open", "CapabilityBoundingSet=CAP_DAC_OVERRIDE"];
    has_lines(&root, "hostinfo-open.service", &lines)?;
    has_lines(&root, "hostinfo-open.socket", &["SocketUser=hostinfo", "SocketMode=0600"])
}

#[test]
fn commands_are_exposed_to_1_1_at_the_most_as_a_user_of_their_own_whom_the_daemon_alone_asks()
-> Result<()> {
    let root = installed()?;
    let exposure = exposure(&path_of(&root, "hostinfo-run.service"))?;
    assert!(exposure < 1.15, "{exposure}");
    let lines = ["ExecStart=/usr/libexec/hostinfo/hostinfo-run", "User=hostinfo-custom"];
    has_lines(&root, "hostinfo-run.service", &lines)?;
    has_lines(&root, "hostinfo-run.socket", &["SocketUser=hostinfo", "SocketMode=0600"])?;
    let lines = ["Wants=hostinfo-run.socket", "After=hostinfo-run.socket"];
    has_lines(&root, "hostinfo.service", &lines)?;
    let users = fs::read_to_string(root.path().join("usr/lib/sysusers.d/hostinfo.conf"))?;
    assert!(users.lines().any(|line| line.starts_with("u hostinfo-custom ")), "{users}");
    Ok(())
}

#[test]
fn what_needs_a_file_system_that_is_mounted_starts_after_that() -> Result<()> {
    let root = installed()?;
    for (unit, line) in [
        ("hostinfo.service", "RequiresMountsFor=/etc/hostinfo /var/lib/hostinfo"),
        ("hostinfo-run.service", "RequiresMountsFor=/etc/hostinfo"),
        ("hostinfo-follow.service", "RequiresMountsFor=/etc/hostinfo /var/lib/hostinfo"),
    ] {
        has_lines(&root, unit, &[line])?;
    }
    Ok(())
}

#[test]
fn the_follower_is_exposed_to_0_7_at_the_most_has_no_capability_and_is_off() -> Result<()> {
    let root = installed()?;
    let exposure = exposure(&path_of(&root, "hostinfo-follow.service"))?;
    assert!(exposure < 0.75, "{exposure}");
    let lines = [
        "ExecStart=/usr/bin/hostinfoctl enable --follow $GUESTS",
        "EnvironmentFile=/etc/hostinfo/follow.conf",
        "CapabilityBoundingSet=",
        "RestrictAddressFamilies=AF_UNIX",
    ];
    has_lines(&root, "hostinfo-follow.service", &lines)?;
    let links =
        run(Command::new("find").arg(root.path()).args(["-type", "l", "-path", "*/systemd/*"]))?;
    assert_eq!(links, "", "nothing is enabled");
    Ok(())
}
