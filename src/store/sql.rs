//! Filters, orderings and places in a list as SQL, each leaf behind its guard.
//!
//! Negation is pushed down to the leaves: a leaf is *guard and test*, or *guard and not test*, so
//! that a row whose column the caller does not see in full meets neither (promise 9). Both
//! databases compare text by code points.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr, Value};

use super::codec::Codec;
use crate::access::filter::{Filter, Key, Order, Position, Test};
use crate::access::place::{everything, holds, nothing};
use crate::access::scope::{Guard, Scope};
use crate::access::shown::Cell;
use crate::access::table::Uses;
use crate::access::view::{Join, Kind, Noun, Registry};
use crate::error::{Error, Result};
use crate::leak::{self, Leak};

/// Aliases of one statement; each table in it has its own.
#[derive(Debug, Default)]
pub(super) struct Aliases(usize);

const NAMES: [&str; 40] = [
    "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11", "t12", "t13", "t14",
    "t15", "t16", "t17", "t18", "t19", "t20", "t21", "t22", "t23", "t24", "t25", "t26", "t27",
    "t28", "t29", "t30", "t31", "t32", "t33", "t34", "t35", "t36", "t37", "t38", "t39",
];

impl Aliases {
    pub(super) fn next(&mut self) -> Result<&'static str> {
        let name = NAMES.get(self.0).copied().ok_or_else(|| Error::Limit {
            what: "tables",
            why: crate::error::Why::new(
                "one list reaches over more than 40 tables; ask for fewer relations at once",
                "一个列表涉及的表超过 40 个；请减少一次查询的关联",
            ),
        })?;
        self.0 += 1;
        Ok(name)
    }
}

/// Writes conditions of one statement.
pub(super) struct Writer<'a> {
    pub(super) registry: &'static Registry,
    pub(super) codec: &'a dyn Codec,
    pub(super) backend: DbBackend,
    pub(super) aliases: Aliases,
    /// Conditions hold on rows that do not show their column: what one of the leaks breaks.
    #[cfg(feature = "leaks")]
    pub(super) unguarded: bool,
}

fn value_of(cell: &Cell) -> Value {
    match cell.facts() {
        Cell::Null => Value::String(None),
        Cell::Text(text) => Value::from(text.clone()),
        Cell::Int(number) => Value::from(*number),
        Cell::Bool(truth) => Value::from(*truth),
        Cell::Date(date) => Value::from(*date),
        Cell::Instant(instant) => Value::from(*instant),
        Cell::Key(id) => Value::from(*id),
    }
}

