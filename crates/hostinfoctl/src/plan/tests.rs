use super::*;
use crate::facts::Seen;
use crate::guests::entry;
use hostinfo_domains::Directory;

const RIGHT: &str = "qemu-web";

fn serial(number: u32, socket: &str) -> String {
    format!(
        "<serial type='unix'><source mode='bind' path='/var/lib/hostinfo/{socket}'/>\
         <target type='isa-serial' port='{number}'/></serial>"
    )
}

fn channel(socket: &str) -> String {
    format!(
        "<channel type='unix'><source mode='bind' path='/var/lib/hostinfo/{socket}'/>\
         <target type='virtio' name='org.hostinfo.0'/></channel>"
    )
}

/// Channels are plugged into this controller.
const CONTROLLER: &str = "<controller type='virtio-serial'/>";

fn seen(devices: &str) -> Seen {
    let xml = format!("<domain type='kvm'><name>web</name><devices>{devices}</devices></domain>");
    let ports = Ports::find(&xml, &Directory::of_text(Path::new("/var/lib/hostinfo"))).unwrap();
    Seen { xml, ports }
}

fn facts(config: Option<&str>, live: Option<&str>) -> Facts {
    Facts { entry: entry(1, "web"), config: config.map(seen), live: live.map(seen) }
}

/// What is changed in each form, such as `+config /dev/ttyS1`.
fn planned(facts: &Facts, wanted: &EnableOptions) -> Result<Vec<String>, String> {
    let steps = enable(facts, wanted, Path::new("/var/lib/hostinfo"));
    steps.map(|steps| steps.iter().map(shown).collect()).map_err(|failure| failure.to_string())
}

fn shown(step: &Step) -> String {
    let found = seen(&step.device).ports;
    let port = found.hostinfo.first().or(found.vhostmd.first()).unwrap();
    let sign = if step.act == Act::Attach { '+' } else { '-' };
    let form = if step.form == Form::Config { "config" } else { "live" };
    format!("{sign}{form} {} {}", port.target.linux(), port.socket)
}

fn wanted() -> EnableOptions {
    EnableOptions::default()
}

#[test]
fn a_guest_gets_the_second_serial_port_and_once_is_enough() {
    let off = facts(Some(""), None);
    assert_eq!(planned(&off, &wanted()).unwrap(), ["+config /dev/ttyS1 qemu-web"]);
    let has = facts(Some(&serial(1, RIGHT)), None);
    assert_eq!(planned(&has, &wanted()).unwrap(), [""; 0]);
}

#[test]
fn if_serial_port_1_is_taken_the_plan_is_a_channel_or_a_serial_port_given_by_number() {
    let taken = facts(Some("<serial type='pty'><target port='1'/></serial>"), None);
    let expected = "+config /dev/virtio-ports/org.hostinfo.0 qemu-web";
    assert_eq!(planned(&taken, &wanted()).unwrap(), [expected]);
    let serial = EnableOptions { transport: Some(Transport::Serial), ..wanted() };
    let refusal = planned(&taken, &serial).unwrap_err();
    assert!(refusal.contains("--transport channel, or --port"), "{refusal}");
    let third = EnableOptions { port: Some(2), ..wanted() };
    assert_eq!(planned(&taken, &third).unwrap(), ["+config /dev/ttyS2 qemu-web"]);
}

#[test]
fn a_guest_with_a_console_and_no_serial_port_gets_a_channel_unless_a_serial_port_is_asked_for() {
    let console = "<console type='pty'><target type='virtio' port='0'/></console>";
    let console = facts(Some(console), None);
    let expected = "+config /dev/virtio-ports/org.hostinfo.0 qemu-web";
    assert_eq!(planned(&console, &wanted()).unwrap(), [expected]);
    let serial = EnableOptions { transport: Some(Transport::Serial), ..wanted() };
    assert_eq!(planned(&console, &serial).unwrap(), ["+config /dev/ttyS1 qemu-web"]);
}

#[test]
fn a_guest_that_runs_gets_it_now_by_a_channel_in_both_forms_what_runs_first() {
    let now = EnableOptions { now: true, ..wanted() };
    let device = "/dev/virtio-ports/org.hostinfo.0 qemu-web";
    let both = [format!("+live {device}"), format!("+config {device}")];
    assert_eq!(planned(&facts(Some(""), Some(CONTROLLER)), &now).unwrap(), both);
    // The port for its next start stays unchanged.
    let enabled = facts(Some(&serial(1, RIGHT)), Some(CONTROLLER));
    assert_eq!(planned(&enabled, &now).unwrap(), both[..1]);
    assert_eq!(planned(&facts(None, Some(CONTROLLER)), &now).unwrap(), both[..1]);
    let off = facts(Some(""), None);
    assert_eq!(planned(&off, &now).unwrap(), ["+config /dev/ttyS1 qemu-web"]);
}

