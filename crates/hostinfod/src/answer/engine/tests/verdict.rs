//! Verdicts of guests whose processes are made of files.

use super::*;
use hostinfo_sample::Vmm;

#[test]
fn a_vmm_that_does_not_name_its_threads_has_no_cpu_verdict_and_is_told_so_at_once() {
    let mut scene = Scene::new("*:\n interval = 0\n verdict = 1\n");
    for (file, text) in [
        ("stat", "7 (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n"),
        ("status", "VmRSS: 4 kB\n"),
        ("task/7/comm", "qemu-system-x86\n"),
        ("task/7/schedstat", "1000 1000 1\n"),
    ] {
        let path = scene.host.path().join("7").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let roots = Roots { proc: scene.host.path().into(), sys: scene.host.path().join("none") };
    scene.guest.observed.vmm = Ok(Box::new(Vmm::new(roots, 7, None)));
    let nameless = "503 verdict.cpu: this guest's VMM does not name its threads\n";
    assert_eq!(scene.ask("verdict.cpu"), nameless);
    assert!(scene.guest.observed.watch.is_none());
    let again = "200 verdict.memory=unknown: ask again in 60 s\n";
    assert_eq!(scene.ask("verdict.memory"), again);
}
