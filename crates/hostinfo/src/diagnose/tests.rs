//! A diagnosis of whatever a host sends.

use proptest::prelude::*;

use super::*;
use crate::reply::tests::any_figures;
use crate::views::own::DiskView;

proptest! {
    #[test]
    fn any_figures_of_a_host_have_a_diagnosis(replies in prop::collection::vec(any_figures(), 1..4)) {
        let start = Instant::now();
        let mut heard = Heard::new(start);
        for (number, lines) in (0..).zip(replies) {
            heard.add(Ok(lines), start + Duration::from_secs(number));
        }
        let heard = heard.or_failure().unwrap();
        let disk = DiskView { rate: 9.0, latency: Some(Duration::from_millis(40)) };
        let view = View { disks: [("vda".to_owned(), disk)].into(), ..View::default() };
        let finding = |resource| Finding::new(resource, heard.judged(resource), &view, &[]);
        let findings = RESOURCES.into_iter().map(finding).collect();
        let (age, end) = (heard.age(start + Duration::from_secs(9)), jiff::Timestamp::now());
        let (host_view, silence, time) = (heard.view, None, Duration::from_secs(60));
        let told = Diagnosis { findings, view, host_view, age, silence, time, end };
        prop_assert!(!told.text().is_empty() && !told.json().is_empty() && !told.plugin().is_empty());
    }
}
