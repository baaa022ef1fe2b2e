//! Every bound on what the helper and libvirt can make the daemon hold or wait for.

use std::time::Duration;

/// How long the helper may be silent while it is asked something: a call into libvirt that takes
/// longer hangs. Each line of an answer begins the time anew, so a host with ten thousand domains
/// is not taken for one that hangs.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How long one answer may take in all, whatever comes of it meanwhile: [`DOMAINS_MAX`] domains at
/// 5 ms each are 82 s. A helper that sends a line now and then for longer than that hangs as well.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(120);

/// The wait before the helper is started again; it doubles from try to try.
pub const RESTART_FIRST: Duration = Duration::from_millis(100);

/// The longest wait between two tries, and the shortest once the [`RESTARTS`] are used up: the
/// program then costs 20 ms of a CPU in 10 s at the most, and only while somebody asks.
pub const RESTART_LONGEST: Duration = Duration::from_secs(10);

/// Tries after a failure, 22.7 s in all, which a restart and most upgrades of libvirt fit in.
/// After that it is tried when libvirt's sockets change or somebody asks.
pub const RESTARTS: u32 = 8;

/// The longest line between daemon and helper. A domain's figures are 256 disks of 770 bytes, 256
/// interfaces of 340 bytes and 4,096 vCPUs of 220 bytes at most (17, 10 and 7 numbers of 20 digits
/// with their names), 1.1 MiB in all; a domain itself is a path, 82 names of 255 bytes and 1 KiB of
/// words, each up to six times as long in JSON: 130 KiB.
pub const LINE_MAX: usize = 1280 * 1024;

/// Bytes read from the helper in one turn of the daemon: 0.5 ms of a CPU.
pub const CHUNK: usize = 64 * 1024;

/// Domains that are known: libvirt itself lists no more (REMOTE_DOMAIN_LIST_MAX).
pub const DOMAINS_MAX: usize = 16_384;

/// Domains whose figures are asked for by name; where more are wanted, all are asked for. A
/// request is 64 x 39 bytes, which always fits into an empty socket: it holds 200 KiB.
pub const ASKED_MAX: usize = 64;

/// vCPUs of a domain whose counts are told: as many as KVM gives one (KVM_MAX_VCPUS on x86). Of a
/// domain with more they are not told at all, since their sum would be wrong.
pub const VCPUS_MAX: usize = 4096;

/// Disks of a domain that are told.
pub const DISKS_MAX: usize = 256;

/// Interfaces of a domain that are told.
pub const NETS_MAX: usize = 256;

/// Names of a domain in one of hostinfo's directories: one more than one is wrong already. With
/// more of them a domain counts as one that cannot be read.
pub const NAMES_MAX: usize = 16;

/// Paths of a domain's devices: to look at one on the host takes 10 us. A guest with every port
/// that QEMU gives one has some 100.
pub const PATHS_MAX: usize = 1024;

/// The longest path of a socket that libvirt can make: unix(7) has 108 bytes, with the NUL.
pub const CHANNEL_MAX: usize = 107;

/// The longest name: a file's cannot be longer (NAME_MAX).
pub const NAME_MAX: usize = 255;

/// The longest name of a disk, such as `vda`.
pub const DEV_MAX: usize = 32;

/// The longest XML of a domain that is read: the longest that libvirt sends (REMOTE_STRING_MAX).
/// One with 256 disks has 200 KiB. What management programs put into `<metadata>` can be larger
/// than all the rest. It is passed by at 80 MB a second at the least: the longest takes 50 ms.
pub const XML_MAX: usize = 4 * 1024 * 1024;

/// Elements of a domain that are kept once they are read. A disk with all that can be said of it has
/// 30, and everything else less; where 256 disks have 7,680, there is room for as much again.
pub const ELEMENTS_MAX: usize = 16_384;

/// How deep they lie at the most: `domain`, `devices`, a device, and two levels of what is in it.
pub const XML_DEPTH: usize = 5;

/// Attributes of one of them: the `<driver>` of a disk, which has most, can have 25 in libvirt 11.
pub const ATTRIBUTES_MAX: usize = 64;

/// Serial ports that a PC has: QEMU's MAX_ISA_SERIAL_PORTS.
pub const UARTS: u32 = 4;

/// The longest path of a socket that QEMU can listen at: unix(7)'s `sun_path` has 108 bytes, the
/// last of which is a NUL.
pub const SOCKET_PATH_MAX: usize = 107;

/// How long the administrator's tool waits for libvirt to tell something. The first word can take
/// long, where systemd has to start libvirtd for it.
pub const TELL_DEADLINE: Duration = Duration::from_secs(10);

/// How long the administrator's tool waits for libvirt to change something: it waits 30 s itself
/// for a domain that is busy (QEMU_JOB_WAIT_TIME), and 5 s for a guest to let go of a device.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(45);

/// The longest line between the administrator's tool and the helper: a domain's XML, in which no
/// character takes more than two bytes in JSON (XML has no control characters but TAB, LF and CR),
/// and 4 KiB for what is around it.
pub const ORDER_MAX: usize = 2 * XML_MAX + 4096;

/// The longest words of an error that are passed on.
pub const WORDS_MAX: usize = 1024;
