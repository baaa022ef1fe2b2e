use super::*;
use rustix::event::{PollFd, PollFlags, Timespec};

fn key(name: &str, guest: &str) -> Key {
    Key { name: name.into(), guest: guest.into() }
}

/// A statistic's name is its shell script. Only scripts that are meant to hang have a short
/// deadline.
fn shell(key: &Key) -> Option<Order> {
    let words = ["/bin/sh", "-c", &*key.name].map(str::to_owned).into();
    let hangs = key.name.contains("sleep 60") || key.name.contains("1000000");
    Some(Order {
        words,
        account: None,
        timeout: Duration::from_millis(if hangs { 300 } else { 10_000 }),
    })
}

/// Sleeps until there is something to do, and does it.
fn turn(pool: &mut Pool) -> Vec<Ended> {
    let wait = pool.next_deadline().map_or(Duration::ZERO, |at| at - Instant::now().min(at));
    let mut fds = [PollFd::new(&pool.epoll, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&Timespec::try_from(wait).unwrap())).unwrap();
    pool.turn(Instant::now(), shell)
}

fn run_all(pool: &mut Pool) -> Vec<(Key, Result<String, String>)> {
    let mut all = pool.turn(Instant::now(), shell);
    while !(pool.queue.len() == 0 && pool.runs.is_empty()) {
        all.extend(turn(pool));
        assert!(pool.runs.len() <= RUNS_MAX);
    }
    let told = all.into_iter().map(|(key, result)| {
        let output = result.map(|bytes| String::from_utf8(bytes).unwrap());
        (key, output.map_err(|failure| failure.to_string()))
    });
    told.collect()
}

fn run(name: &str) -> Result<String, String> {
    let mut pool = Pool::new(true).unwrap();
    assert_eq!(pool.ask(key(name, "")), Asked::Waits);
    run_all(&mut pool).remove(0).1
}

#[test]
fn a_command_has_a_bare_environment_no_input_and_the_root_as_its_directory() {
    assert_eq!(run("cat; readlink /proc/self/cwd").unwrap(), "/\n");
    let environment = run("tr '\\0' '\\n' < /proc/$$/environ | cut -d= -f1 | sort").unwrap();
    assert_eq!(environment, "LANG\nPATH\n");
    let open = run("readlink /proc/self/fd/*; true").unwrap();
    assert!(open.starts_with("/dev/null\npipe:") && !open.contains("eventpoll"), "{open}");
}

#[test]
fn a_command_of_another_user_has_none_of_the_daemons_groups() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut pool = Pool::new(true).unwrap();
    let account = Some(Account { uid: 65533, gid: 65532 });
    let order = |_: &Key| {
        let words = ["/bin/sh", "-c", "id -u; id -G; grep CapEff /proc/self/status"];
        let words = words.map(str::to_owned).into();
        Some(Order { words, account, timeout: Duration::from_secs(10) })
    };
    assert_eq!(pool.ask(key("x", "")), Asked::Waits);
    assert!(pool.turn(Instant::now(), order).is_empty());
    let (_, output) = turn(&mut pool).remove(0);
    let output = String::from_utf8(output.unwrap()).unwrap();
    assert_eq!(output, "65533\n65532\nCapEff:\t0000000000000000\n");
}

#[test]
fn a_command_that_fails_is_told_with_its_status_and_its_first_words() {
    assert_eq!(
        run("echo 7; echo 'no such rack' >&2; exit 3").unwrap_err(),
        "its command ended with exit status: 3; it said `no such rack`"
    );
    assert!(run("kill -9 $$").unwrap_err().contains("signal: 9"));
}

#[test]
fn what_a_command_leaves_behind_is_not_waited_for_and_is_killed() {
    let started = Instant::now();
    let pid = run("sleep 99 & echo $!").unwrap();
    assert!(started.elapsed() < Duration::from_secs(9));
    assert!(is_gone(pid.trim()));
}

#[test]
fn a_command_that_hangs_is_killed_at_its_deadline_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let told = run(&format!("sleep 60 & echo $! > {}; wait", file.display())).unwrap_err();
    assert_eq!(told, "its command did not end within 300ms and was killed");
    assert!(is_gone(std::fs::read_to_string(file).unwrap().trim()));
}

