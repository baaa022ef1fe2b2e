//! Notices from the administrator.

use super::*;
use hostinfo_notices::{Draft, Kind};
use jiff::Timestamp;

fn set_notice(scene: &mut Scene, pattern: &str, text: &str, ends_in: Option<u64>) {
    let now = Timestamp::now();
    let draft = Draft {
        pattern: pattern.to_owned(),
        kind: Kind::Maintenance,
        at: Timestamp::UNIX_EPOCH,
        until: ends_in.map(|millis| now + Duration::from_millis(millis)),
        text: text.to_owned(),
    };
    scene.engine.backend.admin_values.notices.set(draft, now).unwrap();
}

#[test]
fn a_guest_reads_the_notices_that_are_for_it_counted_from_one() {
    let mut scene = Scene::new(FREE);
    set_notice(&mut scene, "qemu-b*", "for another", None);
    set_notice(&mut scene, "*", "a=b", None);
    set_notice(&mut scene, "qemu-a*", "new memory", None);
    let first = "notice.1=maintenance at 1970-01-01T00:00:00Z: new memory\n";
    assert_eq!(
        scene.ask("notice"),
        format!("200-{first}200 notice.2=maintenance at 1970-01-01T00:00:00Z: a=b\n")
    );
    assert_eq!(scene.ask("notice.1"), format!("200 {first}"));
    assert_eq!(
        scene.ask("notice.3 notice.0"),
        "503-notice.3: there are fewer notices for this guest\n\
         503 notice.0: there are fewer notices for this guest\n"
    );
    assert_eq!(scene.ask("list notice").lines().count(), 2);
    assert!(scene.ask("get *").contains(first));
}

#[test]
fn a_notice_that_is_over_is_not_shown_and_without_any_the_reply_says_so() {
    let mut scene = Scene::new(FREE);
    set_notice(&mut scene, "*", "x", Some(50));
    std::thread::sleep(Duration::from_millis(60));
    let none = "there is no notice for this guest\n";
    assert_eq!(scene.ask("notice.1"), format!("503 notice.1: {none}"));
    assert_eq!(scene.ask("notice"), format!("503 notice: {none}"));
    assert!(!scene.ask("get *").contains("notice"));
}

#[test]
fn a_rule_closes_notices_like_any_statistic() {
    let mut scene = Scene::new("*:\n interval = 0\n notice.1 = 0\n");
    set_notice(&mut scene, "*", "x", None);
    set_notice(&mut scene, "*", "y", None);
    assert_eq!(
        scene.ask("notice.1 notice"),
        "403-notice.1: not permitted\n200 notice.2=maintenance at 1970-01-01T00:00:00Z: x\n"
    );
    let mut scene = Scene::new("*:\n interval = 0\n notice = 0\n");
    set_notice(&mut scene, "*", "x", None);
    assert_eq!(scene.ask("notice"), "403 notice: not permitted\n");
}
