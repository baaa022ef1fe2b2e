//! Converts OpenMetrics text to the classic text format of Prometheus, in which a counter's HELP
//! and TYPE have the name of its samples, and UNIT and EOF are unknown.

use std::collections::HashSet;

/// The same metrics in the classic format, `text/plain; version=0.0.4`.
pub fn classic(openmetrics: &str) -> String {
    let counters: HashSet<&str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(word @ ("HELP" | "TYPE")), Some(family)) = (words.next(), words.next()) else {
            continue;
        };
        let total = if counters.contains(family) { "_total" } else { "" };
        // OpenMetrics escapes quotes in HELP; the classic format does not.
        let rest = words.next().unwrap_or_default().replace("\\\"", "\"");
        let rest = if rest == "unknown" && word == "TYPE" { "untyped" } else { &rest };
        text.push_str(&format!("# {word} {family}{total} {rest}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_counters_help_and_type_carry_the_name_of_its_samples() {
        let openmetrics = "\
# TYPE hostinfo_vm_cpu_seconds counter
# UNIT hostinfo_vm_cpu_seconds seconds
# HELP hostinfo_vm_cpu_seconds CPU time that this guest's vCPUs got
hostinfo_vm_cpu_seconds_total 4
hostinfo_vm_cpu_seconds_total{vcpu=\"0\"} 1
# HELP hostinfo_host_name_info the \\\"host\\\"
# TYPE hostinfo_host_name_info gauge
hostinfo_host_name_info{value=\"a # EOF\"} 1
# EOF
";
        assert_eq!(
            classic(openmetrics),
            "\
# TYPE hostinfo_vm_cpu_seconds_total counter
# HELP hostinfo_vm_cpu_seconds_total CPU time that this guest's vCPUs got
hostinfo_vm_cpu_seconds_total 4
hostinfo_vm_cpu_seconds_total{vcpu=\"0\"} 1
# HELP hostinfo_host_name_info the \"host\"
# TYPE hostinfo_host_name_info gauge
hostinfo_host_name_info{value=\"a # EOF\"} 1
"
        );
    }

    #[test]
    fn an_empty_text_stays_empty() {
        assert_eq!(classic("# EOF\n"), "");
        assert_eq!(classic(""), "");
    }

    proptest! {
        #[test]
        fn every_sample_stays_and_every_other_comment_goes(text in "(# (HELP|TYPE|UNIT|EOF)? ?|)[a-z\"# \n]{0,60}") {
            let classic = classic(&text);
            let samples = |text: &str| -> Vec<String> {
                text.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect()
            };
            prop_assert_eq!(samples(&classic), samples(&text));
            let stays = |line: &str| line.starts_with("# HELP ") || line.starts_with("# TYPE ");
            prop_assert!(classic.lines().filter(|line| line.starts_with("# ")).all(stays));
        }
    }
}
