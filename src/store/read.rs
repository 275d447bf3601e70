//! Reads rows with what hangs from them, one statement for each list of the question.
//!
//! An [`Ask`] names a noun, the columns that somebody will be shown, and single related rows,
//! which are joined into the same statement, each under its own scope. Lists below a list are read
//! with one statement for all parents. What a caller sees nowhere is not selected.

use std::collections::HashMap;

use sea_orm::sea_query::{
    Expr, ExprTrait, Func, OverStatement, Query, SelectStatement, WindowStatement,
};
use sea_orm::{JoinType, QueryResult};
use uuid::Uuid;

use super::sql::{Aliases, Writer};
use super::{Store, failed};
use crate::access::filter::{Filter, Key, Order, Position, Window};
use crate::access::place::{among, holds, nothing};
use crate::access::scope::{Guard, Scope};
use crate::access::shown::{Cell, RowPlan, Shown, Sights};
use crate::access::table::{Sight, Uses};
use crate::access::view::{Join, Kind, Noun, Relation};
use crate::error::Result;
use crate::leak::{self, Leak};

/// What is wanted of the rows of one noun.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The noun.
    pub noun: &'static Noun,
    /// The fields, by index; stored ones only.
    pub fields: Vec<usize>,
    /// Single related rows, by relation.
    pub ones: Vec<(usize, Ask)>,
}

/// Rows as read, with the caller's sight of each.
#[derive(Debug)]
pub struct Rows {
    /// The noun.
    pub noun: &'static Noun,
    fields: Vec<usize>,
    pub(super) rows: Vec<Row>,
    ones: Vec<(usize, Vec<Option<u32>>, Rows)>,
    sights: Sights,
}

#[derive(Debug)]
pub(super) struct Row {
    key: Key,
    cover: u64,
    pub(super) cells: Vec<Cell>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The key of a row.
    pub fn key(&self, row: usize) -> Key {
        self.rows[row].key
    }

    /// Which held pairs cover a row.
    pub fn cover(&self, row: usize) -> u64 {
        self.rows[row].cover
    }

    /// The sights of rows that these pairs cover.
    pub fn plan(&self, cover: u64) -> RowPlan {
        self.sights.plan(cover)
    }

    /// The place of a field among the cells, if it was read.
    pub fn slot(&self, field: usize) -> Option<usize> {
        self.fields.iter().position(|read| *read == field)
    }

    /// What leaves the server of a field of a row; `slot` is from [`Rows::slot`].
    pub fn show(&self, row: usize, plan: &RowPlan, field: usize, slot: Option<usize>) -> Shown {
        match slot.and_then(|slot| self.rows[row].cells.get(slot)) {
            Some(cell) => plan.show(field, cell),
            // A column that is seen nowhere was not read.
            None => Shown::Hidden,
        }
    }

    /// Where a foreign key of a row leads, if the caller sees it in full there.
    pub fn reference(&self, row: usize, key: &str) -> Option<Uuid> {
        let field = self.noun.field(key)?;
        let slot = self.slot(field)?;
        let seen = self.plan(self.cover(row)).sight(field) == Sight::Full;
        self.rows[row].cells.get(slot).and_then(Cell::key).filter(|_| seen)
    }

    /// The rows that a single relation leads to, and for each row here its place there.
    pub fn one(&self, relation: usize) -> Option<(&[Option<u32>], &Rows)> {
        self.ones
            .iter()
            .find(|(at, _, _)| *at == relation)
            .map(|(_, of, rows)| (of.as_slice(), rows))
    }

    /// The place of a row in a list with this order, for a cursor.
    pub fn position(&self, row: usize, order: &[Order]) -> Position {
        let mut values: Vec<Cell> = order
            .iter()
            .map(|by| {
                self.slot(by.field)
                    .and_then(|slot| self.rows[row].cells.get(slot))
                    .cloned()
                    .unwrap_or_default()
            })
            .collect();
        if leak::on(Leak::CursorOfEverything) {
            values.extend(self.rows[row].cells.iter().cloned());
        }
        Position { values, key: self.rows[row].key }
    }
}

