//! This program as a VMM: the kernel's own files for threads that are named like vCPUs.

use std::ffi::CStr;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostinfo_catalog::source::Vmm as Source;
use hostinfo_sample::{Moment, OpenFiles, Roots, Vmm};
use hostinfo_wire::Value;

use crate::PATIENCE;

fn at(millis: u64) -> Moment {
    Moment::new(Duration::from_millis(millis))
}

fn vmm(pid: u32) -> Vmm {
    Vmm::new(Roots::default(), OpenFiles::default(), pid.try_into().unwrap(), None)
}

fn micros(vmm: &mut Vmm, what: Source, vcpu: Option<u32>, millis: u64) -> i64 {
    match vmm.value(what, vcpu, at(millis)) {
        Ok(Value::Micro(micros)) => micros,
        other => panic!("{what:?}: {other:?}"),
    }
}

#[test]
fn the_time_of_a_thread_grows_while_it_runs_and_stays_when_it_has_ended() {
    static STOP: AtomicBool = AtomicBool::new(false);
    static STARTED: Barrier = Barrier::new(2);
    let spin = || {
        STARTED.wait();
        while !STOP.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    };
    let spinner = std::thread::Builder::new().name("CPU 4711/KVM".into()).spawn(spin).unwrap();
    STARTED.wait();
    let mut vmm = vmm(std::process::id());
    let mut look = |millis| micros(&mut vmm, Source::OneVcpuTime, Some(4711), millis);
    let deadline = Instant::now() + PATIENCE;
    let first = look(0);
    let mut millis = 0;
    while look(millis) < first + 50_000 {
        assert!(Instant::now() < deadline, "the thread does not run");
        std::thread::sleep(Duration::from_millis(10));
        millis += 100;
    }
    STOP.store(true, Ordering::Relaxed);
    let last = look(millis + 100);
    spinner.join().unwrap();
    assert!(look(millis + 10_000) >= last, "its time stays when it has ended");
    assert!(vmm.vcpus(at(millis + 10_000)).contains(&4711));
    assert!(vmm.value(Source::Resident, None, at(0)).is_ok());
}

/// A thread of this program that does what it receives over a channel, and ends when that is closed.
struct Puppet {
    names: Option<Sender<&'static CStr>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Puppet {
    fn start(name: &str) -> Self {
        let ((names, told), (did, done)) = (channel(), channel());
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            did.send(()).unwrap();
            for name in told {
                rustix::thread::set_name(name).unwrap();
                did.send(()).unwrap();
            }
        });
        done.recv().unwrap();
        Self { names: Some(names), done, thread: Some(thread.unwrap()) }
    }

    fn rename(&self, name: &'static CStr) {
        self.names.as_ref().unwrap().send(name).unwrap();
        self.done.recv().unwrap();
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.names = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_thread_that_comes_as_another_one_goes_is_seen() {
    let mut vmm = vmm(std::process::id());
    let first = Puppet::start("CPU 4712/KVM");
    for slot in 0..4 {
        assert!(vmm.vcpus(at(slot * 100)).contains(&4712));
    }
    drop(first);
    let _second = Puppet::start("CPU 4713/KVM");
    assert!(vmm.vcpus(at(400)).contains(&4713), "there are as many threads as before");
}

#[test]
fn a_reading_that_is_too_slow_each_time_it_starts_is_given_up_and_the_next_one_is_not() {
    let mut vmm = vmm(std::process::id());
    let _vcpus = [Puppet::start("CPU 4716/KVM"), Puppet::start("CPU 4717/KVM")];
    let in_steps = |turn: &u64| vmm.read_threads(1, at(turn * 2_000)).is_done;
    let given_up = (0..100).find(in_steps).expect("it starts over without end") * 2_000;
    let told = vmm.value(Source::VcpuTime, None, at(given_up));
    assert_eq!(told.unwrap_err().to_string(), "ask again in 1 s");
    let in_steps = |turn: &u64| vmm.read_threads(1, at(given_up + turn)).is_done;
    let read = given_up + (100..).find(in_steps).unwrap();
    assert!(vmm.vcpus(at(read)).contains(&4716));
}

#[test]
fn a_thread_may_take_its_name_within_a_second_after_it_began_to_run() {
    let mut vmm = vmm(std::process::id());
    let [early, late] = [(); 2].map(|()| Puppet::start("starting"));
    let mut has = |vcpu, millis| vmm.vcpus(at(millis)).contains(&vcpu);
    assert!(!has(4714, 0) && !has(4714, 500));
    early.rename(c"CPU 4714/KVM");
    assert!(has(4714, 900));
    late.rename(c"CPU 4715/KVM");
    assert!(has(4715, 1_100), "its name is read once more after that second");
}

#[test]
fn a_process_that_ends_between_two_looks_has_ended() {
    let mut child = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
    let mut vmm = vmm(child.id());
    let mut told = |millis| vmm.value(Source::Resident, None, at(millis)).unwrap_err().to_string();
    assert_eq!(told(0), "the other end is not a virtual machine monitor");
    child.kill().unwrap();
    // Dead, and then gone.
    let deadline = Instant::now() + PATIENCE;
    let mut millis = 100;
    while told(millis) != "this guest's VMM has ended" {
        assert!(Instant::now() < deadline, "it does not end");
        millis += 100;
    }
    child.wait().unwrap();
    assert_eq!(told(millis + 100), "this guest's VMM has ended");
}
