//! A guest of the lab's host, however it was started: its console, its CPUs, and its queries.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Lab, PATIENCE, fault, qemu};
use crate::deadline::ask_until;
use crate::guest::console::Console;
use crate::guest::{Output, Port, question};

/// How long a guest waits for each line of an answer.
const ANSWER: Duration = Duration::from_secs(60);

/// The guests' kernel command line.
pub(super) const KERNEL: &str = "console=ttyS0 quiet";

/// A guest that has booted.
#[derive(Debug)]
pub struct LabGuest<'a> {
    lab: &'a Lab,
    known: Known,
}

/// What the lab remembers of a guest.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: String,
    /// The CPUs of the host that it has for itself.
    pub(super) cpus: Vec<u32>,
    pub(super) how: How,
    pub(super) console: Rc<RefCell<Console>>,
    /// The console's number.
    port: usize,
}

/// How a guest was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Libvirt,
    Hand,
}

impl Lab {
    /// CPUs for a guest: the requested ones, or else the first ones that no guest has.
    pub(super) fn free_cpus(&self, wish: &[u32], count: usize) -> Result<Vec<u32>> {
        let guests = self.guests.borrow();
        let most = self.spec.guest_cpus().len();
        ensure!(guests.len() < most, "this lab bears {most} guests at a time");
        let is_free = |cpu: &u32| !guests.iter().any(|guest| guest.cpus.contains(cpu));
        let cpus: Vec<u32> = match wish {
            [] => self.spec.guest_cpus().filter(is_free).take(count).collect(),
            wish => wish.iter().copied().filter(is_free).collect(),
        };
        ensure!(
            cpus.len() >= count.min(wish.len().max(count)),
            "no {count} CPUs are free: {guests:?}"
        );
        Ok(cpus)
    }

    /// Waits for the boot of a guest whose console is at `end` in the host, an address in socat's form.
    pub(super) fn booted(&self, guest: Known, end: &str) -> Result<LabGuest<'_>> {
        let port = format!("/dev/virtio-ports/lab.{}", qemu::console(guest.port));
        self.sh(&format!("setsid socat {end} {port} </dev/null >>/run/lab/socat 2>&1 &"))?;
        self.guests.borrow_mut().push(guest.clone());
        let guest = LabGuest { lab: self, known: guest };
        guest.wait_for_boot()?;
        Ok(guest)
    }

    /// A guest that is about to be started, with an unused console.
    pub(super) fn known(&self, name: &str, cpus: Vec<u32>, how: How) -> Result<Known> {
        let taken: Option<(usize, UnixStream)> = self.host.borrow_mut().consoles.pop_front();
        let (port, stream) = taken.context("this lab has had all the guests that it can have")?;
        let console = Rc::new(RefCell::new(Console::new(stream)));
        Ok(Known { name: name.to_owned(), cpus, how, console, port })
    }
}

impl LabGuest<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.known.name
    }

    /// Its host.
    pub fn lab(&self) -> &Lab {
        self.lab
    }

    /// The first CPU of the host that it has for itself.
    pub fn cpu(&self) -> u32 {
        self.known.cpus.first().copied().unwrap_or_default()
    }

    /// Waits until it has booted, for the first time or again.
    ///
    /// # Errors
    /// It does not.
    pub fn wait_for_boot(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut console = self.known.console.borrow_mut();
        while let Err(error) = console.wait_for_boot(Duration::from_secs(5)) {
            let said = console.said();
            if fault::is_panic(&said) || Instant::now() > end {
                return Err(error.context(format!("guest {} said:\n{said}", self.name())));
            }
        }
        Ok(())
    }

    /// Runs a command in the guest's shell.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn run(&self, command: &str) -> Result<Output> {
        let output = self.known.console.borrow_mut().run(command, PATIENCE);
        output.with_context(|| format!("run in guest {}: {command}", self.name()))
    }

    /// Runs a command that must succeed, and returns its output.
    ///
    /// # Errors
    /// It fails.
    pub fn sh(&self, command: &str) -> Result<String> {
        let output = self.run(command)?;
        if output.status != 0 {
            bail!("in guest {} {command:?} fails: {output:?}", self.name());
        }
        Ok(output.stdout)
    }

    /// Asks the host as `docs/protocol.md` shows, with shell alone, and returns its reply, one string per line.
    /// `request` goes into single quotes.
    ///
    /// # Errors
    /// No complete reply arrives.
    pub fn ask(&self, request: &str) -> Result<Vec<String>> {
        self.ask_by(Port::Serial, request)
    }

    /// [`Self::ask`] over another port.
    ///
    /// # Errors
    /// No complete reply arrives.
    pub fn ask_by(&self, port: Port, request: &str) -> Result<Vec<String>> {
        let reply = self.sh(&question(port, request, ANSWER))?;
        Ok(reply.lines().map(str::to_owned).collect())
    }

    /// Asks repeatedly until the reply's first line begins with `begins`.
    ///
    /// # Errors
    /// It never does.
    pub fn ask_until(&self, request: &str, begins: &str) -> Result<Vec<String>> {
        ask_until(request, begins, PATIENCE, |request| self.ask(request))
    }

    /// The number in a statistic's value.
    ///
    /// # Errors
    /// It has none.
    pub fn figure(&self, name: &str) -> Result<f64> {
        let reply = self.ask(name)?;
        let line = reply.first().and_then(|line| line.strip_prefix("200 ")?.split_once('='));
        let (_, value) = line.with_context(|| format!("{reply:?}"))?;
        value.parse().with_context(|| format!("{reply:?}"))
    }

    /// The process number of its VMM in the host.
    ///
    /// # Errors
    /// It has ended.
    pub fn pid(&self) -> Result<u32> {
        let pid = self.lab.sh(&format!("cat {}", self.known.pid_file()))?;
        pid.trim().parse().with_context(|| pid.clone())
    }

    /// The folder of its VMM's cgroup in the host. Quote it in a shell: systemd's names contain backslashes.
    ///
    /// # Errors
    /// It has ended.
    pub fn cgroup(&self) -> Result<String> {
        let line = self.lab.sh(&format!("cat /proc/{}/cgroup", self.pid()?))?;
        let path = line.trim().strip_prefix("0::").with_context(|| line.clone())?;
        Ok(format!("/sys/fs/cgroup{path}"))
    }

    /// The folder of the cgroup that libvirt created for the whole guest.
    ///
    /// # Errors
    /// It has ended, or is not in one of libvirt's cgroups.
    pub fn scope(&self) -> Result<String> {
        let cgroup = self.cgroup()?;
        let (scope, _) = cgroup.split_once("/libvirt").context("libvirt's own cgroups")?;
        Ok(scope.to_owned())
    }

    /// Ends its VMM as its host would, so that another guest may have its CPUs.
    ///
    /// # Errors
    /// It had already ended.
    pub fn end(self) -> Result<()> {
        let Known { name, how, .. } = &self.known;
        self.lab.guests.borrow_mut().retain(|guest| guest.name != *name);
        match how {
            How::Libvirt => self.lab.virsh(&format!("destroy '{name}'")).map(drop),
            How::Hand => {
                let pid = self.pid()?;
                self.lab.sh(&format!("kill {pid}"))?;
                self.lab.wait_until(&format!("[ ! -e /proc/{pid} ]"))
            }
        }
    }
}

impl Known {
    /// The path in the host of the file with its VMM's process number.
    pub(super) fn pid_file(&self) -> String {
        match self.how {
            How::Libvirt => format!("'/run/libvirt/qemu/{}.pid'", self.name),
            How::Hand => format!("'/run/lab/{}.pid'", self.name),
        }
    }
}
