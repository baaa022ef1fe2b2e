//! What this process is confined by, and how it says so to a new version of itself that it executes. Neither Landlock
//! nor seccomp can be undone, and Landlock has 16 layers at the most, so the new version adds nothing to them.

use std::env;
use std::fs;

/// The variable of the environment that says so.
const VARIABLE: &str = "HOSTINFOD_CONFINED";

/// What the kernel says of this process: proc_pid_status(5).
const STATUS: &str = "/proc/self/status";

/// What this version needs of its confinement. Counts up with each version that needs more than the one before, such as
/// another system call.
const NEEDS: u32 = 5;

/// What this version permits with its confinement. Counts up with each version that permits less than the one before.
const STRICTNESS: u32 = 2;

const LANDLOCK: &str = "landlock";
const SECCOMP: &str = "seccomp";

/// Before the number of the version's strictness. Versions that do not know the word pass it by.
const STRICT: &str = "strictness=";

/// What is in force, and what the version that began it needed and permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layers {
    needs: u32,
    strictness: u32,
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
}

impl Default for Layers {
    /// Nothing yet.
    fn default() -> Self {
        Self { needs: NEEDS, strictness: STRICTNESS, landlock: false, seccomp: false }
    }
}

impl Layers {
    /// As the process that executed this one said, as far as the kernel agrees. Only for a program that goes on with what was
    /// handed over: anybody can set a variable.
    pub(super) fn inherited() -> Self {
        let status = fs::read_to_string(STATUS).unwrap_or_default();
        let said = env::var(VARIABLE).map(|text| Self::parse(&text).confirmed(&status));
        said.ok().filter(|layers| layers.landlock || layers.seccomp).unwrap_or_default()
    }

    /// Without what cannot be in force: there would be a filter (2 is SECCOMP_MODE_FILTER), and both come with no_new_privs.
    fn confirmed(self, status: &str) -> Self {
        let has = |line: &str| status.lines().any(|found| found == line);
        let has_no_new_privs = has("NoNewPrivs:\t1");
        Self {
            landlock: self.landlock && has_no_new_privs,
            seccomp: self.seccomp && has_no_new_privs && has("Seccomp:\t2"),
            ..self
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        let needs = words.next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let (mut landlock, mut seccomp, mut strictness) = (false, false, 0);
        for word in words {
            landlock |= word == LANDLOCK;
            seccomp |= word == SECCOMP;
            let number = word.strip_prefix(STRICT).and_then(|number| number.parse().ok());
            strictness = number.unwrap_or(strictness);
        }
        Self { needs, strictness, landlock, seccomp }
    }

    /// Whether a part is in force that permits less than this version needs.
    pub(super) fn are_too_narrow(self) -> bool {
        (self.landlock || self.seccomp) && self.needs < NEEDS
    }

    /// Whether a part is in force that permits more than this version does.
    pub(super) fn are_too_wide(self) -> bool {
        (self.landlock || self.seccomp) && self.strictness < STRICTNESS
    }

    /// The variable to set, and its value, for a new version that this process executes.
    pub(crate) fn to_environment(self) -> (&'static str, String) {
        let parts = [(self.landlock, LANDLOCK), (self.seccomp, SECCOMP)];
        let words = parts.into_iter().filter_map(|(is_in_force, word)| is_in_force.then_some(word));
        let numbers = format!("{} {STRICT}{}", self.needs, self.strictness);
        (VARIABLE, words.fold(numbers, |text, word| format!("{text} {word}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_knows_what_it_has_inherited() {
        for (landlock, seccomp) in [(false, false), (true, false), (false, true), (true, true)] {
            let layers = Layers { landlock, seccomp, ..Layers::default() };
            assert_eq!(Layers::parse(&layers.to_environment().1), layers);
            assert!(!layers.are_too_narrow() && !layers.are_too_wide());
        }
    }

    #[test]
    fn a_layer_that_the_kernel_does_not_confirm_is_not_in_force() {
        for (status, landlock, seccomp) in [
            ("", false, false),
            ("NoNewPrivs:\t0\nSeccomp:\t0\n", false, false),
            ("NoNewPrivs:\t0\nSeccomp:\t2\n", false, false),
            ("NoNewPrivs:\t1\nSeccomp:\t0\nSeccomp_filters:\t2\n", true, false),
            ("NoNewPrivs:\t1\nSeccomp:\t2\n", true, true),
        ] {
            let layers = Layers::parse("1 landlock seccomp").confirmed(status);
            assert_eq!((layers.landlock, layers.seccomp), (landlock, seccomp), "{status}");
        }
    }

    #[test]
    fn layers_of_an_older_version_may_be_too_narrow_or_too_wide_and_of_a_newer_one_are_neither() {
        assert!(Layers::parse("9 seccomp").are_too_wide());
        assert!(Layers::parse("9 strictness=0 landlock").are_too_wide());
        let newer = Layers::parse("9 strictness=9 landlock seccomp");
        assert!(!newer.are_too_wide() && !newer.are_too_narrow());
        assert_eq!(newer.to_environment().1, "9 strictness=9 landlock seccomp");
    }

    #[test]
    fn layers_of_an_older_version_may_be_too_narrow_and_layers_not_handed_over_are_not_in_force() {
        assert!(Layers::parse("0 seccomp").are_too_narrow());
        for nothing in ["", "landlock", "x y", "0", "0 more"] {
            let layers = Layers::parse(nothing);
            assert!(!layers.landlock && !layers.seccomp, "{nothing}");
            assert!(!layers.are_too_narrow() && !layers.are_too_wide(), "{nothing}");
        }
    }
}
