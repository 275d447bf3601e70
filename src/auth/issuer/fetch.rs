//! Reads a document from an issuer, within a time and a length.
//!
//! One request on one connection to the address that the settings, or a document of the issuer, name: no redirect is
//! followed, no proxy used, no cookie kept and nothing decoded. What a token names is never an address here.

use std::{path::Path, sync::Arc, time::Duration};

use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::config::oidc::Address;

/// Longest document.
const LONGEST: usize = 256 * 1024;

/// Longest head of an answer.
const HEAD: usize = 32 * 1024;

/// Why a document was not read; nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// Nobody answers there.
    #[error("no connection")]
    Unreached,
    /// TLS failed, most often because of the certificate.
    #[error("no TLS connection that can be trusted")]
    Untrusted,
    /// Not whole within the time.
    #[error("no whole answer in time")]
    Late,
    /// Another status than 200; redirects are not followed.
    #[error("an answer with the status {0}")]
    Status(u16),
    /// Beyond the longest length.
    #[error("an answer that is too long")]
    TooLong,
    /// No HTTP, or cut off.
    #[error("an answer that is broken")]
    Broken,
    /// No JSON object, or one with a name twice.
    #[error("a document that is not what it must be")]
    Unfit,
    /// The discovery document is that of another issuer.
    #[error("a discovery document of another issuer")]
    OtherIssuer,
    /// The discovery document names no address of keys that may be asked.
    #[error("a discovery document without an address of keys that may be asked")]
    NoKeys,
}

/// Why fetching cannot be set up; a sentence for the person who starts the server.
#[derive(Debug, thiserror::Error)]
#[error("The file {file} (oidc.ca_file) cannot be used: {why}.")]
pub struct FetchError {
    file: String,
    why: String,
}

/// Reads documents.
pub(super) struct Client {
    tls: TlsConnector,
    patience: Duration,
}

impl Client {
    /// Trusts the usual certificate authorities, and those of a file.
    pub(super) fn new(ca_file: Option<&Path>, patience: Duration) -> Result<Self, FetchError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(file) = ca_file {
            let unusable = |why: String| FetchError { file: file.display().to_string(), why };
            let bytes = std::fs::read(file)
                .map_err(|error| unusable(format!("it cannot be read ({})", error.kind())))?;
            let none = || unusable("it holds no certificate in PEM".to_owned());
            let listed = CertificateDer::pem_slice_iter(&bytes)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_detail| none())?;
            if listed.is_empty() {
                return Err(none());
            }
            for certificate in listed {
                roots.add(certificate).map_err(|_detail| none())?;
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| FetchError { file: String::new(), why: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), patience })
    }

    /// The document at an address.
    pub(super) async fn get(&self, address: &Address) -> Result<Bytes, Unread> {
        timeout(self.patience, self.read(address)).await.unwrap_or(Err(Unread::Late))
    }

    async fn read(&self, address: &Address) -> Result<Bytes, Unread> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.map_err(|_detail| Unread::Unreached)?;
        if !address.tls {
            return exchange(stream, address).await;
        }
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_detail| Unread::Untrusted)?;
        let stream = self.tls.connect(name, stream).await;
        exchange(stream.map_err(|_detail| Unread::Untrusted)?, address).await
    }
}

async fn exchange<S>(stream: S, address: &Address) -> Result<Bytes, Unread>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let opened = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|_detail| Unread::Broken)?;
    // Ends with this exchange, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _the_request_says_it = connection.await;
    });
    let request = Request::builder()
        .uri(address.target.clone())
        .header(header::HOST, &address.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_detail| Unread::Broken)?;
    let answer = sender.send_request(request).await.map_err(|_detail| Unread::Broken)?;
    if answer.status() != StatusCode::OK {
        return Err(Unread::Status(answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Unread::TooLong
        } else {
            Unread::Broken
        }
    })?;
    Ok(body.to_bytes())
}
