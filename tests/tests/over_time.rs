//! `hostinfo record` and `hostinfo report` in a real guest.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Guest, Host, Port};

#[test]
fn a_recording_of_a_real_guest_outlives_a_kill_and_has_both_views() -> Result<()> {
    for port in [Port::Serial, Port::Channel] {
        let host = Host::new(EVERYTHING)?;
        let _daemon = host.start_daemon()?;
        let mut guest = Guest::restore(&host.socket("a"), port)?;
        guest.wait_for_host()?;
        guest.sh("hostinfo record /r --every 1s &
            until grep -q '^s ' /r; do sleep 0.1; done; kill -9 $!; wait; printf 's 1795' >>/r")?;
        guest.sh("hostinfo record /r --every 1s --for 10s")?;
        let recorded = guest.sh("cat /r")?;
        ensure!(recorded.matches("#hostinfo-recording 1\n").count() == 2, "{recorded}");
        let verdicts = |line: &str| {
            let heard = line.split(' ').nth(2).unwrap_or_default();
            line.starts_with("s ") && heard.len() == 4 && heard != "----"
        };
        ensure!(recorded.lines().any(verdicts), "{recorded}");

        let text = guest.sh("hostinfo report --text /r")?;
        ensure!(text.contains("On the host ") && text.contains("cpu  "), "{text}");
        ensure!(text.contains("1 line could not be read and was left out."), "{text}");
        let page = guest.sh("hostinfo report /r")?;
        ensure!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
        // Both views of its CPU time are drawn.
        for part in ["<path class=\"host\" d=\"M", "<path class=\"guest\" d=\"M"] {
            ensure!(page.contains(part), "{part} is not in {page}");
        }
    }
    Ok(())
}

#[test]
fn a_guest_that_may_ask_once_a_minute_is_told_what_that_means_for_its_recording() -> Result<()> {
    let host = Host::new("*:\n  all = 1\n  interval = 60\n")?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let told = guest.run("hostinfo record /r --every 1s --for 4s")?;
    ensure!(told.status == 0 && told.stderr.contains("only every 1 min"), "{told:?}");
    let recorded = guest.sh("cat /r")?;
    ensure!(recorded.contains(" later - - "), "{recorded}");
    Ok(())
}

#[test]
fn on_the_console_of_a_real_guest_top_shows_a_verdict_and_restores_the_terminal() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    // The kernel's own terminal, whose screen can be read: vcs(4).
    let seen = guest.sh("[ -e /dev/vcs1 ] || mknod /dev/vcs1 c 7 1
        stty -g </dev/tty1 >/before
        hostinfo top --every 1s </dev/tty1 >/dev/tty1 2>/errors &
        turns=0
        until grep -q 'cpu     [ocsu][a-z-]*  *[a-z].*guest CPU busy' /dev/vcs1 &&
            ! grep -q 'cpu     unknown  *ask again' /dev/vcs1; do
            sleep 0.5; turns=$((turns + 1)); [ $turns -lt 240 ] || break
        done
        fold -w \"$(stty size </dev/tty1 | cut -d' ' -f2)\" /dev/vcs1
        kill $!; wait
        stty -g </dev/tty1 | cmp - /before || echo 'the terminal is not as it was'
        cat /errors")?;
    ensure!(seen.starts_with("hostinfo  ") && seen.contains("q quits"), "{seen}");
    ensure!(seen.contains("guest CPU busy") && seen.contains("cpu     "), "{seen}");
    ensure!(!seen.contains("not as it was"), "{seen}");
    ensure!(!seen.contains("cpu     unknown      ask again"), "{seen}");
    Ok(())
}
