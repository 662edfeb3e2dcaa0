//! The proxy itself.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::lie::{change, instead_of_asking};
use crate::Weather;

/// How long the RPC behind may take.
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// A proxy in front of one JSON RPC. It ends when dropped, open connections with it.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    target: String,
    http: reqwest::Client,
    weather: Mutex<Weather>,
    /// What is given for the latest blockhash where that is a lie.
    blockhash: String,
    requests: AtomicU64,
}

/// Why a connection is closed without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl FaultProxy {
    /// Starts a proxy for the JSON RPC at `target`, such as `http://127.0.0.1:8899`, on a free port of loopback. The weather is
    /// clear.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: impl Into<String>) -> io::Result<Self> {
        Self::start_on(IpAddr::from([127, 0, 0, 1]), target).await
    }

    /// The same on another address of this machine.
    ///
    /// # Errors
    /// When no port can be had there.
    pub async fn start_on(address: IpAddr, target: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder().timeout(ASK_WITHIN).no_proxy().build().map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            target: target.into(),
            http,
            weather: Mutex::default(),
            blockhash: bs58::encode(rand::random::<[u8; 32]>()).into_string(),
            requests: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self { address, shared, _stop: stop.drop_guard() })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the weather from now on. Requests under way keep theirs.
    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// The weather.
    pub fn weather(&self) -> Weather {
        self.shared.weather()
    }

    /// Requests that arrived so far.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(serve(stream, shared)).await });
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    // An error is a connection that is cut, by the weather or by who asked.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let weather = self.weather();
        let lie = match weather {
            Weather::Clear => None,
            Weather::Drop => return Err(Closed),
            Weather::Delay(time) => {
                tokio::time::sleep(time).await;
                None
            }
            Weather::TooManyRequests => return Ok(response(StatusCode::TOO_MANY_REQUESTS, Bytes::new())),
            Weather::HalfOpen => {
                let never: Infallible = pending().await;
                match never {}
            }
            Weather::Lie(lie) => Some(lie),
        };
        let body = request.into_body().collect().await.map_err(|_| Closed)?.to_bytes();
        let Some(lie) = lie else {
            return Ok(response(StatusCode::OK, self.ask(body).await?));
        };
        let request: Value = serde_json::from_slice(&body).map_err(|_| Closed)?;
        if let Some(made_up) = instead_of_asking(lie, &request) {
            return Ok(response(StatusCode::OK, made_up.to_string().into()));
        }
        let mut answer: Value = serde_json::from_slice(&self.ask(body).await?).map_err(|_| Closed)?;
        change(lie, &request, &mut answer, &self.blockhash);
        Ok(response(StatusCode::OK, answer.to_string().into()))
    }

    /// What the RPC behind answers.
    async fn ask(&self, body: Bytes) -> Result<Bytes, Closed> {
        let asked = self.http.post(&self.target).header(CONTENT_TYPE, "application/json").body(body).send();
        asked.await.map_err(|_| Closed)?.bytes().await.map_err(|_| Closed)
    }
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
