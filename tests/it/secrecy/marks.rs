//! The marks of the sealed columns, and where they are looked for: bytes of files, tables as text.

use std::path::Path;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use xueji::access::view::Kind;

use crate::support::truth::Truth;

/// The values of the sealed columns, each a mark of its own.
pub(super) fn sealed(truth: &Truth) -> Vec<String> {
    texts(truth, |kind| matches!(kind, Kind::Sealed { .. }))
}

/// Those of them that are no six digits, which stand in the fractions of a log's times by chance.
pub(super) fn long(marks: &[String]) -> Vec<String> {
    marks.iter().filter(|mark| mark.len() > 8).cloned().collect()
}

/// The names of pupils, which are not sealed: what the search finds if it finds anything.
pub(super) fn open(truth: &Truth) -> Vec<String> {
    let names = texts(truth, |kind| matches!(kind, Kind::Text(Some(_))));
    names.into_iter().filter(|name| name.starts_with("Mkpupil")).collect()
}

fn texts(truth: &Truth, of: impl Fn(Kind) -> bool) -> Vec<String> {
    let mut texts: Vec<String> = truth
        .rows
        .values()
        .flat_map(|row| row.shown.iter().map(move |(field, value)| (row, *field, value)))
        .filter(|(row, field, _)| of(row.noun.shape.fields[*field].kind))
        .filter_map(|(_, _, value)| value.as_str().map(ToOwned::to_owned))
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The marks that stand in these bytes: as they are, in hexadecimal digits of either case, and in UTF-16.
pub(crate) fn found<'m>(bytes: &[u8], marks: &'m [String]) -> Vec<&'m str> {
    let finder = Finder::of(bytes);
    marks.iter().map(String::as_str).filter(|mark| finder.holds(mark)).collect()
}

struct Finder<'b> {
    bytes: &'b [u8],
    /// Where each pair of bytes stands, so that many marks are looked for in one pass.
    pairs: Vec<Vec<u32>>,
}

impl<'b> Finder<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        let mut pairs = vec![Vec::new(); 1 << 16];
        for (at, pair) in bytes.windows(2).enumerate() {
            let pair = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            pairs[pair].push(u32::try_from(at).unwrap());
        }
        Self { bytes, pairs }
    }

    fn holds(&self, mark: &str) -> bool {
        let hex = |upper: bool| -> String {
            let digit =
                |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            mark.bytes().map(digit).collect()
        };
        let wide: Vec<u8> = mark.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.at(mark.as_bytes()).any(|at| self.by_itself(at, mark))
            || [hex(false).into_bytes(), hex(true).into_bytes(), wide]
                .iter()
                .any(|form| self.at(form).next().is_some())
    }

    fn at<'s>(&'s self, form: &'s [u8]) -> impl Iterator<Item = usize> + 's {
        let pair = usize::from(form[0]) << 8 | usize::from(form[1]);
        let starts = self.pairs[pair].iter().map(|at| usize::try_from(*at).unwrap());
        starts.filter(|at| self.bytes[*at..].starts_with(form))
    }

    /// Six digits are somewhere in any long row of hexadecimal digits; longer marks are nowhere by chance.
    fn by_itself(&self, at: usize, mark: &str) -> bool {
        let digit = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        mark.len() > 8 || !(at > 0 && digit(at - 1) || digit(at + mark.len()))
    }
}

/// The files of a folder, with their names.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// Every row of every table as text, table by table, as a dump has them.
pub(crate) async fn dump(db: &DatabaseConnection) -> Vec<(String, String)> {
    let backend = db.get_database_backend();
    let tables = match backend {
        DbBackend::Postgres => {
            "SELECT table_name AS name FROM information_schema.tables \
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
        }
        _ => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
             ORDER BY 1"
        }
    };
    let ask =
        async |sql: String| db.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    let mut dump = Vec::new();
    for table in ask(tables.to_owned()).await {
        let table: String = table.try_get("", "name").unwrap();
        let rows = match backend {
            DbBackend::Postgres => {
                format!("SELECT row_to_json(t)::text AS line FROM \"{table}\" t ORDER BY 1")
            }
            _ => {
                let columns = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
                let quoted: Vec<String> = ask(columns)
                    .await
                    .iter()
                    .map(|row| format!("quote(\"{}\")", row.try_get::<String>("", "name").unwrap()))
                    .collect();
                format!("SELECT {} AS line FROM \"{table}\" ORDER BY 1", quoted.join(" || ',' || "))
            }
        };
        let rows = ask(rows).await;
        let lines: Vec<String> = rows.iter().map(|row| row.try_get("", "line").unwrap()).collect();
        dump.push((table, lines.join("\n")));
    }
    dump
}