/// A list that is wanted.
#[derive(Debug)]
pub struct List<'a> {
    /// The rows the caller may read.
    pub scope: &'a Scope,
    /// What is wanted of them.
    pub ask: &'a Ask,
    /// The condition, if any.
    pub filter: Option<&'a Filter>,
    /// The order; checked against the scope.
    pub order: &'a [Order],
    /// Which part; none for all of it (single rows, bounded relations).
    pub window: Option<&'a Window>,
    /// Count the whole list as well.
    pub total: bool,
    /// Read the rows themselves (false when only the count was asked for).
    pub rows: bool,
}

/// A list, or the lists of several parents.
#[derive(Debug)]
pub struct Lists {
    /// All rows, parent after parent.
    pub rows: Rows,
    /// The list of each distinct parent key.
    pub groups: Vec<Group>,
    /// For each parent row its group; none when it has no list.
    pub of: Vec<Option<u32>>,
}

/// One list within [`Lists`].
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its rows.
    pub range: std::ops::Range<usize>,
    /// More rows follow in the direction of reading.
    pub more: bool,
    /// The size of the whole list, when asked for.
    pub total: Option<i64>,
}

/// Where the columns of one noun stand in a statement's row.
struct Slots {
    noun: &'static Noun,
    fields: Vec<(usize, usize)>,
    student: Option<usize>,
    id: usize,
    cover: Option<usize>,
    only_cover: u64,
    sights: Sights,
    ones: Vec<(usize, Slots)>,
}

struct Builder<'a> {
    writer: Writer<'a>,
    query: SelectStatement,
    columns: usize,
}

impl Builder<'_> {
    fn select(&mut self, expr: Expr) -> usize {
        let at = self.columns;
        self.columns += 1;
        self.query.expr_as(expr, format!("c{at}"));
        at
    }

    /// Keeps the part of a list that is wanted, and one row more to tell whether others follow.
    fn cut(&mut self, list: &List<'_>, window: &Window, alias: &'static str) {
        if let Some(position) = &window.beyond {
            let noun = list.scope.noun();
            let beyond = self.writer.beyond(position, list.order, noun, alias, window.from_end);
            self.query.and_where(beyond);
        }
        self.query.limit(window.limit.saturating_add(1));
    }

    /// Selects the columns of one noun and joins its single relations.
    fn noun(
        &mut self,
        ask: &Ask,
        scope: &Scope,
        alias: &'static str,
        order: &[Order],
        known: u64,
    ) -> Result<Slots> {
        let shape = &ask.noun.shape;
        let col = |name: &'static str| Expr::col((alias, name));
        let student = shape.hangs.of_student().then(|| self.select(col("student_id")));
        let id = self.select(col("id"));
        let cover = scope.mixed(known).then(|| self.select(scope.cover(alias, known)));
        let mut wanted: Vec<usize> = ask.fields.clone();
        wanted.extend(order.iter().map(|by| by.field));
        wanted.extend(ask.ones.iter().filter_map(|(relation, _)| governing(ask.noun, *relation)));
        wanted.sort_unstable();
        wanted.dedup();
        let mut fields = Vec::with_capacity(wanted.len());
        for field in wanted {
            let stored = !matches!(shape.fields[field].kind, Kind::Computed);
            let unseen = leak::on(Leak::HiddenOnlyWhereFilled);
            if stored && (unseen || scope.best_sight(field) > Sight::Hidden) {
                fields.push((field, self.select(col(shape.fields[field].name))));
            }
        }
        let mut ones = Vec::new();
        for (relation, below) in &ask.ones {
            // The first of two walls before a hidden reference; the second is where rows are written.
            let followed =
                leak::on(Leak::HiddenReferenceFollowed) || leak::on(Leak::HiddenReferenceCounted);
            if !followed
                && governing(ask.noun, *relation)
                    .is_some_and(|key| scope.best_sight(key) != Sight::Full)
            {
                continue;
            }
            let target = Scope::reading(scope.caller(), below.noun);
            if target.is_empty() {
                continue;
            }
            let name = self.writer.aliases.next()?;
            let (on, _) = self.writer.joined(&shape.relations[*relation].join, alias, name)?;
            let mut on = if leak::on(Leak::JoinedWithoutScope) {
                on
            } else {
                on.and(target.condition(name))
            };
            // A row behind a reference that is hidden here is not read, lest it be counted.
            if !followed
                && let Some(key) = governing(ask.noun, *relation)
                && let Guard::Where(rows) = scope.guard(key, Uses::FULL, alias)
            {
                on = on.and(rows);
            }
            self.query.join_as(JoinType::LeftJoin, below.noun.shape.name, name, on);
            let slots = self.noun(below, &target, name, &[], 0)?;
            ones.push((*relation, slots));
        }
        Ok(Slots {
            noun: ask.noun,
            fields,
            student,
            id,
            cover,
            only_cover: scope.only_cover(),
            sights: scope.sights(),
            ones,
        })
    }
}

