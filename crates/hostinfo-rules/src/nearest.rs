//! Finds the known name that a misspelt key was meant to be.

use std::borrow::Cow;

use hostinfo_catalog::resolve::known_names;
use hostinfo_catalog::stat::{fits, is_placeholder};
use hostinfo_catalog::{STATS, Stat};
use hostinfo_wire::nearest::{self, ALIKE};

use crate::setting::keys;

/// Longer keys resemble no name.
const KEY_MAX: usize = 100;

/// Only one name in this many is compared. The fuzzer's build notes every comparison, so comparing all names
/// would take a hundred times as long as the rest of a file.
const STRIDE: usize = if cfg!(fuzzing) { 64 } else { 1 };

/// The name that is most similar to `key`.
pub(crate) fn nearest(key: &str) -> Option<String> {
    if key.len() > KEY_MAX {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let with_instance =
        STATS.iter().step_by(STRIDE).filter_map(|stat| with_instance_of(stat, &key));
    let names = keys().chain(known_names()).step_by(STRIDE).map(Cow::Borrowed);
    let names = names.chain(with_instance.map(Cow::Owned));
    nearest::nearest(&key, names, ALIKE).map(Cow::into_owned)
}

/// A row's name cut to as many segments as the key has, with the key's instance filled in: `vm.disk.vda.read`
/// for `vm.disk.vda.raed`.
fn with_instance_of(stat: &Stat, key: &str) -> Option<String> {
    let segments = || stat.name.split('.').zip(key.split('.'));
    if !segments().any(|(own, _)| is_placeholder(own)) {
        return None;
    }
    let segments = segments().map(|(own, given)| match is_placeholder(own) {
        true => fits(own, given).then_some(given),
        false => Some(own),
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_near_the_name_that_was_meant() {
        for (key, name) in [
            ("intervall", "interval"),
            ("INTREVAL", "interval"),
            ("enable", "enabled"),
            ("vhostmd_disk", "vhostmd-disk"),
            ("physcpu", "physcpus"),
            ("mem", "memory"),
            ("load", "loadavg"),
            ("memroy.total", "memory.total"),
            ("memorytotal", "memory.total"),
            ("hots.name", "host.name"),
            ("loadavg.2", "loadavg"),
            ("vm.*", "vm"),
            ("pressure.cpu.some.avg6", "pressure.cpu.some.avg60"),
        ] {
            assert_eq!(nearest(key).as_deref(), Some(name), "{key}");
        }
    }

    #[test]
    fn an_instance_in_the_key_is_kept() {
        assert_eq!(nearest("vm.disk.vda.raed").as_deref(), Some("vm.disk.vda.read"));
        assert_eq!(nearest("vm.cpu.3.dealy").as_deref(), Some("vm.cpu.3.delay"));
        assert_eq!(nearest("vm.cpu.N.delay").as_deref(), Some("vm.cpu.delay"));
    }

    #[test]
    fn nonsense_is_near_nothing() {
        for key in ["", "xyzzy", "foo", "=", &"interval".repeat(1000)] {
            assert_eq!(nearest(key), None, "{key}");
        }
    }
}
