//! The daemon's own metrics over HTTP: for those who ask at once, whatever others do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_control::Client;
use hostinfo_tests::ctl;
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::prometheus::free_address;
use hostinfo_tests::upgrading::upgrade;
use hostinfo_tests::{Daemon, FakeGuest, Host};

const GET: &[u8] =
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n";

/// The time that one connection is given, and a busy machine.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// A host whose daemon answers at that address, which was free a moment ago.
fn listening() -> Result<(Host, Daemon, String)> {
    let address = free_address()?;
    let host = Host::new("*:\n  interval = 0\n")?;
    host.write_config(&format!("[metrics]\nlisten = \"{address}\"\n"))?;
    let daemon = host.start_daemon()?;
    Ok((host, daemon, address))
}

/// What there is to read until the other end closes.
fn answer(mut stream: impl std::io::Read + std::io::Write, request: &[u8]) -> Result<String> {
    stream.write_all(request)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).context("read the answer")?;
    Ok(text)
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

#[test]
fn a_scrape_gets_what_the_daemon_counts() -> Result<()> {
    let (host, _daemon, address) = listening()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    guest.ask("loadavg")?;
    guest.ask("host.name")?;
    let text = answer(connect(&address)?, GET)?;
    let (head, body) = text.split_once("\r\n\r\n").context("a head and a body")?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    ensure!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    ensure!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    for line in [
        "hostinfod_guests{state=\"connected\"} 1\n",
        "hostinfod_queries_total{result=\"answered\"} 1\n",
        "hostinfod_queries_total{result=\"not_permitted\"} 1\n",
        "hostinfod_rules 1\n",
    ] {
        ensure!(body.contains(line), "{line}{body}");
    }
    ensure!(body.ends_with("# EOF\n"), "{body}");
    let text = answer(connect(&address)?, b"GET /metrics HTTP/1.1\r\nAccept: */*\r\n\r\n")?;
    ensure!(text.contains("Content-Type: text/plain; version=0.0.4"), "{text}");
    ensure!(text.contains("# TYPE hostinfod_queries_total counter\n") && !text.contains("# EOF"));
    let head = answer(connect(&address)?, b"HEAD /metrics HTTP/1.1\r\n\r\n")?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "405"),
        (b"nonsense\r\n\r\n", "400"),
    ] {
        let text = answer(connect(&address)?, request)?;
        ensure!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    Ok(())
}

#[test]
fn an_address_that_another_program_has_is_an_error_in_the_status_until_sighup_finds_it_free()
-> Result<()> {
    let address = free_address()?;
    let other = TcpListener::bind(&address)?;
    let host = Host::new("*:\n  interval = 0\n")?;
    host.write_config(&format!("[metrics]\nlisten = \"{address}\"\n"))?;
    let daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let problem = |client: &mut Client| -> Result<Option<String>> {
        let metrics = client.status()?.metrics.context("no [metrics] listen")?;
        ensure!(metrics.path == address, "{}", metrics.path);
        Ok(metrics.problem)
    };
    let said = problem(&mut client)?.context("nothing is wrong")?;
    ensure!(said.contains("Address already in use"), "{said}");
    let shown = ctl::alone(&host, &["status"])?;
    ensure!(shown.status == 1 && shown.stdout.contains(&said), "{shown:?}");
    let doctor = ctl::alone(&host, &["doctor"])?;
    ensure!(doctor.stdout.contains("Address already in use"), "{doctor:?}");
    // The new program can make no socket, and goes on with this one's.
    upgrade(&host)?;
    let mut client = host.client()?;
    ensure!(problem(&mut client)?.is_some());
    drop(other);
    daemon.hang_up()?;
    wait_until("the metrics", PATIENCE, || Ok(problem(&mut client)?.is_none()))?;
    ensure!(answer(connect(&address)?, GET)?.starts_with("HTTP/1.1 200 OK"));
    Ok(())
}

#[test]
fn a_slow_client_is_dropped_and_keeps_nobody_from_asking() -> Result<()> {
    let (host, daemon, address) = listening()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(&address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ")?;
        idle.push(stream);
        ensure!(answer(connect(&address)?, GET)?.starts_with("HTTP/1.1 200 OK"));
    }
    guest.ask("loadavg.1")?;
    let begun = Instant::now();
    let cpu = daemon.cpu_time()?;
    for mut stream in idle {
        // A reset is an end as well.
        let _ = stream.read(&mut [0; 1]);
    }
    ensure!(begun.elapsed() < GIVEN_UP, "{:?}", begun.elapsed());
    let spent = daemon.cpu_time()?.saturating_sub(cpu);
    ensure!(spent < Duration::from_millis(200), "waiting took {spent:?} of CPU time");
    Ok(())
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered() -> Result<()> {
    let (_host, _daemon, address) = listening()?;
    let mut stream = connect(&address)?;
    stream.set_nodelay(true)?;
    let (last, first) = GET.split_last().context("a request")?;
    for byte in first {
        stream.write_all(&[*byte])?;
        std::thread::sleep(Duration::from_millis(2));
    }
    ensure!(answer(stream, &[*last])?.starts_with("HTTP/1.1 200 OK"));
    Ok(())
}

#[test]
fn a_socket_serves_as_well_and_is_gone_with_the_daemon() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n")?;
    let socket = host.path().join("metrics.sock");
    host.write_config(&format!("[metrics]\nlisten = {socket:?}\n"))?;
    let daemon = host.start_daemon()?;
    let stream = UnixStream::connect(&socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    ensure!(answer(stream, GET)?.starts_with("HTTP/1.1 200 OK"));
    daemon.stop()?;
    ensure!(!socket.exists());
    Ok(())
}

#[test]
fn an_address_that_others_could_reach_is_an_error() -> Result<()> {
    let host = Host::new("*:\n")?;
    host.write_config("[metrics]\nlisten = \"0.0.0.0:9101\"\n")?;
    let mut daemon = host.launch_daemon()?;
    ensure!(daemon.wait()?.code() == Some(78), "{}", daemon.log());
    ensure!(
        daemon.log().contains("0.0.0.0:9101 can be reached from elsewhere"),
        "{}",
        daemon.log()
    );
    Ok(())
}
