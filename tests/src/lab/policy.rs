//! What a security module is to permit: each of hostinfo's programs does what it is there for. And what it denied.

use anyhow::{Context as _, Result, ensure};

use super::{Lab, LabGuest, PATIENCE};
use crate::deadline::wait_until;
use crate::fake::FakeGuest;

/// The metrics disk of the guest `a`: its first disk, if no other is planned.
pub const METRICS_DISK: &str = "<disk type='file' device='disk'><driver name='qemu' type='raw'/>
    <source file='/var/lib/hostinfo/disk/qemu-a'><seclabel model='dac' relabel='no'/></source>
    <target dev='vdz' bus='virtio'/><readonly/></disk>";

const RULES: &str = "*:\n  all = 1\n  interval = 0\n  vhostmd-disk = 1\n";

const SETTINGS: &str =
    "[vsock]\nenabled = true\n[[sockets]]\npreset = 'proxmox'\nguests = ['qemu-100']\n";

/// Where the daemon listens only if an administrator says so to the policy as well.
const LISTENING: &str = "[metrics]\nlisten = '127.0.0.1:9101'\n[[listen]]\npath = '/srv/vm/{name}/v_4678'\n\
     driver = 'fc'\nuser = '0'\nguests = ['fc-web']\n";

/// What asks there, and the answer.
const ASKED_THERE: [(&str, &str); 2] = [
    (
        "{ echo vm.name; sleep 2; } | socat -t 1 - UNIX-CONNECT:/srv/vm/web/v_4678",
        "200 vm.name=web\n",
    ),
    (
        "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' | socat -t 9 - TCP:127.0.0.1:9101",
        "\nhostinfod_build_info{",
    ),
];

/// A command that looks at what commands look at, and a file.
const DEFINITIONS: &str = "[custom.seven]\nkind = 'info'\nhelp = 'a test'\nevery = '1s'\ntimeout = '30s'\n\
     command = ['/bin/sh', '-c', '(ps ax; df; id; ip link; uptime; cat /etc/os-release) >/tmp/x; echo 7']\n\
     [custom.eight]\nkind = 'info'\nhelp = 'a test'\nfile = '/srv/eight'\n";

/// What is asked of the daemon, the runner and the daemon's own files.
const QUESTIONS: [(&str, &str); 4] = [
    ("physcpus", "200 physcpus=2"),
    ("vm.cpu.seconds", "200 vm.cpu.seconds="),
    ("custom.seven", "200 custom.seven=7"),
    ("custom.eight", "200 custom.eight=8"),
];

impl Lab {
    /// Starts the service anew, with something to do for each program, and with vsock for guests that boot from now on.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve_everything(&self) -> Result<()> {
        self.load_vsock()?;
        self.write("/srv/eight", "8")?;
        self.write("/etc/hostinfo/hostinfod.toml", SETTINGS)?;
        self.write("/etc/hostinfo/custom.d/test.toml", DEFINITIONS)?;
        self.write("/etc/hostinfo/hostinfo.conf", RULES)?;
        self.sh("mkdir -p /run/qemu-server
            systemctl enable -q --now hostinfo-open.socket
            systemctl enable -q hostinfo hostinfo-vsock.socket && systemctl restart hostinfo")
            .map(drop)
    }

