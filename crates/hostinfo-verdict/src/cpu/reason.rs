//! Why vCPUs waited, or that they did not, in words.

use std::time::Duration;

use super::Times;
use crate::WAITED;
use crate::sample::stats::{BUSY, CPU_PRESSURE, DELAY, QUOTA, RUN, STEAL, THROTTLED};
use crate::share::Share;
use crate::words::Words;

/// vCPUs that ran for so much of the time had no time left over.
const GUEST_BUSY: Share = Share::percent(90);

const SHARED_QUOTA: &str = "a CPU limit that your host sets for several guests";

impl Times {
    pub(super) fn no_wait(&self, words: Words<'_>) -> String {
        let got = "your vCPUs got the time that they asked for";
        let ran = Share::of(self.run, self.length.saturating_mul(self.vcpus));
        if !words.may_name(&[RUN]) {
            return format!("{got} in {}", words.window());
        }
        let ran_of = words.share(ran, &[RUN]);
        if ran >= GUEST_BUSY {
            format!("{got}; your own work kept them busy {ran_of}")
        } else if words.may_name(&[DELAY, THROTTLED]) {
            format!("{got}: they ran {ran_of} and waited {}", self.share(self.waited()))
        } else {
            format!("{got}: they ran {ran_of}")
        }
    }

    pub(super) fn host_wait(&self, words: Words<'_>, host: Option<Duration>) -> String {
        let (waited, quota) = (self.waited_for_cpu(words), self.own_quota_too(words));
        let around = match self.is_held_around() {
            true => format!("; {SHARED_QUOTA} held them back too"),
            false => String::new(),
        };
        let host = match self.host_busy() {
            Some(share) if words.may_name(&[BUSY]) => {
                format!("; the host's CPUs were {share} busy")
            }
            _ => words.pressure(host, "a CPU", CPU_PRESSURE),
        };
        format!("your vCPUs waited {waited} for a host CPU{quota}{around}{host}")
    }

    /// How long the quota held back the others is theirs to know.
    pub(super) fn shared_quota_wait(&self, words: Words<'_>) -> String {
        let (waited, quota) = (self.waited_for_cpu(words), self.own_quota_too(words));
        format!("{SHARED_QUOTA} held your vCPUs back: they waited {waited}{quota}")
    }

    pub(super) fn wait_for_each_other(&self, words: Words<'_>) -> String {
        format!(
            "your vCPUs waited {} for each other: there are more of them than CPUs of the host \
             that they may run on",
            self.waited_for_cpu(words)
        )
    }

    pub(super) fn untold_wait(&self, words: Words<'_>) -> String {
        format!(
            "your vCPUs waited {}, but this host does not tell whether for a host CPU or for your \
             own CPU quota",
            words.share(self.share(self.delay), &[DELAY])
        )
    }

    pub(super) fn unexplained_wait(&self, words: Words<'_>) -> String {
        format!(
            "your vCPUs waited {}, but neither a CPU limit nor the host's load says why: they may \
             be bound to a few of its CPUs",
            self.waited_for_cpu(words)
        )
    }

    fn waited_for_cpu(&self, words: Words<'_>) -> String {
        words.share(self.share(self.for_cpu()), &[DELAY, THROTTLED])
    }

    /// What ends a sentence of what held the vCPUs back, where their own quota did so too.
    fn own_quota_too(&self, words: Words<'_>) -> String {
        let held = self.share(self.held());
        match held >= WAITED {
            true if words.may_name(&[THROTTLED]) => {
                format!("; your own CPU quota held them back a further {held}")
            }
            true => "; your own CPU quota held them back too".to_owned(),
            false => String::new(),
        }
    }

    pub(super) fn quota_wait(&self, words: Words<'_>) -> String {
        let quota = match self.quota {
            Some(quota) if words.may_name(&[QUOTA]) => {
                let hundredths = quota.as_millis() / 10;
                format!(" of {}.{:02} CPUs", hundredths / 100, hundredths % 100)
            }
            _ => String::new(),
        };
        let held = words.share(self.share(self.held()), &[THROTTLED]);
        let for_cpu = self.share(self.for_cpu());
        let too = match for_cpu >= WAITED {
            true if words.may_name(&[DELAY, THROTTLED]) => {
                format!("; they waited a further {for_cpu} for a host CPU")
            }
            true => "; they waited for a host CPU too".to_owned(),
            false => String::new(),
        };
        format!("your own CPU quota{quota} held your vCPUs back {held}{too}")
    }
}

pub(super) fn stolen(share: Share, words: Words<'_>) -> String {
    let lost = match words.may_name(&[STEAL]) {
        true => share.to_string(),
        false => "part".to_owned(),
    };
    let window = words.window();
    format!(
        "the host is itself a virtual machine, and did not get {lost} of the CPU time that it \
         wanted in {window}"
    )
}
