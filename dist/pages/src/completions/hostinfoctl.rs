//! What the administrator's tool completes beside its command line: names of guests, statistics and notices. The program
//! itself knows where one can be next, so the shells ask it wherever they know no better.

use super::Beside;

/// Those names.
pub(super) const NAMES: Beside = Beside { bash: BASH, fish: FISH, zsh };

/// What zsh completes for an argument stands behind its description.
fn zsh(content: &str) -> String {
    let lines = content.lines().map(|line| {
        match ["':", "'*::"].iter().any(|start| line.starts_with(start)) {
            true => line.replace(":_default'", ":_hostinfoctl_names'") + "\n",
            false => line.to_owned() + "\n",
        }
    });
    let content: String = lines.collect();
    content.replacen("autoload", &format!("{ZSH}autoload"), 1).replacen(
        "_hostinfoctl() {\n",
        &format!("_hostinfoctl() {{\n{ZSH_BEFORE}"),
        1,
    )
}

const BASH: &str = r#"
# The names of guests, statistics and notices, as hostinfoctl knows them at the moment.
_hostinfoctl_with_names() {
    _hostinfoctl "$@"
    local before=() name quoted unescaped=${COMP_WORDS[COMP_CWORD]//\\?/}
    case "$2" in -*) return ;; esac
    for name in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        # Bash splits words at these.
        if [[ ${#before[@]} -gt 0 && ($name == [=:]* || ${before[-1]} == *[=:]) ]]; then
            before[-1]+=$name
        else
            before+=("$name")
        fi
    done
    while IFS= read -r name; do
        printf -v quoted %q "$name"
        [[ $name == "$2"* || $quoted == "$2"* ]] || continue
        # Between quotation marks, a backslash protects less: there, only what needs none is offered.
        [[ $unescaped != *[\"\'\`]* || ! $name =~ [^A-Za-z0-9._:@%+=,/-] ]] || continue
        COMPREPLY+=("$quoted")
    done < <(hostinfoctl --complete "$2" "${before[@]}" 2>/dev/null)
}
complete -F _hostinfoctl_with_names -o bashdefault -o default hostinfoctl
"#;

const ZSH: &str = r#"# The names of guests, statistics and notices, as hostinfoctl knows them at the moment.
_hostinfoctl_names() {
    local -a names
    names=(${(f)"$(hostinfoctl --complete "${(Q)PREFIX}" "${before[@]}" 2>/dev/null)"})
    compadd -a names
}

"#;

/// The words before the cursor, while they are all there: `_arguments` takes those off that it has understood.
const ZSH_BEFORE: &str = "    local -a before=(\"${(@Q)words[2,CURRENT-1]}\")\n";

const FISH: &str = r#"
# The names of guests, statistics and notices, as hostinfoctl knows them at the moment.
function __hostinfoctl_names
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    hostinfoctl --complete "$word" $before[2..] 2>/dev/null
end

complete -c hostinfoctl -f -n "__fish_hostinfoctl_using_subcommand enable disable tag snippet list incidents watch explain preview notice" -a "(__hostinfoctl_names)"
complete -c hostinfoctl -n "__fish_hostinfoctl_using_subcommand diff" -a "(__hostinfoctl_names)"
"#;

#[cfg(test)]
mod tests {
    use crate::completions::file;
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use tempfile::TempDir;

    /// A hostinfoctl that knows three guests, where the words before the cursor are `enable` or `notice set` with options,
    /// others with names that a shell would run a command for after `disable`, and otherwise writes its arguments into a
    /// file.
    const TOOL: &str = r#"#!/bin/sh
[ "$1" = --complete ] || { printf '<%s>' "$@" >>"${0%/*}/ran"; echo >>"${0%/*}/ran"; exit; }
shift 2
case "$*" in "-c test:///default enable" | enable | "notice set" | "diff /dev/null")
    printf '%s\n' db web-1 'web-2 x' ;;
disable) printf '%s\n' 'a$(>PWNED)' 'b`>PWNED`' 'c"$(>PWNED)' "d'\$(>PWNED)" 'e\$(>PWNED)' 'f!$(>PWNED)' 'g;>PWNED' ;;
esac
"#;

    struct Shells(TempDir);

    impl Shells {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tool = folder.path().join("hostinfoctl");
            fs::write(&tool, TOOL).unwrap();
            fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
            for name in ["bash/hostinfoctl", "zsh/_hostinfoctl", "fish/hostinfoctl.fish"] {
                let path = folder.path().join(Path::new(name).file_name().unwrap());
                let path =
                    if name.starts_with("bash") { path.with_extension("bash") } else { path };
                fs::write(path, file(name)).unwrap();
            }
            Self(folder)
        }

        fn command(&self, program: &str, arguments: &[&str]) -> Command {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders =
                std::iter::once(PathBuf::from(self.0.path())).chain(std::env::split_paths(&path));
            let mut command = Command::new(program);
            command.args(arguments).current_dir(self.0.path()).env("HOME", self.0.path());
            command.env("PATH", std::env::join_paths(folders).unwrap());
            command
        }

        /// What was run after somebody typed this at a terminal.
        fn typed(&self, shell: &str, lines: &[&str]) -> String {
            let mut command = self.command("script", &["-qec", shell, "/dev/null"]);
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let text: String =
                lines.iter().chain(&["exit"]).map(|line| format!("{line}\n")).collect();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            fs::read_to_string(self.0.path().join("ran"))
                .unwrap_or_else(|_| String::from_utf8_lossy(&output.stdout).into_owned())
        }
    }

    const TYPED: [&str; 4] = [
        "hostinfoctl -c test:///default enable we\t1\t",
        "hostinfoctl enable web-2\t",
        "hostinfoctl notice set d\t text",
        "hostinfoctl diff /dev/nul\t d\t",
    ];
    const RAN: &str = "<-c><test:///default><enable><web-1>\n<enable><web-2 x>\n<notice><set><db><text>\n\
                       <diff></dev/null><db>\n";

    #[test]
    fn bash_completes_a_guests_name_and_quotes_it() {
        let lines = [&[". ./hostinfoctl.bash"], &TYPED[..]].concat();
        assert_eq!(Shells::new().typed("bash --norc -i", &lines), RAN);
        let quoted = [lines[0], "hostinfoctl enable web-2\\ \t", "hostinfoctl enable 'web-1\t"];
        let ran = "<enable><web-2 x>\n<enable><web-1>\n";
        assert_eq!(Shells::new().typed("bash --norc -i", &quoted), ran);
    }

    const STARTS: [(&str, &str); 3] = [
        ("bash --norc -i", ". ./hostinfoctl.bash"),
        ("zsh -f -i", "fpath=($PWD $fpath); autoload -U compinit; compinit -D -u"),
        ("fish --no-config -i", "source hostinfoctl.fish"),
    ];
    const RAN_LITERALLY: &str = "<disable><a$(>PWNED)>\n<disable><b`>PWNED`>\n<disable><c\"$(>PWNED)>\n\
                                 <disable><d'$(>PWNED)>\n<disable><e\\$(>PWNED)>\n\
                                 <disable><f!$(>PWNED)>\n<disable><g;>PWNED>\n";

    #[test]
    fn a_name_that_was_completed_runs_no_command_of_its_own() {
        for (shell, load) in STARTS {
            for mark in ["", "\"", "'"] {
                // The second line ends a word to which the shell has added nothing, and with it the command.
                let after = if mark.is_empty() { "" } else { &format!("\n{mark} #{mark}") };
                let typed = ["a", "b", "c", "d", "e", "f", "g"]
                    .map(|start| format!("hostinfoctl disable {mark}{start}\t{after}"));
                let lines: Vec<_> =
                    [load].into_iter().chain(typed.iter().map(|line| &**line)).collect();
                let shells = Shells::new();
                let ran = shells.typed(shell, &lines);
                match mark {
                    "" => assert_eq!(ran, RAN_LITERALLY, "{shell}"),
                    _ => assert_eq!(ran.matches("<disable><").count(), 7, "{shell} {mark}: {ran}"),
                }
                assert!(!shells.0.path().join("PWNED").exists(), "{shell} {mark}");
            }
        }
    }

    #[test]
    fn zsh_completes_a_guests_name_and_quotes_it() {
        let load = "fpath=($PWD $fpath); autoload -U compinit; compinit -D -u";
        assert_eq!(Shells::new().typed("zsh -f -i", &[&[load], &TYPED[..]].concat()), RAN);
    }

    #[test]
    fn fish_completes_a_guests_name_and_offers_files_only_where_one_can_be() {
        let offered = |line: &str| {
            let shells = Shells::new();
            let script = "source hostinfoctl.fish; complete -C $argv[1]";
            let output = shells.command("fish", &["--no-config", "-c", script, line]).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert_eq!(offered("hostinfoctl enable "), "db\nweb-1\nweb-2 x\n");
        assert_eq!(offered("hostinfoctl -c test:///default enable w"), "web-1\nweb-2 x\n");
        assert_eq!(offered("hostinfoctl notice set d"), "db\n");
        assert_eq!(offered("hostinfoctl tag "), "", "the tool offers nothing here");
        assert!(offered("hostinfoctl diff ").contains("hostinfoctl.fish\n"));
        assert!(offered("hostinfoctl diff /dev/null ").contains("web-1\n"));
    }
}
