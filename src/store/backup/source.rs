//! A backup that is read: a thread of its own opens and decompresses, and hands frames on as fast as they are taken.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::frame::{Block, Frame};
use super::sealed::{Damage, Opened, Unsealer, opened};
use super::{Manifest, Refusal, Total};
use crate::error::Error;
use crate::store::keys::master::MasterKey;

/// Frames that wait between the thread and whoever takes them.
const WAITING: usize = 2;

/// What all of a file digests to, once it was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Digested {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// A backup whose manifest is known and whose rows are still to come.
pub(super) struct Source {
    path: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) key: [u8; 32],
    frames: mpsc::Receiver<Frame>,
    reader: JoinHandle<Result<Digested, Refusal>>,
}

/// What follows in a backup.
pub(super) enum Step {
    Rows(Block),
    End(Vec<Total>),
}

impl Source {
    /// Opens a backup and reads its manifest.
    pub(super) async fn open(path: &Path, master: &dyn MasterKey) -> Result<Self, Refusal> {
        let file = File::open(path).map_err(|error| Refusal::unreadable(path, &error))?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let opened = opened(path, &mut file, master).await?;
        let key = opened.key;
        let (sender, mut frames) = mpsc::channel(WAITING);
        let mine = path.to_owned();
        let reader = tokio::task::spawn_blocking(move || read(&mine, file, &opened, &sender));
        let Some(Frame::Manifest(text)) = frames.recv().await else {
            drop(frames);
            digested(reader).await?;
            return Err(Refusal::odd(path, "it does not begin with its manifest"));
        };
        let manifest = serde_json::from_slice(&text)
            .map_err(|_detail| Refusal::odd(path, "its manifest cannot be read"))?;
        Ok(Self { path: path.to_owned(), manifest, key, frames, reader })
    }

    /// What follows. The end is told once every byte of the file is authenticated.
    pub(super) async fn next(&mut self) -> Result<Step, Refusal> {
        match self.frames.recv().await {
            Some(Frame::Rows(block)) => Ok(Step::Rows(block)),
            Some(Frame::End(text)) => {
                let totals: Vec<Total> = serde_json::from_slice(&text)
                    .map_err(|_detail| Refusal::odd(&self.path, "its totals cannot be read"))?;
                if totals.len() != self.manifest.tables.len() {
                    return Err(Refusal::odd(&self.path, "its totals are not those of its tables"));
                }
                match self.frames.recv().await {
                    None => Ok(Step::End(totals)),
                    Some(_) => Err(Refusal::odd(&self.path, "something follows its totals")),
                }
            }
            Some(Frame::Manifest(_)) => {
                Err(Refusal::odd(&self.path, "its manifest stands there twice"))
            }
            None => {
                digested(&mut self.reader).await?;
                Err(Refusal::odd(&self.path, "it ends without its totals"))
            }
        }
    }

    /// What the file digests to; asked after its end.
    pub(super) async fn digested(self) -> Result<Digested, Refusal> {
        drop(self.frames);
        digested(self.reader).await
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

async fn digested(
    reader: impl Future<Output = Result<Result<Digested, Refusal>, tokio::task::JoinError>>,
) -> Result<Digested, Refusal> {
    reader.await.map_err(|_panic| Error::internal("the reader of a backup stopped"))?
}

fn read(
    path: &Path,
    file: impl Read,
    opened: &Opened,
    frames: &mpsc::Sender<Frame>,
) -> Result<Digested, Refusal> {
    let wrong =
        |error: io::Error| match error.get_ref().and_then(|inner| inner.downcast_ref::<Damage>()) {
            Some(damage) => Refusal::Chunk { file: path.display().to_string(), chunk: damage.0 },
            None if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other
            ) =>
            {
                Refusal::odd(path, "what is inside cannot be read")
            }
            None => Refusal::unreadable(path, &error),
        };
    let unsealer = Unsealer::new(file, opened).map_err(wrong)?;
    let mut stream = zstd::stream::read::Decoder::new(unsealer).map_err(wrong)?;
    let mut ended = false;
    while let Some(frame) = Frame::read(&mut stream).map_err(wrong)? {
        ended = matches!(frame, Frame::End(_));
        // Held back until the last byte of the file is authenticated.
        if ended && Frame::read(&mut stream).map_err(wrong)?.is_some() {
            return Err(Refusal::odd(path, "something follows its totals"));
        }
        if frames.blocking_send(frame).is_err() {
            break;
        }
        if ended {
            break;
        }
    }
    if !ended {
        return Err(Refusal::odd(path, "it ends without its totals"));
    }
    let (sha256, bytes) = stream.get_ref().get_ref().told();
    Ok(Digested { sha256, bytes })
}
