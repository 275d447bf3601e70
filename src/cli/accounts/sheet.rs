//! A table from a file: CSV in UTF-8 or GB 18030, or the first sheet of an XLSX workbook.
//!
//! What a file is, its bytes say and not its name. Refusals name rows and never quote a cell.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, bail};
use calamine::{Data, Reader, Xlsx};

use crate::domain::account::import::{ROWS, Row, Sheet};

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

/// Reads the table of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Sheet> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("{shown} cannot be read"))?.len();
    if size > LARGEST {
        bail!("{shown} is larger than {} MiB; split it.", LARGEST >> 20);
    }
    let bytes = std::fs::read(path).with_context(|| format!("{shown} cannot be read"))?;
    let sheet = if bytes.starts_with(b"PK\x03\x04") { xlsx(bytes) } else { csv(&bytes) }
        .with_context(|| format!("{shown} cannot be read as a table"))?;
    if sheet.head.is_empty() {
        bail!("{shown} is empty: its first row must name the columns.");
    }
    if sheet.rows.len() > ROWS {
        bail!("{shown} has more than {ROWS} rows; split it.");
    }
    Ok(sheet)
}

/// A text as the programs that write tables have it: UTF-8, or else GB 18030, which GBK and GB 2312 are parts of.
fn text(bytes: &[u8]) -> anyhow::Result<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let decoded = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    Ok(decoded.context("it is neither UTF-8 nor GB 18030")?.into_owned())
}

fn csv(bytes: &[u8]) -> anyhow::Result<Sheet> {
    let text = text(bytes)?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut sheet = Sheet::default();
    let mut lines = Lines::of(text.as_bytes());
    for record in reader.records() {
        // The library's own message may quote what it read; its place does not.
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            anyhow::anyhow!("the row at line {line} is no CSV")
        })?;
        let at = record.position().map_or(0, csv::Position::byte);
        let number = lines.number(usize::try_from(at).unwrap_or(usize::MAX));
        add(&mut sheet, number, record.iter().map(str::to_owned).collect());
    }
    Ok(sheet)
}

/// Counts the lines of a text. The library counts a line before the break that ends it is read whole.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl<'t> Lines<'t> {
    fn of(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of the first character from a place on that is no break; places only grow.
    fn number(&mut self, from: usize) -> u64 {
        while let Some(byte) = self.text.get(self.at) {
            let breaks = matches!(byte, b'\n' | b'\r');
            if self.at >= from && !breaks {
                break;
            }
            let half = *byte == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(breaks && !half);
            self.at += 1;
        }
        self.line
    }
}

fn xlsx(bytes: Vec<u8>) -> anyhow::Result<Sheet> {
    let unreadable = "it is no workbook that can be read; save it as XLSX or CSV anew";
    let mut book: Xlsx<_> =
        Xlsx::new(Cursor::new(bytes)).map_err(|_detail| anyhow::anyhow!(unreadable))?;
    let range = book.worksheet_range_at(0).context("the workbook has no sheet")?;
    let range = range.map_err(|_detail| anyhow::anyhow!(unreadable))?;
    let first = range.start().map_or(0, |(row, _)| row);
    let mut sheet = Sheet::default();
    for (at, cells) in range.rows().enumerate() {
        let number = u64::from(first) + u64::try_from(at).unwrap_or(u64::MAX - (1 << 33)) + 1;
        add(&mut sheet, number, cells.iter().map(cell).collect());
    }
    Ok(sheet)
}

/// A cell as a person reads it: numbers without a fraction have none.
fn cell(data: &Data) -> String {
    match data {
        Data::String(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(truth) => truth.to_string(),
        Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::DateTime(instant) => instant.as_f64().to_string(),
        Data::Error(_) | Data::Empty => String::new(),
        #[expect(
            unreachable_patterns,
            reason = "a later version of the library may know more kinds of cells"
        )]
        _ => String::new(),
    }
}

/// The first row that holds anything names the columns.
fn add(sheet: &mut Sheet, number: u64, cells: Vec<String>) {
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return;
    }
    if sheet.head.is_empty() {
        sheet.head = cells;
    } else {
        sheet.rows.push(Row { number, cells });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sheet: &Sheet) -> Vec<u64> {
        sheet.rows.iter().map(|row| row.number).collect()
    }

    #[test]
    fn a_table_is_read_in_either_encoding_with_the_numbers_of_its_rows() {
        let table = "工号,姓名\r\n\r\nT1,王小明\r\n,\r\nT2,\"李\n四\"\r\nT3,赵五\r\n";
        let (gb, _, lost) = encoding_rs::GB18030.encode(table);
        assert!(!lost);
        let marked = [b"\xef\xbb\xbf", table.as_bytes()].concat();
        for bytes in [table.as_bytes(), &gb, &marked] {
            let sheet = csv(bytes).unwrap();
            assert_eq!(sheet.head, ["工号", "姓名"]);
            assert_eq!(numbers(&sheet), [3, 5, 7]);
            assert_eq!(sheet.rows[0].cells, ["T1", "王小明"]);
        }
    }

    #[test]
    fn what_is_no_text_is_refused_without_a_quotation() {
        let error = csv(b"a,b\n\xff\xff\x00,secret\n").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_number_of_a_workbook_is_written_as_people_write_it() {
        assert_eq!(cell(&Data::Float(13_800_001_234.0)), "13800001234");
        assert_eq!(cell(&Data::Float(1.5)), "1.5");
    }
}
