//! Which rows of a noun a caller reads, and which columns of them may be used how.
//!
//! A [`Scope`] is the key to the data: every read takes one, only a caller makes one. It turns the
//! held grants into one condition, and says for each use of a column on which rows it is allowed.

use std::sync::Arc;

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};

use super::caller::Caller;
use super::place::{Writing, covered, everything, frozen, nothing, row_rule, student_lives};
use super::policy::Way;
use super::shown::Sights;
use super::table::{Pair, Plan, Reach, Sight, Uses};
use super::view::{Hangs, Holds, Join, Noun, Registry};
use crate::error::{Error, Result};
use crate::leak::{self, Leak};

/// On which rows of a scope a column may be used in some way.
#[derive(Clone, Debug)]
pub enum Guard {
    /// On every row.
    Everywhere,
    /// On the rows that meet this condition.
    Where(Expr),
    /// On no row.
    Nowhere,
}

impl Guard {
    /// The rows as a condition; none where it is every row.
    pub fn condition(self) -> Option<Expr> {
        match self {
            Self::Everywhere => None,
            Self::Where(rows) => Some(rows),
            Self::Nowhere => Some(nothing()),
        }
    }
}

/// On which rows a relation may be followed: it tells the reference by which its rows are found.
#[derive(Debug)]
pub struct Leading {
    /// Where that reference is seen.
    pub guard: Guard,
    /// The reference, as the schema writes it.
    pub coordinate: String,
}

impl Leading {
    /// `FORBIDDEN` where the reference is seen nowhere.
    pub fn refuse(self, act: &'static str) -> Result<Guard> {
        match self.guard {
            Guard::Nowhere => Err(Error::forbidden_use(act, self.coordinate)),
            guard @ (Guard::Everywhere | Guard::Where(_)) => Ok(guard),
        }
    }
}

/// What an aggregate does with one column.
#[derive(Clone, Debug)]
pub struct Need {
    /// The policy id of the column.
    pub id: u16,
    /// The uses that one pair must hold together.
    pub uses: Uses,
    /// The column as the schema writes it, for the refusal.
    pub coordinate: String,
}

impl Need {
    /// A use of a column of a noun.
    pub fn of(noun: &Noun, field: usize, uses: Uses) -> Self {
        Self { id: noun.id(field), uses, coordinate: noun.coordinate(field) }
    }

    fn act(&self) -> &'static str {
        if self.uses.contains(Uses::GROUP) {
            "group"
        } else if self.uses.contains(Uses::FILTER) {
            "filter"
        } else {
            "aggregate"
        }
    }
}

/// A number of 64 bits: PostgreSQL takes a small literal for one of 32.
fn wide(number: i64) -> Expr {
    Expr::cust(format!("CAST({number} AS BIGINT)"))
}

/// The rows of one noun that one caller reads.
#[derive(Clone, Debug)]
pub struct Scope {
    noun: &'static Noun,
    caller: Arc<Caller>,
    /// The held pairs through which rows exist for the caller.
    seeing: u64,
}

impl Scope {
    /// The rows that the caller may read one by one.
    pub fn reading(caller: &Arc<Caller>, noun: &'static Noun) -> Self {
        Self { noun, caller: Arc::clone(caller), seeing: caller.session.seeing(noun) }
    }

    /// The rows that the caller may count; sights play no part there.
    pub fn counting(caller: &Arc<Caller>, noun: &'static Noun) -> Self {
        Self { noun, caller: Arc::clone(caller), seeing: caller.session.counting(noun) }
    }

    /// The rows of the places at which the caller holds an act, whether the caller reads them or not: for
    /// acts that concern rows and show nothing of them.
    pub fn of_action(caller: &Arc<Caller>, noun: &'static Noun, action: &str) -> Self {
        let session = &caller.session;
        let id = session.policy.actions.id(action);
        let holds = |pair| id.is_some_and(|id| session.policy.actions.may(&[pair], id).is_some());
        let mut seeing = 0;
        for (bit, held) in session.held.iter().enumerate() {
            seeing |= u64::from(holds(held.pair)) << bit;
        }
        Self { noun, caller: Arc::clone(caller), seeing }
    }

    /// The same rows, narrowed to the pairs that `keep` accepts (a guardian's wards, say).
    #[must_use]
    pub fn narrowed(mut self, keep: impl Fn(Pair) -> bool) -> Self {
        for (bit, held) in self.caller.session.held.iter().enumerate() {
            if !keep(held.pair) {
                self.seeing &= !(1 << bit);
            }
        }
        self
    }

