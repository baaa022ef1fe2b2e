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

/// The longest line between daemon and helper. A domain's figures are 256 disks of 560 bytes and
/// 256 interfaces of 320 bytes at most (12 and 8 numbers of 20 digits with their names), 220 KiB
/// in all; a domain itself is a path, 66 names of 255 bytes and 1 KiB of words, each up to six
/// times as long in JSON: 106 KiB.
pub const LINE_MAX: usize = 256 * 1024;

/// Bytes read from the helper in one turn of the daemon: 0.5 ms of a CPU.
pub const CHUNK: usize = 64 * 1024;

/// Domains that are known: libvirt itself lists no more (REMOTE_DOMAIN_LIST_MAX).
pub const DOMAINS_MAX: usize = 16_384;

/// Domains whose figures are asked for by name; where more are wanted, all are asked for. A
/// request is 64 x 39 bytes, which always fits into an empty socket: it holds 200 KiB.
pub const ASKED_MAX: usize = 64;

/// Disks of a domain that are told.
pub const DISKS_MAX: usize = 256;

/// Interfaces of a domain that are told.
pub const NETS_MAX: usize = 256;

/// Names of a domain in one of hostinfo's directories: one more than one is wrong already. With
/// more of them a domain counts as one that cannot be read.
pub const NAMES_MAX: usize = 16;

/// The longest path of a socket that libvirt can make: unix(7) has 108 bytes, with the NUL.
pub const CHANNEL_MAX: usize = 107;

/// The longest name: a file's cannot be longer (NAME_MAX).
pub const NAME_MAX: usize = 255;

/// The longest name of a disk, such as `vda`.
pub const DEV_MAX: usize = 32;

/// The longest XML of a domain that is read: the longest that libvirt sends (REMOTE_STRING_MAX).
/// One with 256 disks has 200 KiB. What management programs put into `<metadata>` can be larger
/// than all the rest.
pub const XML_MAX: usize = 4 * 1024 * 1024;

/// The elements and texts in it: as many as there can be, two in the five bytes of `<a/>x`. Once
/// parsed, they are up to 120 MiB in the helper, which reads one domain after the other.
pub const XML_NODES_MAX: u32 = 1_700_000;

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