/// The foreign key that governs a relation, by field.
pub fn governing(noun: &Noun, relation: usize) -> Option<usize> {
    noun.shape.relations[relation].key.and_then(|key| noun.field(key))
}

impl Store {
    /// A writer of the conditions of one statement.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer {
            registry: self.registry,
            codec: &*self.codec,
            backend: self.backend(),
            aliases: Aliases::default(),
            #[cfg(feature = "leaks")]
            unguarded: false,
        }
    }

    fn builder(&self) -> Builder<'_> {
        Builder { writer: self.writer(), query: Query::select(), columns: 0 }
    }

    /// Reads one list of the registry.
    pub async fn list(&self, list: &List<'_>) -> Result<Lists> {
        check_order(list)?;
        if list.scope.is_empty() {
            return Ok(Lists::none(list, &[], 1));
        }
        let mut builder = self.builder();
        let alias = builder.writer.aliases.next()?;
        builder.query.from_as(list.scope.noun().shape.name, alias);
        let named = list.filter.is_some_and(Filter::names_rows);
        if !(named && leak::on(Leak::NodeWithoutScope)) {
            builder.query.and_where(list.scope.condition(alias));
        }
        if let Some(filter) = list.filter {
            let condition = builder.writer.filter(filter, list.scope, alias, false)?;
            builder.query.and_where(condition);
        }
        let total = if list.total {
            let mut count = builder.query.clone();
            if leak::on(Leak::TotalOfAllRows) {
                count = Query::select().from(list.scope.noun().shape.name).to_owned();
            }
            count.expr(Func::count(Expr::cust("*")));
            let counted = self.all(list.scope.caller(), &count).await?;
            Some(count_of(counted.first(), 0)?)
        } else {
            None
        };
        if !list.rows {
            let mut lists = Lists::none(list, &[], 1);
            lists.groups[0].total = total;
            return Ok(lists);
        }
        let slots = builder.noun(list.ask, list.scope, alias, list.order, 0)?;
        let reversed = list.window.is_some_and(|window| window.from_end);
        if let Some(window) = list.window {
            builder.cut(list, window, alias);
        }
        for (column, direction) in
            builder.writer.order(list.order, list.scope.noun(), alias, reversed)
        {
            builder.query.order_by_expr(column, direction);
        }
        let caller = list.scope.caller();
        let mut read = match list.filter {
            Some(filter) if filter.names_rows() => self.by_keys(caller, &builder.query).await?,
            _ => self.all(caller, &builder.query).await?,
        };
        #[cfg(feature = "leaks")]
        if leak::on(Leak::StatementForHidden) && self.hides(list.scope).await? {
            self.all(caller, &Query::select().expr(Expr::cust("1")).to_owned()).await?;
        }
        let mut group = Group { total, ..Group::default() };
        if let Some(window) = list.window {
            group.more = read.len() as u64 > window.limit;
            #[cfg(feature = "leaks")]
            if leak::on(Leak::NextPageOfAllRows) {
                group.more = self.reaches_beyond(list, window.limit).await?;
            }
            read.truncate(usize::try_from(window.limit).unwrap_or(usize::MAX));
        }
        if reversed {
            read.reverse();
        }
        let rows = self.decode(&slots, &read, None)?;
        group.range = 0..rows.len();
        Ok(Lists { rows, groups: vec![group], of: vec![Some(0)] })
    }

    /// Reads the lists of a relation for all parents at once. `followed` says for each parent row
    /// whether its list is wanted (a hidden reference is not followed).
    pub async fn lists_below(
        &self,
        relation: usize,
        parents: &Rows,
        followed: &[bool],
        list: &List<'_>,
    ) -> Result<Lists> {
        check_order(list)?;
        let noun = parents.noun;
        let shape = &noun.shape.relations[relation];
        let mut known = list.scope.implied(noun, &shape.join);
        // Below a student nothing exists that the shown student does not cover.
        let decided =
            matches!(shape.join, Join::OfStudent | Join::LiveOfStudent | Join::FromOfStudent(_))
                && known != 0;
        let mut keys: Vec<Key> = Vec::new();
        let mut index: HashMap<Key, u32> = HashMap::new();
        let mut covers: HashMap<Uuid, u64> = HashMap::new();
        let of: Vec<Option<u32>> = (0..parents.len())
            .map(|row| {
                let key = parents.key(row);
                let cover = parents.cover(row);
                if !followed[row]
                    || list.scope.is_empty()
                    || (decided && cover & list.scope.seeing() == 0)
                {
                    return None;
                }
                covers.insert(key.id, cover);
                Some(*index.entry(key).or_insert_with(|| {
                    keys.push(key);
                    u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
                }))
            })
            .collect();
        if keys.is_empty() {
            return Ok(Lists::none(list, &of, 0));
        }
        let mut builder = self.builder();
        let alias = builder.writer.aliases.next()?;
        builder.query.from_as(list.scope.noun().shape.name, alias);
        if !decided {
            // A pair that does not cover a class may still cover a member of it through another
            // class, so only what covers every parent is known; the rest is computed.
            known = covers.values().fold(known, |known, cover| known & cover);
        }
        let shown = decided || known & list.scope.seeing() != 0;
        builder.query.and_where(if known != 0 && shown {
            list.scope.known(alias)
        } else {
            list.scope.condition(alias)
        });
        let above = Scope::reading(list.scope.caller(), noun);
        let parent = self.below(&mut builder, shape, &keys, alias, (&above, list.scope))?;
        if let Some(filter) = list.filter {
            let condition = builder.writer.filter(filter, list.scope, alias, false)?;
            builder.query.and_where(condition);
        }
        let mut groups = vec![Group::default(); keys.len()];
        let by_id: HashMap<Uuid, u32> =
            keys.iter().zip(0..).map(|(key, at)| (key.id, at)).collect();
        if list.total {
            let mut count = builder.query.clone();
            count
                .expr(parent.clone())
                .expr(Func::count(Expr::cust("*")))
                .add_group_by([parent.clone()]);
            for group in &mut groups {
                group.total = Some(0);
            }
            for row in self.all(list.scope.caller(), &count).await? {
                let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
                if let Some(at) = by_id.get(&id) {
                    groups[*at as usize].total = Some(count_of(Some(&row), 1)?);
                }
            }
        }
        if !list.rows {
            return Ok(Lists { rows: Rows::none(list), groups, of });
        }
        let slots = builder.noun(list.ask, list.scope, alias, list.order, known)?;
        let parent_at = builder.select(parent.clone());
        let reversed = list.window.is_some_and(|window| window.from_end);
        let order = builder.writer.order(list.order, list.scope.noun(), alias, reversed);
        let numbered = keys.len() > 1 && !shape.bounded && list.window.is_some();
        let query = if let (true, Some(window)) = (numbered, list.window) {
            let mut over = WindowStatement::new();
            over.add_partition_by(parent);
            for (column, direction) in &order {
                over.order_by_expr(column.clone(), direction.clone());
            }
            builder.query.expr_window_as(Expr::cust("ROW_NUMBER()"), over, "rn");
            let mut outer = Query::select();
            for at in 0..builder.columns {
                outer.column(("w", format!("c{at}")));
            }
            let limit = i64::try_from(window.limit.saturating_add(1)).unwrap_or(i64::MAX);
            outer
                .from_subquery(builder.query.take(), "w")
                .and_where(Expr::col(("w", "rn")).lte(limit))
                .order_by(("w", "rn"), sea_orm::Order::Asc);
            outer
        } else {
            if let Some(window) = list.window
                && keys.len() == 1
            {
                builder.cut(list, window, alias);
            }
            for (column, direction) in order {
                builder.query.order_by_expr(column, direction);
            }
            builder.query.take()
        };
        let read = self.by_keys(list.scope.caller(), &query).await?;
        // Sort into the lists of the parents, keeping the order of the statement.
        let mut sorted: Vec<Vec<&QueryResult>> = vec![Vec::new(); keys.len()];
        for row in &read {
            let id: Uuid = row.try_get_by_index(parent_at).map_err(failed)?;
            if let Some(at) = by_id.get(&id) {
                sorted[*at as usize].push(row);
            }
        }
        let mut flat = Vec::with_capacity(read.len());
        for (group, mut rows) in groups.iter_mut().zip(sorted) {
            if let Some(window) = list.window {
                group.more = rows.len() as u64 > window.limit;
                rows.truncate(usize::try_from(window.limit).unwrap_or(usize::MAX));
            }
            if reversed {
                rows.reverse();
            }
            group.range = flat.len()..flat.len() + rows.len();
            flat.extend(rows);
        }
        let rows =
            self.decode(&slots, flat, (known != 0).then_some((parent_at, known, &covers)))?;
        Ok(Lists { rows, groups, of })
    }

    /// Restricts rows to those below the parents; the expression names the parent of a row.
    fn below(
        &self,
        builder: &mut Builder<'_>,
        relation: &Relation,
        keys: &[Key],
        alias: &'static str,
        (above, scope): (&Scope, &Scope),
    ) -> Result<Expr> {
        let lead = |builder: &mut Builder<'_>, alias: &'static str| {
            let leading = above.leading(scope, &relation.join, Uses::FULL, self.registry, alias);
            builder.query.and_where_option(leading.guard.condition());
        };
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let students = || -> Vec<Uuid> {
            let mut ids: Vec<_> = keys.iter().filter_map(|key| key.student).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let backend = self.backend();
        let col = |name: &'static str| Expr::col((alias, name));
        Ok(match relation.join {
            Join::From(key) => {
                lead(builder, alias);
                builder.query.and_where(among(col(key), &ids, backend));
                col(key)
            }
            Join::OfStudent => {
                builder.query.and_where(among(col("student_id"), &ids, backend));
                col("student_id")
            }
            Join::LiveOfStudent => {
                builder.query.and_where(col("live").eq(true));
                builder.query.and_where(among(col("student_id"), &ids, backend));
                col("student_id")
            }
            Join::FromOfStudent(key) => {
                lead(builder, alias);
                builder.query.and_where(among(col("student_id"), &students(), backend));
                builder.query.and_where(among(col(key), &ids, backend));
                col(key)
            }
            Join::Through { table, from, to, holds: how } => {
                let name = builder.writer.aliases.next()?;
                builder.query.join_as(
                    JoinType::InnerJoin,
                    table,
                    name,
                    Expr::col((name, to)).equals((alias, "id")),
                );
                lead(builder, name);
                builder.query.and_where(holds(name, how, scope.caller().today()));
                builder.query.and_where(among(Expr::col((name, from)), &ids, backend));
                Expr::col((name, from))
            }
            // Single rows are joined into their parent's statement and never come here.
            Join::To(_) | Join::ToOfStudent(_) | Join::ToStudent => {
                builder.query.and_where(nothing());
                col("id")
            }
        })
    }

    fn decode<'r>(
        &self,
        slots: &Slots,
        rows: impl IntoIterator<Item = &'r QueryResult>,
        covers: Option<(usize, u64, &HashMap<Uuid, u64>)>,
    ) -> Result<Rows> {
        let mut out = Rows {
            noun: slots.noun,
            fields: slots.fields.iter().map(|(field, _)| *field).collect(),
            rows: Vec::new(),
            ones: slots
                .ones
                .iter()
                .map(|(relation, below)| (*relation, Vec::new(), Rows::of(below)))
                .collect(),
            sights: slots.sights.clone(),
        };
        for row in rows {
            self.decode_row(slots, row, &mut out, covers)?;
        }
        Ok(out)
    }

    /// Adds one row; false when it is absent (the right side of an outer join).
    fn decode_row(
        &self,
        slots: &Slots,
        row: &QueryResult,
        out: &mut Rows,
        covers: Option<(usize, u64, &HashMap<Uuid, u64>)>,
    ) -> Result<bool> {
        let Some(id) = row.try_get_by_index::<Option<Uuid>>(slots.id).map_err(failed)? else {
            return Ok(false);
        };
        let student = match slots.student {
            Some(at) => row.try_get_by_index::<Option<Uuid>>(at).map_err(failed)?,
            None => None,
        };
        let computed = match slots.cover {
            Some(at) => {
                let bits = row.try_get_by_index::<i64>(at).map_err(failed)?;
                u64::try_from(bits).map_err(|error| crate::error::Error::Internal(error.into()))?
            }
            None => 0,
        };
        let cover = match (covers, slots.cover) {
            (Some((parent, known, covers)), _) => {
                let parent: Uuid = row.try_get_by_index(parent).map_err(failed)?;
                computed | (known & covers.get(&parent).copied().unwrap_or_default())
            }
            (None, Some(_)) => computed,
            (None, None) => slots.only_cover,
        };
        let mut cells = Vec::with_capacity(slots.fields.len());
        for (field, at) in &slots.fields {
            cells.push(self.cell(slots.noun, *field, row, *at, id)?);
        }
        out.rows.push(Row { key: Key { student, id }, cover, cells });
        for ((_, below), (_, of, joined)) in slots.ones.iter().zip(&mut out.ones) {
            let at = u32::try_from(joined.len()).ok();
            let present = self.decode_row(below, row, joined, None)?;
            of.push(at.filter(|_| present));
        }
        Ok(true)
    }
}

