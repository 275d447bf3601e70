//! A backup as bytes: a header in the clear, then chunks, each encrypted and bound to its place.
//!
//! The header names the master key and holds the backup's own key, wrapped by it. The chunks are the STREAM
//! construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM: a chunk opens in its place alone, and the
//! last one says that it is, so that whatever is cut off, altered or exchanged is found. Every chunk is bound to the
//! header as well. Nothing here knows what stands in a chunk.

use std::io::{self, Read, Write};
use std::path::Path;

use aead_stream::{DecryptorBE32, EncryptorBE32};
use aes_gcm::aead::Payload;
use aes_gcm::{Aes256Gcm, Key};
use chrono::{DateTime, Utc};
use minicbor::{Decode, Encode};
use rand::Rng;
use sha2::{Digest, Sha256};

use super::Refusal;
use crate::error::Error;
use crate::store::hex;
use crate::store::keys::master::MasterKey;

const MAGIC: &[u8; 8] = b"xuejibak";
const FORMAT: u16 = 1;
/// Magic, format and length of the header.
const BEFORE: usize = 12;
/// Bytes of a chunk before it is encrypted.
pub(super) const CHUNK: usize = 1 << 16;
const TAG: usize = 16;
/// A key seals one backup and no other, so its nonces may begin alike.
const NONCE: [u8; 7] = [0; 7];

/// What stands in the clear at the beginning of a backup.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct Header {
    #[n(0)]
    master: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
    /// Microseconds since 1970.
    #[n(2)]
    taken_at: i64,
}

fn purpose(taken_at: i64) -> String {
    format!("xueji backup key 1: {taken_at}")
}

/// The key of one backup and the header that goes with it.
pub(super) struct Opened {
    pub(super) key: [u8; 32],
    head: Vec<u8>,
}

/// Draws the key of a new backup.
pub(super) async fn drawn(master: &dyn MasterKey, at: DateTime<Utc>) -> Result<Opened, Refusal> {
    let mut key = [0_u8; 32];
    rand::rng().fill(&mut key);
    let taken_at = at.timestamp_micros();
    let wrapped = master.wrap(&purpose(taken_at), &key).await?;
    let header = Header { master: master.id(), wrapped, taken_at };
    let text = minicbor::to_vec(&header)
        .map_err(|_never| Error::internal("the header of a backup cannot be written"))?;
    let length = u16::try_from(text.len())
        .map_err(|_long| Error::internal("the header of a backup is too long"))?;
    let mut head = Vec::with_capacity(BEFORE + text.len());
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&FORMAT.to_be_bytes());
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&text);
    Ok(Opened { key, head })
}

/// Reads the header of a backup and unwraps its key.
pub(super) async fn opened(
    path: &Path,
    file: &mut impl Read,
    master: &dyn MasterKey,
) -> Result<Opened, Refusal> {
    let shown = || path.display().to_string();
    let mut head = vec![0; BEFORE];
    read_all(path, file, &mut head)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let &[a, b, c, d] = rest else { return Err(Refusal::Foreign(shown())) };
    if magic != MAGIC {
        return Err(Refusal::Foreign(shown()));
    }
    let format = u16::from_be_bytes([a, b]);
    if format != FORMAT {
        return Err(Refusal::NewerFormat(shown(), format));
    }
    let mut text = vec![0; usize::from(u16::from_be_bytes([c, d]))];
    read_all(path, file, &mut text)?;
    let header: Header = minicbor::decode(&text).map_err(|_damaged| Refusal::Header(shown()))?;
    head.extend_from_slice(&text);
    match master.open(&purpose(header.taken_at), &header.wrapped).await {
        Ok(key) => {
            let key = key.try_into().map_err(|_length| Refusal::Header(shown()))?;
            Ok(Opened { key, head })
        }
        // The service does not answer, which says nothing of the key.
        Err(error @ Error::Unavailable) => Err(error.into()),
        Err(_) if header.master != master.id() => {
            // An altered fingerprint is shown as far as it could be one.
            let made_under = header.master.chars().take(16).collect::<String>();
            let made_under = made_under.escape_default().to_string();
            Err(Refusal::OtherMaster { made_under, given: master.id() })
        }
        Err(_) => Err(Refusal::Header(shown())),
    }
}

fn read_all(path: &Path, file: &mut impl Read, into: &mut [u8]) -> Result<(), Refusal> {
    file.read_exact(into).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Refusal::Foreign(path.display().to_string());
        }
        Refusal::unreadable(path, &error)
    })
}

