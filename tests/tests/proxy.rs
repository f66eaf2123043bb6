//! The fault proxy does what it says, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use xos_sync_tests::proxy::{Mode, Proxy};

/// Long enough for anything that comes on this machine.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to believe that nothing comes.
const NEVER: Duration = Duration::from_millis(100);

/// A server that says everything back, with this in front.
async fn echo(mark: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = vec![0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut read).await {
                    let said = [&[mark], &read[..count]].concat();
                    if stream.write_all(&said).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

async fn proxy() -> Proxy {
    Proxy::start(echo(b'a').await).await.unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn ask(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
}

async fn answer(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut read = vec![0; count];
    timeout(SOON, stream.read_exact(&mut read)).await.expect("an answer").unwrap();
    read
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(NEVER, stream.read(&mut [0])).await.is_err()
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest)).await.expect("the end").is_err() || rest.is_empty()
}

#[tokio::test]
async fn it_passes_on_and_counts() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"hello").await;
    assert_eq!(answer(&mut stream, 6).await, b"ahello");
    assert_eq!((proxy.connections(), proxy.open(), proxy.requested(), proxy.answered()), (1, 1, 5, 6));
    stream.shutdown().await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_nothing_later() {
    let proxy = proxy().await;
    let (mut one, mut two) = (connect(&proxy).await, connect(&proxy).await);
    for stream in [&mut one, &mut two] {
        ask(stream, b"x").await;
        answer(stream, 2).await;
    }
    proxy.cut();
    assert!(is_closed(&mut one).await && is_closed(&mut two).await);
    let mut three = connect(&proxy).await;
    ask(&mut three, b"x").await;
    assert_eq!(answer(&mut three, 2).await, b"ax");
    assert_eq!((proxy.connections(), proxy.open()), (3, 1));
}

#[tokio::test]
async fn an_answer_is_cut_at_its_byte_once() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.cut_after(3);
    ask(&mut stream, b"hello").await;
    assert_eq!(answer(&mut stream, 3).await, b"ahe");
    assert!(is_closed(&mut stream).await);
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"hello").await;
    assert_eq!(answer(&mut stream, 6).await, b"ahello");
}

#[tokio::test]
async fn who_refuses_does_not_listen_and_can_listen_again() {
    let proxy = proxy().await;
    let mut before = connect(&proxy).await;
    ask(&mut before, b"x").await;
    answer(&mut before, 2).await;
    proxy.set(Mode::Refuse);
    let refused = async {
        loop {
            match TcpStream::connect(proxy.address()).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(SOON, refused).await.expect("refused");
    ask(&mut before, b"y").await;
    assert_eq!(answer(&mut before, 2).await, b"ay");
    proxy.set(Mode::Pass);
    let again = async {
        loop {
            if let Ok(stream) = TcpStream::connect(proxy.address()).await {
                break stream;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut after = timeout(SOON, again).await.expect("it listens again");
    ask(&mut after, b"z").await;
    assert_eq!(answer(&mut after, 2).await, b"az");
}

#[tokio::test]
async fn each_piece_is_delayed() {
    let proxy = proxy().await;
    proxy.set(Mode::Delay(Duration::from_millis(60)));
    let mut stream = connect(&proxy).await;
    let begun = Instant::now();
    ask(&mut stream, b"x").await;
    assert_eq!(answer(&mut stream, 2).await, b"ax");
    // Not before; how much later is the machine's affair.
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn half_open_says_nothing_and_what_lost_something_stays_dead() {
    let proxy = proxy().await;
    let (mut talked, mut quiet) = (connect(&proxy).await, connect(&proxy).await);
    for stream in [&mut talked, &mut quiet] {
        ask(stream, b"x").await;
        answer(stream, 2).await;
    }
    proxy.set(Mode::HalfOpen);
    ask(&mut talked, b"lost").await;
    assert!(is_silent(&mut talked).await);
    let mut late = connect(&proxy).await;
    ask(&mut late, b"lost").await;
    assert!(is_silent(&mut late).await);

    proxy.set(Mode::Pass);
    ask(&mut talked, b"x").await;
    assert!(is_silent(&mut talked).await && is_silent(&mut late).await);
    ask(&mut quiet, b"y").await;
    assert_eq!(answer(&mut quiet, 2).await, b"ay");
    assert_eq!(proxy.requested(), 3);
    proxy.cut();
    assert!(is_closed(&mut talked).await && is_closed(&mut late).await);
}

#[tokio::test]
async fn answers_are_held_while_requests_pass() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Mode::HoldAnswers);
    ask(&mut stream, b"x").await;
    assert!(is_silent(&mut stream).await);
    assert_eq!((proxy.requested(), proxy.answered()), (1, 0));
    proxy.set(Mode::Pass);
    assert_eq!(answer(&mut stream, 2).await, b"ax");
}

#[tokio::test]
async fn it_can_lead_elsewhere() {
    let proxy = proxy().await;
    proxy.lead_to(echo(b'b').await);
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"x").await;
    assert_eq!(answer(&mut stream, 2).await, b"bx");
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"x").await;
    answer(&mut stream, 2).await;
    let address = proxy.address();
    drop(proxy);
    assert!(is_closed(&mut stream).await);
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, refused).await.expect("refused");
}
