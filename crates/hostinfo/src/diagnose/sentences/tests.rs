use super::*;
use crate::views::own::DiskView;

fn finding(resource: &'static str, state: State, view: &View) -> Finding {
    Finding::new(resource, judged(resource, state), view, &[])
}

fn judged(resource: &str, state: State) -> Judged {
    Judged::Verdict { state, reason: format!("the reason of {resource}") }
}

fn refused(resource: &'static str) -> Finding {
    Finding::new(resource, Judged::Refused("not permitted".to_owned()), &View::default(), &[])
}

fn all(states: [State; 4], view: &View) -> Vec<Finding> {
    let resources = crate::verdict::RESOURCES.into_iter().zip(states);
    resources.map(|(resource, state)| finding(resource, state, view)).collect()
}

use State::{Contended, Ok, SelfLimited, Unknown};

#[test]
fn the_worst_of_all_resources_is_the_conclusion() {
    let view = View::default();
    for (states, conclusion) in [
        ([Ok, Ok, Ok, Ok], Conclusion::Ok),
        ([Ok, Unknown, Ok, Ok], Conclusion::Unknown),
        ([Ok, Unknown, SelfLimited, Ok], Conclusion::SelfLimited),
        ([Contended, Unknown, SelfLimited, Ok], Conclusion::Contended),
    ] {
        assert_eq!(overall(&all(states, &view)), conclusion);
    }
    assert_eq!(overall(&[refused("cpu"), refused("io")]), Conclusion::Refused);
    assert_eq!(overall(&[refused("cpu"), finding("io", Ok, &view)]), Conclusion::Ok);
    let none = Judged::Missing("no VMM".to_owned());
    let missing = [Finding::new("cpu", none, &view, &[])];
    assert_eq!(overall(&missing), Conclusion::Unknown);
    let text = sentences(&missing, &view, &Figures::default(), &[]).join(" ");
    assert!(text.starts_with("There is no verdict from the host: no VMM."), "{text}");
}

#[test]
fn a_host_that_gave_too_little_is_named_with_its_reason_and_with_what_the_guest_saw_itself() {
    let view = View { steal: Some(0.31), ..View::default() };
    let figures = Figures { waited: Some(0.34), ..Figures::default() };
    let text =
        sentences(&all([Contended, Ok, Contended, Ok], &view), &view, &figures, &[]).join(" ");
    assert_eq!(
        text,
        "It is the host: it gave this guest less CPU time and disk I/O than it wanted. \
         The host's verdict on CPU time: the reason of cpu. \
         The host's verdict on disk I/O: the reason of io. \
         This guest's own kernel agrees: 31% of its CPU time was stolen. \
         Show this to whoever runs the host."
    );
}

#[test]
fn a_reason_that_several_resources_share_is_told_once() {
    let soon = Judged::Verdict { state: Unknown, reason: "ask again in 60 s".to_owned() };
    let finding = |resource| Finding::new(resource, soon.clone(), &View::default(), &[]);
    let findings = RESOURCES.map(finding);
    let text = sentences(&findings, &View::default(), &Figures::default(), &[]).join(" ");
    assert_eq!(
        text,
        "Whether it is the host is unknown: CPU time, memory, disk I/O and network. \
         The host's verdict on CPU time, memory, disk I/O and network: ask again in 60 s. \
         To wait for the host's verdict: hostinfo diagnose --wait."
    );
}

#[test]
fn beside_a_host_that_is_short_the_guests_own_limit_is_named_too() {
    let view = View::default();
    let findings = all([Contended, Ok, SelfLimited, Ok], &view);
    let text = sentences(&findings, &view, &Figures::default(), &[]).join(" ");
    assert!(
        text.ends_with(
            "the reason of cpu. This guest's own limit or own work held back its disk I/O as well. \
             The host's verdict on disk I/O: the reason of io. Show this to whoever runs the host."
        ),
        "{text}"
    );
}

#[test]
fn a_host_that_says_ok_is_not_believed_where_the_guests_own_kernel_counts_stolen_time() {
    let view = View { steal: Some(0.12), ..View::default() };
    let findings = all([Ok, Ok, Ok, Ok], &view);
    assert_eq!(overall(&findings), Conclusion::Unknown);
    let text = sentences(&findings, &view, &Figures::default(), &[]).join(" ");
    assert!(
        text.contains("says that CPU time is ok, but this guest's own kernel says that 12%"),
        "{text}"
    );
    let little = View { steal: Some(0.04), ..View::default() };
    assert_eq!(overall(&all([Ok, Ok, Ok, Ok], &little)), Conclusion::Ok);
}

#[test]
fn a_guest_that_is_slow_by_itself_is_told_by_what() {
    let view = View {
        time: LOOK_LEAST,
        cpus: Some(2),
        busy: Some(0.99),
        running: Some(5.1),
        swapped: Some(4096.0),
        ..View::default()
    };
    let text = sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &Figures::default(), &[]).join(" ");
    assert!(
        text.contains("kept its 2 CPUs 99% busy: 5.1 tasks wanted to run at a time."),
        "{text}"
    );
    assert!(text.contains("it swaps"), "{text}");
    assert!(text.ends_with("Look for the reason in this guest's own programs."), "{text}");
    let limited =
        sentences(&all([SelfLimited, Ok, Ok, Ok], &view), &view, &Figures::default(), &[]);
    assert!(!limited.join(" ").contains("kept its"), "{limited:?}");
    let short = View { time: LOOK_LEAST / 2, ..view };
    let short = sentences(&all([Ok, Ok, Ok, Ok], &short), &short, &Figures::default(), &[]);
    assert!(!short.join(" ").contains("kept its"), "this program itself was busy: {short:?}");
}

