//! Every limit on what the helper and libvirt can make the daemon store or wait for.

use std::time::Duration;

/// How long the helper may be silent while a request is pending: a call into libvirt that takes
/// longer hangs. Each line of an answer restarts the time, so a host with ten thousand domains is
/// not mistaken for one that hangs.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How long one answer may take in all, however many lines arrive: [`DOMAINS_MAX`] domains at 5 ms
/// each are 82 s. A helper that keeps sending a line now and then for longer than that hangs as
/// well.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(120);

/// The wait before the helper is started again; it doubles with each try.
pub const RESTART_FIRST: Duration = Duration::from_millis(100);

/// The longest wait between two tries, and the shortest once the [`RESTARTS`] are used up: the
/// program then costs at most 20 ms of a CPU in 10 s, and only while somebody asks.
pub const RESTART_LONGEST: Duration = Duration::from_secs(10);

/// Tries after a failure, 22.7 s in all: enough for a restart and most upgrades of libvirt. After
/// that, the next try is when libvirt's sockets change or somebody asks.
pub const RESTARTS: u32 = 8;

/// The longest line between daemon and helper. A domain's figures are at most 256 disks of 770
/// bytes, 256 interfaces of 340 bytes and 4,096 vCPUs of 220 bytes (16, 11 and 7 numbers of up to 20
/// digits with their names), 1.1 MiB in all. A domain itself is a path, 82 names of 255 bytes, 1 KiB
/// of text and 20 KiB of tags, each up to six times as long in JSON: 250 KiB.
pub const LINE_MAX: usize = 1280 * 1024;

/// Bytes the daemon reads from the helper in one turn: 0.5 ms of a CPU.
pub const CHUNK: usize = 64 * 1024;

/// Bytes the daemon reads of what the helper writes to standard error, at most once in [`ERRORS_EVERY`]: 2,048 lines, 0.1 ms
/// of a CPU. A helper that writes more waits.
pub const ERRORS_CHUNK: usize = 4096;

/// The shortest time between two such reads: one that writes without end costs the daemon 0.1 % of a CPU.
pub const ERRORS_EVERY: Duration = Duration::from_millis(100);

/// The most bytes of a line there: libvirt's longest messages are shorter.
pub const ERRORS_LINE_MAX: usize = 500;

/// The most domains known: libvirt itself does not list more (REMOTE_DOMAIN_LIST_MAX).
pub const DOMAINS_MAX: usize = 16_384;

/// The most bytes of all domains and their figures together: [`DOMAINS_MAX`] domains with 4 KiB each. One with 8 vCPUs, 3
/// disks and 2 interfaces takes some 3.5 KiB. With the last snapshot, which keeps what has changed since, and one line,
/// the helper fills at most about twice as much of the daemon's memory.
pub const BYTES_MAX: usize = DOMAINS_MAX * 4096;

/// The most domains whose figures are requested by UUID; if more are wanted, all are requested. A
/// request is 64 x 39 bytes, which always fits into an empty socket: it holds 200 KiB.
pub const ASKED_MAX: usize = 64;

/// The most vCPUs of a domain whose counters are reported: as many as KVM allows (KVM_MAX_VCPUS on
/// x86). For a domain with more, none are reported, since their sum would be wrong.
pub const VCPUS_MAX: usize = 4096;

/// The most disks reported per domain.
pub const DISKS_MAX: usize = 256;

/// The most interfaces reported per domain.
pub const NETS_MAX: usize = 256;

/// The most names of a domain in one of hostinfo's directories; more than one is already wrong. A
/// domain with more counts as unreadable.
pub const NAMES_MAX: usize = 16;

/// The most paths of a domain's devices: checking one on the host takes 10 us. A guest with every
/// port that QEMU supports has some 100.
pub const PATHS_MAX: usize = 1024;

/// The longest name; a file name cannot be longer either (NAME_MAX).
pub const NAME_MAX: usize = 255;

/// The longest name of a disk, such as `vda`.
pub const DEV_MAX: usize = 32;

/// The longest domain XML that is read: the longest that libvirt sends (REMOTE_STRING_MAX). With
/// 256 disks it is 200 KiB. What management programs put into `<metadata>` can be larger than all
/// the rest. It is skipped at 80 MB a second or more: the longest takes 50 ms.
pub const XML_MAX: usize = 4 * 1024 * 1024;

/// The most elements of a domain that are kept. A disk with every possible option has 30, and
/// everything else has fewer. 256 disks have 7,680, so this leaves room for as many again.
pub const ELEMENTS_MAX: usize = 16_384;

/// The greatest depth of elements: `domain`, `devices`, a device, and two levels inside it.
pub const XML_DEPTH: usize = 5;

/// The most attributes of an element: the `<driver>` of a disk, which has most, can have 25 in
/// libvirt 11.
pub const ATTRIBUTES_MAX: usize = 64;

/// The most tags of a domain: together with their keys they take at most 64 x (64 + 255) = 20 KiB.
pub const TAGS_MAX: usize = 64;

/// The most tags of hostinfo's own that `hostinfoctl` gives a domain: with the title and those of
/// nova and [`SOURCES_MAX`] more there are then 54.
pub const OWN_TAGS_MAX: usize = 32;

/// The longest key of a tag: the rules have no conditions on longer ones.
pub const TAG_KEY_MAX: usize = 64;

/// The longest value of a tag: as long as the longest name.
pub const TAG_MAX: usize = 255;

/// The longest text of an element that is a tag, with the blanks behind the value.
pub const TAG_TEXT_MAX: usize = 1024;

/// The most elements on the way to tags: nova writes some 30 for an instance, and two tags of
/// hostinfo's own take three. Each may have to be looked for among [`ATTRIBUTES_MAX`] namespaces of
/// each of [`TAG_DEPTH`] elements around it: 2 million comparisons, at most 20 ms.
pub const TAG_ELEMENTS_MAX: usize = 4096;

/// The most tags that `[tags]` in `hostinfod.toml` can add.
pub const SOURCES_MAX: usize = 16;

/// The greatest depth of an element that `[tags]` names. Nova's have three levels.
pub const TAG_DEPTH: usize = 8;

/// The longest namespace, name or attribute in `[tags]`. [`SOURCES_MAX`] of them with
/// [`TAG_DEPTH`] names each take at most 16 x 10 x 255 = 40 KiB, which fits into an argument of the
/// helper (MAX_ARG_STRLEN is 128 KiB).
pub const SOURCE_TEXT_MAX: usize = 255;

/// The number of serial ports that a PC has: QEMU's MAX_ISA_SERIAL_PORTS.
pub const UARTS: u32 = 4;

/// The longest path of a socket that libvirt can make and QEMU can listen on: `sun_path` of unix(7)
/// has 108 bytes, the last of which is a NUL.
pub const SOCKET_PATH_MAX: usize = 107;

/// How long the administrator's tool waits for libvirt to report something. The first answer can
/// take long if systemd has to start libvirtd for it.
pub const TELL_DEADLINE: Duration = Duration::from_secs(10);

/// How long the administrator's tool waits for libvirt to change something: libvirt itself waits 30
/// s for a busy domain (QEMU_JOB_WAIT_TIME), and 5 s for a guest to release a device.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(45);

/// The longest line between the administrator's tool and the helper: a domain's XML, in which no
/// character takes more than two bytes in JSON (XML has no control characters except TAB, LF and
/// CR), and 4 KiB for what surrounds it.
pub const ORDER_MAX: usize = 2 * XML_MAX + 4096;

/// The longest error text that is passed on.
pub const WORDS_MAX: usize = 1024;
