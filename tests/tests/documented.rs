//! The commands of README and `docs/`: each is run here, by another test, or its page says that it was not run.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::write_script;
use hostinfo_tests::{Host, paths};

/// How a command was seen to work, if it is not run here.
enum Seen {
    /// This file has a test that runs it, or one like it, by these words.
    By(&'static str, &'static str),
    /// It was not run by a test, as its page says in these words, wherever its lines break.
    Not(&'static str),
}

use Seen::{By, Not};

/// Commands that begin with these words are not run here: they change this machine, need a libvirt with guests, a
/// terminal or a platform. The first that fits decides.
const ELSEWHERE: [(&str, Seen); 39] = [
    ("ansible-playbook", By("long_ansible.rs", "hosts.play(")),
    ("apt install", By("lab_packages.rs", "apt-get install")),
    ("ask", By("lab_service.rs", "readme::ask_loadavg()")),
    ("curl", By("scrape.rs", "GET /metrics")),
    ("hostinfo --device COM", By("windows.rs", "COM")),
    (
        "hostinfo --format prometheus --every",
        By("../../crates/hostinfo/tests/pty/output.rs", "--format prometheus"),
    ),
    ("hostinfo serve", By("broker.rs", "serve")),
    ("hostinfo top", By("over_time.rs", "hostinfo top")),
    ("hostinfoctl disable", By("enable.rs", r#""disable""#)),
    ("hostinfoctl enable --follow", By("follow.rs", "--follow")),
    ("hostinfoctl enable --now", By("enable.rs", r#""enable", "--now""#)),
    ("hostinfoctl enable --repair", By("enable.rs", r#""enable", "--repair""#)),
    ("hostinfoctl enable --vhostmd", By("enable.rs", "--vhostmd")),
    ("hostinfoctl enable", By("enable.rs", r#""enable""#)),
    ("hostinfoctl upgrade", By("upgrade.rs", "upgrade")),
    ("journalctl", By("long_follow.rs", "journalctl")),
    ("make", By("install.rs", "install.make")),
    ("mkdir", By("lab_service.rs", "mkdir")),
    ("modprobe", By("../src/lab/service.rs", "modprobe vhost_vsock")),
    ("openstack", Not("It was not tested with OpenStack itself")),
    ("printf", By("lab_service.rs", "printf")),
    ("qemu-system-x86_64", Not("by hand, not by a test")),
    ("qm", Not("It was not tested on a Proxmox VE host")),
    ("setfacl", By("doctor.rs", "setfacl")),
    ("systemctl daemon-reload", By("lab_sandbox.rs", "systemctl daemon-reload")),
    ("systemctl edit", By("lab_service.rs", "restart_with")),
    ("systemctl enable --now hostinfo-follow", By("long_follow.rs", "hostinfo-follow")),
    ("systemctl enable --now hostinfo-open", By("lab_sandbox.rs", "hostinfo-open.socket")),
    ("systemctl enable --now hostinfo-textfile", By("long_ansible.rs", "hostinfo-textfile.timer")),
    ("systemctl enable --now hostinfo", By("lab_service.rs", "systemctl enable --now hostinfo")),
    (
        "systemctl enable hostinfo-vsock.socket",
        By("../src/lab/service.rs", "systemctl enable hostinfo-vsock.socket"),
    ),
    ("systemctl restart", By("lab_service.rs", "systemctl restart hostinfo")),
    ("systemctl start", By("lab_service.rs", "systemctl start hostinfo")),
    ("systemd-tmpfiles", By("lab_service.rs", "systemd-tmpfiles --create")),
    ("target/release/hostinfo", By("documented.rs", "start_daemon_with_pty")),
    ("varlinkctl", Not("no test runs them")),
    ("vhost-device-vsock", Not("by hand, not by a test")),
    ("virsh", By("enable.rs", ".virsh(")),
    ("while virsh list", By("doctor.rs", "while virsh list")),
];

/// A command of a page, as its reader would type it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Documented {
    page: String,
    line: String,
}

/// README and the pages of `docs/`, with their names.
fn pages() -> Result<Vec<(String, String)>> {
    let workspace = paths::workspace();
    let mut files = vec![workspace.join("README.md")];
    for entry in fs::read_dir(workspace.join("docs"))? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let name = file.file_name().context("a file without a name")?.to_string_lossy();
            Ok((name.into_owned(), fs::read_to_string(&file)?))
        })
        .collect()
}

/// It is also `::1`, where nothing of ours listens, so that whoever does answers in our place.
#[test]
fn no_page_has_anybody_ask_at_localhost_instead_of_an_address() -> Result<()> {
    for (page, text) in pages()? {
        let is_port = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
        assert!(!text.split("localhost:").skip(1).any(is_port), "{page}");
    }
    Ok(())
}

/// What is typed at a prompt.
fn behind_prompt(line: &str) -> Option<&str> {
    ["guest# ", "# ", "$ "].iter().find_map(|prompt| line.trim().strip_prefix(prompt))
}

/// The commands in a block, as they are typed. If it has prompts, those are the lines behind a prompt, otherwise the
/// lines that begin with one of our programs.
fn typed(block: &str) -> Vec<&str> {
    let Some((language, lines)) = block.split_once('\n') else { return Vec::new() };
    if !["", "console", "sh"].contains(&language) {
        return Vec::new();
    }
    let prompted: Vec<&str> = lines.lines().filter_map(behind_prompt).collect();
    if !prompted.is_empty() {
        return prompted;
    }
    let is_ours = |line: &&str| {
        let word = line.split(' ').next().unwrap_or_default();
        ["hostinfo", "hostinfoctl", "make"].contains(&word) || word.starts_with("target/release/")
    };
    lines.lines().map(|line| line.trim().trim_start_matches("sudo ")).filter(is_ours).collect()
}

/// The commands of a page.
fn commands(page: &str, text: &str) -> Vec<Documented> {
    let without_comment = |line: &str| {
        let line = line.split_once("  ").map_or(line, |(line, _)| line);
        line.trim_start_matches("sudo ").trim_end_matches(" &").to_owned()
    };
    let blocks = text.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(typed);
    lines.map(|line| Documented { page: page.to_owned(), line: without_comment(line) }).collect()
}

/// The commands of all pages.
fn documented() -> Result<BTreeSet<Documented>> {
    Ok(pages()?.iter().flat_map(|(page, text)| commands(page, text)).collect())
}

/// How a command was seen to work, if it is not run here.
fn elsewhere(line: &str) -> Option<&'static Seen> {
    let fits = |words: &str| line.strip_prefix(words).is_some();
    ELSEWHERE.iter().find(|(words, _)| fits(words)).map(|(_, seen)| seen)
}

#[test]
fn a_documented_command_is_run_here_or_by_another_test_or_its_page_says_that_it_was_not()
-> Result<()> {
    let tests = paths::workspace().join("tests/tests");
    let pages = pages()?;
    let mut unused: BTreeSet<&str> = ELSEWHERE.iter().map(|(words, _)| *words).collect();
    for command in documented()? {
        unused.retain(|words| !command.line.starts_with(words));
        match elsewhere(&command.line) {
            Some(By(test, words)) => {
                let text = fs::read_to_string(tests.join(test)).context(*test)?;
                ensure!(text.contains(words), "{command:?}: {test} has no {words:?}");
            }
            Some(Not(words)) => {
                let (_, text) =
                    pages.iter().find(|(page, _)| *page == command.page).context("page")?;
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                ensure!(text.contains(words), "{command:?}: its page does not say {words:?}");
            }
            None => ensure!(
                ["hostinfo", "hostinfoctl"].contains(&command.line.split(' ').next().unwrap_or("")),
                "{command:?} is run by no test: name one in ELSEWHERE"
            ),
        }
    }
    ensure!(unused.is_empty(), "no page has these any more: {unused:?}");
    Ok(())
}

/// Runs the commands of `program`, one after the other, as a shell would in a folder where `stub` is that program.
/// What goes on for longer is ended as by Ctrl-C.
fn run_all(program: &str, folder: &Path, stub: &str) -> Result<()> {
    const AS_LONG_AS: &str = "8";
    let bin = folder.join("bin");
    fs::create_dir(&bin)?;
    write_script(&bin.join(program), stub)?;
    for tool in ["cut", "grep", "timeout"] {
        symlink(Path::new("/usr/bin").join(tool), bin.join(tool))?;
    }
    let mut lines: Vec<String> = Vec::new();
    for Documented { line, .. } in documented()? {
        let is_its = line.split(' ').next() == Some(program) && elsewhere(&line).is_none();
        if is_its && !lines.contains(&line) {
            lines.push(line);
        }
    }
    ensure!(lines.len() >= 10, "only {lines:?} were found");
    for line in lines {
        let Output { status, stderr, .. } = Command::new("/bin/sh")
            .args(["-c", &line])
            .env("PATH", &bin)
            .env("AS_LONG_AS", AS_LONG_AS)
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&stderr);
        // 2 is a wrong command line, and what a shell could not run is above 125 or says "not found".
        ensure!(
            status.code().is_some_and(|code| code != 2 && ![126, 127].contains(&code)),
            "{line}: {status}: {said}"
        );
    }
    Ok(())
}

#[test]
fn every_command_of_the_guests_program_in_the_docs_is_one_that_it_takes() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, device) = host.start_daemon_with_pty()?;
    let tool = paths::program("hostinfo")?;
    let stub = format!(
        "#!/bin/sh\nexport HOSTINFO_DEVICE={device}\nexec timeout -s INT $AS_LONG_AS {} \"$@\"\n",
        tool.display()
    );
    let folder = tempfile::tempdir()?;
    run_all("hostinfo", folder.path(), &stub)
}

#[test]
fn every_command_of_hostinfoctl_in_the_docs_is_one_that_it_takes() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let command = hostinfo_tests::ctl::command(&host, &[])?;
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let words = words.join(" ");
    let stub =
        format!("#!/bin/sh\nexec timeout -s INT $AS_LONG_AS /usr/bin/setpriv {words} \"$@\"\n");
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("new.conf"), EVERYTHING)?;
    run_all("hostinfoctl", folder.path(), &stub)
}
