//! What stands in the stream of a backup: the manifest, blocks of rows, and the totals at its end.
//!
//! A frame is a byte for its kind, its length, its content. A row is its cells one after the other in CBOR, which
//! is also what the checksum of a table is taken over, so that a row read from either database has the same bytes.

use std::io::{self, Read};

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::error::{Error, Result};

const MANIFEST: u8 = 1;
const ROWS: u8 = 2;
const END: u8 = 3;
/// Longer content is no frame of ours: a row is held in memory as a whole, and no row is that long.
const LONGEST: u32 = 1 << 30;
/// Table and count, before the rows of a block.
const BLOCK: usize = 8;

/// A value of a row, as both databases tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Bool(bool),
    /// Text, and days and instants as SQLite keeps them.
    Text(String),
    /// Bytes and UUIDs.
    Bytes(Vec<u8>),
}

impl Cell {
    /// Adds it to the rows of a block.
    pub(super) fn put(&self, into: &mut Vec<u8>) {
        let mut encoder = Encoder::new(into);
        // Writing into memory cannot fail.
        let _ = match self {
            Self::Null => encoder.null().map(drop),
            Self::Int(number) => encoder.i64(*number).map(drop),
            Self::Bool(flag) => encoder.bool(*flag).map(drop),
            Self::Text(text) => encoder.str(text).map(drop),
            Self::Bytes(bytes) => encoder.bytes(bytes).map(drop),
        };
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not listed is no cell")]
    fn get(decoder: &mut Decoder<'_>) -> Result<Self> {
        let odd = |_detail| Error::internal("a row of the backup cannot be read");
        Ok(match decoder.datatype().map_err(odd)? {
            Type::Null => {
                decoder.null().map_err(odd)?;
                Self::Null
            }
            Type::Bool => Self::Bool(decoder.bool().map_err(odd)?),
            Type::String => Self::Text(decoder.str().map_err(odd)?.to_owned()),
            Type::Bytes => Self::Bytes(decoder.bytes().map_err(odd)?.to_vec()),
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int => Self::Int(decoder.i64().map_err(odd)?),
            _ => return Err(Error::internal("a row of the backup holds no such value")),
        })
    }
}

/// Rows of one table on their way.
pub(super) struct Block {
    pub(super) table: u32,
    pub(super) count: u32,
    /// The cells, row after row.
    pub(super) rows: Vec<u8>,
}

impl Block {
    /// The rows, each of so many cells.
    pub(super) fn cells(&self, columns: usize) -> Result<Vec<Vec<Cell>>> {
        let mut decoder = Decoder::new(&self.rows);
        let rows = (0..self.count)
            .map(|_| (0..columns).map(|_| Cell::get(&mut decoder)).collect())
            .collect::<Result<Vec<Vec<Cell>>>>()?;
        match decoder.position() == self.rows.len() {
            true => Ok(rows),
            false => Err(Error::internal("a block of the backup holds more than its rows")),
        }
    }
}

/// A frame as it is read.
pub(super) enum Frame {
    /// JSON of the manifest.
    Manifest(Vec<u8>),
    Rows(Block),
    /// JSON of the totals.
    End(Vec<u8>),
}

fn framed(kind: u8, parts: &[&[u8]]) -> Result<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let short = u32::try_from(length).ok().filter(|length| *length <= LONGEST);
    let short = short.ok_or_else(|| Error::internal("a frame of the backup is too long"))?;
    let mut bytes = Vec::with_capacity(length + 5);
    bytes.push(kind);
    bytes.extend_from_slice(&short.to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(bytes)
}

impl Frame {
    /// As it stands in the stream.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Manifest(text) => framed(MANIFEST, &[text]),
            Self::End(text) => framed(END, &[text]),
            Self::Rows(block) => {
                framed(ROWS, &[&block.table.to_be_bytes(), &block.count.to_be_bytes(), &block.rows])
            }
        }
    }

    /// The next frame; none at the end of the stream.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut kind = [0];
        loop {
            match stream.read(&mut kind) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let odd = || io::Error::from(io::ErrorKind::InvalidData);
        if length > LONGEST {
            return Err(odd());
        }
        let mut content = Vec::new();
        stream.take(length.into()).read_to_end(&mut content)?;
        if content.len() != usize::try_from(length).unwrap_or(usize::MAX) {
            return Err(odd());
        }
        match kind {
            [MANIFEST] => Ok(Some(Self::Manifest(content))),
            [END] => Ok(Some(Self::End(content))),
            [ROWS] if content.len() >= BLOCK => {
                let rows = content.split_off(BLOCK);
                let (table, count) = content.split_at(BLOCK / 2);
                let number = |bytes: &[u8]| {
                    bytes.try_into().map(u32::from_be_bytes).map_err(|_length| odd())
                };
                let (table, count) = (number(table)?, number(count)?);
                Ok(Some(Self::Rows(Block { table, count, rows })))
            }
            _ => Err(odd()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        let row = vec![
            Cell::Null,
            Cell::Int(i64::MIN),
            Cell::Int(i64::MAX),
            Cell::Int(7),
            Cell::Bool(true),
            Cell::Text("学籍\0\n".into()),
            Cell::Bytes(vec![0, 255]),
        ];
        let mut rows = Vec::new();
        for _ in 0..3 {
            row.iter().for_each(|cell| cell.put(&mut rows));
        }
        let bytes = Frame::Rows(Block { table: 4, count: 3, rows }).bytes().unwrap();
        let Some(Frame::Rows(block)) = Frame::read(&mut bytes.as_slice()).unwrap() else {
            panic!("rows")
        };
        assert_eq!((block.table, block.count), (4, 3));
        assert_eq!(block.cells(row.len()).unwrap(), vec![row.clone(); 3]);
        assert!(block.cells(row.len() - 1).is_err());
        assert!(Frame::read(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(Frame::read(&mut [].as_slice()).unwrap().is_none());
    }
}
