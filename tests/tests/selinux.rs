//! The module for SELinux: all that it permits, as sesearch(1) shows it in Debian 12's policy.

use std::fs;

use anyhow::{Result, ensure};
use hostinfo_tests::paths;
use hostinfo_tests::selinux::Linked;

/// What rules name hostinfo's types themselves, with `UPDATE_GOLDEN=1` written anew.
const LIST: &str = "tests/tests/selinux/permitted";

#[test]
fn the_module_permits_what_is_in_the_list_and_nothing_else() -> Result<()> {
    let linked = Linked::make()?;
    let ours = "^hostinfo";
    let mut found = linked.search(&["-A", "-T", "--dontaudit", "-s", ours, "-rs", "-ds"])?;
    found.extend(linked.search(&["-A", "-T", "--dontaudit", "-t", ours, "-rt", "-dt"])?);
    found.sort_unstable();
    found.dedup();
    let found = found.join("\n") + "\n";
    let list = paths::workspace().join(LIST);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&list, &found)?;
    }
    let wanted = fs::read_to_string(&list)?;
    for line in found.lines() {
        ensure!(wanted.lines().any(|wanted| wanted == line), "not in {LIST}: {line}");
    }
    for line in wanted.lines() {
        ensure!(found.lines().any(|found| found == line), "only in {LIST}: {line}");
    }

    // A VMM makes its socket where it does so itself, and reaches no other file of hostinfo's. By `file_type` it passes
    // every directory there is, in Debian's policy.
    for vmm in ["svirt_t", "qemu_t"] {
        let found = linked.search(&["-A", "-s", vmm, "-t", ours, "-rt"])?;
        let wanted = [
            "allow virt_domain file_type:dir { getattr open search };",
            "allow virt_domain file_type:filesystem getattr;",
            "allow virt_domain hostinfo_disk_t:dir { getattr open search };",
            "allow virt_domain hostinfo_socket_t:dir { add_name getattr open remove_name search write };",
            "allow virt_domain hostinfo_socket_t:sock_file { create getattr setattr unlink };",
        ];
        ensure!(found == wanted, "{vmm}: {found:#?}");
    }
    Ok(())
}
