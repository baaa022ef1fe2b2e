//! The kind of machine the host is, as far as that decides what it cannot have.

use crate::root::{LINE_BYTES, Roots};
use crate::text::{key_and_value, lines, number, words};

/// Enough of `/proc/cpuinfo` to hold all lines of the first CPU; the line of its features has some
/// 2 KiB.
const HEAD_BYTES: usize = 2 * LINE_BYTES;

/// What the first CPU reveals about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Nothing.
    Unknown,
    /// It is a virtual machine itself.
    Virtual,
    /// It is not virtual, and its CPUs are from Intel, AMD or Hygon, whose CPUs are AMD's design.
    X86,
    /// It has other CPUs.
    Other,
}

pub(crate) fn look(roots: &Roots, buffer: &mut Vec<u8>) -> Machine {
    roots.proc_head("cpuinfo", HEAD_BYTES, buffer).map_or(Machine::Unknown, parse)
}

/// ```text
/// vendor_id       : GenuineIntel
/// flags           : fpu vme de pse tsc msr ... hypervisor lahf_lm
/// ```
pub(crate) fn parse(text: &[u8]) -> Machine {
    let mut machine = if text.trim_ascii().is_empty() { Machine::Unknown } else { Machine::Other };
    for (key, value) in lines(text).filter_map(key_and_value) {
        match (key, value) {
            (b"flags", flags) if words(flags).any(|flag| flag == b"hypervisor") => {
                return Machine::Virtual;
            }
            (b"vendor_id", b"GenuineIntel" | b"AuthenticAMD" | b"HygonGenuine") => {
                machine = Machine::X86;
            }
            _ => {}
        }
    }
    machine
}

/// The first two numbers of the kernel's release: 6 and 1 for `6.1.0-18-amd64`.
pub(crate) fn release(roots: &Roots, buffer: &mut Vec<u8>) -> Option<(u64, u64)> {
    let text = roots.proc("sys/kernel/osrelease", LINE_BYTES, buffer).ok()?;
    let mut numbers = text.split(|byte| !byte.is_ascii_digit()).map(number);
    Some((numbers.next()??, numbers.next()??))
}

/// Whether that word is on the kernel's command line.
pub(crate) fn is_booted_with(word: &[u8], roots: &Roots, buffer: &mut Vec<u8>) -> bool {
    let line = roots.proc("cmdline", LINE_BYTES, buffer);
    line.is_ok_and(|line| words(line).any(|one| one == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_virtual_machine_says_so_among_its_features() {
        let intel = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n";
        for (text, machine) in [
            (intel, Machine::X86),
            ("vendor_id\t: AuthenticAMD\n", Machine::X86),
            ("vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor lahf_lm\n", Machine::Virtual),
            ("vendor_id       : IBM/S390\n", Machine::Other),
            ("processor\t: 0\nCPU implementer\t: 0x41\n", Machine::Other),
            ("", Machine::Unknown),
        ] {
            assert_eq!(parse(text.as_bytes()), machine, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
