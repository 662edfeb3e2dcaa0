//! A connection of its own, grown out of a signed HTTP request (RFC 9110, 7.8): for bytes that are to be timed, not read as
//! messages.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutStream;
use tokio_util::io::SyncIoBridge;

use crate::error::ApiError;

/// Longest that either side may neither send nor take anything.
const IDLE: Duration = Duration::from_secs(10);

/// Longest life of a link: one that drips ends too.
const LIFE: Duration = Duration::from_secs(90);

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// Either end of the connection. Reads and writes block: use it where that is allowed
/// ([`tokio::task::spawn_blocking`]). Ten seconds without a byte end it, and so does the first read or write after a minute
/// and a half.
pub struct Link {
    stream: SyncIoBridge<Pin<Box<dyn Stream>>>,
    ends_at: Instant,
}

impl Link {
    /// Inside of a runtime only.
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let mut stream = TimeoutStream::new(stream);
        stream.set_read_timeout(Some(IDLE));
        stream.set_write_timeout(Some(IDLE));
        Self { stream: SyncIoBridge::new(Box::pin(stream)), ends_at: Instant::now() + LIFE }
    }

    fn check(&self) -> io::Result<()> {
        match Instant::now() < self.ends_at {
            true => Ok(()),
            false => Err(io::Error::new(ErrorKind::TimedOut, "the link is at the end of its time")),
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.stream.read(buffer)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Accepts a request for a connection that speaks `protocol`: gives `with` its end once the answer is sent, on a thread
/// that may block.
///
/// # Errors
/// When the request asks for nothing like it.
pub fn accept(
    request: &mut Request,
    protocol: &'static str,
    with: impl FnOnce(Link) + Send + 'static,
) -> Result<Response, ApiError> {
    let asked = request.headers().get(header::UPGRADE).is_some_and(|asked| asked == protocol);
    if !asked {
        return Err(ApiError::bad_request(
            "this is no request for a connection",
            format!("send the header Upgrade: {protocol}"),
        ));
    }
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        match upgrade.await {
            // A link is made inside of the runtime and used outside of its threads.
            Ok(upgraded) => {
                let link = Link::new(TokioIo::new(upgraded));
                drop(tokio::task::spawn_blocking(move || with(link)));
            }
            Err(error) => tracing::debug!("no connection came of it: {error}"),
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static(protocol)),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_that_drips_ends_with_its_time() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut link = Link::new(near);
        tokio::io::AsyncWriteExt::write_all(&mut far, b"ab").await.unwrap();
        let act = move || {
            let mut byte = [0];
            link.read_exact(&mut byte).unwrap();
            // A byte is there, and one could be sent.
            link.ends_at = Instant::now();
            (byte, link.read(&mut [0]).unwrap_err().kind(), link.write(b"c").unwrap_err().kind())
        };
        let ended = tokio::task::spawn_blocking(act).await.unwrap();
        assert_eq!(ended, (*b"a", ErrorKind::TimedOut, ErrorKind::TimedOut));
    }
}
