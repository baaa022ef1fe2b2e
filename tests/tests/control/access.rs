//! The control socket: which users may connect to it, and which calls each of them may make.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use hostinfo_control::{DESCRIPTION, Error, INTERFACE, NoticeKind, Refusal, Status};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::user::{NOBODY, become_one};
use hostinfo_tests::{FakeGuest, Host, Libvirtd};
use varlink::{Connection, MethodCall, OrgVarlinkServiceClient, OrgVarlinkServiceInterface as _};

/// A group whom nothing belongs to.
pub(crate) const GROUP: u32 = 54_321;

pub(crate) fn become_user<T: Send>(
    group: u32,
    then: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    become_one(NOBODY, group, then)
}

/// A host whose socket is for [`GROUP`] too.
pub(crate) fn host_with_group() -> Result<Host> {
    let host = Host::new(EVERYTHING)?;
    fs::set_permissions(host.path(), Permissions::from_mode(0o711))?;
    host.write_config(&format!("[control]\ngroup = '{GROUP}'\n"))?;
    Ok(host)
}

#[test]
fn the_group_may_ask_and_only_root_may_change() -> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    let socket = fs::metadata(host.control())?;
    assert_eq!((socket.mode() & 0o7777, socket.gid()), (0o660, GROUP));
    let denied = become_user(GROUP, || {
        let mut client = host.client()?;
        client.status()?;
        client.notices()?;
        client.clear_notices(None).err().context("cleared")?;
        client.set_notice("*", NoticeKind::Info, "x", None, None).err().context("set")
    })?;
    let words = "only root may do that, and not user ";
    assert!(denied.to_string().starts_with(words), "{denied}");
    assert!(matches!(denied, Error::Refused(Refusal::NotPermitted { .. })));
    host.client()?.set_notice("*", NoticeKind::Info, "x", None, None)?;
    Ok(())
}

#[test]
fn a_client_in_another_pid_namespace_is_let_in_as_its_user() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    // In namespaces that this process is not in.
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    host.client()?.set_notice("*", NoticeKind::Info, "x", None, None)?;
    Ok(())
}

#[test]
fn a_user_outside_the_group_is_refused_and_told_what_to_do() -> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    let denied = become_user(NOBODY, || host.client().err().context("let in"))?.to_string();
    assert!(denied.contains("user 65534 may not connect: be root or in the group"), "{denied}");
    Ok(())
}

#[test]
fn a_oneway_call_is_carried_out_even_if_its_client_is_gone() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let set = |text: &str| {
        format!(
            "{{\"method\":\"{INTERFACE}.NoticeSet\",\"oneway\":true,\"parameters\":\
             {{\"pattern\":\"*\",\"kind\":\"info\",\"text\":\"{text}\"}}}}\0"
        )
    };
    let messages: String = (0..20).map(|number| set(&number.to_string())).collect();
    UnixStream::connect(host.control())?.write_all(messages.as_bytes())?;
    let mut client = host.client()?;
    wait_until("all notices", PATIENCE, || Ok(client.notices()?.len() == 20))
}

#[test]
fn another_implementation_of_varlink_finds_out_what_can_be_asked_and_asks() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let address = format!("unix:{}", host.control().display());
    let connection = Connection::with_address(&address)?;
    let mut service = OrgVarlinkServiceClient::new(connection.clone());
    let info = service.get_info()?;
    assert!(info.product == "hostinfod" && info.interfaces.iter().any(|one| one == INTERFACE));
    let described = service.get_interface_description(INTERFACE)?;
    assert_eq!(described.description.as_deref(), Some(DESCRIPTION));
    let mut call: MethodCall<(), Status, varlink::Error> =
        MethodCall::new(connection, format!("{INTERFACE}.Status"), ());
    assert_eq!(call.call()?.pid, daemon.pid());
    Ok(())
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_replaced_and_what_is_no_socket_is_not() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    host.start_daemon()?.kill()?;
    assert!(host.control().exists());
    let daemon = host.start_daemon()?;
    host.client()?.status()?;
    daemon.stop()?;
    assert!(!host.control().exists());
    fs::write(host.control(), "x")?;
    let daemon = host.start_daemon()?;
    assert!(daemon.log().contains("exists and is not a socket"), "{}", daemon.log());
    assert!(FakeGuest::join(&host.socket("a"))?.ask_one("ping")?.starts_with("200"));
    fs::remove_file(host.control())?;
    daemon.hang_up()?;
    wait_until("the control socket", PATIENCE, || Ok(host.client().is_ok()))?;
    host.client()?.status()?;
    Ok(())
}
