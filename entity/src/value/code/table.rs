//! Reads the code lists from the embedded files and corrects the defects that are known of them.
//! A line that does not parse is left out; the tests count the lines, so that none goes missing unnoticed.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use super::{Language, divisions};

/// One line of a code list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Id of the list, for example `RDXB`.
    pub list: String,
    /// Standard that the list comes from, for example `GB/T 2261.1`.
    pub system: String,
    /// The code.
    pub code: String,
    /// Name in Chinese. Of a division the full path.
    pub zh: String,
    /// Name in English, where there is one.
    pub en: Option<String>,
}

impl Entry {
    /// The name; Chinese where there is no English one.
    pub fn label(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => self.en.as_deref().unwrap_or(&self.zh),
        }
    }
}

/// All lists, each a run of entries.
pub(super) struct Tables {
    entries: Vec<Entry>,
    lists: HashMap<String, Range<usize>>,
    index: HashMap<String, usize>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

pub(super) fn tables() -> &'static Tables {
    &TABLES
}

impl Tables {
    pub(super) fn entry(&self, text: &str) -> Option<&Entry> {
        self.entries.get(*self.index.get(text)?)
    }

    pub(super) fn list(&self, list: &str) -> &[Entry] {
        self.lists.get(list).and_then(|range| self.entries.get(range.clone())).unwrap_or_default()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.lists.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn read() -> Self {
        let mut entries = Vec::new();
        for [list, system, _, code, zh, _] in rows(include_str!("../../../data/gbt-codes.csv")) {
            entries.push(Entry { list, system, code, zh, en: None });
        }
        for [list, _, code, zh, _] in rows(include_str!("../../../data/jyt1001-codes.csv")) {
            entries.push(Entry { system: format!("JY/T 1001 {list}"), list, code, zh, en: None });
        }
        for [list, system, code, zh, en] in
            rows(include_str!("../../../data/national-form-codes.csv"))
        {
            entries.push(Entry { list, system, code, zh, en: Some(en) });
        }
        let mut entries = corrected(entries);
        // A stable sort by list keeps the order of lines and makes each list one run.
        entries.sort_by(|a, b| a.list.cmp(&b.list));

        let english: HashMap<(String, String), String> =
            rows(include_str!("../../../data/english.csv"))
                .map(|[list, code, en]| ((list, code), en))
                .collect();
        for entry in &mut entries {
            if let Some(en) = english.get(&(entry.list.clone(), entry.code.clone())) {
                entry.en = Some(en.clone());
            }
        }
        entries.extend(divisions::paths().into_iter().map(|(code, zh)| Entry {
            list: divisions::LIST.to_owned(),
            system: "GB/T 2260".to_owned(),
            code,
            zh,
            en: None,
        }));
        Self::indexed(entries)
    }

    fn indexed(entries: Vec<Entry>) -> Self {
        let mut lists: HashMap<String, Range<usize>> = HashMap::new();
        let mut index = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            lists.entry(entry.list.clone()).or_insert(at..at).end = at + 1;
            index.entry(format!("{}:{}", entry.list, entry.code)).or_insert(at);
        }
        Self { entries, lists, index }
    }
}

/// Rows of an embedded file with `N` columns, without the header line.
pub(super) fn rows<const N: usize>(file: &'static str) -> impl Iterator<Item = [String; N]> {
    csv::Reader::from_reader(file.as_bytes()).into_records().filter_map(|line| {
        let cells: Vec<String> = line.ok()?.iter().map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().ok()
    })
}

/// Applies what `entity/data/README.md` says about defects of the transcription.
fn corrected(entries: Vec<Entry>) -> Vec<Entry> {
    let mut corrected: Vec<Entry> = entries
        .into_iter()
        // Group headings that slipped into the rows.
        .filter(|entry| {
            !(entry.list == "XJYDYY" && matches!(entry.code.as_str(), "4" | "5" | "6" | "7" | "8"))
        })
        .map(|mut entry| {
            match (entry.list.as_str(), entry.code.as_str()) {
                ("ZGGMZMCDLMZMPXF", "36") => entry.zh = "毛南族".to_owned(),
                ("SFZJLX", "B") => entry.zh = "户口簿".to_owned(),
                // The year counts lost their 年.
                ("DABGQX", _) if entry.zh.bytes().all(|b| b.is_ascii_digit()) => {
                    entry.zh.push('年')
                }
                _ => {}
            }
            entry
        })
        .collect();
    if let Some(at) = corrected.iter().rposition(|entry| entry.list == "RDXB") {
        corrected.insert(
            at + 1,
            Entry {
                list: "RDXB".to_owned(),
                system: "GB/T 2261.1".to_owned(),
                code: "9".to_owned(),
                zh: "未说明的性别".to_owned(),
                en: None,
            },
        );
    }
    corrected
}
