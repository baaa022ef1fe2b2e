//! Custom statistics that take the place of vhostmd's actions. Pure.

use super::config::Metric;

/// The statistic's name, in which only letters, digits, `_` and `-` can stand.
pub(super) fn name(metric: &Metric) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("custom.vhostmd.{}", metric.name.chars().map(letter).collect::<String>())
}

/// Their definitions, as in docs/custom.md.
pub(super) fn definitions<'m>(metrics: impl Iterator<Item = &'m Metric>) -> String {
    metrics.map(definition).collect::<Vec<_>>().join("\n")
}

fn definition(metric: &Metric) -> String {
    let Metric { kind, unit, is_of_vm, action, name: own } = metric;
    let mut text = format!("[{}]\n", name(metric));
    text += &format!("kind = {}\n", if kind == "string" { "\"info\"" } else { "\"gauge\"" });
    if unit == "s" {
        text += "unit = \"seconds\"\n";
    }
    text += &format!("help = {}\n", quoted(&format!("{own} of vhostmd")));
    let missing = ["UUID", "VMID", "CONNECT"].iter().filter(|word| has_word(action, word));
    for word in missing {
        text += &format!(
            "# vhostmd puts a value in for {word}, and hostinfo does not: change the command.\n"
        );
    }
    match is_of_vm {
        // The script's first argument is the guest's whole name, `qemu-web`.
        true => {
            let script = replaced(action, "NAME", "\"${1#*-}\"");
            text += "scope = \"guest\"\n";
            text += &format!(
                "command = [\"/bin/sh\", \"-c\", {}, \"sh\", \"{{guest}}\"]\n",
                quoted(&script)
            );
        }
        false => text += &format!("command = [\"/bin/sh\", \"-c\", {}]\n", quoted(action)),
    }
    text
}

/// A string of TOML, whose escapes JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn has_word(text: &str, word: &str) -> bool {
    replaced(text, word, "") != text
}

/// With `by` in the place of each whole `word`.
fn replaced(text: &str, word: &str, by: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(word) {
        done += before;
        let is_whole = !done.ends_with(is_of_word) && !after.starts_with(is_of_word);
        done += if is_whole { by } else { word };
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(is_of_vm: bool, action: &str) -> Metric {
        let (name, kind, unit) = ("Age".to_owned(), "int64".to_owned(), "s".to_owned());
        Metric { name, kind, unit, is_of_vm, action: action.to_owned() }
    }

    #[test]
    fn an_action_becomes_a_command_that_is_given_the_guest() {
        let text = definitions([metric(true, "stat /srv/NAME.img \"FILENAME\"")].iter());
        assert_eq!(
            text,
            "[custom.vhostmd.Age]\nkind = \"gauge\"\nunit = \"seconds\"\nhelp = \"Age of vhostmd\"\n\
             scope = \"guest\"\ncommand = [\"/bin/sh\", \"-c\", \
             \"stat /srv/\\\"${1#*-}\\\".img \\\"FILENAME\\\"\", \"sh\", \"{guest}\"]\n"
        );
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        let command = parsed["custom"]["vhostmd"]["Age"]["command"].as_array().unwrap();
        assert_eq!(command[2].as_str(), Some("stat /srv/\"${1#*-}\".img \"FILENAME\""));
    }

    #[test]
    fn a_placeholder_that_only_vhostmd_fills_in_is_named() {
        let text = definitions([metric(false, "virsh CONNECT x")].iter());
        assert!(text.contains("# vhostmd puts a value in for CONNECT"), "{text}");
        assert!(toml::from_str::<toml::Table>(&text).is_ok());
    }
}
