//! Where a report of rows goes: a new file that its owner alone reads, or standard output.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::say;

/// Where lines go.
pub(super) enum Out {
    /// A file that was not there before.
    File(PathBuf, BufWriter<std::fs::File>),
    /// Standard output.
    Standard,
}

impl Out {
    /// A new file, or standard output where none is named. What is there already is never written over.
    pub(super) fn new(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard) };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| {
            format!("{} cannot be made; a file that is there is not written over", path.display())
        })?;
        Ok(Self::File(path.to_owned(), BufWriter::new(file)))
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::File(_, file) => Ok(writeln!(file, "{text}")?),
            Self::Standard => say(text),
        }
    }

    /// Puts everything on the disk.
    pub(super) fn end(self) -> anyhow::Result<()> {
        match self {
            Self::File(path, file) => {
                let file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
                let done = file.and_then(|file| file.sync_all());
                done.with_context(|| format!("{} cannot be written", path.display()))
            }
            Self::Standard => Ok(()),
        }
    }

    /// Takes back a file into which nothing was written.
    pub(super) fn give_up(self) {
        if let Self::File(path, file) = self {
            drop(file);
            // The empty file says nothing, and its name is said in the error that follows.
            let _left = std::fs::remove_file(path);
        }
    }
}

/// Says something to whoever watches, beside the rows.
pub(super) fn aside(text: impl std::fmt::Display) {
    // Nobody can be told when standard error is closed.
    let _unheard = writeln!(std::io::stderr().lock(), "{text}");
}

/// An instant as people write one: RFC 3339, or a day, which begins at midnight of the deployment's time zone.
pub(super) fn instant(
    text: &str,
    zone: chrono_tz::Tz,
) -> anyhow::Result<chrono::DateTime<chrono::Utc>> {
    use chrono::{DateTime, TimeZone as _, Utc};
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let midnight = crate::clock::parse_day(text).and_then(|day| day.and_hms_opt(0, 0, 0));
    let at = midnight.and_then(|at| zone.from_local_datetime(&at).earliest());
    at.map(|at| at.with_timezone(&Utc)).with_context(|| {
        format!("{text:?} is no instant: write 2026-09-01 or 2026-09-01T08:00:00+08:00")
    })
}
