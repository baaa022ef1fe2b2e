//! Neither what a daemon answers, whoever has taken it over, nor what users of libvirt write does anything to the
//! administrator's terminal.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Result, ensure};
use hostinfo_tests::Host;
use hostinfo_tests::ctl::alone;
use hostinfo_tests::deadline::accept;
use serde_json::{Value, json};

use crate::RULES;

/// Answers the calls of that many clients like a daemon that somebody has taken over.
fn serve_escapes(socket: &UnixListener, clients: usize) -> Result<()> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/answer/list");
    let guests: Value = serde_json::from_slice(&fs::read(guests)?)?;
    let escape = "\u{1b}[2J\r\u{202e}";
    let figure = json!({
        "name": format!("a{escape}"), "kind": "gauge", "labels": {(escape): escape}, "value": 1.5,
        "unit": escape, "help": format!("b{escape}"),
    });
    for _ in 0..clients {
        let mut client = accept(socket)?;
        let mut calls = BufReader::new(client.try_clone()?);
        let mut call = Vec::new();
        while calls.read_until(0, &mut call)? > 0 {
            let text = String::from_utf8_lossy(&call).into_owned();
            let error = text.contains("HostStateGet").then_some("org.hostinfo.Control.Busy");
            let reply = match text {
                _ if error.is_some() => json!({ "message": escape }),
                text if text.contains("Control.List") => guests.clone(),
                text if text.contains("Control.Preview") => {
                    json!({ "reply": format!("200-a={escape}\n200 b={escape}\n") })
                }
                text if text.contains("Control.Stats") => {
                    json!({ "since": "2026-11-28T10:14:54Z", "figures": [figure] })
                }
                _ => json!({ "text": format!("# HELP a {escape}\na 1\n# EOF\n") }),
            };
            client.write_all(
                format!("{}\0", json!({ "parameters": reply, "error": error })).as_bytes(),
            )?;
            call.clear();
        }
    }
    Ok(())
}

#[test]
fn a_daemons_answers_do_nothing_to_a_terminal() -> Result<()> {
    let host = Host::new(RULES)?;
    let socket = UnixListener::bind(host.control())?;
    let commands: [(&[&str], usize); 4] = [
        (&["preview", "a"], 2),
        (&["stats"], 3),
        (&["stats", "--format", "prometheus"], 2),
        (&["stats", "--format", "openmetrics"], 3),
    ];
    // It waits for as many clients as there are, so nothing is looked at before all have come.
    let (said, refused) = std::thread::scope(|scope| {
        let daemon = scope.spawn(|| serve_escapes(&socket, commands.len() + 1));
        let said = commands.map(|(command, _)| alone(&host, command));
        let refused = alone(&host, &["host-state"]);
        daemon.join().map_err(|_| anyhow::anyhow!("the daemon"))??;
        anyhow::Ok((said, refused))
    })?;
    ensure!(refused?.fails_with(1)?.trim_end().ends_with(r"\u{1b}[2J\u{d}\u{202e}"));
    for ((command, lines), said) in commands.into_iter().zip(said) {
        let said = said?.succeeds()?;
        ensure!(said.contains(r"\u{1b}[2J\u{d}\u{202e}"), "{command:?}: {said:?}");
        ensure!(said.lines().count() == lines, "{command:?}: {said:?}");
        ensure!(!said.contains(['\u{1b}', '\r', '\u{202e}']), "{command:?}: {said:?}");
    }
    Ok(())
}

#[test]
fn names_and_xml_of_a_domain_do_nothing_to_a_terminal() -> Result<()> {
    let host = Host::new(RULES)?;
    let socket = host.sockets().join("test-a");
    // XML may have them, as libvirt writes them again.
    let escape = "\u{9b}2J\u{202e}";
    let channel = |name: &str, path: &str| {
        format!(
            "<domain type='test'><name>{name}</name><memory>1024</memory>
             <os><type arch='x86_64'>hvm</type></os><devices>
             <channel type='unix'><source mode='bind' path='{path}'/>
             <target type='virtio' name='{escape}'/></channel></devices></domain>"
        )
    };
    let node = host.path().join("node.xml");
    let domains = channel("a", &socket.to_string_lossy()) + &channel("b", &format!("/{escape}"));
    fs::write(&node, format!("<node>{domains}</node>"))?;
    let libvirt = format!("test://{}", node.display());
    for command in [
        &["enable", "a"][..],
        &["enable", "--dry-run", "--transport", "channel", "b"],
        &["list", "--wide"],
        &["snippet", "a"],
    ] {
        let said = alone(&host, &[command, &["-c", &*libvirt]].concat())?;
        let (all, shown) = (said.stdout + &said.stderr, r"\u{9b}2J\u{202e}");
        ensure!(all.contains(shown), "{command:?}: {all:?}");
        ensure!(!all.contains(['\u{9b}', '\u{202e}']), "{command:?}: {all:?}");
    }
    Ok(())
}
