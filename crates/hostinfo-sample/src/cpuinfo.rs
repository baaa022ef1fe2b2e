//! `/proc/cpuinfo`: the model of the CPUs.

use crate::Absent;
use crate::root::{LINE_BYTES, Roots};
use crate::text::{first_line, key_and_value, lines};

/// This is so on 64-bit ARM and on s390.
const LACK: Absent = Absent::unsupported("this host's CPUs have no model name");

/// The first CPU's model. Only the beginning of the file is read: with 512 CPUs it is megabytes
/// long, and reading it makes the kernel measure each CPU's clock.
pub(crate) fn read(roots: &Roots, buffer: &mut Vec<u8>) -> Result<String, Absent> {
    let text = roots.proc_head("cpuinfo", LINE_BYTES, buffer);
    let text = text.map_err(|e| e.or(Absent::NO_PROC))?;
    parse(text).ok_or(LACK)
}

/// ```text
/// processor       : 0
/// model name      : AMD EPYC 7763 64-Core Processor
/// ```
///
/// The key is `model name` on x86 and 32-bit ARM, `Processor` on ARM before Linux 3.8, `cpu` on
/// POWER and SPARC, `cpu model` on MIPS, `Model Name` on LoongArch, `uarch` on RISC-V.
/// (`processor` with a lowercase p is the CPU's number.)
pub(crate) fn parse(text: &[u8]) -> Option<String> {
    lines(text).filter_map(key_and_value).find_map(|(key, value)| match key {
        b"model name" | b"Processor" | b"cpu" | b"cpu model" | b"Model Name" | b"uarch" => {
            first_line(value)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_architecture_has_its_own_word_for_the_model() {
        for (text, model) in [
            (
                "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n\
                 model name\t: AMD EPYC 7763 64-Core Processor\n",
                "AMD EPYC 7763 64-Core Processor",
            ),
            (
                "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 2300.0MHz\n",
                "POWER9, altivec supported",
            ),
            (
                "Processor\t: ARMv7 Processor rev 10 (v7l)\nprocessor\t: 0\n",
                "ARMv7 Processor rev 10 (v7l)",
            ),
            (
                "system type\t: MIPS Malta\nprocessor\t: 0\ncpu model\t: MIPS 24Kc V0.0\n",
                "MIPS 24Kc V0.0",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).as_deref(), Some(model));
        }
    }

    #[test]
    fn sixty_four_bit_arm_and_s390_tell_no_model() {
        let arm = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n\
                   CPU part\t: 0xd0c\n";
        let s390 = "vendor_id       : IBM/S390\n# processors    : 2\n\
                    processor 0: version = FF,  identification = 2964A8,  machine = 3906\n";
        assert_eq!(parse(arm.as_bytes()), None);
        assert_eq!(parse(s390.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            parse(&bytes);
        }
    }
}
