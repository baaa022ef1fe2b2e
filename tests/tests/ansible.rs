//! The Ansible role is one that Ansible takes. What it does is tried by `make test-long`.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use hostinfo_tests::container::ansible;
use hostinfo_tests::paths::{tool, workspace};

#[test]
fn ansible_takes_the_role() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let site = folder.path().join("site.yml");
    fs::write(&site, "- hosts: localhost\n  connection: local\n  roles: [hostinfo]\n")?;
    let output = Command::new(tool("ansible-playbook"))
        .args(["--inventory", "localhost,", "--syntax-check"])
        .arg(site)
        .envs(ansible(folder.path())?)
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success() && !said.contains("WARNING"), "{said}");
    Ok(())
}

#[test]
fn every_described_variable_has_a_default_or_may_be_undefined_and_every_default_is_described()
-> Result<()> {
    let role = workspace().join("dist/ansible/roles/hostinfo");
    let read = |file: &str| fs::read_to_string(role.join(file));
    let (specs, defaults) = (read("meta/argument_specs.yml")?, read("defaults/main.yml")?);
    let tasks = ["main", "install", "configure", "guests"];
    let tasks: String = tasks
        .iter()
        .map(|file| read(&format!("tasks/{file}.yml")))
        .collect::<std::io::Result<_>>()?;
    let variable = |line: &str| line.trim().split_once(':').map(|(name, _)| name.to_owned());
    let described =
        specs.lines().filter(|line| line.starts_with("      hostinfo_")).filter_map(variable);
    let described: Vec<String> = described.collect();
    ensure!(described.len() > 5, "{described:?}");
    for name in &described {
        let has_default = defaults.lines().any(|line| line.starts_with(&format!("{name}:")));
        ensure!(
            has_default || tasks.contains(&format!("{name} is defined")),
            "{name} has no default"
        );
    }
    for name in defaults.lines().filter(|line| line.starts_with("hostinfo_")).filter_map(variable) {
        ensure!(described.contains(&name), "{name} is not described");
    }
    Ok(())
}
