//! The names for shell completion.

use crate::host::FakeHost;
use crate::{said, tool};

#[test]
fn names_are_those_of_the_last_list_and_before_that_those_that_the_tool_knows() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &str, device: &std::path::Path| {
        let mut command = tool(arguments);
        command.env_remove("XDG_CACHE_HOME").env("HOME", home.path());
        said(command.env("HOSTINFO_DEVICE", device).output().unwrap())
    };
    let silent = FakeHost::raw(b"", |_| "");
    assert!(run("--complete", &silent.path).1.contains("\nmemory.total\n"), "as it knows itself");
    let host = FakeHost::new(
        |_| "200-loadavg.1 gauge - load\n200 vm.cpu.N.delay counter seconds waited\n",
    );
    assert_eq!(run("list", &host.path).0, 0);
    let told = (0, "loadavg\nloadavg.1\nvm\nvm.cpu\n".to_owned(), String::new());
    assert_eq!(run("--complete", &silent.path), told, "nobody is asked");
}

#[test]
fn root_keeps_no_names_in_the_home_of_another_user() {
    let home = tempfile::tempdir().unwrap();
    // Only root can.
    if std::os::unix::fs::chown(home.path(), Some(65534), None).is_err() {
        return;
    }
    let host = FakeHost::new(
        |_| "200-loadavg.1 gauge - load\n200 vm.cpu.N.delay counter seconds waited\n",
    );
    let mut command = tool("list");
    command.env_remove("XDG_CACHE_HOME").env("HOME", home.path());
    assert_eq!(said(command.env("HOSTINFO_DEVICE", &host.path).output().unwrap()).0, 0);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
