//! `make demo`: a real guest asks its host why it is slow, and the host's administrator has the
//! last word.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::guest::Accel;
use hostinfo_tests::{Guest, Host, Port, readme};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The example from the feature's first announcement, verbatim.
const RULES: &str = include_str!("../../demo.conf");

/// What the administrator adds at the top.
const GENEROUS: &str = "\
kvm-demo:
  interval = 0             # As often as it likes
  host.name = 1
  pressure.cpu = 1
";
const STRICT: &str = "\
kvm-demo:
  interval = 0
  physcpus = 0             # Not this one any more
";

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const PROMPT: Style = AnsiColor::Green.on_default().bold();
const FAINT: Style = Style::new().dimmed();

fn main() {
    if let Err(error) = run() {
        eprintln!("\nThe demo failed: {error:#}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let start = Instant::now();
    // Everything is created below one folder, which is removed when this function ends or a signal
    // ends the demo.
    let folder = tempfile::Builder::new().prefix("hostinfo-demo-").tempdir()?;
    let _ = tempfile::env::override_temp_dir(folder.path());
    clean_up_on_signal(folder.path().to_owned())?;

    heading("This machine is the host. It runs hostinfod under these rules");
    let host = Host::new(RULES)?;
    show(RULES);
    let daemon = host.start_daemon()?;
    remark(&format!("hostinfod serves, as process {}.", daemon.pid()));

    heading("A guest boots; its second serial port is the host's socket kvm-demo: the last rule's");
    let mut guest = boot(&host.sockets().join("kvm-demo"))?;
    guest.wait_for_host()?;

    heading("Nothing of hostinfo is installed in it: a shell is enough to ask");
    let ask = readme::ask_function()?;
    in_guest(&mut guest, &format!("{ask}ask physcpus"))?;

    heading("The program hostinfo is one static file. Is it me or my host?");
    in_guest(&mut guest, "hostinfo")?;

    heading("It shows everything that is permitted, too");
    in_guest(&mut guest, "sleep 1; hostinfo --all")?;

    heading("The rule lets this guest ask once a second");
    in_guest_with(ask, &mut guest, "sleep 1; ask loadavg.1; ask loadavg.1")?;
    in_guest(&mut guest, "hostinfo --wait get loadavg.1")?;

    heading("The host's administrator writes a rule for this guest on top of the others");
    change_rules(&host, &mut guest, GENEROUS, "200 host.name=")?;
    in_guest(&mut guest, "hostinfo get host.name")?;

    heading("Is it me or my host? The guest idles, while the host gets busy");
    in_guest(&mut guest, PRESSURE)?;
    let load = host.keep_busy()?;
    remark("The host now runs four endless loops for each of its CPUs; five seconds later:");
    std::thread::sleep(Duration::from_secs(5));
    in_guest(&mut guest, PRESSURE)?;
    heading("Now the guest wants to compute, too");
    in_guest(&mut guest, "while :; do :; done & sleep 5; hostinfo; kill $!")?;
    drop(load);

    heading("What the administrator takes away is gone at once");
    change_rules(&host, &mut guest, STRICT, "403 ")?;
    in_guest(&mut guest, "hostinfo get physcpus; echo \"exit status $?\"")?;

    drop(guest);
    daemon.stop()?;
    println!(
        "\n{FAINT}Done in {:.0} s; nothing is left behind.{FAINT:#}",
        start.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The share of the last ten seconds in which some task on the host waited for a CPU.
const PRESSURE: &str = "hostinfo get pressure.cpu.some.avg10";

/// Boots under KVM if that works, and reports which accelerator was used. On some machines there is
/// a /dev/kvm under which no guest ever boots: if one has not booted after a few seconds, it never
/// will.
fn boot(socket: &Path) -> Result<Guest> {
    const KVM_PATIENCE: Duration = Duration::from_secs(4);
    let may_use_kvm = std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
    let start = Instant::now();
    let under_kvm = may_use_kvm
        .then(|| Guest::boot(socket, Port::Serial, Accel::Kvm, KVM_PATIENCE).ok())
        .flatten();
    let (mut guest, how) = match under_kvm {
        Some(guest) => (guest, "under KVM"),
        None => {
            if may_use_kvm {
                remark("There is a /dev/kvm, but no guest comes up under it.");
            }
            let guest = Guest::boot(socket, Port::Serial, Accel::Tcg, 2 * PATIENCE)?;
            (guest, "emulated by QEMU (TCG), for want of KVM")
        }
    };
    let kernel = guest.sh("uname -sr")?;
    remark(&format!(
        "{}, {how}; booted after {:.1} s",
        kernel.trim(),
        start.elapsed().as_secs_f32()
    ));
    Ok(guest)
}

/// Adds `rule` at the top of the rules, and waits until `host.name` or `physcpus` shows the change.
fn change_rules(host: &Host, guest: &mut Guest, rule: &str, sign: &str) -> Result<()> {
    show(rule);
    host.write_rules(&format!("{rule}\n{RULES}"))?;
    let start = Instant::now();
    wait_until("the new rules", PATIENCE, || {
        let reply = guest.ask("get host.name physcpus")?;
        Ok(reply.iter().any(|line| line.replacen('-', " ", 1).starts_with(sign)))
    })?;
    remark(&format!(
        "In force {:.1} s later; hostinfod was told nothing and not started again.",
        start.elapsed().as_secs_f32()
    ));
    Ok(())
}

/// Shows a command in the guest and its output.
fn in_guest(guest: &mut Guest, command: &str) -> Result<()> {
    in_guest_with("", guest, command)
}

/// The same after lines that have been shown before.
fn in_guest_with(before: &str, guest: &mut Guest, command: &str) -> Result<()> {
    for line in command.lines() {
        println!("    {PROMPT}guest#{PROMPT:#} {line}");
    }
    show(&guest.run(&format!("exec 2>&1\n{before}{command}"))?.stdout);
    Ok(())
}

fn heading(text: &str) {
    println!("\n{HEADING}{text}{HEADING:#}");
}

fn remark(text: &str) {
    println!("    {FAINT}{text}{FAINT:#}");
}

fn show(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}

/// On Ctrl-C: removes the folder; the kernel ends the processes that this one has started.
fn clean_up_on_signal(folder: PathBuf) -> Result<()> {
    let (mut receiver, sender) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, sender.try_clone()?)
            .context("watch for signals")?;
    }
    std::thread::spawn(move || {
        let _ = receiver.read(&mut [0]);
        let _ = std::fs::remove_dir_all(folder);
        std::process::exit(130);
    });
    Ok(())
}
