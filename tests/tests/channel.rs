//! A guest with a virtio channel.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::prometheus::check_metrics;
use hostinfo_tests::{Guest, Host, Port};

#[test]
fn a_shell_and_hostinfo_ask_over_a_virtio_channel() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Channel)?;
    guest.wait_for_host()?;
    assert_eq!(guest.ask("vm.name")?, ["200 vm.name=a"]);
    // hostinfo finds the channel by itself.
    assert_eq!(guest.sh("hostinfo get vm.name")?, "vm.name=a\n");
    let ping = guest.sh("hostinfo ping")?;
    assert!(ping.contains("org.hostinfo.0"), "{ping}");
    Ok(())
}

#[test]
fn a_long_reply_arrives_whole_on_a_virtio_channel() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Channel)?;
    guest.wait_for_host()?;
    let all = guest.ask("*")?;
    assert!(all.len() > 50, "{all:?}");
    let (last, before) = all.split_last().unwrap();
    assert!(last.starts_with("200 ") && before.iter().all(|line| line.starts_with("200-")));
    Ok(())
}

#[test]
fn hostinfos_output_for_prometheus_passes_promtool() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Channel)?;
    guest.wait_for_host()?;
    let told = guest.sh("hostinfo --format prometheus")?;
    // promtool has nothing against an empty text.
    ensure!(told.contains("\nhostinfo_loadavg_1 "), "{told}");
    check_metrics(&told)?;
    Ok(())
}