#[test]
fn a_guest_that_was_disabled_and_still_runs_with_its_port_gets_that_back() {
    for now in [false, true] {
        let wanted = EnableOptions { now, ..wanted() };
        let on_serial = format!("{CONTROLLER}{}", serial(1, RIGHT));
        let disabled = facts(Some(CONTROLLER), Some(&on_serial));
        assert_eq!(planned(&disabled, &wanted).unwrap(), ["+config /dev/ttyS1 qemu-web"]);
        let on_channel = format!("{CONTROLLER}{}", channel(RIGHT));
        let disabled = facts(Some(CONTROLLER), Some(&on_channel));
        let back = planned(&disabled, &wanted).unwrap();
        assert!(back.len() == 1 && back[0].contains("org.hostinfo.0"), "{back:?}");
    }
}

#[test]
fn an_impossible_plan_is_refused_with_what_is_possible() {
    let now_serial = EnableOptions { now: true, transport: Some(Transport::Serial), ..wanted() };
    let refusal = planned(&facts(Some(""), Some("")), &now_serial).unwrap_err();
    assert!(refusal.contains("leave out --now"), "{refusal}");
    let refusal =
        planned(&facts(Some(""), Some("")), &EnableOptions { now: true, ..wanted() }).unwrap_err();
    assert!(refusal.contains("without a virtio-serial controller"), "{refusal}");
    let refusal = planned(&facts(None, Some(CONTROLLER)), &wanted()).unwrap_err();
    assert!(refusal.contains("transient") && refusal.contains("--now"), "{refusal}");
    let taken = facts(Some("<serial type='pty'><target port='2'/></serial>"), None);
    let refusal = planned(&taken, &EnableOptions { port: Some(2), ..wanted() }).unwrap_err();
    assert!(refusal.contains("no free serial port 2: serial port 1 is free"), "{refusal}");
    let elsewhere = facts(Some(&serial(1, RIGHT)), None);
    for other in [
        EnableOptions { port: Some(2), ..wanted() },
        EnableOptions { transport: Some(Transport::Channel), ..wanted() },
    ] {
        let refusal = planned(&elsewhere, &other).unwrap_err();
        assert!(refusal.contains("serial port 1: disable it first"), "{refusal}");
    }
    let strange = facts(
        Some("<channel type='pty'><target type='virtio' name='org.hostinfo.0'/></channel>"),
        Some(CONTROLLER),
    );
    let refusal = planned(&strange, &EnableOptions { now: true, ..wanted() }).unwrap_err();
    assert!(refusal.contains("leads elsewhere"), "{refusal}");
}

#[test]
fn a_wrong_path_is_refused_and_repaired_where_it_is() {
    let renamed = facts(Some(&serial(2, "qemu-old")), None);
    let refusal = planned(&renamed, &wanted()).unwrap_err();
    assert!(refusal.contains("hostinfoctl enable --repair"), "{refusal}");
    let repair = EnableOptions { repair: true, ..wanted() };
    assert_eq!(
        planned(&renamed, &repair).unwrap(),
        ["-config /dev/ttyS2 qemu-old", "+config /dev/ttyS2 qemu-web"]
    );
    let channel = facts(Some(&channel("qemu-old")), None);
    let place = "/dev/virtio-ports/org.hostinfo.0";
    assert_eq!(
        planned(&channel, &repair).unwrap(),
        [format!("-config {place} qemu-old"), format!("+config {place} qemu-web")]
    );
}

#[test]
fn the_right_one_of_two_ports_stays() {
    let both = serial(1, "qemu-old") + &serial(2, RIGHT);
    let twice = facts(Some(&both), None);
    assert!(planned(&twice, &wanted()).unwrap_err().contains("more than one"));
    let repair = EnableOptions { repair: true, ..wanted() };
    assert_eq!(planned(&twice, &repair).unwrap(), ["-config /dev/ttyS1 qemu-old"]);
}

#[test]
fn a_wrong_serial_port_of_a_guest_that_runs_waits_for_its_next_start() {
    let wrong = serial(1, "qemu-old");
    let renamed = facts(Some(&wrong), Some(&wrong));
    let now = EnableOptions { repair: true, now: true, ..wanted() };
    assert!(planned(&renamed, &now).unwrap_err().contains("leave out --now"));
    let repair = EnableOptions { repair: true, ..wanted() };
    assert_eq!(planned(&renamed, &repair).unwrap().len(), 2);
}

#[test]
fn vhostmds_clients_have_a_channel_of_their_own() {
    let wanted = EnableOptions { vhostmd: true, ..wanted() };
    assert_eq!(
        planned(&facts(Some(""), None), &wanted).unwrap(),
        ["+config /dev/ttyS1 qemu-web", "+config /dev/virtio-ports/org.github.vhostmd.1 qemu-web"]
    );
}