/// Encrypts what is written to it.
pub(super) struct Sealer<W: Write> {
    out: W,
    stream: EncryptorBE32<Aes256Gcm>,
    bound: [u8; 32],
    waiting: Vec<u8>,
    digest: Sha256,
    bytes: u64,
}

/// A backup that was written: what it digests to, and how long it is.
pub(super) struct Written<W> {
    pub(super) out: W,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl<W: Write> Sealer<W> {
    /// Writes the header.
    pub(super) fn new(out: W, opened: &Opened) -> io::Result<Self> {
        let stream = EncryptorBE32::new(&Key::<Aes256Gcm>::from(opened.key), &NONCE.into());
        let bound = Sha256::digest(&opened.head).into();
        let waiting = Vec::with_capacity(CHUNK);
        let mut this = Self { out, stream, bound, waiting, digest: Sha256::new(), bytes: 0 };
        this.put(&opened.head)?;
        Ok(this)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Writes the last chunk, which is never an empty file's worth: it is there even when nothing waits.
    pub(super) fn finish(self) -> io::Result<Written<W>> {
        let Self { mut out, stream, bound, waiting, mut digest, mut bytes } = self;
        let last = stream.encrypt_last(Payload { msg: &waiting, aad: &bound }).map_err(sealing)?;
        out.write_all(&last)?;
        digest.update(&last);
        bytes += u64::try_from(last.len()).unwrap_or(u64::MAX);
        Ok(Written { out, sha256: hex(&digest.finalize()), bytes })
    }
}

fn sealing(_opaque: aes_gcm::aead::Error) -> io::Error {
    io::Error::other("a chunk cannot be encrypted")
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() == CHUNK {
            let payload = Payload { msg: self.waiting.as_slice(), aad: &self.bound };
            let chunk = self.stream.encrypt_next(payload).map_err(sealing)?;
            self.waiting.clear();
            self.put(&chunk)?;
        }
        let taken = bytes.len().min(CHUNK - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A chunk has one size, so what waits for its end goes on waiting.
        Ok(())
    }
}

/// A chunk that does not open in its place, by its number from 1.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("chunk {0} does not open in its place")]
pub(super) struct Damage(pub(super) u64);

/// Decrypts what is read through it. Nothing of a chunk is told before the whole of it is authenticated.
pub(super) struct Unsealer<R: Read> {
    file: R,
    stream: Option<DecryptorBE32<Aes256Gcm>>,
    bound: [u8; 32],
    /// The chunk that is opened next, as it stands in the file.
    next: Vec<u8>,
    open: Vec<u8>,
    at: usize,
    number: u64,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Unsealer<R> {
    /// Goes on behind the header.
    pub(super) fn new(file: R, opened: &Opened) -> io::Result<Self> {
        let stream = DecryptorBE32::new(&Key::<Aes256Gcm>::from(opened.key), &NONCE.into());
        let mut this = Self {
            file,
            stream: Some(stream),
            bound: Sha256::digest(&opened.head).into(),
            next: Vec::new(),
            open: Vec::new(),
            at: 0,
            number: 1,
            digest: Sha256::new(),
            bytes: 0,
        };
        this.count(&opened.head);
        this.next = this.chunk()?;
        Ok(this)
    }

    fn count(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    /// What the file digests to and how long it is, once all of it was read.
    pub(super) fn told(&self) -> (String, u64) {
        (hex(&self.digest.clone().finalize()), self.bytes)
    }

    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK + TAG);
        let most = u64::try_from(CHUNK + TAG).unwrap_or(u64::MAX);
        (&mut self.file).take(most).read_to_end(&mut chunk)?;
        self.count(&chunk);
        Ok(chunk)
    }

    /// Opens the next chunk; false behind the last.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(mut stream) = self.stream.take() else { return Ok(false) };
        let number = self.number;
        let damage = |_opaque| io::Error::other(Damage(number));
        let following = if self.next.len() < CHUNK + TAG { Vec::new() } else { self.chunk()? };
        let payload = Payload { msg: self.next.as_slice(), aad: &self.bound };
        if following.is_empty() {
            self.open = stream.decrypt_last(payload).map_err(damage)?;
        } else {
            self.open = stream.decrypt_next(payload).map_err(damage)?;
            self.stream = Some(stream);
        }
        self.at = 0;
        self.number += 1;
        self.next = following;
        Ok(true)
    }
}

impl<R: Read> Read for Unsealer<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.open.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let taken = into.len().min(self.open.len() - self.at);
        into[..taken].copy_from_slice(&self.open[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
