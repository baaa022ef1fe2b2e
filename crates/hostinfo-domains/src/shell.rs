//! Words in commands that messages recommend.

use hostinfo_wire::text::escaped;

/// A word as a shell reads it, without what controls a terminal. Whoever names a domain must not choose what the
/// administrator runs by copying a command that has that name.
pub fn shell(word: &str) -> String {
    let shown = escaped(word);
    shlex::try_quote(&shown).map(String::from).unwrap_or(shown)
}

/// A name as the last word of a command: [`shell`], behind `--` if the command would take it for an option.
pub fn operand(name: &str) -> String {
    let word = shell(name);
    if name.starts_with('-') { format!("-- {word}") } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_reads_a_word_as_it_is() {
        for word in
            ["web", "web$(id)", "a`id`", "a\"$(id)", "a'$(id)", "a\\'$(id)", "a!b", "a b;id", ""]
        {
            let script = format!("printf %s {}", shell(word));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{script}");
        }
        assert_eq!(operand("web$(id)"), "'web$(id)'");
        assert_eq!([operand("-n"), operand("--help")], ["-- -n", "-- --help"]);
        assert_eq!(shell("a\u{1b}[31m\n\0"), r#""a\\u{1b}[31m\\u{a}\\u{0}""#);
    }
}
