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

/// A port that is taken; nobody is answered yet.
pub(super) struct Listening {
    address: SocketAddr,
    /// Taken out when answering begins.
    parts: Option<(Runtime, Accepting)>,
}

/// The thread that answers.
pub(super) struct Server {
    /// Dropped to end it.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    pub(super) fn at(address: SocketAddr) -> Result<Self> {
        let cannot = |error| {
            Error::os(format!("cannot serve metrics at {address}"), error)
                .hint("--metrics takes another port, or the address of an interface")
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
        Ok(Self { address, parts: Some((runtime, accepting)) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the thread; `page` is called for each scrape.
    pub(super) fn answer(
        &mut self,
        page: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Server> {
        let (runtime, accepting) = self.parts.take().expect("answering begins once");
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.spawn(accept(accepting, Arc::new(page)));
            // Dropping the runtime, which comes next, ends whatever still goes on.
            drop(runtime.block_on(stopped));
        };
        let thread = Builder::new()
            .name("metrics".into())
            .spawn(serve)
            .map_err(|error| Error::os("cannot start the thread that serves metrics", error))?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // If it panicked, it has said so itself.
        drop(self.thread.take().map(JoinHandle::join));
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
    let (status, kind, body) = match (method, path) {
        (&Method::GET | &Method::HEAD, PATH) => (StatusCode::OK, prometheus::TEXT_FORMAT, page()),
        (_, PATH) => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or HEAD only\n".into()),
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
