//! A diagnosis for programs.

use serde_json::{Map, Value, json};

use crate::diagnose::report::Diagnosis;
use crate::output::json_line;
use crate::verdict::State;

impl Diagnosis {
    /// For programs: one line.
    pub(crate) fn json(&self) -> String {
        let figures = self.host_view.figures();
        let mut resources = Map::new();
        for finding in &self.findings {
            let state = finding.judged.state().map(State::word);
            resources.insert(
                finding.resource.to_owned(),
                json!({
                    "state": state,
                    "reason": finding.judged.reason(),
                    "doubt": finding.doubt,
                    "absent": finding.absent,
                }),
            );
        }
        let view = &self.view;
        let disks: Map<String, Value> = view
            .disks
            .iter()
            .map(|(name, disk)| {
                let latency = disk.latency.map(|latency| latency.as_secs_f64());
                (name.clone(), json!({ "operations_per_second": disk.rate, "latency": latency }))
            })
            .collect();
        let latencies: Map<String, Value> = figures
            .latencies
            .iter()
            .map(|(name, time)| (name.clone(), json!(time.as_secs_f64())))
            .collect();
        let drops = view.drops.values().map(|(_, drops)| drops).sum::<u64>();
        // Without an interface, nothing could be dropped.
        let drops = (!view.drops.is_empty()).then_some(drops);
        let [cpu, memory, io] = view.pressure;
        let object = json!({
            "verdict": self.conclusion().word(),
            "sentences": self.sentences(&figures),
            "silence": self.silence,
            "age_seconds": self.age.map(|age| age.as_secs_f64()),
            "seconds": self.time.as_secs_f64(),
            "resources": resources,
            "host": {
                "id": self.host_view.last.text("host.id"),
                "name": self.host_view.last.text("host.name"),
                "state": self.host_view.last.text("host.state"),
                "incident": self.host_view.last.text("verdict.incident.1"),
                "vcpus_wanted_seconds": figures.wanted,
                "vcpus_waited": figures.waited,
                "vcpus_got": figures.got,
                "cpu_quota": figures.quota,
                "vcpus_throttled_seconds": figures.throttled,
                "memory_swapped_bytes": figures.swapped,
                "balloon_taken_bytes": figures.taken,
                "disk_latency": latencies,
            },
            "guest": {
                "cpus": view.cpus,
                "running": view.running,
                "steal": view.steal,
                "busy": view.busy,
                "pressure": { "cpu": cpu, "memory": memory, "io": io },
                "memory_total_bytes": view.memory.map(|memory| memory.total),
                "memory_available_bytes": view.memory.map(|memory| memory.available),
                "swapped_bytes_per_second": view.swapped,
                "disks": disks,
                "packets_dropped": drops,
            },
        });
        json_line(&object)
    }
}