#[test]
fn a_limit_below_the_guests_cpus_is_named_where_it_may_be_the_hosts() {
    let view = View { cpus: Some(1), ..View::default() };
    let text = |state, quota| {
        let figures = Figures { quota: Some(quota), ..Figures::default() };
        sentences(&all([state, Ok, Ok, Ok], &view), &view, &figures, &[]).join(" ")
    };
    assert!(text(Contended, 0.25).contains(" This guest may use at most 0.25 CPUs. "));
    assert!(!text(SelfLimited, 0.25).contains("at most"), "the host's reason names its own");
    assert!(!text(Contended, 1.0).contains("at most") && !text(Ok, 0.25).contains("at most"));
}

#[test]
fn only_the_resources_that_were_asked_for_are_judged_and_the_others_pointed_at() {
    let view = View::default();
    let memory = [finding("memory", Ok, &view)];
    let text =
        |elsewhere: &[&str]| sentences(&memory, &view, &Figures::default(), elsewhere).join(" ");
    let ok = "For memory, it is not the host: this guest got what it asked for.";
    assert_eq!(text(&[]), format!("{ok} To look at everything: hostinfo diagnose."));
    let told = "The host says that something is wrong with CPU time: hostinfo diagnose cpu.";
    assert_eq!(text(&["cpu"]), format!("{ok} {told}"));
}

#[test]
fn the_reader_is_not_told_to_ask_again_for_a_verdict_that_the_host_never_has() {
    let view = View::default();
    let never = "this host has no figures of your disks: they come from libvirt";
    let text = |reason: &str| {
        let judged = Judged::Verdict { state: Unknown, reason: reason.to_owned() };
        let mut findings = all([Ok, Ok, Ok, Ok], &view);
        findings[2] = Finding::new("io", judged, &view, &[]);
        sentences(&findings, &view, &Figures::default(), &[]).join(" ")
    };
    let told = text(never);
    let begin =
        "For CPU time, memory and network, it is not the host; for disk I/O, that is unknown.";
    assert!(told.starts_with(begin), "{told}");
    assert!(told.ends_with("libvirt. Only whoever runs the host can have it say more."), "{told}");
    let wait = "To wait for the host's verdict: hostinfo diagnose --wait.";
    let again = "Ask again while this guest is slow.";
    assert!(text("ask again in 5 s").ends_with(wait));
    assert!(text("the host was last asked 35 s ago; ask again in 25 s").ends_with(wait));
    assert!(text("the host was last asked 35 s ago").ends_with(again));
    let blind = "Show this to whoever runs the host: hostinfod there cannot see this guest's VMM (hostinfoctl doctor).";
    for (why, end) in [
        ("ask again in 34 s", wait),
        ("it stopped answering: no host answers", again),
        ("hostinfod cannot see this guest's VMM", blind),
    ] {
        let missing = |resource| Finding::new(resource, Judged::Missing(why.into()), &view, &[]);
        let told = sentences(&RESOURCES.map(missing), &view, &Figures::default(), &[]).join(" ");
        assert!(told.ends_with(end), "{told}");
    }
}

#[test]
fn a_device_that_a_guest_does_not_have_is_not_unknown() {
    let view = View::default();
    let of =
        |resource, state| Finding::new(resource, judged(resource, state), &view, &["io", "net"]);
    let states = [Ok, Ok, Unknown, Unknown];
    let findings: Vec<Finding> =
        RESOURCES.into_iter().zip(states).map(|(resource, state)| of(resource, state)).collect();
    assert_eq!(overall(&findings), Conclusion::Ok);
    let text = sentences(&findings, &view, &Figures::default(), &[]).join(" ");
    assert!(text.starts_with("It is not the host: "), "{text}");
    assert!(!text.contains("The host's verdict"), "{text}");
    let disk = sentences(&findings[2..3], &view, &Figures::default(), &[]).join(" ");
    assert!(disk.starts_with("There is no disk in this guest."), "{disk}");
    let with_refused = [refused("cpu"), findings[2].clone()];
    assert_eq!(overall(&with_refused), Conclusion::Refused, "that says nothing of the CPU");
    assert_eq!(of("io", Contended).absent, None, "the host knows of one");
    assert_eq!(of("cpu", Unknown).absent, None);
}

#[test]
fn requests_that_queue_up_in_the_guest_are_told_from_a_slow_host() {
    let disk = |millis| DiskView { rate: 9.0, latency: Some(Duration::from_millis(millis)) };
    let text = |guest, host| {
        let view = View { disks: [("vda".to_owned(), disk(guest))].into(), ..View::default() };
        let figures =
            Figures { latencies: [("vda".to_owned(), host)].into(), ..Figures::default() };
        sentences(&all([Ok, Ok, Ok, Ok], &view), &view, &figures, &[]).join(" ")
    };
    let millis = Duration::from_millis;
    assert!(
        text(40, millis(1)).contains("Requests to vda took 40 ms, of which the host took 1 ms")
    );
    assert!(!text(40, millis(30)).contains("vda") && !text(4, millis(1)).contains("vda"));
    assert!(!text(40, Duration::MAX).contains("vda"), "whatever the host says");
}

#[test]
fn shares_are_told_as_percent() {
    assert_eq!([0.0, 0.004, 0.344, 1.0].map(percent), ["0%", "0.4%", "34%", "100%"]);
}
