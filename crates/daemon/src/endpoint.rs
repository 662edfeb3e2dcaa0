//! `GET /metrics`, for a Prometheus on the same machine.

use std::future::IntoFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::Router;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::common::BUILD_INFO;
use crate::metric::{Kind, Metric};

/// Where metrics are served: a loopback address, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MetricsListen(Option<SocketAddr>);

impl MetricsListen {
    /// Nowhere.
    pub const OFF: Self = Self(None);

    /// On 127.0.0.1.
    pub const fn local(port: u16) -> Self {
        Self(Some(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
    }
}

/// Why metrics cannot be served there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadListen {
    /// Not an address.
    #[error("{0:?} is no address to serve metrics on; give IP:port, such as 127.0.0.1:9102, or \"off\"")]
    NoAddress(String),
    /// Others could read it.
    #[error(
        "{0} can be reached by others, and metrics are served without a password: they tell how busy this machine is and \
         what it earns; listen on 127.0.0.1:{port} and scrape from this machine, or from another through \
         `ssh -L {port}:127.0.0.1:{port}`",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
}

impl FromStr for MetricsListen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let address: SocketAddr = text.parse().map_err(|_| BadListen::NoAddress(text.to_owned()))?;
        match address.ip().is_loopback() {
            true => Ok(Self(Some(address))),
            false => Err(BadListen::NotLoopback(address)),
        }
    }
}

impl TryFrom<String> for MetricsListen {
    type Error = BadListen;

    fn try_from(text: String) -> Result<Self, BadListen> {
        text.parse()
    }
}

/// Where a daemon answers.
pub struct Listeners {
    /// Other daemons and customers.
    pub http: TcpListener,
    /// Prometheus, if it may ask.
    pub metrics: Option<Endpoint>,
}

impl From<TcpListener> for Listeners {
    fn from(http: TcpListener) -> Self {
        Self { http, metrics: None }
    }
}

/// Metrics, and where they are served.
pub struct Endpoint {
    listener: TcpListener,
    handle: PrometheusHandle,
}

/// Time between two sortings of what histograms were given, which is kept in memory until then.
const SORT_EVERY: Duration = Duration::from_secs(5);

/// Longest a scrape may take to end when the daemon stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Begins to record the metrics of `catalogs`, all of them at zero, and listens; `None` where metrics are off. Once a
    /// process.
    ///
    /// # Errors
    /// When the port is taken, or metrics are recorded already.
    pub async fn open(listen: MetricsListen, catalogs: &[&[&'static Metric]]) -> anyhow::Result<Option<Self>> {
        let Some(address) = listen.0 else { return Ok(None) };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "cannot serve metrics on {address}; is another daemon there? Set another metrics_listen, or \"off\""
            )
        })?;
        let mut builder = PrometheusBuilder::new();
        let all = || catalogs.iter().copied().flatten();
        for metric in all() {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok().context("this process records metrics already")?;
        for metric in all() {
            metric.describe();
            metric.register();
        }
        BUILD_INFO.set(1.0, &[env!("CARGO_PKG_VERSION")]);
        Ok(Some(Self { listener, handle }))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until stopped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(url = format!("http://{}/metrics", self.address()?), "metrics");
        let handle = self.handle.clone();
        let render =
            move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()) };
        let router = Router::new().route("/metrics", get(render));
        let server = axum::serve(self.listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let sorted = async {
            while !stop.is_cancelled() {
                self.handle.run_upkeep();
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(SORT_EVERY) => {}
                }
            }
            tokio::time::sleep(DRAIN_WITHIN).await;
        };
        tokio::select! {
            outcome = server.into_future() => Ok(outcome?),
            () = sorted => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Settings {
        metrics_listen: MetricsListen,
    }

    fn parse(value: &str) -> Result<MetricsListen, String> {
        let settings = toml::from_str::<Settings>(&format!("metrics_listen = {value:?}"));
        settings.map(|settings| settings.metrics_listen).map_err(|error| error.to_string())
    }

    #[test]
    fn metrics_are_served_on_loopback_or_not_at_all() {
        assert_eq!(parse("127.0.0.1:9102"), Ok(MetricsListen::local(9_102)));
        assert!(parse("[::1]:0").is_ok());
        assert_eq!(parse("off"), Ok(MetricsListen::OFF));
        for open in ["0.0.0.0:9102", "192.0.2.7:9102", "[::]:9102"] {
            let error = parse(open).unwrap_err();
            assert!(error.contains("metrics_listen") && error.contains("ssh -L 9102:127.0.0.1:9102"), "{error}");
        }
        assert!(parse("9102").unwrap_err().contains("127.0.0.1:9102"), "what would be right is said");
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Endpoint::open(MetricsListen::local(port), &[]).await.err().unwrap().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("metrics_listen"), "{error}");
    }
}
