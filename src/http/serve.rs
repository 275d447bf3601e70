//! The server's loop: connections, slow clients, and a stop that finishes what runs.
//!
//! The server speaks HTTP/1.1, over TLS where it has a certificate. HTTP/2 without TLS is left out on purpose: telling
//! the versions apart means reading the first bytes without any time limit. A client holds a place among those served
//! from its first byte, so that one who never ends a handshake is bounded like any other.

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tower::ServiceExt;

use super::{RemoteAddr, health::metrics_handle, stalled::Stalled, tls::Tls};
use crate::config::settings::Limits;

/// Most bytes of request line and headers; holds a query of 64 kB in a `GET`, with every byte escaped.
const MAX_HEAD_BYTES: usize = 256 * 1024;

/// The connection that a request came by, for what outlives the request: its place among those served, and
/// the word that the server stops.
#[derive(Clone, Debug)]
pub(super) struct Line {
    _place: Option<Arc<OwnedSemaphorePermit>>,
    stopping: watch::Receiver<bool>,
}

impl Line {
    /// Resolves when the server stops.
    pub(super) async fn stopped(&mut self) {
        // An error means that the server's loop is gone, which is the end as well.
        let _stopped = self.stopping.wait_for(|stopping| *stopping).await;
    }
}

/// Why the server cannot listen; a sentence for the person who starts it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process has the port.
    #[error(
        "The address {0} is in use: stop the other server, or choose another address with --listen."
    )]
    InUse(SocketAddr),
    /// The port needs more rights.
    #[error("Listening on {0} is not allowed: choose a port above 1023 with --listen.")]
    NotAllowed(SocketAddr),
    /// The address is not one of this machine's.
    #[error("The address {0} does not belong to this machine: choose another with --listen.")]
    NotHere(SocketAddr),
    /// Anything else.
    #[error("Listening on {0} failed: {1}.")]
    Other(SocketAddr, io::Error),
}

/// Takes the port.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| {
        let kind = error.kind();
        if kind == io::ErrorKind::AddrInUse {
            ServeError::InUse(address)
        } else if kind == io::ErrorKind::PermissionDenied {
            ServeError::NotAllowed(address)
        } else if kind == io::ErrorKind::AddrNotAvailable {
            ServeError::NotHere(address)
        } else {
            ServeError::Other(address, error)
        }
    })
}

/// Serves until `shutdown` resolves, then gives running requests the time that the limits allow.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    tls: Option<Arc<Tls>>,
    shutdown: impl Future<Output = ()>,
) {
    let mut connections = http1::Builder::new();
    connections
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(MAX_HEAD_BYTES);
    let connections = Arc::new(connections);
    let free = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopping) = watch::channel(false);
    let mut upkeep = time::interval(Duration::from_secs(5));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            _ = upkeep.tick() => metrics_handle().run_upkeep(),
            accepted = accept(&listener, &free) => {
                let (stream, remote, permit) = accepted;
                let stream = Stalled::new(stream, limits.body_time);
                let (connections, router) = (Arc::clone(&connections), router.clone());
                let mut line = Line { _place: permit.map(Arc::new), stopping: stopping.clone() };
                let (tls, header_time) = (tls.clone(), limits.header_time);
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        return converse(&connections, stream, router, remote, line).await;
                    };
                    let greeted = tokio::select! {
                        greeted = tls.greet(stream, header_time) => greeted,
                        // Nothing was asked yet, so nothing is lost.
                        () = line.stopped() => None,
                    };
                    if let Some(stream) = greeted {
                        converse(&connections, stream, router, remote, line).await;
                    }
                });
            }
        }
    }
    drop(listener);
    let open = limits.connections.saturating_sub(free.available_permits());
    tracing::info!(running = open, "stopping");
    let _nobody_listens = stop.send(true);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let finished = async {
        // Connections and websockets that have left them hold their places until they end.
        let _all_places = free.acquire_many(all).await;
    };
    if time::timeout(limits.shutdown_time, finished).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

/// Serves the requests of one connection until it ends, or finishes what runs when the server stops.
async fn converse<S>(
    connections: &http1::Builder,
    stream: S,
    router: Router,
    remote: SocketAddr,
    mut line: Line,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let of_requests = line.clone();
    let answer =
        service_fn(move |request| answer(router.clone(), request, remote, of_requests.clone()));
    let connection = connections.serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection.with_upgrades());
    // A connection that breaks, or whose client is too slow, is no event worth a line.
    tokio::select! {
        _broken = connection.as_mut() => {}
        () = line.stopped() => {
            connection.as_mut().graceful_shutdown();
            let _broken = connection.await;
        }
    }
}

/// The next connection, once there is room for it; until then clients wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    free: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed, so a permit always comes.
    let permit = Arc::clone(free).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let _slower_at_worst = stream.set_nodelay(true);
                return (stream, remote, permit);
            }
            Err(error) => {
                // Out of file handles, or a client that left at once: wait a moment instead of spinning.
                tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    remote: SocketAddr,
    line: Line,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(RemoteAddr(remote));
    request.extensions_mut().insert(line);
    router.oneshot(request).await
}

/// Resolves when the process is asked to stop: `SIGTERM`, or Ctrl-C.
pub async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_no_handler) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
