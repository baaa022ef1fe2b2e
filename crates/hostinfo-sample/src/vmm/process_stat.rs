//! `/proc/PID/stat`: what a process is, and since when.

use memchr::{memchr, memrchr};

use crate::text::{number, words};

/// Some fields of `/proc/PID/stat` or `/proc/PID/task/TID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    pub(crate) comm: &'a [u8],
    state: u8,
    pub(crate) parent: Option<u64>,
    flags: Option<u64>,
    /// For a process: the sum over all its threads, including those that ended.
    pub(crate) major_faults: Option<u64>,
    /// How many threads it has.
    pub(crate) threads: Option<u64>,
    pub(crate) start: u64,
    /// The CPU that it last ran on.
    pub(crate) processor: Option<u32>,
}

impl Stat<'_> {
    /// Whether it is a kernel thread: `PF_KTHREAD` in Linux's `sched.h`.
    pub(crate) fn is_kernels(&self) -> bool {
        const PF_KTHREAD: u64 = 0x0020_0000;
        self.flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
    }

    /// A process whose exit status its parent has not collected is dead (Z, X), and its memory is gone.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// ```text
/// 4242 (CPU 0/KVM (x)) S 1 4242 4242 0 -1 138412416 4703 0 36 0 0 2 0 0 20 0 6 0 458372 ...
/// ```
///
/// Fields 2, 3, 4, 9, 12, 20, 22 and 39 of proc(5). The name in field 2 may contain blanks and brackets.
pub(crate) fn parse(text: &[u8]) -> Option<Stat<'_>> {
    let open = memchr(b'(', text)?;
    let close = memrchr(b')', text)?;
    let comm = text.get(open.checked_add(1)?..close)?;
    let mut fields = words(text.get(close.checked_add(1)?..)?);
    let state = *fields.next()?.first()?;
    let parent = fields.next().and_then(number);
    let flags = fields.nth(4).and_then(number);
    let major_faults = fields.nth(2).and_then(number);
    let threads = fields.nth(7).and_then(number);
    let start = number(fields.nth(1)?)?;
    let processor = fields.nth(16).and_then(number).and_then(|cpu| cpu.try_into().ok());
    Some(Stat { comm, state, parent, flags, major_faults, threads, start, processor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Linux 6.18.
    const QEMU: &str = "23315 (qemu-system-x86) S 23313 23313 20687 0 -1 138412416 4703 0 36 0 0 \
        2 0 0 20 0 6 0 458372 1592152064 9201 18446744073709551615 94678249136128 94678254996565 \
        140727892131680 0 0 0 268444224 4096 16451 0 0 0 17 1 0 0 0 0 0 94678258108664 \
        94678263312816 94678328553472 140727892138507 140727892138723 140727892138723 \
        140727892139996 0\n";
    /// Linux 3.10.
    const OLD: &str = "7 (CPU 0/KVM (x)) S 1 7 7 0 -1 4202816 9 0 5 0 6 7 0 0 20 0 3 0 1234 1 2 3";

    #[test]
    fn fields_are_counted_from_behind_the_name() {
        let stat = parse(QEMU.as_bytes()).unwrap();
        let wanted = Stat {
            comm: b"qemu-system-x86",
            state: b'S',
            parent: Some(23_313),
            flags: Some(138_412_416),
            major_faults: Some(36),
            threads: Some(6),
            start: 458_372,
            processor: Some(1),
        };
        assert_eq!(stat, wanted);
        let stat = parse(OLD.as_bytes()).unwrap();
        assert_eq!((stat.comm, stat.start), (&b"CPU 0/KVM (x)"[..], 1234));
        assert_eq!((stat.major_faults, stat.processor), (Some(5), None));
    }

    #[test]
    fn a_kernel_thread_is_told_from_a_process_by_its_flags_and_not_by_its_name() {
        // Linux 6.1, where kernel threads may have names of more than 15 bytes.
        let text = "519 (kvm-nx-lpage-recovery-513) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 \
                    8448 0 0";
        assert!(parse(text.as_bytes()).unwrap().is_kernels());
        let text = text.replace("2129984", "138412416");
        assert!(!parse(text.as_bytes()).unwrap().is_kernels());
    }

    #[test]
    fn a_stat_file_without_a_start_time_is_no_process() {
        for text in ["", "1 (a", ")(", "1 (a)", "1 (a) S 1 2", "1 () S 1 1 1 1 1 1 1 1 1 1 1 1 1"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(QEMU.replace(" 458372 ", " -1 ").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "[0-9]{0,3} ?[()a-z ]{0,8}( [0-9-]{1,3}){0,50}") {
            parse(&bytes);
            parse(text.as_bytes());
        }
    }
}
