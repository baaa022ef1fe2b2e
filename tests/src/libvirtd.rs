//! A libvirtd that nobody else sees: in mount and PID namespaces of its own, where the
//! directories that it would share with the machine's own are empty. It needs root, and ends with
//! all its guests when this value is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::deadline::{PATIENCE, wait_for, wait_until};
use crate::guest::Libvirt;
use crate::process::{Process, tied};

const INSIDE: &str = include_str!("inside.sh");

/// A running libvirtd, and the namespaces that it and its guests are in.
#[derive(Debug)]
pub struct Libvirtd {
    namespace: Process,
    /// The first process in the namespaces, as this side numbers it.
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
        let script = folder.path().join("inside.sh");
        fs::write(&script, INSIDE)?;
        let mut command = tied("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"]);
        let namespace = Process::start(command.arg(script), folder.path().join("log"))?;
        let children = format!("/proc/{0}/task/{0}/children", namespace.pid());
        let inside = wait_for("the namespaces", PATIENCE, || {
            let children = fs::read_to_string(&children)?;
            Ok(children.split_whitespace().next().map(str::to_owned))
        })?;
        let libvirtd = Self { namespace, inside, folder };
        libvirtd.wait_until_it_answers()?;
        Ok(libvirtd)
    }

    /// Waits until it answers, for the first time or once more.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_until_it_answers(&self) -> Result<()> {
        wait_until("libvirtd to answer", PATIENCE, || Ok(self.virsh(&["uri"]).is_ok()))
            .with_context(|| format!("libvirtd said:\n{}", self.namespace.log()))
    }

    /// Where its guests' files are, and the directory of sockets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program in the namespaces, as arguments.
    pub fn enter(&self) -> [&str; 4] {
        ["nsenter", "--mount", "--target", &self.inside]
    }

    /// What a line of shell prints in the namespaces.
    ///
    /// # Errors
    /// It fails.
    pub fn shell(&self, line: &str) -> Result<String> {
        self.run(&["--pid", "sh", "-c", line])
    }

    /// What `virsh` prints.
    ///
    /// # Errors
    /// It fails.
    pub fn virsh(&self, args: &[&str]) -> Result<String> {
        self.run(&[&["virsh", "-c", "qemu:///system"], args].concat())
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

/// A text as XML has it, also in an attribute in single quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

impl Libvirt for Libvirtd {
    fn inside(&self) -> &Path {
        self.folder()
    }

    fn outside(&self) -> PathBuf {
        self.folder().to_owned()
    }

    fn virsh(&self, args: &[&str]) -> Result<String> {
        Self::virsh(self, args)
    }
}

/// A path as an argument.
///
/// # Errors
/// It is no text.
pub fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}