    /// The rows that an act of these held pairs may concern: of those the caller reads, the ones that
    /// the pairs cover. What everybody reads is acted on by those alone who hold its place.
    #[must_use]
    pub fn acting(mut self, pairs: u64) -> Self {
        let everybodys = self.noun.shape.hangs == Hangs::Exam && self.seeing != 0;
        self.seeing = if everybodys { pairs } else { self.seeing & pairs };
        self
    }

    /// The noun.
    pub fn noun(&self) -> &'static Noun {
        self.noun
    }

    /// The caller.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// True when no row can exist for the caller.
    pub fn is_empty(&self) -> bool {
        self.seeing == 0
    }

    fn writing(&self) -> Writing {
        let account = Some(self.caller.account().uuid());
        Writing { backend: self.caller.backend, today: self.caller.today(), account }
    }

    fn any_of(&self, bits: u64, alias: &'static str) -> Expr {
        self.bits(bits)
            .map(|bit| {
                covered(
                    self.noun.shape.hangs,
                    alias,
                    &self.caller.session.held[bit],
                    self.writing(),
                )
            })
            .reduce(|any, condition| any.or(condition))
            .unwrap_or_else(nothing)
    }

    fn bits(&self, bits: u64) -> impl Iterator<Item = usize> + use<> {
        let count = self.caller.session.held.len();
        (0..count).filter(move |bit| bits & (1 << bit) != 0)
    }

    /// The condition on a row under this alias; the lifecycle is part of it, that of the student it
    /// hangs from too.
    pub fn condition(&self, alias: &'static str) -> Expr {
        let covered = self.alive(alias, self.any_of(self.seeing, alias));
        if self.noun.shape.hangs.of_student() {
            covered.and(student_lives(Expr::col((alias, "student_id"))))
        } else {
            covered
        }
    }

    /// The condition on a row that is known to be covered by what its parent was shown through.
    pub fn known(&self, alias: &'static str) -> Expr {
        self.alive(alias, everything())
    }

    /// The held pairs, as bits, that cover a row of this noun whenever they cover the parent that
    /// the relation was followed from: a row of a student is placed by the student, unless a rule
    /// narrows it; who holds a class holds its members of today; the family knows a pupil's classes.
    pub fn implied(&self, parent: &Noun, join: &Join) -> u64 {
        match *join {
            Join::OfStudent | Join::LiveOfStudent | Join::FromOfStudent(_) => {
                let placed_alike =
                    parent.shape.hangs == Hangs::Student || parent.shape.hangs == Hangs::OfStudent;
                let narrowed = self.bits(self.seeing).any(|bit| {
                    let held = &self.caller.session.held[bit];
                    row_rule(self.noun.shape.hangs, "t0", held, self.writing()).is_some()
                });
                if placed_alike && self.noun.shape.hangs.of_student() && !narrowed {
                    self.placed()
                } else {
                    0
                }
            }
            Join::Through { table: "class_membership", from: "class_group_id", holds, .. }
                if holds == Holds::Today && self.noun.shape.hangs == Hangs::Student =>
            {
                self.placed_at(&[Reach::Class, Reach::Teaching])
            }
            Join::Through { table: "class_membership", from: "student_id", .. }
                if self.noun.shape.hangs == Hangs::ClassGroup =>
            {
                self.placed_at(&[Reach::Own, Reach::Ward])
            }
            Join::To(_)
            | Join::ToOfStudent(_)
            | Join::ToStudent
            | Join::From(_)
            | Join::Through { .. } => 0,
        }
    }

    fn placed_at(&self, reaches: &[Reach]) -> u64 {
        self.bits(self.placed())
            .filter(|bit| reaches.contains(&self.caller.session.held[*bit].pair.reach))
            .fold(0, |bits, bit| bits | 1 << bit)
    }

    fn alive(&self, alias: &'static str, condition: Expr) -> Expr {
        if self.noun.shape.lifecycle {
            Expr::col((alias, "lifecycle")).eq("live").and(condition)
        } else {
            condition
        }
    }

    /// The pairs through which rows of this noun exist, as bits.
    pub fn seeing(&self) -> u64 {
        self.seeing
    }

    /// True when rows can be covered by different sets of grants that matter for their sights.
    /// `known` are the pairs whose cover is known from elsewhere.
    pub fn mixed(&self, known: u64) -> bool {
        if known == 0 {
            self.noun.shape.hangs != Hangs::Open && self.placed().count_ones() > 1
        } else {
            self.placed() & !known != 0
        }
    }

    /// All held pairs that can cover a row of this noun, whether they show it or not: a row below
    /// may be shown by a pair that does not show this one.
    fn placed(&self) -> u64 {
        if self.noun.shape.hangs == Hangs::Exam {
            return self.seeing;
        }
        if self.noun.shape.hangs == Hangs::Open {
            return self
                .bits(self.seeing)
                .filter(|bit| self.caller.session.held[*bit].pair.reach == Reach::Anywhere)
                .fold(0, |bits, bit| bits | 1 << bit);
        }
        (0..self.caller.session.held.len()).skip(1).fold(0, |bits, bit| bits | 1 << bit)
    }

    /// The bits that cover every row, when the rows are not mixed.
    pub fn only_cover(&self) -> u64 {
        self.placed()
    }

    /// A whole number whose bits are the held pairs that cover the row, those known aside.
    pub fn cover(&self, alias: &'static str, known: u64) -> Expr {
        self.bits(self.placed() & !known)
            .map(|bit| {
                let covered = covered(
                    self.noun.shape.hangs,
                    alias,
                    &self.caller.session.held[bit],
                    self.writing(),
                );
                Expr::Case(Box::new(
                    CaseStatement::new().case(covered, wide(1_i64 << bit)).finally(wide(0)),
                ))
            })
            .reduce(|sum, term| sum.add(term))
            .unwrap_or_else(|| wide(0))
    }

    /// The sights of the rows, row by row.
    pub fn sights(&self) -> Sights {
        Sights::new(self.noun, Arc::clone(&self.caller.session))
    }

    fn pair_plans(&self) -> impl Iterator<Item = (usize, Arc<Plan>)> + '_ {
        self.bits(self.seeing).map(|bit| (bit, self.caller.session.plan(1 << bit)))
    }

    /// The most that the caller sees of a column in any row.
    pub fn best_sight(&self, field: usize) -> Sight {
        let id = self.noun.id(field);
        self.bits(self.placed() | self.seeing)
            .map(|bit| self.caller.session.plan(1 << bit).sight(id))
            .max()
            .unwrap_or(Sight::Hidden)
    }

    /// The held pairs, as bits, that show a column in full and let it be used so.
    fn allowed(&self, field: usize, uses: Uses) -> u64 {
        let id = self.noun.id(field);
        self.pair_plans()
            .filter(|(_, plan)| plan.sight(id) == Sight::Full && plan.uses(id).contains(uses))
            .fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// The texts that free-text search looks into: those that some row of the scope shows in full to
    /// somebody who may search them.
    pub fn searched(&self) -> Vec<usize> {
        (0..self.noun.shape.fields.len())
            .filter(|field| {
                let allowed = self.allowed(*field, Uses::SEARCH) != 0;
                self.noun.searches(*field) && (allowed || leak::on(Leak::SearchWithoutGuard))
            })
            .collect()
    }

    /// Where a column is seen in full and may be used so.
    pub fn guard(&self, field: usize, uses: Uses, alias: &'static str) -> Guard {
        let allowed = self.allowed(field, uses);
        if allowed == 0 {
            Guard::Nowhere
        } else if allowed == self.seeing {
            Guard::Everywhere
        } else {
            Guard::Where(self.any_of(allowed, alias))
        }
    }

    /// The guard of a filter or search on a column; `FORBIDDEN` when it holds on no row.
    pub fn searchable(&self, field: usize, uses: Uses, alias: &'static str) -> Result<Guard> {
        if leak::on(Leak::FilterWithoutGuard)
            || (uses == Uses::SEARCH && leak::on(Leak::SearchWithoutGuard))
        {
            return Ok(Guard::Everywhere);
        }
        match self.guard(field, uses, alias) {
            Guard::Nowhere => {
                let act = if uses == Uses::SEARCH { "search" } else { "filter" };
                Err(Error::forbidden_use(act, self.noun.coordinate(field)))
            }
            guard @ (Guard::Everywhere | Guard::Where(_)) => Ok(guard),
        }
    }

    /// On which rows a relation from here to `target` tells no more than the columns do. Rows that are
    /// found by a reference of their own tell where it leads, and rows found through a table in
    /// between tell what stands there. `alias` is that of the row with the reference: the target, or
    /// the table in between.
    pub fn leading(
        &self,
        target: &Self,
        join: &Join,
        uses: Uses,
        registry: &'static Registry,
        alias: &'static str,
    ) -> Leading {
        let uses = uses.union(Uses::FULL);
        let of = |noun: &Noun, key: &str, guard: &dyn Fn(usize) -> Guard| match noun.field(key) {
            Some(field) => Leading { guard: guard(field), coordinate: noun.coordinate(field) },
            None => Leading { guard: Guard::Nowhere, coordinate: noun.shape.type_name.to_owned() },
        };
        match *join {
            Join::From(key) | Join::FromOfStudent(key) => {
                of(target.noun, key, &|field| target.guard(field, uses, alias))
            }
            Join::Through { table, from, to, .. } => {
                let Some(noun) = registry.get(table) else {
                    return Leading { guard: Guard::Nowhere, coordinate: table.to_owned() };
                };
                let (key, student) = if from == "student_id" { (to, self) } else { (from, target) };
                let link = Self::reading(&self.caller, noun);
                of(noun, key, &|field| {
                    let allowed = link.allowed(field, uses);
                    if allowed == 0 {
                        Guard::Nowhere
                    } else if student.seeing & !allowed == 0 {
                        // Whatever shows the student shows its place as well.
                        Guard::Everywhere
                    } else {
                        Guard::Where(link.any_of(allowed, alias))
                    }
                })
            }
            Join::To(_)
            | Join::ToOfStudent(_)
            | Join::ToStudent
            | Join::OfStudent
            | Join::LiveOfStudent => {
                Leading { guard: Guard::Everywhere, coordinate: String::new() }
            }
        }
    }

    /// The rows that a relation leads to; `FORBIDDEN` where none can exist for the caller.
    pub fn related(&self, relation: usize, registry: &'static Registry) -> Result<Self> {
        let target = Self::reading(&self.caller, registry.at(self.noun.targets[relation]));
        if target.is_empty() {
            return Err(Error::forbidden_use(
                "filter",
                format!("{}.{}", self.noun.shape.type_name, self.noun.relation_camel[relation]),
            ));
        }
        Ok(target)
    }

    /// Checks that a column may order rows: seen in full, and sortable, in every row of the scope.
    pub fn sortable(&self, field: usize, alias: &'static str) -> Result<()> {
        match self.guard(field, Uses::SORT, alias) {
            Guard::Everywhere => Ok(()),
            Guard::Where(_) | Guard::Nowhere if leak::on(Leak::SortByHidden) => Ok(()),
            Guard::Where(_) | Guard::Nowhere => {
                Err(Error::forbidden_use("sort", self.noun.coordinate(field)))
            }
        }
    }

    /// Narrows a counting scope to the pairs whose own policy lines hold all of `needs`: a column that
    /// groups, is measured or filtered counts only under a grant that allows it, and what two grants
    /// allow is never put together. `FORBIDDEN` with the coordinate at which no pair is left.
    pub fn counting_with(mut self, needs: &[Need]) -> Result<Self> {
        for need in needs {
            self.seeing = self.pairs_where(|pair| self.uses(pair, need.id).contains(need.uses));
            if self.seeing == 0 {
                return Err(Error::forbidden_use(need.act(), need.coordinate.clone()));
            }
        }
        Ok(self)
    }

    /// The rows of another noun under those of the same pairs that may count it too.
    #[must_use]
    pub fn counting_over(&self, noun: &'static Noun) -> Self {
        let table = self.caller.session.table();
        Self {
            noun,
            caller: Arc::clone(&self.caller),
            seeing: self.pairs_where(|pair| table.aggregates(pair, noun.noun_id())),
        }
    }

    /// True when each pair may use the column so.
    pub fn every_pair(&self, id: u16, uses: Uses) -> bool {
        self.pairs_where(|pair| self.uses(pair, id).contains(uses)) == self.seeing
    }

    /// True when each pair reads the rows it counts one by one, these columns in full: figures over
    /// them say nothing that the caller could not read.
    pub fn reads_what_it_counts(&self, columns: &[u16]) -> bool {
        let table = self.caller.session.table();
        let reading = self.pairs_where(|pair| {
            table.rows(pair, self.noun.noun_id())
                && columns.iter().all(|id| self.uses(pair, *id).sight() == Sight::Full)
        });
        reading == self.seeing
    }

    /// Narrows a counting scope to the pairs that get figures under disclosure control in this way or
    /// a wider one; none is left where the policy gives the caller exact figures or nothing.
    #[must_use]
    pub fn protected(mut self, way: Way) -> Self {
        let control = &self.caller.session.policy.disclosure_control;
        self.seeing = self.pairs_where(|pair| control.way(pair) >= way);
        self
    }

    /// The condition on a row of a snapshot, whose school stands in this column.
    pub fn frozen(&self, school: (&'static str, &'static str), snapshot: i64) -> Expr {
        self.bits(self.seeing)
            .map(|bit| {
                let held = &self.caller.session.held[bit];
                frozen(Expr::col(school), snapshot, held, self.writing())
            })
            .reduce(|any, condition| any.or(condition))
            .unwrap_or_else(nothing)
    }

    fn uses(&self, pair: Pair, id: u16) -> Uses {
        self.caller.session.table().cell(pair, id).uses
    }

    fn pairs_where(&self, keep: impl Fn(Pair) -> bool) -> u64 {
        self.bits(self.seeing)
            .filter(|bit| keep(self.caller.session.held[*bit].pair))
            .fold(0, |bits, bit| bits | 1 << bit)
    }
}
