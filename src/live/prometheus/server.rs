//! Who asks over HTTP, and what for. One thread answers; nobody can hold it, fill it or keep others out.

use crate::error::{Error, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener as Accepting, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Connections at a time; a further one ends the oldest.
const MOST_CONNECTIONS: usize = 32;

/// A connection from its first byte to its last takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest head of a request, bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// Until connections are taken again after that went wrong: mostly, there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the metrics are.
const PATH: &str = "/metrics";

/// For who comes by with a browser.
const LANDING: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>mcast-bench</title>\n\
                       <h1>mcast-bench</h1>\n<p><a href=\"/metrics\">Metrics</a>\n";

/// A port that is taken, and the thread that answers there.
pub(super) struct Server {
    address: SocketAddr,
    /// Gone if no thread could be started.
    running: Option<Running>,
}

/// The thread. It gives back what it drives, connections and all.
struct Running {
    /// Dropped to end it.
    stop: oneshot::Sender<Infallible>,
    thread: JoinHandle<Runtime>,
}

impl Server {
    /// `page` is called for each scrape.
    pub(super) fn at(
        address: SocketAddr,
        page: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self> {
        let cannot = |error: io::Error| {
            let hint = match error.kind() {
                ErrorKind::PermissionDenied => "ports below 1024 are for root; 9464 is usual",
                _ => "--metrics takes another port, or the address of an interface",
            };
            Error::os(format!("cannot serve metrics at {address}"), error).hint(hint)
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(cannot)?;
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let accepting = {
            let _inside = runtime.enter();
            Accepting::from_std(listener).map_err(cannot)?
        };
        runtime.spawn(accept(accepting, Arc::new(page)));
        Ok(Self { address, running: Some(Running::start(runtime)?) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes on in a thread that is started by this one, and may run where this one may.
    pub(super) fn restart(&mut self) -> Result<()> {
        if let Some(runtime) = self.running.take().and_then(Running::end) {
            self.running = Some(Running::start(runtime)?);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Dropping the runtime ends whatever still goes on.
        drop(self.running.take().map(Running::end));
    }
}

impl Running {
    fn start(runtime: Runtime) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            drop(runtime.block_on(stopped));
            runtime
        };
        let thread = Builder::new()
            .name("metrics".into())
            .spawn(serve)
            .map_err(|error| Error::os("cannot start the thread that serves metrics", error))?;
        Ok(Self { stop, thread })
    }

    /// `None` if the thread panicked; it has said so itself.
    fn end(self) -> Option<Runtime> {
        drop(self.stop);
        self.thread.join().ok()
    }
}

async fn accept(accepting: Accepting, page: Arc<impl Fn() -> String + Send + Sync + 'static>) {
    let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(MOST_CONNECTIONS);
    loop {
        let Ok((stream, _)) = accepting.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() == MOST_CONNECTIONS {
            open.pop_front().iter().for_each(AbortHandle::abort);
        }
        let connection = tokio::spawn(timeout(PATIENCE, serve(stream, page.clone())));
        open.push_back(connection.abort_handle());
    }
}

/// One connection. Whoever sends what is no HTTP, or hangs up, hears or misses that; it is nobody else's business.
async fn serve(stream: TcpStream, page: Arc<impl Fn() -> String + Send + Sync + 'static>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = respond(request.method(), request.uri().path(), &*page);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    drop(connection.await);
}

fn respond(method: &Method, path: &str, page: &dyn Fn() -> String) -> Response<Full<Bytes>> {
    let is_read = [Method::GET, Method::HEAD].contains(method);
    let (status, kind, body) = match path {
        PATH if is_read => (StatusCode::OK, prometheus::TEXT_FORMAT, page()),
        "/" if is_read => (StatusCode::OK, "text/html; charset=utf-8", LANDING.into()),
        PATH | "/" => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or HEAD only\n".into()),
        _ => (StatusCode::NOT_FOUND, "text/plain", format!("metrics are at {PATH}\n")),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests;
