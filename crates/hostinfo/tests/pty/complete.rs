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
