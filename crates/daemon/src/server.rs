//! The HTTP server of a daemon: one port for plain HTTP and for TLS, and bounds on what a client costs before it has sent a
//! request.
//!
//! Which of the two is spoken is decided by the client's first byte, and which it should be by the endpoint on chain: there is
//! nothing to set here, so nothing that could disagree with the chain.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::common::{CONNECTIONS, CONNECTIONS_CUT};

/// The first byte of a TLS connection, which no HTTP method begins with (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Largest head of a request, and most that is read ahead of a body, bytes.
const MAX_HEAD: usize = 64 << 10;

/// Time after the system could give no connection before it is asked again.
const AFTER_ERROR: Duration = Duration::from_millis(500);

/// Why a connection was cut: the label `reason`.
pub(crate) const REASONS: &[&str] = &["crowded", "silent", "handshake"];

/// What clients may cost before they have sent a request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; the next waits. Below the 1,024 files a process may have open where nobody said otherwise.
    pub connections: usize,
    /// Connections of one address at once, or of one /64 of IPv6. Loopback has no such limit: a proxy speaks for all.
    pub per_address: usize,
    /// TLS handshakes under way at once; the next waits.
    pub handshakes: usize,
    /// Longest until the first byte of a connection, and then for its TLS handshake.
    pub handshake_within: Duration,
    /// Longest a connection may go without a whole request's head, between two requests too.
    pub head_within: Duration,
    /// Longest a client may take nothing of its answer.
    pub write_within: Duration,
    /// Longest open requests may take to end when the daemon stops.
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 768,
            per_address: 64,
            handshakes: 128,
            handshake_within: Duration::from_secs(5),
            head_within: Duration::from_secs(10),
            write_within: Duration::from_secs(30),
            drain_within: Duration::from_secs(2),
        }
    }
}

/// Serves routes on a port.
pub struct Server {
    /// What answers.
    pub routes: Router,
    /// How the daemon proves who it is; see [`millrace_wire::tls::server_config`].
    pub tls: Arc<ServerConfig>,
    /// What clients may cost.
    pub limits: Limits,
}

impl Server {
    /// With the default limits.
    pub fn new(routes: Router, tls: Arc<ServerConfig>) -> Self {
        Self { routes, tls, limits: Limits::default() }
    }

    /// Serves until stopped, then lets open requests end for a moment.
    ///
    /// # Errors
    /// When the listener has no address.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "serving");
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(limits.connections));
        let guests = Arc::new(Guests { per_address: limits.per_address, counts: Mutex::default() });
        let host = Arc::new(Host {
            handshakes: Semaphore::new(limits.handshakes),
            acceptor: TlsAcceptor::from(self.tls),
            routes: self.routes,
            limits,
            stop: stop.clone(),
        });
        let mut connections = JoinSet::new();
        let accept = async {
            // Never closed.
            while let Ok(place) = places.clone().acquire_owned().await {
                let (stream, address) = next(&listener).await;
                while connections.try_join_next().is_some() {}
                let Some(guest) = guests.admit(address) else {
                    CONNECTIONS_CUT.inc(&["crowded"]);
                    continue;
                };
                let host = host.clone();
                connections.spawn(async move {
                    let _held = (place, guest);
                    if let Err(Cut { reason, cause }) = host.attend(stream).await {
                        CONNECTIONS_CUT.inc(&[reason]);
                        tracing::debug!(%address, reason, "a connection was cut: {cause}");
                    }
                });
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accept => {}
        }
        drop(listener);
        // What has not ended by then is cut off with the set.
        let _ = timeout(limits.drain_within, async { while connections.join_next().await.is_some() {} }).await;
        Ok(())
    }
}

async fn next(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip().to_canonical()),
            // No file left, or a client that went away: neither ends the daemon.
            Err(error) => {
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// A connection given up before it brought a request.
struct Cut {
    reason: &'static str,
    cause: String,
}

fn cut(reason: &'static str, cause: impl ToString) -> Cut {
    Cut { reason, cause: cause.to_string() }
}

/// What connections share.
struct Host {
    routes: Router,
    acceptor: TlsAcceptor,
    handshakes: Semaphore,
    limits: Limits,
    stop: CancellationToken,
}

impl Host {
    async fn attend(&self, stream: TcpStream) -> Result<(), Cut> {
        let within = self.limits.handshake_within;
        let mut first = [0];
        let came = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            came = timeout(within, stream.peek(&mut first)) => came,
        };
        match came.map_err(|_| cut("silent", "not a byte came"))? {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        // Answers are small and whole: nothing is gained by holding them back. Where it cannot be set it is only slower.
        let _ = stream.set_nodelay(true);
        if first[0] != TLS_HANDSHAKE {
            self.speak(stream).await;
            return Ok(());
        }
        let handshake = async {
            let _turn = self.handshakes.acquire().await;
            self.acceptor.accept(stream).await
        };
        let stream = timeout(within, handshake).await.map_err(|_| cut("handshake", "it was not over in time"))?;
        self.speak(stream.map_err(|error| cut("handshake", error))?).await;
        Ok(())
    }

    async fn speak(&self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_within));
        let service = TowerToHyperService::new(self.routes.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_within)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
    }
}

/// Who has how many connections.
struct Guests {
    per_address: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted; dropping it makes room.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.per_address && !address.is_loopback() {
            return None;
        }
        *count += 1;
        CONNECTIONS.set(counts.values().sum::<usize>() as f64, &[]);
        Some(Guest { guests: self.clone(), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
        CONNECTIONS.set(counts.values().sum::<usize>() as f64, &[]);
    }
}

/// The address that counts: whoever has one of IPv6 has its /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(it) if !it.is_loopback() => Ipv6Addr::from_bits(it.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_takes_no_more_than_its_share_and_gets_it_back() {
        let guests = Arc::new(Guests { per_address: 2, counts: Mutex::default() });
        let admit = |text: &str| guests.admit(address(text));
        let held = [admit("192.0.2.7"), admit("192.0.2.7")];
        assert!(held.iter().all(Option::is_some));
        assert!(admit("192.0.2.7").is_none());
        assert!(admit("192.0.2.8").is_some(), "others have their own");
        drop(held);
        assert!(admit("192.0.2.7").is_some());
        assert!(guests.counts.lock().unwrap().is_empty(), "who left is forgotten");
    }

    #[test]
    fn a_64_of_ipv6_counts_as_one_address_and_loopback_as_none() {
        let guests = Arc::new(Guests { per_address: 1, counts: Mutex::default() });
        let admit = |text: &str| guests.admit(address(text));
        let _held = ["2001:db8::1", "::1", "127.0.0.1"].map(|text| admit(text).unwrap());
        assert!(admit("2001:db8::ffff:2").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
        assert!(admit("::1").is_some() && admit("127.0.0.1").is_some(), "a proxy speaks for all");
    }
}
