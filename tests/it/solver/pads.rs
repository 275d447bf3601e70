//! Pupils whose number the attacker knows, as one who keeps the register of their school: put together with a set of
//! few, they make it as large as is wanted.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};
use xueji_entity::class_group;
use xueji_entity::value::{ClassGroupId, StudentId};

use super::{BOUND, THRESHOLD};
use crate::support::app::App;
use crate::support::seed::{School, Seed, code};

/// How many are in each pad: any number up to 21 can be put together, most in several ways.
pub(super) const SIZES: [usize; 6] = [1, 2, 3, 4, 5, 6];

/// Every choice of pads, and how many are in it.
pub(super) fn choices() -> impl Iterator<Item = (Vec<usize>, usize)> {
    (0..1_usize << SIZES.len()).map(|some| {
        let of: Vec<usize> = (0..SIZES.len()).filter(|at| some & (1 << at) != 0).collect();
        let size = of.iter().map(|at| SIZES[*at]).sum();
        (of, size)
    })
}

/// Cuts a list of pupils into the pads; the rest is left.
pub(super) fn cut(pupils: &[StudentId]) -> Vec<&[StudentId]> {
    let mut left = pupils;
    let mut pads = Vec::new();
    for size in SIZES {
        let (pad, rest) = left.split_at(size);
        pads.push(pad);
        left = rest;
    }
    pads
}

/// What is known for certain of the number in a set of few.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At least so many.
    pub(super) low: f64,
    /// At most so many.
    pub(super) high: f64,
}

impl Bounds {
    /// Anything up to the number that there can be.
    pub(super) const fn up_to(high: f64) -> Self {
        Self { low: 0.0, high }
    }

    /// Together with so many others they are within these bounds.
    pub(super) fn with(&mut self, others: f64, low: f64, high: f64) {
        self.low = self.low.max(low - others);
        self.high = self.high.min(high - others);
    }

    /// A figure of them and so many others was said, or not.
    pub(super) fn said(&mut self, others: f64, figure: Option<f64>) {
        match figure {
            Some(said) => self.with(others, (said - BOUND).max(THRESHOLD), said + BOUND),
            // A set of 22 is always said: its error cannot bring it under the threshold.
            None => self.with(others, 0.0, THRESHOLD + BOUND - 1.0),
        }
    }

    /// Something was said that is said only when they and so many others are many, or not.
    pub(super) fn present(&mut self, others: f64, present: bool) {
        match present {
            true => self.with(others, THRESHOLD, f64::INFINITY),
            // A set of 20 always counts as many.
            false => self.with(others, 0.0, THRESHOLD + 9.0),
        }
    }

    /// The same where the threshold is sharp.
    pub(super) fn sharp(&mut self, others: f64, truth: f64) {
        match truth + others >= THRESHOLD {
            true => self.with(others, THRESHOLD, f64::INFINITY),
            false => self.with(others, 0.0, THRESHOLD - 1.0),
        }
    }

    /// Whether the number follows.
    pub(super) fn found(&self) -> bool {
        assert!(self.low <= self.high, "{self:?}: the attacker's rules contradict the answers");
        (self.low - 1e-6).ceil() >= (self.high + 1e-6).floor()
    }
}

/// How many of several numbers follow when their sum is known as well.
pub(super) fn found(bounds: &[Bounds], total: f64) -> usize {
    let mut bounds = bounds.to_vec();
    loop {
        let before: f64 = bounds.iter().map(|of| of.high - of.low).sum();
        for at in 0..bounds.len() {
            let (mut low, mut high) = (0.0, 0.0);
            for (_, other) in bounds.iter().enumerate().filter(|(other, _)| *other != at) {
                low += other.low;
                high += other.high;
            }
            bounds[at].with(0.0, total - high, total - low);
        }
        if before - bounds.iter().map(|of| of.high - of.low).sum::<f64>() < 0.5 {
            return bounds.iter().filter(|of| of.found()).count();
        }
    }
}

/// Moves pupils to another school, as if they had always been there.
pub(super) async fn transfer(app: &App, pupils: &[StudentId], school: &School) {
    let statement = Query::update()
        .table("enrollment")
        .value("school_id", school.id.uuid())
        .value("year_level_id", school.levels[0].id.uuid())
        .and_where(Expr::col("student_id").is_in(pupils.iter().map(|id| id.uuid())))
        .to_owned();
    app.db().execute(&statement).await.unwrap();
}

/// A class that holds what these pupils' records of one kind are.
pub(super) async fn class_of(
    app: &App,
    (seed, school): (&Seed, &School),
    number: i64,
    pupils: &[StudentId],
) -> ClassGroupId {
    let id = ClassGroupId::new();
    let row = class_group::Model {
        id,
        school_id: school.id,
        year_level_id: school.levels[0].id,
        school_year_id: seed.school_year,
        number,
        name: format!("Class {number}"),
        kind: code("ZXXBJLX:10"),
    };
    class_group::Entity::insert(row.into_active_model())
        .exec_without_returning(app.db())
        .await
        .unwrap();
    for table in ["score", "attendance"] {
        let statement = Query::update()
            .table(table)
            .value("class_group_id", id.uuid())
            .and_where(Expr::col("student_id").is_in(pupils.iter().map(|id| id.uuid())))
            .to_owned();
        app.db().execute(&statement).await.unwrap();
    }
    id
}
