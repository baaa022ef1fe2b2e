//! Guests that ask over AF_VSOCK, by the kernel's own vhost_vsock: each is taken for the domain that has its address, as libvirt says.

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::wait_until;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, FOR_ONE_GUEST, LabGuest, PATIENCE};

/// Lets `qemu-listed` ask over AF_VSOCK, which has no hostinfo port.
const SETTINGS: &str = "[vsock]\nenabled = true\nguests = [\"qemu-listed\"]\n";

const ANY_CID: &str = "<vsock model='virtio'><cid auto='yes'/></vsock>";

const SAME_CID: &str = "<vsock model='virtio'><cid auto='no' address='77'/></vsock>";

/// Asks over vsock until the host answers, and checks that it knows who asks.
fn expect_known(guest: &LabGuest<'_>) -> Result<()> {
    let uuid = guest.virsh("domuuid", "")?.trim().to_owned();
    let expected = format!("vm.uuid={uuid}\n");
    wait_until("an answer over vsock", PATIENCE, || {
        let output = guest.run("hostinfo --device vsock get vm.uuid")?;
        ensure!(output.status != 0 || output.stdout == expected, "another guest's: {output:?}");
        Ok(output.status == 0)
    })
    .with_context(|| guest.lab().journal().unwrap_or_default())
}

/// Checks that the guest gets no answer over vsock.
fn expect_refused(guest: &LabGuest<'_>) -> Result<()> {
    let output = guest.run("hostinfo --device vsock get physcpus")?;
    ensure!(output.status != 0, "it is answered: {output:?}");
    Ok(())
}

#[test]
fn guests_that_ask_over_vsock_are_who_libvirt_says_and_enabled_by_the_administrator() -> Result<()>
{
    lab::run(BOOKWORM, |lab| {
        lab.serve_over_vsock(SETTINGS)?;
        let with_port = lab.domain("with-port").devices(ANY_CID).boot()?;
        expect_known(&with_port)?;
        // Over either way it is one guest, whose process its port tells of.
        with_port.ask_until("vm.cpu.seconds", "200 ")?;
        let both = with_port.sh("hostinfo --device vsock get vm.cpu.seconds")?;
        ensure!(both.starts_with("vm.cpu.seconds="), "{both}");

        let listed = lab.domain("listed").without_port().devices(ANY_CID).boot()?;
        expect_known(&listed)?;
        let many = "for i in 1 2; do hostinfo --device vsock ping >/dev/null & done; wait";
        listed.sh(many)?;

        // Its tags are those of the domain that has its address.
        let rules =
            format!("qemu-listed role=db:\n  interval = 0\n  all = 1\n  loadavg = 0\n{EVERYTHING}");
        lab.write("/etc/hostinfo/hostinfo.conf", &rules)?;
        listed.sh("hostinfo --device vsock get loadavg.1")?;
        lab.sh("hostinfoctl tag listed role=db")?;
        wait_until("the rule for its tag to apply", PATIENCE, || {
            Ok(listed.run("hostinfo --device vsock get loadavg.1")?.status == 3)
        })?;

        let other = lab.domain("other").without_port().devices(ANY_CID).boot()?;
        expect_refused(&other)?;
        lab.wait_for_journal("qemu-other: not enabled")?;
        let told = other.run("hostinfo --device vsock get physcpus")?.stderr;
        ensure!(told.contains("the host says: this guest may not ask"), "{told}");

        lab.write("/etc/hostinfo/hostinfod.toml", &SETTINGS.replace("listed", "*"))?;
        lab.sh("systemctl reload hostinfo")?;
        expect_known(&other)?;

        // systemd has the port, also when the daemon crashes or is restarted.
        lab.sh("systemctl kill --signal=KILL hostinfo")?;
        expect_known(&listed)?;
        lab.sh("systemctl restart hostinfo")?;
        expect_known(&listed)
    })
}

#[test]
fn an_address_that_another_guest_had_before_is_not_taken_for_that() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.serve_over_vsock(SETTINGS)?;
        for name in ["first", "second", "third"] {
            let guest = lab.domain(name).devices(SAME_CID).boot()?;
            expect_known(&guest)?;
            // A connection that is open when the domain stops.
            guest.sh("hostinfo --device vsock serve >/dev/null 2>&1 &")?;
            guest.end()?;
        }
        Ok(())
    })
}

