//! A private libvirtd, in mount, PID, UTS and cgroup namespaces of its own. There, the directories
//! that it would share with the machine's own libvirtd are empty, and the host has a name and a
//! UUID of its own. It needs root, and ends with all its guests when this value is dropped.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::deadline::{PATIENCE, wait_for, wait_until};
use crate::process::{Process, tied};

const SCRIPTS: [(&str, &str); 2] =
    [("outside.sh", include_str!("outside.sh")), ("inside.sh", include_str!("inside.sh"))];

/// The tests' own cgroups, in v1 and in v2.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"];

/// A channel that has nothing to do with hostinfo, such as a guest agent's. It comes with the
/// controller that other channels can be plugged into.
pub const WITH_CHANNELS: &str = "<channel type='null'>\
                                 <target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

/// A running libvirtd, and the namespaces it shares with its guests.
#[derive(Debug)]
pub struct Libvirtd {
    namespace: Process,
    /// The first process in the namespaces, by its number outside.
    inside: String,
    folder: TempDir,
}

impl Libvirtd {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It does not, or this is not root.
    pub fn start() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("a libvirtd of one's own needs root: sudo -E env PATH=\"$PATH\" make test");
        }
        let folder = tempfile::Builder::new().prefix("hostinfo-libvirt-").tempdir()?;
        for (name, script) in SCRIPTS {
            fs::write(folder.path().join(name), script)?;
        }
        let mut command = tied("sh");
        command.arg(folder.path().join("outside.sh")).args(folder.path().file_name());
        let namespace = Process::start(&mut command, folder.path().join("log"))?;
        let children = format!("/proc/{0}/task/{0}/children", namespace.pid());
        let inside = wait_for("the namespaces", PATIENCE, || {
            let children = fs::read_to_string(&children)?;
            Ok(children.split_whitespace().find(|child| is_first(child)).map(str::to_owned))
        })?;
        let libvirtd = Self { namespace, inside, folder };
        libvirtd.wait_until_it_answers()?;
        Ok(libvirtd)
    }

    /// Waits until it answers, for the first time or again.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_until_it_answers(&self) -> Result<()> {
        wait_until("libvirtd to answer", PATIENCE, || Ok(self.virsh(&["uri"]).is_ok()))
            .with_context(|| format!("libvirtd said:\n{}", self.namespace.log()))
    }

    /// The folder of its guests' files, and its socket directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URI for connecting from outside: its socket in that folder.
    pub fn uri(&self) -> String {
        let socket = "root/run/libvirt/libvirt-sock";
        format!("qemu+unix:///system?socket=/proc/{}/{socket}", self.inside)
    }

    /// The words that run a program in the namespaces.
    pub fn enter(&self) -> [&str; 6] {
        ["nsenter", "--mount", "--uts", "--cgroup", "--target", &self.inside]
    }

    /// The output of a shell command in the namespaces.
    ///
    /// # Errors
    /// It fails.
    pub fn shell(&self, line: &str) -> Result<String> {
        self.run(&["--pid", "sh", "-c", line])
    }

    /// The output of `virsh`.
    ///
    /// # Errors
    /// It fails.
    pub fn virsh(&self, args: &[&str]) -> Result<String> {
        self.run(&[&["virsh", "-c", "qemu:///system"], args].concat())
    }

    /// Kills libvirtd but not its guests, and removes its sockets.
    ///
    /// # Errors
    /// It had already ended.
    pub fn crash(&self) -> Result<()> {
        self.shell(
            "kill -9 $(cat /run/libvirtd.pid); rm -f /run/libvirtd.pid /run/libvirt/*sock*",
        )?;
        Ok(())
    }

    /// Ends libvirtd as a service manager does, and waits for that.
    ///
    /// # Errors
    /// It had already ended.
    pub fn stop(&self) -> Result<()> {
        self.shell(
            "pid=$(cat /run/libvirtd.pid); kill $pid; while [ -e /proc/$pid ]; do sleep 0.1; done",
        )?;
        Ok(())
    }

    /// Starts libvirtd again, from that program.
    ///
    /// # Errors
    /// It does not answer.
    pub fn begin(&self, program: &str) -> Result<()> {
        self.shell(&format!("{program} -d"))?;
        self.wait_until_it_answers()
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let [nsenter, rest @ ..] = self.enter();
        let output = Command::new(nsenter).args(rest).args(args).output().context("run nsenter")?;
        if !output.status.success() {
            bail!("{args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Defines a domain with a disk `vda`, and a hostinfo port whose socket has that name.
    ///
    /// # Errors
    /// libvirt refuses it.
    pub fn define(&self, name: &str, socket: &str) -> Result<()> {
        let disk = self.folder().join(name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        fs::write(&disk, vec![1; 4 << 20])?;
        self.define_xml(&self.domain(name, &disk, &self.folder().join(socket)))
    }

    /// Defines a domain with nothing to boot from, and these devices beside its serial port 0.
    ///
    /// # Errors
    /// libvirt refuses it.
    pub fn define_bare(&self, name: &str, devices: &str) -> Result<()> {
        self.define_xml(&format!(
            "<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory>
             <os><type arch='x86_64' machine='q35'>hvm</type></os>
             <devices><serial type='null'/>{devices}</devices></domain>",
            escaped(name)
        ))
    }

    /// The XML from which a domain is started.
    ///
    /// # Errors
    /// There is no such domain.
    pub fn config(&self, name: &str) -> Result<String> {
        self.virsh(&["dumpxml", "--inactive", name])
    }

    /// Defines a domain.
    ///
    /// # Errors
    /// libvirt refuses it.
    pub fn define_xml(&self, xml: &str) -> Result<()> {
        let file = self.folder().join("domain.xml");
        fs::write(&file, xml)?;
        self.virsh(&["define", path(&file)?])?;
        Ok(())
    }

    fn domain(&self, name: &str, disk: &Path, socket: &Path) -> String {
        format!(
            "<domain type='qemu'>
              <name>{}</name>
              <memory unit='MiB'>32</memory>
              <vcpu current='1'>2</vcpu>
              <os><type arch='x86_64' machine='q35'>hvm</type></os>
              <devices>
                <disk type='file' device='disk'>
                  <driver name='qemu' type='raw'/>
                  <source file='{}'/>
                  <target dev='vda' bus='virtio'/>
                  <serial>not-a-port</serial>
                </disk>
                <controller type='virtio-serial'/>
                <serial type='null'/>
                <serial type='unix'><source mode='bind' path='{}'/><target port='1'/></serial>
              </devices>
            </domain>",
            escaped(name),
            disk.display(),
            escaped(&socket.to_string_lossy())
        )
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        let _ = self.namespace.kill();
        let Some(name) = self.folder.path().file_name() else { return };
        for cgroup in CGROUPS.map(|root| Path::new(root).join(name)) {
            // Killed processes remain in it for a few moments.
            let _ = wait_until("the cgroup to be empty", PATIENCE, || Ok(remove(&cgroup)));
        }
    }
}

/// Whether a process is the first of a PID namespace: proc(5) lists its numbers in `NSpid`, the
/// innermost last.
fn is_first(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
}

/// Removes a cgroup and everything in it; the kernel's own files do not prevent that. Returns true
/// if it is gone.
fn remove(cgroup: &Path) -> bool {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    fs::remove_dir(cgroup).is_ok() || !cgroup.exists()
}

/// Text escaped for XML, including attributes in single quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

/// A path as an argument.
///
/// # Errors
/// It is not text.
pub fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}
