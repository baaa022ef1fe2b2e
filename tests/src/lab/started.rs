//! The QEMU that runs the host, and the harness's ends of its ports.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::qemu;
use super::spec::Spec;
use crate::deadline::wait_until;
use crate::guest::console::Console;
use crate::guest::qmp::Qmp;
use crate::guest::{accept, text};
use crate::process::Process;

/// Long enough for anything that works in the host or in its guests, where an instruction takes
/// twenty times as long as elsewhere, and others may use this machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Enough for QEMU to write or read half a GiB.
const SAVING: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Started {
    pub(super) qemu: Process,
    pub(super) qmp: Qmp,
    pub(super) shell: Console,
    /// The unused ones, with their numbers.
    pub(super) consoles: VecDeque<(usize, UnixStream)>,
    pub(super) folder: TempDir,
}

impl Started {
    /// Starts QEMU in `folder`. If there is a saved `memory`, it continues from that.
    pub(super) fn start(
        spec: Spec,
        made: &Path,
        disk: &Path,
        payload: &Path,
        folder: TempDir,
        memory: Option<&Path>,
    ) -> Result<Self> {
        let listeners: Vec<UnixListener> = qemu::chardevs()
            .iter()
            .map(|name| UnixListener::bind(folder.path().join(name)))
            .collect::<Result<_, _>>()?;
        let mut command = qemu::command(spec, made, disk, payload, folder.path());
        if let Some(memory) = memory {
            command.arg("-incoming").arg(format!("exec:cat '{}'", memory.display()));
        }
        let mut process = Process::start(&mut command, folder.path().join("qemu.log"))?;
        let mut streams: VecDeque<UnixStream> = listeners
            .iter()
            .map(|listener| accept(listener, &mut process))
            .collect::<Result<_>>()?;
        let (Some(monitor), Some(shell)) = (streams.pop_front(), streams.pop_front()) else {
            bail!("QEMU has no ports")
        };
        let mut started = Self {
            qemu: process,
            qmp: Qmp::new(monitor)?,
            shell: Console::lossless(shell),
            consoles: streams.into_iter().enumerate().collect(),
            folder,
        };
        if memory.is_some() {
            started.wait_for("query-status", &["running"])?;
        }
        Ok(started)
    }

    /// Makes QEMU write the host's memory to a file. The host is stopped from then on.
    pub(super) fn save(mut self, memory: &Path) -> Result<()> {
        // By default, QEMU would limit the rate to protect a network.
        self.qmp.call("migrate-set-parameters", json!({ "max-bandwidth": 1u64 << 34 }))?;
        self.qmp.call("migrate", json!({ "uri": format!("exec:cat >'{}'", memory.display()) }))?;
        self.wait_for("query-migrate", &["completed", "failed"])?;
        let result = self.qmp.call("query-migrate", json!({}))?;
        if text(&result, "status") != Some("completed") {
            bail!("saving failed: {result}");
        }
        // On quitting, QEMU writes pending data to its disk.
        self.qmp.call("quit", json!({}))?;
        self.qemu.wait(SAVING).map(drop)
    }

    fn wait_for(&mut self, command: &str, wanted: &[&str]) -> Result<()> {
        wait_until(command, SAVING, || {
            let answer = self.qmp.call(command, json!({}))?;
            Ok(text(&answer, "status").is_some_and(|status| wanted.contains(&status)))
        })
        .with_context(|| self.story())
    }

    /// QEMU's thread for that CPU.
    pub(super) fn thread_of_cpu(&mut self, cpu: u32) -> Result<u64> {
        let cpus = self.qmp.call("query-cpus-fast", json!({}))?;
        let thread = cpus.as_array().and_then(|cpus| {
            let mut cpus = cpus.iter();
            cpus.find(|it| it.get("cpu-index").and_then(Value::as_u64) == Some(cpu.into()))
        });
        let thread = thread.and_then(|it| it.get("thread-id")?.as_u64());
        thread.with_context(|| format!("there is no CPU {cpu}: {cpus}"))
    }

    /// The output of the host's kernel.
    pub(super) fn serial(&self) -> String {
        let said = fs::read(self.folder.path().join(qemu::SERIAL)).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    pub(super) fn story(&self) -> String {
        format!("QEMU said:\n{}\nthe host's kernel said:\n{}", self.qemu.log(), self.serial())
    }
}
