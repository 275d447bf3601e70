//! The names of the rows that keys lead to, each under the caller's own scope.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{Figures, Key, KeyValue, column};
use crate::access::filter::{Filter, Key as RowKey};
use crate::access::scope::Scope;
use crate::access::shown::{Leaf, Shown};
use crate::domain::Cx;
use crate::error::Result;
use crate::store::read::{Ask, List};

/// The names of the rows that keys lead to, where the caller may read them: one statement a noun.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<(&'static str, Uuid), String>);

/// The noun that a key leads to; none for codes and numbers.
pub fn leads_to(key: Key) -> Option<&'static str> {
    match key {
        Key::School | Key::County => Some("organisation"),
        Key::YearLevel => Some("year_level"),
        Key::Exam => Some("exam"),
        Key::Course => Some("course"),
        Key::ClassGroup => Some("class_group"),
        Key::Term => Some("term"),
        Key::Programme => Some("aid_programme"),
        Key::Stage
        | Key::ClassSizeBand
        | Key::Gender
        | Key::EthnicGroup
        | Key::Status
        | Key::Boarding
        | Key::LeftBehind
        | Key::AidState => None,
    }
}

/// The keys of rows whose names are wanted, by noun.
pub type Wanted = BTreeMap<&'static str, Vec<Uuid>>;

impl Names {
    /// The name of a row.
    pub fn get(&self, noun: &'static str, id: Uuid) -> Option<&str> {
        self.0.get(&(noun, id)).map(String::as_str)
    }

    /// Reads the names of the keys of an answer.
    pub async fn of<F: Sync, T: Sync>(cx: &Cx, figures: &Figures<F, T>) -> Result<Self> {
        let mut wanted = Wanted::new();
        for (at, key) in figures.keys.iter().enumerate() {
            let Some(noun) = leads_to(*key) else { continue };
            let ids = figures.groups.iter().filter_map(|group| match group.keys.get(at) {
                Some(KeyValue::Id(id)) => Some(*id),
                _ => None,
            });
            wanted.entry(noun).or_default().extend(ids);
        }
        Self::of_rows(cx, wanted).await
    }

    /// Reads the names of rows.
    pub async fn of_rows(cx: &Cx, wanted: Wanted) -> Result<Self> {
        let mut names = Self::default();
        for (of, mut ids) in wanted {
            ids.sort_unstable();
            ids.dedup();
            let (noun, field) = column(cx, (of, "name"))?;
            let scope = Scope::reading(&cx.caller, noun);
            let keys = ids.into_iter().map(|id| RowKey { student: None, id }).collect();
            let lists = cx
                .store
                .list(&List {
                    scope: &scope,
                    ask: &Ask { noun, fields: vec![field], ones: Vec::new() },
                    filter: Some(&Filter::Keys(keys)),
                    order: &[],
                    window: None,
                    total: false,
                    rows: true,
                })
                .await?;
            let rows = &lists.rows;
            let slot = rows.slot(field);
            for row in 0..rows.len() {
                let plan = rows.plan(rows.cover(row));
                if let Shown::Full(Leaf::Text(name)) = rows.show(row, &plan, field, slot) {
                    names.0.insert((of, rows.key(row).id), name);
                }
            }
        }
        Ok(names)
    }
}
