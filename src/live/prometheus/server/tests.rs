use super::*;
use std::io::{Read, Write};
use std::net::TcpStream as Client;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer than anything here takes, and shorter than [`PATIENCE`].
const SOON: Duration = Duration::from_secs(5);

fn start() -> (SocketAddr, Server) {
    let scrapes = AtomicU64::new(0);
    let page = move || format!("page {}\n", scrapes.fetch_add(1, Ordering::Relaxed));
    let server = Server::at("127.0.0.1:0".parse().unwrap(), page).unwrap();
    (server.address(), server)
}

fn connect(address: SocketAddr) -> Client {
    let client = Client::connect(address).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    client
}

/// All that comes back before the connection ends; a reset is an end, too.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut client = connect(address);
    // It may have been answered, and closed, before all of it was written.
    let _ = client.write_all(request);
    let mut answer = Vec::new();
    if let Err(error) = client.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(answer).unwrap()
}

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_scrape_gets_the_page_of_its_time() {
    let (address, _server) = start();
    for number in 0..3 {
        let answer = ask(address, SCRAPE);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\npage {number}\n")), "{answer}");
    }
}

#[test]
fn there_is_nothing_else_to_ask_for() {
    let (address, _server) = start();
    for (request, status) in [
        ("HEAD /metrics HTTP/1.0\r\n\r\n", "200 OK"),
        ("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
        ("PUT / HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed"),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "405 Method Not Allowed",
        ),
    ] {
        let answer = ask(address, request.as_bytes());
        assert!(answer.lines().next().unwrap().ends_with(status), "{request}: {answer}");
    }
}

#[test]
fn garbage_disturbs_nobody() {
    let (address, _server) = start();
    let long_head = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 1 << 20]].concat();
    let all = [&[0xff; 4096][..], b"\r\n\r\nrubbish\r\n", b"GET\r\n\r\n", &long_head];
    for (number, garbage) in all.into_iter().enumerate() {
        let answer = ask(address, garbage);
        assert!(!answer.contains("page"), "{answer}");
        assert!(ask(address, SCRAPE).ends_with(&format!("page {number}\n")));
    }
}

#[test]
fn whoever_hangs_keeps_nobody_out() {
    let (address, _server) = start();
    let hanging: Vec<_> = (0..3 * MOST_CONNECTIONS)
        .map(|number| {
            let mut client = connect(address);
            client.write_all(&SCRAPE[..number % SCRAPE.len()]).unwrap();
            client
        })
        .collect();
    assert!(ask(address, SCRAPE).ends_with("page 0\n"));
    // Long before its time was up: those that came later have ended it.
    assert_eq!((&hanging[0]).read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::at(address, String::new).err().unwrap();
    assert_eq!(error.errno(), Some(libc::EADDRINUSE));
    assert!(error.to_string().starts_with(&format!("cannot serve metrics at {address}: ")));
}

#[test]
fn who_comes_by_finds_the_metrics() {
    let (address, _server) = start();
    let answer = ask(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/html; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("<a href=\"/metrics\">"), "{answer}");
}

/// Who was in the middle of a request is answered as well.
#[test]
fn it_goes_on_in_another_thread() {
    let (address, mut server) = start();
    assert!(ask(address, SCRAPE).ends_with("page 0\n"));
    let mut client = connect(address);
    client.write_all(&SCRAPE[..9]).unwrap();
    server.restart().unwrap();
    client.write_all(&SCRAPE[9..]).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("page 1\n"), "{answer}");
    assert!(ask(address, SCRAPE).ends_with("page 2\n"));
}

/// Also while somebody hangs.
#[test]
fn dropping_it_ends_it() {
    let (address, server) = start();
    let mut client = connect(address);
    client.write_all(b"GET /met").unwrap();
    drop(server);
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert!(Client::connect(address).is_err());
}
