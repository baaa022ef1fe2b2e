//! `make install` into a running system, and `make uninstall`.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, FOR_ONE_GUEST, Lab, SOURCE};

const BUILT: &str = "/var/tmp/built";

/// What `make install` and `make uninstall` run.
fn script(lab: &Lab, verb: &str, prefix: &str) -> Result<String> {
    lab.sh(&format!(
        "PREFIX={prefix} DESTDIR= BUILT={BUILT} GUEST_TOOL={BUILT}/hostinfo PAGES={SOURCE}/pages \
            {SOURCE}/scripts/install {verb}"
    ))
}

#[test]
fn a_host_that_runs_has_hostinfo_after_make_install_and_none_after_make_uninstall() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.sh(&format!(
            "mkdir {BUILT}; cp /usr/bin/hostinfo /usr/bin/hostinfoctl /usr/libexec/hostinfo/* {BUILT}"
        ))?;
        lab.remove_hostinfo()?;
        let told = script(lab, "install", "/usr/local")?;
        ensure!(told == "installed; now: systemctl enable --now hostinfo\n", "{told}");
        lab.sh("systemctl enable --now hostinfo 2>&1")?;
        let path = lab.sh("readlink /proc/$(systemctl show -P MainPID hostinfo)/exe")?;
        ensure!(path == "/usr/local/libexec/hostinfo/hostinfod\n", "{path}");
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        lab.sh("hostinfoctl status && udevadm control --ping")?;

        script(lab, "uninstall", "/usr/local")?;
        ensure!(lab.run("systemctl is-active hostinfo")?.status != 0, "it still runs");
        ensure!(lab.run("systemctl cat hostinfo")?.status != 0, "its unit is still there");
        ensure!(lab.run("command -v hostinfod hostinfoctl hostinfo")?.status != 0);
        // Without its directory, the domain would not start again.
        lab.sh("test -S /var/lib/hostinfo/qemu-a && test -e /etc/hostinfo/hostinfo.conf")?;
        Ok(())
    })
}
