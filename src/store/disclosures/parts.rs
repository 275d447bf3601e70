//! The parts of a line as bytes: CBOR (RFC 8949), which any language reads without this program.
//!
//! A line is `[version, [part …]]`; a part is `[role, reach, grants, rules, columns, students]`, where
//! grants and students are the bytes of their keys one after the other. Nothing of a value is in it.

use minicbor::{Decode, Encode};
use uuid::Uuid;

use crate::access::disclosure::Part;
use crate::error::{Error, Result};

const VERSION: u8 = 1;

#[derive(Encode, Decode)]
#[cbor(array)]
struct Written {
    #[n(0)]
    version: u8,
    #[n(1)]
    parts: Vec<WrittenPart>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct WrittenPart {
    #[n(0)]
    role: String,
    #[n(1)]
    reach: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    grants: Vec<u8>,
    #[n(3)]
    rules: String,
    #[n(4)]
    columns: String,
    #[cbor(n(5), with = "minicbor::bytes")]
    students: Vec<u8>,
}

fn keys(ids: &[Uuid]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

fn ids(bytes: &[u8]) -> Result<Vec<Uuid>> {
    let (keys, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(unreadable());
    }
    Ok(keys.iter().map(|key| Uuid::from_bytes(*key)).collect())
}

fn unreadable() -> Error {
    Error::internal("a line of disclosures cannot be read")
}

/// The bytes of parts.
pub(super) fn write(parts: &[Part]) -> Result<Vec<u8>> {
    let parts = parts
        .iter()
        .map(|part| WrittenPart {
            role: part.role.clone(),
            reach: part.reach.clone(),
            grants: keys(&part.grants),
            rules: part.rules.clone(),
            columns: part.columns.clone(),
            students: keys(&part.students),
        })
        .collect();
    minicbor::to_vec(Written { version: VERSION, parts })
        .map_err(|_never| Error::internal("a line of disclosures cannot be written"))
}

/// The parts of bytes.
pub(in crate::store) fn read(bytes: &[u8]) -> Result<Vec<Part>> {
    let written: Written = minicbor::decode(bytes).map_err(|_detail| unreadable())?;
    if written.version != VERSION {
        return Err(unreadable());
    }
    written
        .parts
        .into_iter()
        .map(|part| {
            Ok(Part {
                role: part.role,
                reach: part.reach,
                grants: ids(&part.grants)?,
                rules: part.rules,
                columns: part.columns,
                students: ids(&part.students)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(students: usize) -> Part {
        Part {
            role: "homeroom_teacher".to_owned(),
            reach: "class".to_owned(),
            grants: vec![Uuid::now_v7()],
            rules: "guardian.csv:7 student.csv:12,40".to_owned(),
            columns: "Guardian.phone Student.name".to_owned(),
            students: (0..students).map(|_| Uuid::now_v7()).collect(),
        }
    }

    #[test]
    fn parts_come_back_as_they_were_written() {
        for parts in [vec![], vec![part(1)], vec![part(30), part(0), part(300)]] {
            assert_eq!(read(&write(&parts).unwrap()).unwrap(), parts);
        }
    }

    #[test]
    fn a_roster_is_little_more_than_its_keys() {
        let bytes = write(&[part(30)]).unwrap().len();
        assert!(bytes < 30 * 16 + 150, "{bytes} bytes");
    }

    #[test]
    fn what_is_no_line_is_an_error_and_no_panic() {
        let whole = write(&[part(2)]).unwrap();
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end} bytes of {}", whole.len());
        }
        let mut newer = whole.clone();
        newer[1] = 2;
        assert!(read(&newer).is_err(), "another version");
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] = broken[at].wrapping_add(0x5b);
            let _either = read(&broken);
        }
    }
}
