//! Any file of the kernel's, of the host, a process or a cgroup, can be read as what it should be.
#![no_main]

use hostinfo_sample::fuzzing::parse_as_each;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| parse_as_each(file));
