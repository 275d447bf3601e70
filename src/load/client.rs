//! One keep-alive connection. The client shares the machine with what it measures, so it does as
//! little as it can: no pool, no redirects, no decoding.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::operation::Prepared;
use super::target::Target;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

static JSON: HeaderValue = HeaderValue::from_static("application/json");
static ACCEPT: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9");
static LANGUAGE: HeaderValue = HeaderValue::from_static("zh");

/// A connection that is made again when it is gone.
#[derive(Debug, Default)]
pub(super) struct Client {
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// An answer that has arrived whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) length: u64,
    /// The body, when it was to be kept.
    pub(super) body: Option<Bytes>,
}

impl Client {
    /// Sends a request and reads the whole answer; `keep` says whether its body is wanted.
    pub(super) async fn post(
        &mut self,
        target: &Target,
        prepared: &Prepared,
        keep: bool,
    ) -> Result<Answer> {
        let mut request = Request::new(Full::new(prepared.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = prepared.path.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, target.host.clone());
        headers.insert(header::CONTENT_TYPE, JSON.clone());
        headers.insert(header::ACCEPT, ACCEPT.clone());
        headers.insert(header::ACCEPT_LANGUAGE, LANGUAGE.clone());
        if let Some(token) = &prepared.authorization {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        self.send(target, request, keep).await
    }

    /// Reads a page of the server, such as its metrics.
    pub(super) async fn get(&mut self, target: &Target, path: &str) -> Result<Answer> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = target.path(path)?;
        request.headers_mut().insert(header::HOST, target.host.clone());
        self.send(target, request, true).await
    }

    async fn send(
        &mut self,
        target: &Target,
        request: Request<Full<Bytes>>,
        keep: bool,
    ) -> Result<Answer> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(target, request, keep)).await;
        let answer = answer.context("no answer in time").and_then(|answer| answer);
        if answer.is_err() {
            // Whatever is left of the exchange must not be read as the answer to the next one.
            self.sender = None;
        }
        answer
    }

    async fn exchange(
        &mut self,
        target: &Target,
        request: Request<Full<Bytes>>,
        keep: bool,
    ) -> Result<Answer> {
        // A server may close a connection that was idle; that is no error of a request.
        let ready = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !ready {
            self.sender = Some(connect(target).await?);
        }
        let sender = self.sender.as_mut().context("no connection")?;
        let answer = sender.send_request(request).await?;
        read(answer, keep).await
    }
}

async fn connect(target: &Target) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(&target.address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // When the connection breaks, the request that waits on it reports that.
    tokio::spawn(async move {
        let _reported_by_the_request = connection.await;
    });
    Ok(sender)
}

async fn read(answer: Response<Incoming>, keep: bool) -> Result<Answer> {
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    if keep {
        let body = body.collect().await?.to_bytes();
        return Ok(Answer { status, length: body.len() as u64, body: Some(body) });
    }
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(Answer { status, length, body: None })
}
