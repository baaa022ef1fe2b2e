//! Whether verdicts are right on a real host. Each cause is made on purpose, so the right answer is
//! known, and what the guest loses by it is measured by the guest itself: the work that it gets done in
//! a second, alone and under the cause.
//!
//! `UPDATE_DOCS=1 make test-long` writes what was seen into docs/verdicts.md.

mod bench;
mod cpu;
mod disk;
mod memory;
mod table;

/// Every scenario, each a test on that host.
macro_rules! every_scenario_on {
    ($host:ident) => {
        every_scenario_on! { $host:
            cpu::a_domain_is_told_whether_neighbours_or_limits_keep_it_waiting,
            cpu::a_domain_on_a_host_whose_cpus_are_all_busy_is_told_so,
            cpu::a_domain_is_told_whether_its_disks_threads_wait_and_for_whom,
            cpu::a_domain_is_told_whether_its_iothread_waits_and_for_whom,
            cpu::a_guest_that_was_started_by_hand_is_told_its_own_quota_from_one_around_it,
            cpu::a_guest_of_a_login_session_is_told_the_sessions_quota_from_one_around_it,
            cpu::a_guest_with_more_vcpus_than_cpus_is_told_that_they_wait_for_each_other,
            memory::a_domain_is_told_whose_limit_it_has_reached_and_what_its_host_has_taken,
            memory::a_domain_is_told_of_a_limit_around_it_and_another_guest,
            memory::a_domain_whose_host_runs_out_of_memory_is_told_so,
            disk::a_domain_is_told_whether_its_own_limit_or_the_hosts_disk_keeps_it_waiting,
        }
    };
    ($host:ident: $($part:ident::$scenario:ident,)+) => {
        $(
            #[test]
            fn $scenario() -> anyhow::Result<()> {
                crate::$part::$scenario(hostinfo_tests::lab::$host)
            }
        )+
    };
}

mod debian_12 {
    every_scenario_on!(BOOKWORM);
}

mod debian_13 {
    every_scenario_on!(TRIXIE);
}

mod selinux {
    every_scenario_on!(SELINUX);
}