    /// Has the daemon listen elsewhere too, with what `docs/policies.md` says is to be added for it. The module or the
    /// profile is there already.
    ///
    /// # Errors
    /// It does not start.
    pub fn listen_elsewhere(&self) -> Result<()> {
        self.sh("mkdir -p /srv/vm/web && chown -R hostinfo /srv/vm
            if selinuxenabled 2>/dev/null; then
                chcon -R -t hostinfo_socket_t /srv/vm && setsebool hostinfod_listen_tcp on
            else
                echo '/srv/vm/** rwk,' >/etc/apparmor.d/local/hostinfod && apparmor_parser -r /etc/apparmor.d/hostinfod
            fi")?;
        self.write("/etc/hostinfo/hostinfod.toml", &format!("{SETTINGS}{LISTENING}"))?;
        self.write(
            "/etc/systemd/system/hostinfo.service.d/listen.conf",
            "[Service]\nReadWritePaths=/srv/vm\nRestrictAddressFamilies=AF_INET AF_INET6\n",
        )?;
        self.sh("systemctl daemon-reload && systemctl restart hostinfo").map(drop)
    }

    /// A guest whose socket hostinfo-open opens for the daemon.
    ///
    /// # Errors
    /// The daemon does not get it.
    pub fn guest_behind_opener(&self) -> Result<FakeGuest> {
        let guest = self.fake_guest_at("/run/qemu-server/100.serial1")?;
        self.wait_until("hostinfoctl list --state connected | grep -q qemu-100")
            .with_context(|| self.journal().unwrap_or_default())?;
        Ok(guest)
    }

    /// The guest `a`, which has a [`METRICS_DISK`] and vsock, and the one behind the opener are answered by each
    /// program, and whoever asks elsewhere is, before and after an upgrade.
    ///
    /// # Errors
    /// They are not.
    pub fn use_everything(&self, guest: &LabGuest, behind_opener: &mut FakeGuest) -> Result<()> {
        for is_upgraded in [false, true] {
            for (request, answer) in QUESTIONS {
                guest.ask_until(request, answer)?;
            }
            let disk = guest.sh("head -c 4 /dev/vda")?;
            ensure!(disk == "mvbd", "{disk:?}");
            wait_until("an answer over vsock", PATIENCE, || {
                let told = guest.run("hostinfo --device vsock get vm.name")?;
                Ok(told.stdout == "vm.name=a\n")
            })?;
            let told = behind_opener.ask_one("vm.name")?;
            ensure!(told == "200 vm.name=100", "{told}");
            for (line, answer) in ASKED_THERE {
                let told = self.sh(line)?;
                ensure!(told.contains(answer), "{line}: {told}");
            }
            if !is_upgraded {
                self.upgrade()?;
            }
        }
        self.sh("hostinfoctl notice set qemu-a hello && hostinfoctl list && hostinfoctl status")
            .map(drop)
    }

    /// Waits until each of these programs has this label, as ps(1) shows them.
    ///
    /// # Errors
    /// One never has.
    pub fn wait_for_labels(&self, wanted: &[(&str, &str)]) -> Result<()> {
        let mut told = String::new();
        let labelled = wait_until("the programs' labels", PATIENCE, || {
            // Those beside the daemon end when they have nothing to do.
            told = self.sh("systemctl start hostinfo-open hostinfo-run; ps -eo label,comm")?;
            let has = |(program, label): &(&str, &str)| {
                let program = format!(" {program}");
                told.lines().any(|line| line.contains(label) && line.ends_with(&program))
            };
            Ok(wanted.iter().all(has))
        });
        labelled.with_context(|| told)
    }

    /// Takes the label of its [`METRICS_DISK`] from a guest that still has it open, as libvirt does when it ends the guest:
    /// SELinux denies the guest its disk from then on, and no policy of ours is to blame.
    ///
    /// # Errors
    /// It still reads it.
    pub fn take_disks_label(&self, guest: &LabGuest) -> Result<()> {
        self.sh("chcon -t hostinfo_disk_t /var/lib/hostinfo/disk/qemu-a")?;
        guest.sh("echo 3 >/proc/sys/vm/drop_caches; ! head -c 4 /dev/vda").map(drop)
    }

    /// Checks that AppArmor or SELinux has denied nothing of hostinfo's, to whomever.
    ///
    /// # Errors
    /// It has.
    pub fn expect_nothing_denied(&self) -> Result<()> {
        // Under AppArmor, libvirt's own profile never lets its program look whether a disk outside libvirt's directories
        // has another below it; the guest starts all the same.
        let denied = self.sh("{ cat /var/log/audit/audit.log 2>/dev/null; journalctl --no-pager --output=cat _TRANSPORT=kernel; } |
            grep -E 'apparmor=\"DENIED\"|avc:  denied|type=SELINUX_ERR' | grep hostinfo |
            grep -v 'profile=\"virt-aa-helper\"' || :")?;
        ensure!(denied.is_empty(), "{denied}");
        Ok(())
    }
}

impl LabGuest<'_> {
    /// What confines its VMM.
    ///
    /// # Errors
    /// It has ended.
    pub fn label(&self) -> Result<String> {
        self.lab().sh(&format!("cat /proc/{}/attr/current", self.pid()?))
    }
}