#[test]
fn while_libvirt_does_not_answer_nobody_new_is_believed() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.serve_over_vsock(SETTINGS)?;
        let guest = lab.domain("a").devices(ANY_CID).boot()?;
        expect_known(&guest)?;
        lab.sh("systemctl stop libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd")?;
        lab.wait_for_journal("what only libvirt knows is unavailable")?;
        expect_refused(&guest)?;
        lab.wait_for_journal("libvirt does not answer")?;
        lab.sh("systemctl start libvirtd")?;
        expect_known(&guest)
    })
}

/// Asks three queries at a time without end until /tmp/stop is there, and keeps what is not this guest's answer. On standard
/// error the tool may say how old an answer is that the broker had from before, or, on a slow host, that there is none that is
/// fresh. If a query were lost, that would be more than 30 s ago: half of the broker's time for an answer.
const ASK_ON: &str = "for n in 1 2 3; do (until [ -e /tmp/stop ]; do \
     told=$(hostinfo get vm.uuid 2>/tmp/error$n); \
     if [ \"$told\" = vm.uuid=UUID ]; then echo >>/tmp/answered; \
     elif ! grep -qE 'the host last answered [12]?[0-9] s ago$' /tmp/error$n; then \
     echo \"$told\" | cat - /tmp/error$n >>/tmp/lost; fi; \
     done; echo >>/tmp/ended) >/dev/null 2>&1 & done";

/// The daemon answers a new connection once libvirt's helper has started and said whose it is. On an emulated host, that can
/// take longer than a connection waits: the guest is told to ask again until the helper is there.
#[test]
fn upgrades_end_no_connection_over_vsock_lose_no_query_on_it_and_forbid_no_new_one() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.serve_over_vsock(SETTINGS)?;
        let guest = lab.domain("listed").without_port().devices(ANY_CID).boot()?;
        expect_known(&guest)?;
        // The broker has one connection, and asks for all.
        guest.sh("hostinfo --device vsock --timeout 60s serve >/tmp/serve 2>&1 &")?;
        wait_until("the broker", PATIENCE, || Ok(guest.run("hostinfo get vm.uuid")?.status == 0))?;
        let gone = || {
            lab.sh(
                "journalctl --unit=hostinfo --output=cat | grep -c 'guest-gone.*qemu-listed' || :",
            )
        };
        let gone_before = gone()?;
        let uuid = guest.virsh("domuuid", "")?;
        guest.sh(&ASK_ON.replace("UUID", uuid.trim()))?;
        for _ in 0..8 {
            lab.upgrade()?;
            expect_known(&guest)?;
        }
        guest.sh("touch /tmp/stop /tmp/lost /tmp/answered /tmp/ended")?;
        let has_ended = || Ok(guest.sh("wc -l </tmp/ended")?.trim() == "3");
        wait_until("the last answers", PATIENCE, has_ended)?;
        let (lost, answered) = (guest.sh("cat /tmp/lost")?, guest.sh("wc -l </tmp/answered")?);
        let journal = lab.journal()?;
        // On an emulated host, the helper can take longer to start than the daemon waits for it. What only libvirt knows is
        // unavailable then, as the log says.
        let helper_was_late = journal.contains("libvirt did not answer within");
        let is_excused = |line: &str| {
            helper_was_late && ["", "hostinfo: vm.uuid: not available now"].contains(&line.trim())
        };
        ensure!(lost.lines().all(is_excused), "{answered} {lost}");
        ensure!(answered.trim().parse::<u32>()? > 10, "{answered}");
        ensure!(gone()? == gone_before, "{journal}");
        // Those of the tool that wait, though it has hung up, may be as many as can.
        let is_put_off = |line: &str| {
            line.contains("libvirt does not answer") || line.contains("too many connections wait")
        };
        let mut refused = journal.lines().filter(|line| line.contains("vsock CID"));
        ensure!(refused.all(is_put_off), "forbidden to ask: {journal}");
        Ok(())
    })
}
