//! A TCP proxy that makes loopback a long, jittery, lossy or slow link: the kernel here has no netem.

use rand::Rng;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, Instant};

/// What a link does to each direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Path {
    /// One way, milliseconds.
    pub delay_ms: u64,
    /// Up to so much more, evenly distributed, milliseconds.
    pub jitter_ms: u64,
    /// Probability that a segment is lost. It and all behind it wait for the timer: 200 ms and a round trip.
    pub loss: f64,
    /// Rate; 0 is as fast as it goes. Kilobits per second.
    pub kbps: u64,
}

/// Bytes of a segment: of an Ethernet frame what TCP with timestamps leaves.
const SEGMENT: usize = 1_448;

/// Shortest retransmission timer of Linux.
const TIMER_MS: u64 = 200;

/// A proxy, which ends when dropped.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    _accepting: JoinSet<()>,
}

impl Link {
    /// A link to `target` from [`Link::address`]. In a runtime.
    pub(crate) fn open(target: SocketAddr, path: Path) -> Self {
        let (listener, address) = millrace_oracle::testing::listener();
        listener.set_nonblocking(true).expect("a socket can be made so");
        let listener = TcpListener::from_std(listener).expect("this is within a runtime");
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(connection(near, target, path));
            }
        });
        Self { address, _accepting: accepting }
    }
}

async fn connection(near: TcpStream, target: SocketAddr, path: Path) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    // The handshake on loopback took no time: the first segment waits for it.
    let open_at = Instant::now() + Duration::from_millis(2 * path.delay_ms);
    tokio::join!(direction(near_in, far_out, path, open_at), direction(far_in, near_out, path, open_at));
}

async fn direction(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    path: Path,
    open_at: Instant,
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    let send = async move {
        let (mut free_at, mut last_arrival) = (open_at, open_at);
        let mut segment = [0; SEGMENT];
        while let Ok(len @ 1..) = from.read(&mut segment).await {
            let on_the_wire = (len as u64 * 8_000_000).checked_div(path.kbps * 1_000).unwrap_or(0);
            free_at = free_at.max(Instant::now()) + Duration::from_micros(on_the_wire);
            let (jitter_ms, is_lost) = {
                let mut rng = rand::rng();
                (rng.random_range(0..=path.jitter_ms), rng.random_bool(path.loss))
            };
            let stall_ms = if is_lost { TIMER_MS + 2 * path.delay_ms } else { 0 };
            let late_ms = path.delay_ms + jitter_ms + stall_ms;
            // In order, as TCP hands it over.
            last_arrival = last_arrival.max(free_at + Duration::from_millis(late_ms));
            if queue.send((last_arrival, segment[..len].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let receive = async move {
        while let Some((arrives_at, bytes)) = queued.recv().await {
            sleep_until(arrives_at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(send, receive);
}