/// A killed process is gone after a moment, or is a zombie that init has not collected yet.
fn is_gone(pid: &str) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_or(true, |stat| stat.contains(") Z "))
    })
}

#[test]
fn a_command_that_prints_too_much_is_told_so_whether_it_ends_or_hangs_on_it() {
    for bytes in ["5000", "1000000"] {
        let told = run(&format!("head -c {bytes} /dev/zero")).unwrap_err();
        assert!(told.starts_with("its output is over 4096 bytes"), "{told}");
    }
    assert_eq!(run("head -c 4096 /dev/zero").unwrap().len(), OUTPUT_MAX);
}

#[test]
fn ends_are_found_without_the_kernels_help_too() {
    let mut pool = Pool::new(false).unwrap();
    for name in ["echo 1", "sleep 60", "exit 1"] {
        assert_eq!(pool.ask(key(name, "")), Asked::Waits);
    }
    let ended = run_all(&mut pool);
    let good: Vec<_> = ended.iter().filter_map(|(_, result)| result.as_deref().ok()).collect();
    assert_eq!((ended.len(), good), (3, vec!["1\n"]));
}

#[test]
fn four_run_at_a_time() {
    let mut pool = Pool::new(true).unwrap();
    for number in 0..100 {
        assert_eq!(pool.ask(key(&format!("sleep 0.01; echo {number}"), "")), Asked::Waits);
    }
    let ended = run_all(&mut pool);
    assert_eq!(ended.len(), 100);
    assert!(ended.iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn statistics_that_hang_leave_three_places_to_the_others() {
    let mut pool = Pool::new(true).unwrap();
    for guest in 0..20 {
        assert_eq!(pool.ask(key("sleep 60", &guest.to_string())), Asked::Waits);
    }
    let _ = pool.turn(Instant::now(), shell);
    assert_eq!(pool.runs.len(), RUNS_MAX, "nobody knows yet that it hangs");
    while turn(&mut pool).is_empty() {}
    for number in 0..10 {
        assert_eq!(pool.ask(key(&format!("echo {number}"), "")), Asked::Waits);
    }
    let mut good = 0;
    while good < 10 {
        good += turn(&mut pool).iter().filter(|(_, result)| result.is_ok()).count();
        let hung = pool.runs.iter().filter(|run| &*run.key.name == "sleep 60").count();
        assert!(hung <= HUNG_RUNS_MAX);
    }
    assert!(pool.queue.len() >= 14, "those that hang still wait: {}", pool.queue.len());
}

#[test]
fn a_guest_that_asks_for_much_does_not_hold_up_others() {
    let mut pool = Pool::new(true).unwrap();
    for number in 0..200 {
        assert_eq!(pool.ask(key(&format!("sleep 0.01; echo {number}"), "greedy")), Asked::Waits);
    }
    for modest in 0..20 {
        assert_eq!(pool.ask(key("echo x", &modest.to_string())), Asked::Waits);
    }
    let order: Vec<Key> = run_all(&mut pool).into_iter().map(|(key, _)| key).collect();
    let last = order.iter().rposition(|key| &*key.guest != "greedy").unwrap();
    assert!(last <= 20 + RUNS_MAX, "{last}");
}

#[test]
fn nothing_runs_twice_at_once_also_while_the_first_one_is_dying() {
    let mut pool = Pool::new(true).unwrap();
    assert_eq!(pool.ask(key("sleep 60", "a")), Asked::Waits);
    let _ = pool.turn(Instant::now(), shell);
    assert_eq!(pool.ask(key("sleep 60", "a")), Asked::Waits);
    let _ = pool.turn(Instant::now(), shell);
    assert_eq!((pool.runs.len(), pool.queue.len()), (1, 1));
    pool.cancel(|key| &*key.guest == "a");
    assert_eq!((pool.runs.len(), pool.queue.len(), pool.dying.len()), (0, 0, 1));
    assert_eq!(pool.ask(key("sleep 60", "a")), Asked::Waits);
    while !pool.dying.is_empty() {
        assert!(pool.runs.is_empty());
        let _ = turn(&mut pool);
    }
    assert_eq!(pool.runs.len(), 1);
}