#[test]
fn a_repair_includes_what_is_there_for_vhostmds_clients() {
    let old = channel("vhostmd/qemu-old").replace("org.hostinfo.0", "org.github.vhostmd.1");
    let renamed = facts(Some(&(serial(1, RIGHT) + &old)), None);
    assert_eq!(planned(&renamed, &wanted()).unwrap(), [""; 0]);
    let repair = EnableOptions { repair: true, ..wanted() };
    let device = "/dev/virtio-ports/org.github.vhostmd.1";
    assert_eq!(
        planned(&renamed, &repair).unwrap(),
        [format!("-config {device} qemu-old"), format!("+config {device} qemu-web")]
    );
}

#[test]
fn disabling_takes_out_everything_that_can_be() {
    let has = serial(1, RIGHT) + &serial(2, "qemu-old");
    let runs = facts(Some(&has), Some(&(serial(1, RIGHT) + &channel(RIGHT))));
    let steps = |now| -> Vec<String> { disable(&runs, now).unwrap().iter().map(shown).collect() };
    assert_eq!(
        steps(true),
        [
            "-live /dev/virtio-ports/org.hostinfo.0 qemu-web",
            "-config /dev/ttyS1 qemu-web",
            "-config /dev/ttyS2 qemu-old"
        ]
    );
    assert_eq!(steps(false), ["-config /dev/ttyS1 qemu-web", "-config /dev/ttyS2 qemu-old"]);
    assert_eq!(disable(&facts(Some(""), Some("")), true).unwrap(), []);
}

#[test]
fn a_transient_guest_loses_its_channel_only_now() {
    let transient = facts(None, Some(&channel(RIGHT)));
    assert!(disable(&transient, false).unwrap_err().to_string().contains("--now unplugs"));
    assert_eq!(disable(&transient, true).unwrap().len(), 1);
    assert_eq!(disable(&facts(None, Some(&serial(1, RIGHT))), false).unwrap(), []);
}

const TAKEN: &str = "<channel type='unix'><target type='virtio' name='org.hostinfo.0'/></channel>";

fn uarts(numbers: &[u32]) -> String {
    numbers.iter().map(|n| format!("<serial type='pty'><target port='{n}'/></serial>")).collect()
}

#[test]
fn no_remedy_is_named_that_cannot_work() {
    let refusal = |devices: &str, wanted: &EnableOptions| {
        planned(&facts(Some(devices), None), wanted).unwrap_err()
    };
    let full = uarts(&[0, 1, 2, 3]) + TAKEN;
    let third = uarts(&[0, 1]) + TAKEN;
    assert_eq!(
        refusal(&full, &wanted()).matches("choose").count(),
        0,
        "{}",
        refusal(&full, &wanted())
    );
    assert!(refusal(&third, &wanted()).contains("choose --port 2, and hostinfo --device"));
    let serial = EnableOptions { transport: Some(Transport::Serial), ..wanted() };
    assert!(refusal(&full, &serial).ends_with("free one (virsh edit)"));
    assert!(
        refusal(&third, &serial).ends_with("choose --port 2, and hostinfo --device in the guest")
    );
    let only_channel = refusal(&uarts(&[0, 1, 2, 3]), &serial);
    assert!(only_channel.ends_with("choose --transport channel"), "{only_channel}");
    let first = EnableOptions { port: Some(0), ..wanted() };
    assert!(refusal(&full, &first).contains("and no other, and its channel"));
}

#[test]
fn a_transient_guest_is_not_told_now_if_that_cannot_be() {
    let transient = |devices: &str, now| {
        let wanted = EnableOptions { now, ..wanted() };
        planned(&facts(None, Some(devices)), &wanted)
    };
    assert!(transient(CONTROLLER, false).unwrap_err().contains("--now gives it a channel"));
    for now in [false, true] {
        let error = transient("", now).unwrap_err();
        assert!(error.contains("the XML from which it is started") && !error.contains("--now"));
        let wrong = transient(&serial(1, "qemu-old"), now).unwrap_err();
        assert!(wrong.contains("--repair"), "{wrong}");
        assert_eq!(transient(&serial(1, RIGHT), now).unwrap(), [""; 0], "it has one");
    }
}

#[test]
fn a_channel_without_a_name_is_repaired() {
    let nameless = channel(RIGHT).replace(" name='org.hostinfo.0'", "");
    let has = facts(Some(&nameless), None);
    let error = planned(&has, &wanted()).unwrap_err();
    assert!(error.contains("has no name") && error.contains("--repair"), "{error}");
    let repair = EnableOptions { repair: true, ..wanted() };
    let steps = planned(&has, &repair).unwrap();
    assert_eq!((steps.len(), &*steps[1]), (2, "+config /dev/virtio-ports/org.hostinfo.0 qemu-web"));
}