impl Writer<'_> {
    /// A text column in the order of code points.
    pub(super) fn ordered(&self, alias: &'static str, noun: &Noun, field: usize) -> SimpleExpr {
        let column = Expr::col((alias, noun.shape.fields[field].name));
        match (noun.shape.fields[field].kind, self.backend) {
            (Kind::Text(_) | Kind::Code | Kind::Enum(_), DbBackend::Postgres) => {
                Expr::cust_with_exprs("$1 COLLATE \"C\"", [column])
            }
            _ => column,
        }
    }

    /// A filter on rows under this alias. `negated` asks for the rows that do not meet it.
    pub(super) fn filter(
        &mut self,
        filter: &Filter,
        scope: &Scope,
        alias: &'static str,
        negated: bool,
    ) -> Result<SimpleExpr> {
        match filter {
            Filter::Not(inner) => self.filter(inner, scope, alias, !negated),
            Filter::And(parts) | Filter::Or(parts) => {
                let all = matches!(filter, Filter::And(_)) != negated;
                let mut condition: Option<SimpleExpr> = None;
                for part in parts {
                    let part = self.filter(part, scope, alias, negated)?;
                    condition = Some(match condition {
                        None => part,
                        Some(before) if all => before.and(part),
                        Some(before) => before.or(part),
                    });
                }
                Ok(condition.unwrap_or_else(if all { || everything() } else { || nothing() }))
            }
            Filter::Keys(keys) => {
                let condition = self.keys(keys, scope.noun(), alias);
                Ok(if negated { condition.not() } else { condition })
            }
            Filter::Shown { field, value } => {
                let column = Expr::col((alias, scope.noun().shape.fields[*field].name));
                let holds = column.eq(value_of(value));
                let holds = if negated { holds.is_not(Expr::cust("TRUE")) } else { holds };
                Ok(match scope.guard(*field, Uses::FULL, alias) {
                    Guard::Everywhere => holds,
                    Guard::Where(rows) => rows.and(holds),
                    Guard::Nowhere => nothing(),
                })
            }
            Filter::Test { field, test } => self.test(*field, test, scope, alias, negated),
            Filter::Related { relation, every, filter } => {
                self.related(*relation, filter, scope, alias, *every, negated)
            }
        }
    }

    fn keys(&self, keys: &[Key], noun: &Noun, alias: &'static str) -> SimpleExpr {
        if noun.shape.hangs.of_student() {
            keys.iter()
                .filter_map(|key| key.student.map(|student| (student, key.id)))
                .map(|(student, id)| {
                    Expr::col((alias, "student_id"))
                        .eq(Expr::val(student))
                        .and(Expr::col((alias, "id")).eq(Expr::val(id)))
                })
                .reduce(|any, key| any.or(key))
                .unwrap_or_else(nothing)
        } else {
            let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
            crate::access::place::among(Expr::col((alias, "id")), &ids, self.backend)
        }
    }

    fn test(
        &self,
        field: usize,
        test: &Test,
        scope: &Scope,
        alias: &'static str,
        negated: bool,
    ) -> Result<SimpleExpr> {
        let noun = scope.noun();
        let mut guard = scope.searchable(field, test.uses(), alias)?;
        if negated && leak::on(Leak::NegationWithoutGuard) {
            guard = Guard::Everywhere;
        }
        #[cfg(feature = "leaks")]
        if self.unguarded {
            guard = Guard::Everywhere;
        }
        let kind = noun.shape.fields[field].kind;
        let column = Expr::col((alias, noun.shape.fields[field].name));
        let holds = match (test, kind) {
            (Test::IsNull(null), _) => {
                if *null {
                    column.is_null()
                } else {
                    column.is_not_null()
                }
            }
            (Test::In(values), Kind::Sealed { mask, hashed: true, .. }) => {
                let column = Expr::col((alias, format!("{}_hash", noun.shape.fields[field].name)));
                let hashes: Vec<Value> = values
                    .iter()
                    .filter_map(|value| {
                        let Cell::Text(text) = value.facts() else { return None };
                        Some(self.codec.hash(mask.name, text).to_vec())
                    })
                    .map(Value::from)
                    .collect();
                one_of(column, hashes)
            }
            (Test::In(values), _) => one_of(column, values.iter().map(value_of).collect()),
            (Test::Less { than, or_equal }, _) => {
                let column = self.ordered(alias, noun, field);
                if *or_equal { column.lte(value_of(than)) } else { column.lt(value_of(than)) }
            }
            (Test::Greater { than, or_equal }, _) => {
                let column = self.ordered(alias, noun, field);
                if *or_equal { column.gte(value_of(than)) } else { column.gt(value_of(than)) }
            }
            (Test::Contains(word), _) => {
                let text = Func::lower(self.ordered(alias, noun, field));
                let postgres = self.backend == DbBackend::Postgres;
                let place = if postgres { "strpos" } else { "instr" };
                let place = Func::cust(place).args([Expr::from(text), Expr::val(word.clone())]);
                Expr::from(place).gt(0)
            }
            (Test::StartsWith(prefix), _) => {
                let column = self.ordered(alias, noun, field);
                match after_prefix(prefix) {
                    None => column.gte(prefix.clone()),
                    Some(end) => column.clone().gte(prefix.clone()).and(column.lt(end)),
                }
            }
        };
        // The negation holds on rows where nothing is on file.
        let holds = if negated { fails(holds) } else { holds };
        Ok(match guard {
            Guard::Everywhere => holds,
            Guard::Where(rows) => rows.and(holds),
            Guard::Nowhere => nothing(),
        })
    }

    fn related(
        &mut self,
        relation: usize,
        filter: &Filter,
        scope: &Scope,
        alias: &'static str,
        every: bool,
        negated: bool,
    ) -> Result<SimpleExpr> {
        let noun = scope.noun();
        let shape = &noun.shape.relations[relation];
        // Following a reference tells where it leads: it needs the same right as a test of it.
        let guard = match shape.key.and_then(|key| noun.field(key)) {
            Some(key) => scope.searchable(key, Uses::FILTER, alias)?,
            None => Guard::Everywhere,
        };
        let target = scope.related(relation, self.registry)?;
        let below = self.aliases.next()?;
        let mut query = Query::select();
        query.expr(Expr::cust("1"));
        query.from_as(target.noun().shape.name, below);
        let (on, through) = self.joined(&shape.join, alias, below)?;
        query.and_where(on);
        let mut link = below;
        if let Some((table, name, on)) = through {
            query.join_as(sea_orm::JoinType::InnerJoin, table, name, on);
            if let Join::Through { holds: how, .. } = shape.join {
                query.and_where(holds(name, how, scope.caller().today()));
            }
            link = name;
        }
        let leading = scope.leading(&target, &shape.join, Uses::FILTER, self.registry, link);
        if let Guard::Where(rows) = leading.refuse("filter")? {
            query.and_where(rows);
        }
        // The row outside is in scope already. Where every pair that can show it shows the rows
        // that hang from it as well, they are in scope with it.
        let decided =
            matches!(shape.join, Join::OfStudent | Join::LiveOfStudent | Join::FromOfStudent(_))
                && target.implied(noun, &shape.join) != 0
                && scope.seeing() & !target.seeing() == 0;
        if !leak::on(Leak::RelatedWithoutScope) {
            query.and_where(if decided { target.known(below) } else { target.condition(below) });
        }
        // A negation goes down to the leaves here too: *not some* is *every one not*, and *every* holds
        // when no row in scope fails to meet the condition. A row that does not show the column
        // meets neither the condition nor its negation, so it fails both.
        #[cfg(feature = "leaks")]
        let outside = std::mem::replace(
            &mut self.unguarded,
            (every != negated) && leak::on(Leak::QuantifierWithoutGuard),
        );
        let meets = self.filter(filter, &target, below, negated)?;
        #[cfg(feature = "leaks")]
        {
            self.unguarded = outside;
        }
        let every = every != negated;
        query.and_where(if every { fails(meets) } else { meets });
        let found = Expr::exists(query.to_owned());
        let wanted = if every { found.not() } else { found };
        Ok(match guard {
            Guard::Everywhere => wanted,
            Guard::Where(rows) => rows.and(wanted),
            Guard::Nowhere => nothing(),
        })
    }

    /// The condition that joins a target row to a parent row, and the table in between, if any.
    #[expect(clippy::type_complexity, reason = "one caller, read at once")]
    pub(super) fn joined(
        &mut self,
        join: &Join,
        parent: &'static str,
        target: &'static str,
    ) -> Result<(SimpleExpr, Option<(&'static str, &'static str, SimpleExpr)>)> {
        let p = |column: &'static str| (parent, column);
        let t = |column: &'static str| Expr::col((target, column));
        Ok(match *join {
            Join::To(key) => (t("id").equals(p(key)), None),
            Join::ToOfStudent(key) => {
                (t("student_id").equals(p("student_id")).and(t("id").equals(p(key))), None)
            }
            Join::ToStudent => (t("id").equals(p("student_id")), None),
            Join::From(key) => (t(key).equals(p("id")), None),
            Join::OfStudent => (t("student_id").equals(p("id")), None),
            Join::LiveOfStudent => (t("student_id").equals(p("id")).and(t("live").eq(true)), None),
            Join::FromOfStudent(key) => {
                (t("student_id").equals(p("student_id")).and(t(key).equals(p("id"))), None)
            }
            Join::Through { table, from, to, .. } => {
                let name = self.aliases.next()?;
                (
                    Expr::col((name, from)).equals(p("id")),
                    Some((table, name, Expr::col((name, to)).equals((target, "id")))),
                )
            }
        })
    }

    /// Orders rows, ending in their key. `reversed` counts from the end of the list.
    pub(super) fn order(
        &self,
        order: &[Order],
        noun: &Noun,
        alias: &'static str,
        reversed: bool,
    ) -> Vec<(SimpleExpr, sea_orm::Order)> {
        let direction = |descending: bool| {
            if descending != reversed { sea_orm::Order::Desc } else { sea_orm::Order::Asc }
        };
        let mut columns: Vec<_> = order
            .iter()
            .map(|by| (self.ordered(alias, noun, by.field), direction(by.descending)))
            .collect();
        if noun.shape.hangs.of_student() {
            columns.push((Expr::col((alias, "student_id")), direction(false)));
        }
        columns.push((Expr::col((alias, "id")), direction(false)));
        columns
    }

    /// The rows behind a place in the list (before it, when reversed).
    pub(super) fn beyond(
        &self,
        position: &Position,
        order: &[Order],
        noun: &Noun,
        alias: &'static str,
        reversed: bool,
    ) -> SimpleExpr {
        let mut columns: Vec<(SimpleExpr, Value, bool)> = order
            .iter()
            .zip(&position.values)
            .map(|(by, value)| {
                (self.ordered(alias, noun, by.field), value_of(value), by.descending)
            })
            .collect();
        if let Some(student) = position.key.student {
            columns.push((Expr::col((alias, "student_id")), Value::from(student), false));
        }
        columns.push((Expr::col((alias, "id")), Value::from(position.key.id), false));
        // (a, b, c) beyond (x, y, z) spelled out, since directions may differ by column.
        let mut condition: Option<SimpleExpr> = None;
        for (column, value, descending) in columns.into_iter().rev() {
            let past = if descending != reversed {
                column.clone().lt(value.clone())
            } else {
                column.clone().gt(value.clone())
            };
            condition = Some(match condition {
                None => past,
                Some(rest) => past.or(column.eq(value).and(rest)),
            });
        }
        condition.unwrap_or_else(everything)
    }
}

/// True where a condition does not hold: unknown counts as false.
fn fails(condition: SimpleExpr) -> SimpleExpr {
    Expr::from(Func::coalesce([condition, Expr::val(false)])).not()
}

fn one_of(column: SimpleExpr, mut values: Vec<Value>) -> SimpleExpr {
    match (values.len(), values.pop()) {
        (1, Some(value)) => column.eq(value),
        (_, Some(value)) => {
            values.push(value);
            column.is_in(values)
        }
        (_, None) => nothing(),
    }
}

/// The first text after every text with this prefix; none when no text follows.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            char::MAX => None,
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::after_prefix;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        assert_eq!(after_prefix("王").as_deref(), Some("玌"));
        assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(after_prefix(""), None);
        assert_eq!(after_prefix("\u{10FFFF}"), None);
    }
}
