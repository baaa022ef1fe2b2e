//! What the guest's tool completes beside its command line: names of statistics, as its host lists them.

use super::Beside;

/// The names of statistics wherever one may stand.
pub(super) const STATISTICS: Beside = Beside { bash: BASH, fish: FISH, zsh };

/// What zsh completes for an argument stands behind its description. A name may stand where a command
/// may; clap would have both, one behind the other.
fn zsh(content: &str) -> String {
    let is_name_or_command = |line: &&str| line.starts_with("'::names -- ");
    let lines = content.lines().filter(|line| !is_name_or_command(line));
    let lines = lines.map(|line| match line.contains("::names -- ") {
        true => line.replace(":_default'", ":_hostinfo_statistics'") + "\n",
        false => line.to_owned() + "\n",
    });
    let content: String = lines.collect();
    content
        .replacen(":_hostinfo_commands\"", ":_hostinfo_words\"", 1)
        .replace("$line[2]", "$line[1]")
        .replacen("autoload", &format!("{ZSH}autoload"), 1)
}

const BASH: &str = r#"
# The names of statistics, as the host lists them; hostinfo keeps them for a day.
_hostinfo_with_statistics() {
    _hostinfo "$@"
    local word
    case "$2" in -*) return ;; esac
    case "$3" in
        --format | --output | --every | --device | --timeout | --for | --socket | --mode | --listen)
            return ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in diagnose | top | record | report | serve | ping | help) return ;; esac
    done
    COMPREPLY+=($(compgen -W "$(hostinfo --complete 2>/dev/null)" -- "$2"))
}
complete -F _hostinfo_with_statistics -o bashdefault -o default hostinfo
"#;

const ZSH: &str = r#"# The names of statistics, as the host lists them; hostinfo keeps them for a day.
_hostinfo_statistics() {
    local -a names
    names=(${(f)"$(hostinfo --complete 2>/dev/null)"})
    compadd -a names
}

_hostinfo_words() {
    _hostinfo_commands
    _hostinfo_statistics
}

"#;

const FISH: &str = r#"
# The names of statistics, as the host lists them; hostinfo keeps them for a day.
complete -c hostinfo -f -n "__fish_hostinfo_needs_command; or __fish_hostinfo_using_subcommand get list" -a "(hostinfo --complete 2>/dev/null)"
"#;

#[cfg(test)]
mod tests {
    use crate::completions::file;
    use std::process::Command;

    /// What bash completes for the last of the words, with two statistics on the host.
    fn bash(words: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("completions");
        std::fs::write(&path, file("bash/hostinfo")).unwrap();
        let [.., before, last] = words else { panic!("too few words") };
        let script = format!(
            "hostinfo() {{ [ \"$*\" = --complete ] && printf 'loadavg.1\\nmemory.total\\n'; }}
             . {}; COMP_WORDS=({}); COMP_CWORD={}
             _hostinfo_with_statistics hostinfo '{last}' '{before}'
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            path.display(),
            words.join(" "),
            words.len() - 1,
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_statistics_where_one_may_stand() {
        assert_eq!(bash(&["hostinfo", "get", "me"]), ["memory.total"]);
        assert_eq!(bash(&["hostinfo", "--json", "list", "lo"]), ["loadavg.1"]);
        let l = bash(&["hostinfo", "l"]);
        assert!(l.contains(&"list".to_owned()) && l.contains(&"loadavg.1".to_owned()), "{l:?}");
        for none in [
            &["hostinfo", "diagnose", "lo"][..],
            &["hostinfo", "record", "lo"],
            &["hostinfo", "--output", "lo"],
        ] {
            assert!(!bash(none).contains(&"loadavg.1".to_owned()), "{none:?}");
        }
    }

    #[test]
    fn zsh_and_fish_ask_for_them_too() {
        let zsh = file("zsh/_hostinfo");
        assert_eq!(zsh.matches(":_hostinfo_statistics'").count(), 2, "{zsh}");
        assert!(zsh.contains("\":: :_hostinfo_words\"") && zsh.contains("\n_hostinfo_words() {"));
        assert!(!zsh.contains("$line[2]"), "a command is the first word");
        assert!(file("fish/hostinfo.fish").contains("(hostinfo --complete"));
    }
}
