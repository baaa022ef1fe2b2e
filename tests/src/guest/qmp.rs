//! The part of QEMU's machine protocol that tests need: one JSON object per line, one answer to
//! each, and events in between.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// A connection to QEMU's monitor.
#[derive(Debug)]
pub(crate) struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Takes a connection from QEMU, and negotiates.
    pub(crate) fn new(stream: UnixStream) -> Result<Self> {
        let mut qmp = Self { reader: BufReader::new(stream) };
        let greeting = qmp.message()?;
        if greeting.get("QMP").is_none() {
            bail!("QEMU's monitor begins with {greeting}");
        }
        qmp.call("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns its result.
    pub(crate) fn call(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        let mut stream = self.reader.get_ref();
        stream.write_all(format!("{line}\n").as_bytes()).context("write to QEMU's monitor")?;
        loop {
            let mut message = self.message()?;
            if let Some(result) = message.get_mut("return") {
                return Ok(result.take());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
        }
    }

    fn message(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).context("read from QEMU's monitor")? == 0 {
            bail!("QEMU has closed its monitor");
        }
        Ok(serde_json::from_str(&line)?)
    }
}