impl Rows {
    fn of(slots: &Slots) -> Self {
        Self {
            noun: slots.noun,
            fields: slots.fields.iter().map(|(field, _)| *field).collect(),
            rows: Vec::new(),
            ones: slots
                .ones
                .iter()
                .map(|(relation, below)| (*relation, Vec::new(), Self::of(below)))
                .collect(),
            sights: slots.sights.clone(),
        }
    }

    fn none(list: &List<'_>) -> Self {
        Self {
            noun: list.scope.noun(),
            fields: Vec::new(),
            rows: Vec::new(),
            ones: Vec::new(),
            sights: list.scope.sights(),
        }
    }
}

impl Lists {
    /// Empty lists: one for a root list, none below parents.
    fn none(list: &List<'_>, of: &[Option<u32>], groups: usize) -> Self {
        let empty = Group { total: list.total.then_some(0), ..Group::default() };
        Self {
            rows: Rows::none(list),
            groups: vec![empty; groups],
            of: if of.is_empty() && groups == 1 { vec![Some(0)] } else { of.to_vec() },
        }
    }
}

fn check_order(list: &List<'_>) -> Result<()> {
    // Before any SQL: an order needs the column in full in every row of the scope (promise 10).
    for by in list.order {
        list.scope.sortable(by.field, "t0")?;
    }
    Ok(())
}

fn count_of(row: Option<&QueryResult>, at: usize) -> Result<i64> {
    match row {
        Some(row) => row.try_get_by_index::<i64>(at).map_err(failed),
        None => Ok(0),
    }
}
