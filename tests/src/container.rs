//! A host in a container: Debian 12 or 13, whose first process is systemd, with libvirt. It reads the lab's files and
//! keeps its own changes in memory. It needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::deadline::{PATIENCE, wait_for, wait_until};
use crate::install::run;
use crate::paths::{lab_cache, tool, workspace};
use crate::process::{Process, tied, write_script};

/// Hosts that Ansible can be run against.
#[derive(Debug)]
pub struct Containers {
    hosts: Vec<Container>,
    folder: TempDir,
}

/// A running one.
#[derive(Debug)]
struct Container {
    name: String,
    process: Process,
    /// Its first process, by its number outside.
    leader: String,
}

impl Containers {
    /// Boots one for each name and suite, side by side, and waits until all services run.
    ///
    /// # Errors
    /// They do not, or this is not root.
    pub fn boot(hosts: &[(&str, &str)]) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("containers need root: sudo -E env PATH=\"$PATH\" make test-long");
        }
        let folder = tempfile::Builder::new().prefix("hostinfo-hosts-").tempdir()?;
        let path = folder.path();
        fs::write(path.join("boot.sh"), include_str!("container/boot.sh"))?;
        write_script(&path.join("ssh"), include_str!("container/ssh.sh"))?;
        let lab = lab_cache()?;
        let mut started = Vec::new();
        for (name, suite) in hosts {
            let root = path.join(name);
            fs::create_dir(&root)?;
            let mut command = tied("unshare");
            // systemd-nspawn leaves its container running if it is killed. As the first process of a namespace it cannot.
            command
                .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
                .args(["--mount", "--cgroup", "sh"])
                .arg(path.join("boot.sh"))
                .arg(name)
                .arg(root)
                .args([lab.join(format!("python-{suite}")), lab.join(suite).join("root")]);
            started.push((*name, Process::start(&mut command, path.join(format!("{name}.log")))?));
        }
        let mut booted = Vec::new();
        for (name, mut process) in started {
            let leader = wait_for("systemd", PATIENCE, || {
                if let Some(status) = process.ended()? {
                    bail!("the container ended: {status}: {}", process.log());
                }
                let nspawn = children(&process.pid().to_string());
                Ok(nspawn.iter().flat_map(|it| children(it)).find(|child| is_systemd(child)))
            })?;
            fs::write(path.join(format!("{name}.pid")), &leader)?;
            booted.push(Container { name: name.to_owned(), process, leader });
        }
        let containers = Self { hosts: booted, folder };
        for (name, _) in hosts {
            wait_until("its services", PATIENCE, || {
                Ok(containers.sh(name, "systemctl is-system-running").is_ok())
            })
            .with_context(|| containers.story(name))?;
        }
        Ok(containers)
    }

    /// The output of a shell command in one.
    ///
    /// # Errors
    /// It fails.
    pub fn sh(&self, name: &str, line: &str) -> Result<String> {
        let host = self.hosts.iter().find(|host| host.name == name).context("no such host")?;
        run(Command::new("nsenter")
            .args(["--target", &host.leader])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"])
            .args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line]))
    }

    /// Runs ansible-playbook for all of them with the role of `dist/ansible`, and returns whether it succeeds, and its
    /// output.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn play(&self, playbook: &str, options: &[&str]) -> Result<(bool, String)> {
        let path = self.folder.path();
        fs::write(path.join("site.yml"), playbook)?;
        let hosts: Vec<&str> = self.hosts.iter().map(|host| &*host.name).collect();
        let output = Command::new(tool("ansible-playbook"))
            .args(["--inventory", &format!("{},", hosts.join(","))])
            .args(options)
            .arg(path.join("site.yml"))
            .env("ANSIBLE_SSH_EXECUTABLE", path.join("ssh"))
            .env("HOSTINFO_CONTAINERS", path)
            .envs(ansible(path)?)
            .output()
            .context("run ansible-playbook")?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// What they counted in its last run, host by host: `changed=0` and the like.
    ///
    /// # Errors
    /// A host is missing.
    pub fn recap<'s>(&self, said: &'s str) -> Result<Vec<&'s str>> {
        let (_, recap) = said.rsplit_once("PLAY RECAP").context(said.to_owned())?;
        let lines: Vec<&str> = recap.lines().filter(|line| line.contains("changed=")).collect();
        ensure!(lines.len() == self.hosts.len(), "{said}");
        Ok(lines)
    }

    /// Ends them as a test does that is killed, and waits until they are gone.
    ///
    /// # Errors
    /// One goes on.
    pub fn end(self) -> Result<()> {
        for mut host in self.hosts {
            host.process.kill()?;
            let path = Path::new("/proc").join(&host.leader);
            wait_until("the end of a container", PATIENCE, || Ok(!path.exists()))?;
        }
        Ok(())
    }

    fn story(&self, name: &str) -> String {
        let host = self.hosts.iter().find(|host| host.name == name);
        host.map(|host| host.process.log()).unwrap_or_default()
    }
}

/// Variables with which Ansible knows our role, and nothing of the user's own settings. `folder` is for its files.
///
/// # Errors
/// Nothing can be written there.
pub fn ansible(folder: &Path) -> Result<[(&'static str, PathBuf); 6]> {
    fs::write(folder.join("ansible.cfg"), "")?;
    Ok([
        ("ANSIBLE_ROLES_PATH", workspace().join("dist/ansible/roles")),
        ("ANSIBLE_CONFIG", folder.join("ansible.cfg")),
        ("ANSIBLE_HOME", folder.join("ansible")),
        ("ANSIBLE_SSH_TRANSFER_METHOD", PathBuf::from("piped")),
        ("ANSIBLE_PIPELINING", PathBuf::from("1")),
        ("ANSIBLE_NOCOLOR", PathBuf::from("1")),
    ])
}

/// The numbers of a process's children; none once it has ended.
fn children(number: &str) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{number}/task/{number}/children"));
    children.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Whether a process is the first of a container, which is called systemd once it is one.
fn is_systemd(number: &str) -> bool {
    fs::read_to_string(format!("/proc/{number}/comm")).is_ok_and(|name| name == "systemd\n")
}
