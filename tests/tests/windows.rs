//! `hostinfo.exe` in Wine. A pseudo-terminal that a real daemon serves is its COM2.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::Process;
use hostinfo_tests::wine::{CHANNEL, SilentTty};
use hostinfo_tests::{Host, Wine, paths};

#[test]
fn a_guest_with_windows_gets_the_same_answers_over_its_second_com_port() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, tty) = host.start_daemon_with_pty()?;
    let wine = Wine::start(&[("COM2", &tty)])?;

    let said = wine.hostinfo(&["get", "vm.name", "physcpus"])?;
    ensure!(said.status == 0 && said.stderr.is_empty(), "{said:?}");
    let cpus = said
        .stdout
        .strip_prefix("vm.name=local\nphyscpus=")
        .and_then(|cpus| cpus.strip_suffix('\n'));
    ensure!(cpus.is_some_and(|cpus| cpus.parse::<u32>().is_ok()), "{said:?}");

    let json = wine.hostinfo(&["--json", "get", "vm.name", "memory.total"])?.succeeds()?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    ensure!(json["vm.name"] == "local" && json["memory.total"].is_u64(), "{json}");

    // The default answer, in which nothing but text is sent to what is no console.
    let page = wine.hostinfo(&[])?;
    ensure!(page.stdout.contains("\nhost  ") || page.stdout.starts_with("host  "), "{page:?}");
    ensure!(page.stdout.lines().count() <= 8 && page.stdout.is_ascii(), "{page:?}");
    ensure!(!page.stdout.contains(['\r', '\u{1b}']), "{page:?}");

    let pong = wine.hostinfo(&["ping"])?.succeeds()?;
    ensure!(pong.starts_with("hostinfo/1 answers on COM2 in "), "{pong}");
    for name in ["com2:", r"\\.\COM2"] {
        wine.hostinfo(&["--device", name, "get", "vm.name"])?.succeeds()?;
    }

    let unknown = wine.hostinfo(&["get", "memory.totl"])?.fails_with(3)?;
    ensure!(unknown.contains("did you mean memory.total?"), "{unknown}");

    let diagnosis = wine.hostinfo(&["diagnose", "--for", "1s"])?;
    ensure!(diagnosis.status == 12, "a pseudo-terminal has no verdicts: {diagnosis:?}");
    ensure!(diagnosis.stdout.contains("this is the host's view alone.\n"), "{diagnosis:?}");
    Ok(())
}

#[test]
fn a_guest_with_windows_records_and_reports_as_others_do() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, tty) = host.start_daemon_with_pty()?;
    let wine = Wine::start(&[("COM2", &tty)])?;
    let (folder, windows) = wine.folder();

    let recording = format!(r"{windows}\r.rec");
    wine.hostinfo(&["record", &recording, "--every", "1s", "--for", "3s"])?.succeeds()?;
    let recorded = fs::read_to_string(folder.join("r.rec"))?;
    ensure!(
        recorded.starts_with("#hostinfo-recording 1\n") && recorded.contains("\ns "),
        "{recorded}"
    );
    // Another one is kept from a file that is written to, and from the port for no longer than a question takes.
    let args = ["record", &recording, "--every", "1s", "--for", "10m"];
    let mut first = Process::start(&mut wine.hostinfo_command(&args), folder.join("first.log"))?;
    let begun = || Ok(fs::read_to_string(folder.join("r.rec"))?.matches("#columns").count() > 1);
    wait_until("the second recording to begin", PATIENCE, begun)?;
    let told = wine.hostinfo(&["record", &recording, "--for", "1s"])?.fails_with(1)?;
    ensure!(told.contains("another hostinfo record writes to it"), "{told}");
    wine.hostinfo(&["get", "vm.name"])?.succeeds()?;
    first.kill()?;

    let report = wine.hostinfo(&["report", &recording, "--text"])?.succeeds()?;
    ensure!(report.contains("cpu  "), "{report}");

    let prom = format!(r"{windows}\host.prom");
    for _ in 0..2 {
        let answer = ["--format", "prometheus", "--output", &prom, "get", "memory"];
        wine.hostinfo(&answer)?.succeeds()?;
    }
    ensure!(
        fs::read_to_string(folder.join("host.prom"))?.contains("\nhostinfo_memory_total_bytes ")
    );
    Ok(())
}

