//! The Ansible role against three hosts with systemd and libvirt.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::container::Containers;
use hostinfo_tests::install::Install;

const HOSTS: [&str; 3] = ["host1", "host2", "host3"];
const SUITES: [(&str, &str); 3] =
    [(HOSTS[0], "bookworm"), (HOSTS[1], "bookworm"), (HOSTS[2], "trixie")];

/// A domain that runs, and into which a channel can be plugged.
const DOMAIN: &str = "<domain type=\"qemu\"><name>web1</name><memory unit=\"MiB\">64</memory><os><type>hvm</type></os>\
                      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type=\"virtio-serial\"/>\
                      </devices></domain>";

/// With the package of this folder, and these rules, settings, and role of the guest.
fn playbook(package: &str, rules: &str, settings: &str, role: &str) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  roles: [hostinfo]\n  vars:\n    \
         ansible_python_interpreter: /usr/bin/python3\n    \
         hostinfo_package: {package}\n    \
         hostinfo_rules: \"{rules}\\n\"\n    \
         hostinfo_settings: \"{settings}\\n\"\n    \
         hostinfo_enable: ['web*', 'nothing-*']\n    \
         hostinfo_enable_now: true\n    \
         hostinfo_follow: ['web-*', 'Web Server *', 'role=db']\n    \
         hostinfo_textfile: true\n    \
         hostinfo_tags: {{web1: {{role: {role}, tier: gold}}}}\n"
    )
}

#[test]
fn the_role_changes_three_hosts_once_shows_what_it_would_change_and_refuses_broken_rules()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    Install::prepare_stripped()?.package("1.0.0", folder.path())?;
    let deb = folder.path().join("hostinfo-host_1.0.0-1_amd64.deb");
    let deb = deb.to_str().context("a path")?;
    let hosts = Containers::boot(&SUITES)?;
    let everywhere = |line: &str| -> Result<Vec<String>> {
        HOSTS.iter().map(|host| hosts.sh(host, line)).collect()
    };
    let files = "cat /etc/hostinfo/hostinfo.conf /etc/hostinfo/hostinfod.toml";
    everywhere("mkdir -p /var/lib/prometheus/node-exporter")?;
    everywhere(&format!(
        "echo '{DOMAIN}' >/root/web1.xml && virsh define /root/web1.xml && virsh start web1"
    ))?;

    // With nothing installed, it shows that it would be, and is not.
    let first = playbook(deb, "*:\\n  interval = 5", "[flow]\\nlines_per_second = 10", "db");
    let (done, said) = hosts.play(&first, &["--check", "--diff"])?;
    ensure!(done && hosts.recap(&said)?.iter().all(|host| host.contains(" changed=1 ")), "{said}");
    ensure!(hosts.sh(HOSTS[0], "command -v hostinfod").is_err());

    let (done, said) = hosts.play(&first, &[])?;
    ensure!(done, "{said}");
    for told in everywhere("systemctl is-active hostinfo hostinfo-follow hostinfo-textfile.timer")?
    {
        ensure!(told == "active\nactive\nactive\n", "{told}");
    }
    for told in everywhere(
        "hostinfoctl --json list; hostinfoctl --json tag web1; hostinfoctl --json status",
    )? {
        for words in ["\"state\": \"connected\"", "\"role\": \"db\"", "\"rules\": 1,"] {
            ensure!(told.contains(words), "{words}: {told}");
        }
    }
    everywhere(
        "until grep -q '^hostinfod_rules 1$' /var/lib/prometheus/node-exporter/hostinfod.prom; do sleep 0.2; done",
    )?;

    let (done, said) = hosts.play(&first, &[])?;
    ensure!(done && hosts.recap(&said)?.iter().all(|host| host.contains(" changed=0 ")), "{said}");

    let second = playbook(deb, "*:\\n  interval = 7", "[flow]\\nlines_per_second = 11", "web");
    let before = everywhere(files)?;
    let (done, said) = hosts.play(&second, &["--check", "--diff"])?;
    ensure!(done, "{said}");
    for line in
        ["-  interval = 5\n+  interval = 7\n", "-lines_per_second = 10\n+lines_per_second = 11\n"]
    {
        ensure!(said.matches(line).count() == HOSTS.len(), "{line}{said}");
    }
    // In the saved configuration and in the running one.
    ensure!(said.matches("-role=db\\n+role=web\\n").count() == 2 * HOSTS.len(), "{said}");
    ensure!(everywhere(files)? == before, "--check has written something");
    ensure!(hosts.sh(HOSTS[0], "hostinfoctl --json tag web1")?.contains("\"role\": \"db\""));

    // Neither broken rules nor the settings beside them get there; nor broken settings.
    for broken in [
        playbook(deb, "*:\\n  intervall = 7", "[flow]\\nlines_per_second = 11", "web"),
        playbook(deb, "*:\\n  interval = 7", "[flow]\\nlines = 11", "web"),
    ] {
        for options in [&["--check"][..], &[]] {
            let (done, said) = hosts.play(&broken, options)?;
            let why = ["unknown key `intervall`", "unknown field `lines`"];
            ensure!(!done && why.iter().any(|words| said.contains(words)), "{said}");
            ensure!(hosts.recap(&said)?.iter().all(|host| host.contains(" changed=0 ")), "{said}");
            ensure!(everywhere(files)? == before, "{said}");
        }
    }

    let process = everywhere("systemctl show --value --property=MainPID hostinfo")?;
    let (done, said) = hosts.play(&second, &[])?;
    ensure!(done, "{said}");
    let log = "journalctl --unit=hostinfo --no-pager --output=cat | grep -c 'settings read again'";
    ensure!(everywhere(log)?.iter().all(|count| count == "2\n"), "the handler reloads it");
    ensure!(everywhere("systemctl show --value --property=MainPID hostinfo")? == process);
    ensure!(
        everywhere("cat /etc/hostinfo/hostinfo.conf")?
            .iter()
            .all(|it| it == "*:\n  interval = 7\n")
    );
    fs::remove_dir_all(folder.path())?;
    hosts.end()
}
