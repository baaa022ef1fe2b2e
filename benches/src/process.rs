//! What the kernel knows about a process: CPU time, wake-ups, memory.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use rustix::param::clock_ticks_per_second;

/// A process by its number.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// CPU time of all its threads: the first field of `/proc/PID/task/TID/schedstat`, in
    /// nanoseconds.
    pub(crate) fn cpu_time(self) -> anyhow::Result<Duration> {
        self.sum_of_threads("schedstat", |text| text.split(' ').next()).map(Duration::from_nanos)
    }

    /// The part of it in which the kernel worked for the process: field 15 of `/proc/PID/stat`, in ticks of 10 ms.
    pub(crate) fn kernel_time(self) -> anyhow::Result<Duration> {
        let text = read(&self.dir().join("stat"))?;
        let (_, behind_name) = text.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = behind_name.split_whitespace().nth(12).context("stat")?.parse()?;
        Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
    }

    /// How often its threads went to sleep and were woken: `voluntary_ctxt_switches` of
    /// `/proc/PID/task/TID/status`.
    pub(crate) fn wakeups(self) -> anyhow::Result<u64> {
        self.sum_of_threads("status", |text| field(text, "voluntary_ctxt_switches:"))
    }

    /// How often that happens in the time that comes.
    pub(crate) fn wakeups_in(self, time: Duration) -> anyhow::Result<u64> {
        let before = self.wakeups()?;
        sleep(time);
        Ok(self.wakeups()? - before)
    }

    /// Its memory in bytes, swapped out or not: Pss and SwapPss of `/proc/PID/smaps_rollup`,
    /// which are exact where the figures of `/proc/PID/status` are not. The kernel's buffers
    /// of its sockets are not in it.
    pub(crate) fn memory(self) -> anyhow::Result<u64> {
        let text = read(&self.dir().join("smaps_rollup"))?;
        let mut sum = 0;
        for name in ["Pss:", "SwapPss:"] {
            let kib = field(&text, name).context(name)?.trim_end_matches(" kB");
            sum += kib.parse::<u64>()? * 1024;
        }
        Ok(sum)
    }

    fn dir(self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.0))
    }

    fn sum_of_threads(
        self,
        file: &'static str,
        figure: fn(&str) -> Option<&str>,
    ) -> anyhow::Result<u64> {
        let mut sum = 0;
        for thread in self.dir().join("task").read_dir()? {
            let text = read(&thread?.path().join(file))?;
            sum += figure(&text).context(file)?.parse::<u64>()?;
        }
        Ok(sum)
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> Process {
        Process(std::process::id())
    }

    #[test]
    fn work_shows_as_cpu_time() {
        let before = this().cpu_time().unwrap();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(50) {}
        assert!(this().cpu_time().unwrap() > before);
    }

    #[test]
    fn system_calls_show_as_the_kernels_time() {
        let (before, start) = (this().kernel_time().unwrap(), std::time::Instant::now());
        while this().kernel_time().unwrap() == before {
            assert!(start.elapsed() < Duration::from_secs(300));
        }
    }

    #[test]
    fn a_thread_that_sleeps_is_a_wakeup() {
        let before = this().wakeups().unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert!(this().wakeups().unwrap() > before);
    }

    #[test]
    fn memory_that_is_written_to_counts() {
        let before = this().memory().unwrap();
        let room = std::hint::black_box(vec![1u8; 8 << 20]);
        assert!(this().memory().unwrap() >= before + (4 << 20));
        drop(room);
    }
}
