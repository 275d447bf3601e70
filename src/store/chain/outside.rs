//! The file outside the database that keeps the signed heads: whoever holds the database alone cannot cut a log short.
//!
//! One JSON object a line, only ever added to, on the disk before the sealer goes on, readable by its owner alone.
//! It holds numbers, hashes and signatures, and nothing of a person.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Head;
use super::line::Log;
use crate::error::{Error, Result};
use crate::store::hex;

/// The file.
#[derive(Debug)]
pub(super) struct Outside {
    path: PathBuf,
}

/// A head as the file has it.
#[derive(Serialize, Deserialize)]
struct Written {
    log: String,
    position: i64,
    hash: String,
    before: i64,
    signed_at: DateTime<Utc>,
    key: i64,
    signature: String,
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

impl Outside {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Adds heads; they are on the disk when this returns.
    pub(super) async fn add(&self, heads: &[Head]) -> Result<()> {
        let mut text = String::new();
        for head in heads {
            let written = Written {
                log: head.log.table().to_owned(),
                position: head.position,
                hash: hex(&head.hash),
                before: head.before,
                signed_at: head.signed_at,
                key: head.key,
                signature: hex(&head.signature),
            };
            let line = serde_json::to_string(&written);
            text.push_str(&line.map_err(|error| Error::Internal(error.into()))?);
            text.push('\n');
        }
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || append(&path, &text)).await;
        let done = done.map_err(|error| Error::Internal(error.into()))?;
        done.map_err(|error| Error::internal(format!("the file of heads: {}", error.kind())))
    }
}

/// Adds text to the end of a file that is its owner's, and waits until it is on the disk.
pub(in crate::store) fn append(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // What a crash left half written stands on a line of its own.
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The heads of a file, and the numbers of the lines that are none. What a crash left half written is neither.
pub(super) fn read(path: &Path) -> std::io::Result<(Vec<Head>, Vec<usize>)> {
    let text = std::fs::read_to_string(path)?;
    let (mut heads, mut odd) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        match head(line) {
            Some(head) => heads.push(head),
            None if line.ends_with('}') => odd.push(at + 1),
            None => {}
        }
    }
    Ok((heads, odd))
}

fn head(line: &str) -> Option<Head> {
    let written: Written = serde_json::from_str(line).ok()?;
    Some(Head {
        log: Log::of_table(&written.log)?,
        position: written.position,
        hash: bytes(&written.hash)?,
        before: written.before,
        signed_at: written.signed_at,
        key: written.key,
        signature: bytes(&written.signature)?,
    })
}
