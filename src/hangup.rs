//! SIGHUP (重新读取), the word of an operator that files have changed: where there is such a signal, everybody who
//! listens hears it.

/// The signal, where there is such a thing.
#[derive(Debug)]
pub struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    /// Begins to listen, for what a log line names.
    #[cfg(unix)]
    pub fn listen(what: &'static str) -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        if let Err(error) = &signal {
            tracing::warn!(%error, what, "the signal to read files again is not heard");
        }
        Self { signal: signal.ok() }
    }

    /// Begins to listen, which hears nothing on this system.
    #[cfg(not(unix))]
    pub fn listen(_what: &'static str) -> Self {
        Self {}
    }

    /// Resolves at the next signal.
    #[cfg(unix)]
    pub async fn heard(&mut self) {
        let heard = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves never on this system.
    #[cfg(not(unix))]
    pub async fn heard(&mut self) {
        std::future::pending::<()>().await;
    }
}
