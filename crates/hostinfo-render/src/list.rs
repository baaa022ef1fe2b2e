//! `list` and `help`: what may be asked.

use hostinfo_wire::{Code, Reply, request};

use crate::Row;

/// Adds the line of a statistic that the guest may ask for: NAME KIND UNIT DESCRIPTION.
pub fn list(row: &Row, reply: &mut Reply) {
    let (name, kind, unit) = (row.name(), row.kind(), row.unit());
    reply.line(Code::Done, format_args!("{name} {kind} {unit} {}", row.help()));
}

/// Adds a line for each kind of request.
pub fn help(reply: &mut Reply) {
    for (usage, meaning) in request::help() {
        reply.line(Code::Done, format_args!("{usage:<18} {meaning}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_catalog::{Named, resolve};

    #[test]
    fn a_line_of_list_has_name_kind_unit_and_description() {
        let Some(Named::Stat(stat, instance)) = resolve("vm.net.0.rx.bytes") else { panic!() };
        let mut reply = Reply::new();
        list(&Row { stat, instance, about: None }, &mut reply);
        assert_eq!(
            reply.end(),
            b"200 vm.net.0.rx.bytes counter bytes bytes that this guest received on this interface\n"
        );
    }

    #[test]
    fn help_shows_every_request() {
        let mut reply = Reply::new();
        help(&mut reply);
        let text = String::from_utf8(reply.end().to_vec()).unwrap();
        assert_eq!(text.lines().count(), request::help().count());
        assert!(text.contains("200-ping [TOKEN]       pong TOKEN\n"));
    }
}
