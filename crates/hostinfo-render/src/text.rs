//! `get`: one line per statistic.

use hostinfo_wire::Reply;

use crate::Answer;

/// Adds a line for each answer, in their order.
pub fn text(answers: &[Answer<'_>], reply: &mut Reply) {
    for answer in answers {
        match answer {
            Answer::Value { row, value } => reply.value(&row.name(), value),
            Answer::Refused { name, refusal } => reply.refuse(name, refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{none_here, refused, shown, value};
    use hostinfo_wire::{Refusal, Value};

    #[test]
    fn every_answer_has_its_line_and_its_own_code() {
        let answers = [
            value("physcpus", Value::Whole(64)),
            refused("host.name", Refusal::NotPermitted),
            refused("no.such.thing", Refusal::NoSuchStatistic),
            value("vm.cpu.3.delay", Value::Micro(1_500_000)),
            refused("swap.free", none_here()),
        ];
        assert_eq!(
            shown(text, &answers),
            "200-physcpus=64\n403-host.name: not permitted\n\
             404-no.such.thing: no such statistic\n200-vm.cpu.3.delay=1.5\n\
             503 swap.free: this host has none\n"
        );
    }
}
