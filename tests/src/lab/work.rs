//! Has each of hostinfo's programs do what it is there for, for a security module to watch.

use anyhow::{Result, ensure};

use super::{Lab, LabGuest};

/// The metrics disk of the guest `a`: its first disk, if no other is planned.
pub const METRICS_DISK: &str = "<disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='/var/lib/hostinfo/disk/qemu-a'><seclabel model='dac' relabel='no'/></source>
    <target dev='vdz' bus='virtio'/><readonly/></disk>";

const RULES: &str = "*:\n  all = 1\n  interval = 0\n  vhostmd-disk = 1\n";

const SETTINGS: &str = "[[sockets]]\npreset = 'proxmox'\nguests = ['qemu-100']\n";

/// A command that looks at what commands look at, and a file.
const DEFINITIONS: &str = "[custom.seven]\nkind = 'info'\nhelp = 'a test'\nevery = '1s'\ntimeout = '30s'\n\
     command = ['/bin/sh', '-c', '(ps ax; df; id; ip link; uptime; cat /etc/os-release) >/tmp/x; echo 7']\n\
     [custom.eight]\nkind = 'info'\nhelp = 'a test'\nfile = '/srv/eight'\n";

impl Lab {
    /// Starts the service with something to do for each program, or makes it read that.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve_everything(&self) -> Result<()> {
        self.write("/srv/eight", "8")?;
        self.write("/etc/hostinfo/hostinfod.toml", SETTINGS)?;
        self.write("/etc/hostinfo/custom.d/test.toml", DEFINITIONS)?;
        self.write("/etc/hostinfo/hostinfo.conf", RULES)?;
        self.sh(
            "mkdir -p /run/qemu-server && systemctl enable -q --now hostinfo-open.socket hostinfo",
        )?;
        self.sh("systemctl restart hostinfo").map(drop)
    }

    /// The guest `a` with [`METRICS_DISK`] is answered by each program, before and after an upgrade.
    ///
    /// # Errors
    /// It is not.
    pub fn use_everything(&self, guest: &LabGuest) -> Result<()> {
        let mut other = self.fake_guest_at("/run/qemu-server/100.serial1")?;
        for _ in 0..2 {
            for (request, answer) in [
                ("physcpus", "200 physcpus=4"),
                ("vm.cpu.seconds", "200 vm.cpu.seconds="),
                ("custom.seven", "200 custom.seven=7"),
                ("custom.eight", "200 custom.eight=8"),
            ] {
                guest.ask_until(request, answer)?;
            }
            let disk = guest.sh("head -c 4 /dev/vda")?;
            ensure!(disk == "mvbd", "{disk:?}");
            let told = other.ask_one("vm.name")?;
            ensure!(told == "200 vm.name=100", "{told}");
            self.sh("hostinfoctl upgrade && hostinfoctl status")?;
        }
        self.sh("hostinfoctl notice set qemu-a hello && hostinfoctl list")?;
        Ok(())
    }
}
