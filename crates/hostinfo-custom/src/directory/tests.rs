use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

const GOOD: &str = "kind = 'gauge'\nhelp = 'h'\nfile = '/a'\n";

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn read(directory: &Path, owner: u32) -> (Vec<String>, Vec<String>) {
    let found = super::read(directory, owner, &Accounts::default());
    let problems = found.problems.iter().map(|problem| {
        let shown = problem.to_string();
        shown.replace(&format!("{}", directory.display()), "D")
    });
    (found.definitions.into_keys().collect(), problems.collect())
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o644)).unwrap();
    }
    folder
}

#[test]
fn a_bad_file_takes_away_its_own_statistics_and_no_others() {
    let good = |name: &str| format!("[custom.{name}]\n{GOOD}");
    let folder = folder(&[
        ("a.toml", &good("a")),
        ("b.toml", &format!("{}[custom.b2]\nfoo = 1\n", good("b"))),
        ("c.toml", &format!("{}{}", good("c"), good("A"))),
        ("d.toml", &good("d")),
        ("notes.txt", "[custom"),
        (".e.toml", "[custom"),
    ]);
    fs::create_dir(folder.path().join("f.toml")).unwrap();
    fs::write(folder.path().join("g.toml"), vec![b'#'; 70_000]).unwrap();
    symlink("/nonexistent", folder.path().join("h.toml")).unwrap();
    fs::write(folder.path().join("i.toml"), b"\xFF").unwrap();
    let (names, problems) = read(folder.path(), me());
    assert_eq!(names, ["a", "d"]);
    let starts = [
        "D/b.toml:6: unknown key `foo`",
        "D/c.toml:5: custom.a is already defined at D/a.toml:1",
        "D/f.toml: it is a directory, not a regular file: put a regular file in its place, or take it away",
        "D/g.toml: it has over 65536 bytes",
        "D/i.toml: it is not UTF-8: save it as UTF-8",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_file_that_others_can_write_is_refused_with_the_remedy() {
    let folder = folder(&[("a.toml", "[custom.a]\n"), ("b.toml", &format!("[custom.b]\n{GOOD}"))]);
    for mode in [0o664, 0o646] {
        fs::set_permissions(folder.path().join("a.toml"), Permissions::from_mode(mode)).unwrap();
        let (names, problems) = read(folder.path(), me());
        assert_eq!(names, ["b"]);
        let told = "D/a.toml: users other than its owner can write to it: `chmod go-w` it";
        assert_eq!(problems, [told]);
    }
}

#[test]
fn a_file_or_a_directory_of_somebody_else_is_refused() {
    let folder = folder(&[("a.toml", &format!("[custom.a]\n{GOOD}"))]);
    let (names, problems) = read(folder.path(), me() + 1);
    assert_eq!(names, [""; 0]);
    assert!(problems[0].starts_with("D: it belongs to user "), "{problems:?}");
    if me() == 0 {
        let file = folder.path().join("a.toml");
        std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
        let (names, problems) = read(folder.path(), 0);
        assert_eq!(names, [""; 0]);
        assert!(problems[0].starts_with("D/a.toml: it belongs to user 65534, not to user 0"));
    }
}

#[test]
fn a_directory_that_others_can_write_defines_nothing_and_one_that_is_not_there_neither() {
    let folder = folder(&[("a.toml", &format!("[custom.a]\n{GOOD}"))]);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let (names, problems) = read(folder.path(), me());
    assert_eq!((names.len(), problems.len()), (0, 1));
    assert_eq!(read(&folder.path().join("none"), me()), (vec![], vec![]));
}
