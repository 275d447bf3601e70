//! TLS by rustls: versions 1.2 and 1.3 over HTTP/1.1, with a certificate that is read again when it changes.
//!
//! A pair of files is served whole or not at all. What cannot be used is refused with file and reason, and the earlier
//! certificate stays; open connections keep the one they began with. Nothing of a file's content is ever logged.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    Error, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_cert::{Certificate, der::Decode};

use super::health::{PREFIX, metrics_handle};
use crate::{clock::Clock, config::door, hangup::Hangup};

/// Between two looks at the files. A change is taken over once two looks have seen the same, because certificate and
/// key are two files and are not written at one instant.
const LOOK: Duration = Duration::from_secs(1);

/// Why a handshake did not end well, as the metric names it.
const FAILURES: [&str; 3] = ["late", "protocol", "lost"];

/// Why a certificate cannot be used; a sentence for the person who starts the server, or for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The file {} (tls.{setting}) cannot be used: {why}.", .file.display())]
pub struct TlsError {
    /// The setting that names the file: `certificate` or `key`.
    setting: &'static str,
    file: PathBuf,
    why: String,
}

/// A certificate with its key, as handshakes use it.
struct Pair {
    certified: Arc<CertifiedKey>,
    /// When the first certificate of the chain runs out, in seconds since 1970.
    expires: u64,
    /// What the two files held.
    content: Content,
}

/// A digest of both files, or the kind of error with which one could not be read.
type Content = Result<[u8; 32], (&'static str, io::ErrorKind)>;

/// The certificate that is served.
struct Served(ArcSwap<Pair>);

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served(…)")
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }
}

/// The TLS of a server.
pub struct Tls {
    acceptor: TlsAcceptor,
    served: Arc<Served>,
    files: door::Tls,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificate and its key.
    pub fn open(files: &door::Tls) -> Result<Arc<Self>, TlsError> {
        metrics_handle();
        describe();
        let pair = read(files)?;
        if expired(pair.expires) {
            tracing::warn!(file = %files.certificate.display(), "the certificate has expired; clients will refuse it");
        }
        tell(&pair);
        let served = Arc::new(Served(ArcSwap::from_pointee(pair)));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(files, "certificate", error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&served) as Arc<dyn ResolvesServerCert>);
        let mut config = config;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            served,
            files: files.clone(),
        }))
    }

    /// Follows the files, and the signal to read them again. Never ends.
    pub async fn keep(self: Arc<Self>) {
        let mut hangup = Hangup::listen("certificate");
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tried = self.served.0.load().content;
        let mut last = tried;
        loop {
            let asked = tokio::select! {
                _ = ticks.tick() => false,
                () = hangup.heard() => true,
            };
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || content(&files)).await else {
                continue;
            };
            if asked || (now == last && now != tried) {
                tried = now;
                self.renew();
            }
            last = now;
        }
    }

    /// Serves what the files hold now, or says why not.
    pub fn renew(&self) {
        let before = self.served.0.load().expires;
        let read = read(&self.files).and_then(|pair| {
            if expired(pair.expires) && !expired(before) {
                return Err(unusable(&self.files, "certificate", "it has expired already"));
            }
            Ok(pair)
        });
        match read {
            Ok(pair) => {
                tell(&pair);
                tracing::info!(expires_seconds = pair.expires, "the certificate was read again");
                metrics::counter!(format!("{PREFIX}_tls_reloads_total")).increment(1);
                self.served.0.store(Arc::new(pair));
            }
            Err(refused) => {
                metrics::counter!(format!("{PREFIX}_tls_reload_refusals_total")).increment(1);
                tracing::error!(
                    file = %refused.file.display(),
                    reason = refused.why,
                    "the new certificate is refused; the earlier one stays"
                );
            }
        }
    }

    /// Speaks TLS with a client that has just connected; nothing when it does not within this time.
    pub(super) async fn greet<S>(&self, stream: S, limit: Duration) -> Option<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let why = match timeout(limit, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => "protocol",
            Ok(Err(_lost)) => "lost",
            Err(_elapsed) => "late",
        };
        // A client of another protocol, or none at all, is no event worth a line.
        metrics::counter!(format!("{PREFIX}_tls_handshake_failures_total"), "reason" => why)
            .increment(1);
        None
    }
}

fn describe() {
    let failures = format!("{PREFIX}_tls_handshake_failures_total");
    metrics::describe_counter!(failures.clone(), "TLS handshakes that failed, by reason");
    for reason in FAILURES {
        metrics::counter!(failures.clone(), "reason" => reason).increment(0);
    }
    for (name, what) in [
        ("tls_reloads_total", "Certificates that were read again"),
        ("tls_reload_refusals_total", "Certificates that were refused when they were read again"),
    ] {
        metrics::describe_counter!(format!("{PREFIX}_{name}"), what);
        metrics::counter!(format!("{PREFIX}_{name}")).increment(0);
    }
    metrics::describe_gauge!(
        format!("{PREFIX}_tls_certificate_expires_seconds"),
        "When the certificate that is served runs out, in seconds since 1970"
    );
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this age fit")]
fn tell(pair: &Pair) {
    metrics::gauge!(format!("{PREFIX}_tls_certificate_expires_seconds")).set(pair.expires as f64);
}

fn expired(expires: u64) -> bool {
    let now = Clock::system(chrono_tz::UTC).now().timestamp();
    u64::try_from(now).is_ok_and(|now| now >= expires)
}

fn unusable(files: &door::Tls, setting: &'static str, why: impl Into<String>) -> TlsError {
    let file = if setting == "key" { &files.key } else { &files.certificate };
    TlsError { setting, file: file.clone(), why: why.into() }
}

/// What the files hold, for comparing: a file that is a link to another is followed.
fn content(files: &door::Tls) -> Content {
    let bytes = |setting: &'static str, file: &Path| {
        std::fs::read(file).map_err(|error| (setting, error.kind()))
    };
    Ok(digest(&bytes("certificate", &files.certificate)?, &bytes("key", &files.key)?))
}

fn digest(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(Sha256::digest(certificate));
    digest.update(Sha256::digest(key));
    digest.finalize().into()
}

fn read(files: &door::Tls) -> Result<Pair, TlsError> {
    let bytes = |setting: &'static str, file: &Path| {
        let read = std::fs::read(file);
        read.map_err(|error| {
            unusable(files, setting, format!("it cannot be read ({})", error.kind()))
        })
    };
    let certificate = bytes("certificate", &files.certificate)?;
    let key = bytes("key", &files.key)?;
    let no_certificate = || unusable(files, "certificate", "it holds no certificate in PEM");
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<_, _>>()
        .map_err(|_detail| no_certificate())?;
    let expires = chain
        .iter()
        .map(|one| {
            let read = Certificate::from_der(one).map_err(|_detail| no_certificate())?;
            Ok(read.tbs_certificate.validity.not_after.to_unix_duration().as_secs())
        })
        .collect::<Result<Vec<_>, TlsError>>()?;
    let expires = expires.into_iter().min().ok_or_else(no_certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_detail| unusable(files, "key", "it holds no private key in PEM"))?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider());
    let certified = certified.map_err(|error| {
        if matches!(error, Error::InconsistentKeys(_)) {
            unusable(files, "key", "it is not the key of the certificate")
        } else if matches!(error, Error::InvalidCertificate(_)) {
            no_certificate()
        } else {
            unusable(files, "key", "it is no private key that can be used: RSA, ECDSA or Ed25519")
        }
    })?;
    let content = Ok(digest(&certificate, &key));
    Ok(Pair { certified: Arc::new(certified), expires, content })
}