#[test]
fn a_channel_of_windows_is_opened_again_even_if_nobody_has_answered_over_it() -> Result<()> {
    let wine = Wine::start(&[])?;
    for answers in [true, false] {
        let mut channel = wine.channel(answers)?;
        let args = ["--timeout", "1", "--every", "1s", "--device", CHANNEL, "ping"];
        let log = wine.folder().0.join(format!("ping-{answers}.log"));
        let mut ping = Process::start(&mut wine.hostinfo_command(&args), log)?;
        // Each time it opens the channel, which admits one program at a time.
        let told = match answers {
            true => r"hostinfo/1 answers on \\.\pipe\channel in ",
            false => r"no host answers: \\.\pipe\channel: silent for 1 s",
        };
        wait_until("three answers", PATIENCE, || {
            ensure!(ping.ended()?.is_none(), "{}", ping.log());
            Ok(ping.log().matches(told).count() >= 3)
        })
        .with_context(|| ping.log())?;
        ensure!(!ping.log().contains("keeps using it"), "{}", ping.log());
        ping.kill()?;
        channel.kill()?;
        wine.end();
    }
    Ok(())
}

#[test]
fn a_guest_with_windows_is_told_what_is_wrong_with_its_ports() -> Result<()> {
    let silent = SilentTty::open()?;
    let wine = Wine::start(&[("COM2", &silent.path)])?;
    let ask = |args: &[&str]| wine.hostinfo(&[&["--timeout", "1"], args].concat());

    let nobody = ask(&["get", "physcpus"])?.fails_with(5)?;
    for part in [
        r"\\.\Global\org.hostinfo.0: no such device; COM2: silent for 1 s",
        "<target port='1'/>",
        "COM2 is there, but no host answers on it.",
        "If another port of this guest leads to hostinfo, name that with --device",
    ] {
        ensure!(nobody.contains(part), "{part} is not in {nobody}");
    }
    let missing = ask(&["--device", "COM77", "get", "physcpus"])?.fails_with(5)?;
    ensure!(missing.contains("COM77: no such device"), "{missing}");

    // One that another copy has open is busy.
    let args = ["--timeout", "3600", "--device", "COM2", "ping"];
    let log = wine.folder().0.join("first.log");
    let mut first = Process::start(&mut wine.hostinfo_command(&args), log)?;
    let is_busy =
        || Ok(ask(&["--device", "COM2", "get", "physcpus"])?.stderr.contains("keeps using"));
    wait_until("the port to be busy", PATIENCE, is_busy)?;
    let busy = ask(&["--device", "COM2", "get", "physcpus"])?.fails_with(1)?;
    ensure!(busy.contains("COM2: another program keeps using it"), "{busy}");
    first.kill()?;

    // Files are left as they are.
    let (folder, windows) = wine.folder();
    fs::write(folder.join("file"), "kept")?;
    let file = format!(r"{windows}\file");
    let told = ask(&["--device", &file, "get", "physcpus"])?.fails_with(1)?;
    ensure!(told.contains("this is not a serial port"), "{told}");
    ensure!(fs::read_to_string(folder.join("file"))? == "kept");

    for only_linux in ["unix:/run/hostinfo.sock", "vsock"] {
        let told = ask(&["--device", only_linux, "get", "physcpus"])?.fails_with(1)?;
        ensure!(told.contains("only guests with Linux"), "{told}");
    }
    let told = ask(&["serve"])?.fails_with(2)?;
    ensure!(told.contains("serve is for guests with Linux"), "{told}");
    let told = ask(&["get"])?.fails_with(2)?;
    ensure!(told.contains("Usage: hostinfo.exe get"), "{told}");
    Ok(())
}

#[test]
fn the_tool_for_windows_is_one_small_file_that_needs_only_what_windows_has() -> Result<()> {
    const SIZE_MAX: u64 = 4 * 1024 * 1024;
    let tool = paths::windows_tool()?;
    let size = fs::metadata(&tool)?.len();
    ensure!(size < SIZE_MAX, "it has {size} bytes");
    let listed =
        std::process::Command::new("x86_64-w64-mingw32-objdump").arg("-p").arg(&tool).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let libraries: Vec<String> = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("DLL Name: "))
        .map(str::to_lowercase)
        .collect();
    ensure!(!libraries.is_empty(), "{listed}");
    for library in &libraries {
        let is_windows = library.starts_with("api-ms-win-")
            || ["advapi32", "bcryptprimitives", "kernel32", "msvcrt", "ntdll", "userenv", "ws2_32"]
                .contains(&library.trim_end_matches(".dll"));
        ensure!(is_windows, "{library} is not a part of Windows: {libraries:?}");
    }
    Ok(())
}
