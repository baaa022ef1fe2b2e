//! What it costs to watch a guest: `cargo test --release -p hostinfo-answer a_minute -- --nocapture`.

use super::*;
use hostinfo_sample::Vmm;
use hostinfo_verdict::Watch;

use crate::peer::Peer;

/// Guests that are watched at once, each of a host with so many vCPUs.
const GUESTS: u32 = 50;
const VCPUS: u32 = 4;

/// What a minute may cost for a guest, beside reading its files; more where the compiler was told to
/// optimise nothing.
const BOUND: Duration = Duration::from_millis(if cfg!(debug_assertions) { 4 } else { 1 });

/// Enough that the clock's ticks of 10 ms do not count.
const MINUTES: u32 = 20;

/// Samples in a minute of a guest that asks, which has twice as many as one that does not.
const SAMPLES: u32 = 12;

/// CPU time that this thread took for itself: what the kernel took to open and read files is not in it.
fn user_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_ascii_whitespace().nth(11).unwrap().parse().unwrap();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap()
}

impl Scene {
    fn guest_on_files(&self, pid: u32) -> (Who, Observed) {
        let own = |file: &str| format!("{pid}/{file}");
        let stat =
            format!("{pid} (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n");
        self.write(&own("stat"), &stat);
        self.write(&own("status"), "VmRSS: 4000 kB\nVmSwap: 0 kB\n");
        self.write(&own("cgroup"), &format!("0::/{pid}.scope\n"));
        for vcpu in 0..VCPUS {
            let task = own(&format!("task/{}", 1 + vcpu));
            self.write(&format!("{task}/comm"), &format!("CPU {vcpu}/KVM\n"));
            self.write(&format!("{task}/schedstat"), "1000000 1000 1\n");
        }
        let cgroup = format!("none/fs/cgroup/{pid}.scope");
        let pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        for (file, text) in [
            ("cgroup.procs", &*format!("{pid}\n")),
            ("cpu.stat", "usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
            ("cpu.max", "max 100000\n"),
            ("memory.max", "max\n"),
            ("memory.current", "4096\n"),
            ("memory.pressure", pressure),
        ] {
            self.write(&format!("{cgroup}/{file}"), text);
        }
        let roots = Roots { proc: self.host.path().into(), sys: self.host.path().join("none") };
        let mut who = guest(&format!("qemu-{pid}"), FREE);
        let peer = Peer { pid: i32::try_from(pid).unwrap(), start: Some(100) };
        who.connected(Some(peer), || Ok::<_, ()>(Session::new([1; 8]))).unwrap();
        let mut observed = Observed::new(Ok(Box::new(Vmm::new(roots, peer.pid, None))));
        observed.watch = Some(Watch::begin(self.now, Duration::ZERO));
        (who, observed)
    }
}

#[test]
fn a_minute_of_a_watched_guest_costs_at_most_1_ms_of_cpu_beside_reading_its_files() {
    let mut scene = Scene::new(FREE);
    scene.write("none/fs/cgroup/cgroup.controllers", "cpu memory\n");
    scene.write(
        "stat",
        "cpu  1 0 0 1 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\nbtime 1\nprocs_running 1\n",
    );
    let mut guests: Vec<_> = (100..100 + GUESTS).map(|pid| scene.guest_on_files(pid)).collect();
    let begun = user_time();
    for _ in 0..MINUTES * SAMPLES {
        for (who, observed) in &mut guests {
            let watch = observed.watch.as_mut().unwrap();
            scene.now = scene.now.max(watch.next_sample().unwrap());
            watch.asked(scene.now, Duration::ZERO);
            scene.engine.watch(who, observed, scene.now).unwrap();
        }
    }
    let minute = (user_time() - begun) / (GUESTS * MINUTES);
    println!("a minute of a guest that asks: {minute:?}");
    assert!(minute <= BOUND, "{minute:?}");
}
