//! The reporting tool's root fields (统计): counts, scores, attendance and aid by groups.
//!
//! A field settles its filter, asks the domain, and names the groups. What may be asked and what is
//! withheld is decided there.

pub mod basis;
pub mod input;
pub mod published;
pub mod rows;

use async_graphql::{Context, ID, Object, Result as GraphResult, SimpleObject};

use self::basis::{DisclosureMethod, DisclosureParameters, StatisticsSnapshot};
use self::input::{
    AidCoverageFilter, AidGroupKey, AttendanceGroupKey, AttendancePeriod, AttendanceRateFilter,
    ScoreGroupKey, ScoreStatisticsFilter, StudentCountFilter, StudentGroupKey,
};
use self::published::{DeclaredTable, PublishedTable};
use self::rows::{
    AidCoverageRow, AttendanceRateRow, Reader, ScoreStatisticsRow, StudentCountRow, Yuan, note,
};
use super::query::{context, fail, graph};
use super::scalar::Date;
use crate::domain::Cx;
use crate::domain::statistics::tables;
use crate::domain::statistics::{self, Figures, Group, Key, Names};
use crate::error::Result;

macro_rules! answers {
    ($($(#[doc = $doc:literal])* $name:ident of $row:ident, $(#[doc = $tdoc:literal])* total $total:ty;)*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $name {
            /// The groups by name or code; those of nobody are not listed, nor, where the rows are
            /// not yours to read, those of which nothing may be said.
            groups: Vec<$row>,
            $(#[doc = $tdoc])*
            total: Option<$total>,
            /// How the figures come about: exact over rows that you may read, or from a snapshot
            /// with small errors.
            method: DisclosureMethod,
            /// Whether figures of groups add up to those of their union. They do not where each has
            /// an error of its own.
            additive: bool,
            /// The snapshot that the figures speak of; null for exact figures, which are of now.
            snapshot: Option<StatisticsSnapshot>,
            /// The errors of the figures; null for exact ones.
            parameters: Option<DisclosureParameters>,
            /// True for every answer from a snapshot: groups of fewer pupils than the threshold, of
            /// none, or in which nearly all are alike are left out; nothing tells whether there were
            /// any. False for whoever may read the rows one by one.
            withheld: bool,
            /// The fewest students that a figure may stand for; null for whoever may read the rows
            /// one by one and so gets exact figures.
            threshold: Option<i64>,
            /// What may be left out, in the language of the request, the same for every answer from
            /// a snapshot; null for whoever may read the rows.
            note: Option<String>,
        }

        impl $name {
            async fn of<F: Sync, T: Sync>(
                cx: &Cx,
                mut figures: Figures<F, T>,
                row: impl Fn(&Reader<'_>, &Group<F>) -> Option<$row>,
                total: impl Fn(&T) -> $total,
            ) -> Result<Self> {
                let names = Names::of(cx, &figures).await?;
                let reader = Reader::new(cx, &figures.keys, &names);
                figures.groups.sort_by_cached_key(|group| reader.order(group));
                let protection = figures.basis.protection();
                Ok(Self {
                    method: match protection {
                        None => DisclosureMethod::Exact,
                        Some(_) => DisclosureMethod::Perturbed,
                    },
                    additive: protection.is_none(),
                    snapshot: protection.map(|of| StatisticsSnapshot::of(&of.snapshot)),
                    parameters: protection.map(|of| DisclosureParameters::of(of.threshold)),
                    groups: figures.groups.iter().filter_map(|group| row(&reader, group)).collect(),
                    total: figures.total.as_ref().map(total),
                    withheld: protection.is_some(),
                    threshold: protection.map(|of| of.threshold),
                    note: protection.map(|_| note(cx.caller.language)),
                })
            }
        }
    )* };
}

answers! {
    /// Numbers of students (学生数).
    StudentCounts of StudentCountRow,
    /// Students in all groups; null where few stand behind it.
    total i64;
    /// Statistics of published scores (成绩统计).
    ScoreStatistics of ScoreStatisticsRow,
    /// Scores in all groups; null where few stand behind it.
    total i64;
    /// Rates of attendance (出勤率).
    AttendanceRates of AttendanceRateRow,
    /// Student days in all groups; null where few stand behind it.
    total i64;
    /// Coverage of aid (资助覆盖).
    AidCoverage of AidCoverageRow,
    /// Money granted in all groups, in yuan; null where few stand behind it. Students are not added
    /// up: one may be aided in several groups.
    total Yuan;
}

fn asked<K: Copy + Into<Key>>(keys: &[K]) -> Vec<Key> {
    keys.iter().map(|key| (*key).into()).collect()
}

/// Figures over many pupils, for reporting tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatisticsQuery;

#[Object]
impl StatisticsQuery {
    /// Distinct students with a live enrolment, by any of the keys. `FORBIDDEN` when none of your
    /// roles may count by all of the keys and conditions together.
    async fn student_counts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to group by, at most four; nothing for one group of all.")]
        group_by: Vec<StudentGroupKey>,
        #[graphql(desc = "Only students who meet all of these.")] filter: Option<
            StudentCountFilter,
        >,
    ) -> GraphResult<StudentCounts> {
        let cx = context(ctx).map_err(graph)?;
        let answer = async {
            let only = filter.unwrap_or_default().conditions(cx)?;
            let figures = statistics::student_counts(cx, &asked(&group_by), &only).await?;
            let row = |reader: &Reader<'_>, group: &Group<i64>| Some(reader.students(group));
            StudentCounts::of(cx, figures, row, |total| *total).await
        };
        answer.await.map_err(|error| graph(fail(ctx, error)))
    }

    /// Count, mean, deviation, quantiles, rates and distribution of published scores with a value,
    /// by any of the keys. There is no highest and no lowest score.
    async fn score_statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to group by; nothing for one group of all.")] group_by: Vec<
            ScoreGroupKey,
        >,
        #[graphql(desc = "Only scores that meet all of these.")] filter: Option<
            ScoreStatisticsFilter,
        >,
    ) -> GraphResult<ScoreStatistics> {
        let cx = context(ctx).map_err(graph)?;
        let answer = async {
            let only = filter.unwrap_or_default().conditions(cx)?;
            let figures = statistics::score_statistics(cx, &asked(&group_by), &only).await?;
            let row = |reader: &Reader<'_>, group: &Group<_>| Some(reader.scores(group));
            ScoreStatistics::of(cx, figures, row, |total| *total).await
        };
        answer.await.map_err(|error| graph(fail(ctx, error)))
    }

    /// Attendance by day, week or month and any of the keys.
    async fn attendance_rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of a period.")] period: AttendancePeriod,
        #[graphql(desc = "What to group by besides; nothing for one group a period.")]
        group_by: Vec<AttendanceGroupKey>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day, within 400 days of the first.")] until: Date,
        #[graphql(desc = "Only attendance that meets all of these.")] filter: Option<
            AttendanceRateFilter,
        >,
    ) -> GraphResult<AttendanceRates> {
        let cx = context(ctx).map_err(graph)?;
        let answer = async {
            let only = filter.unwrap_or_default().conditions(cx)?;
            let days = (from.0, until.0);
            let keys = asked(&group_by);
            let figures =
                statistics::attendance_rates(cx, period.into(), &keys, days, &only).await?;
            let row = |reader: &Reader<'_>, group: &Group<_>| reader.attendance(group);
            AttendanceRates::of(cx, figures, row, |total| *total).await
        };
        answer.await.map_err(|error| graph(fail(ctx, error)))
    }

    /// Students aided, their share of all students and of those who need aid, and the money
    /// granted, by any of the keys.
    async fn aid_coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to group by; nothing for one group of all.")] group_by: Vec<
            AidGroupKey,
        >,
        #[graphql(desc = "Only aid that meets all of these.")] filter: Option<AidCoverageFilter>,
    ) -> GraphResult<AidCoverage> {
        let cx = context(ctx).map_err(graph)?;
        let answer = async {
            let only = filter.unwrap_or_default().conditions(cx)?;
            let figures = statistics::aid_coverage(cx, &asked(&group_by), &only).await?;
            let row = |reader: &Reader<'_>, group: &Group<_>| Some(reader.aid(group));
            AidCoverage::of(cx, figures, row, |total| Yuan(*total)).await
        };
        answer.await.map_err(|error| graph(fail(ctx, error)))
    }

    /// The tables that are published with snapshots and that you may read.
    async fn declared_tables(&self, ctx: &Context<'_>) -> GraphResult<Vec<DeclaredTable>> {
        let cx = context(ctx).map_err(graph)?;
        Ok(tables::declared(cx).iter().map(DeclaredTable::of).collect())
    }

    /// A published table: exact figures, and withheld ones. You see the schools in your reach, and
    /// the counties and the registry that lie in it as a whole.
    async fn declared_table(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name.")] name: String,
        #[graphql(desc = "The snapshot; the newest when not given.")] snapshot_id: Option<ID>,
    ) -> GraphResult<PublishedTable> {
        let cx = context(ctx).map_err(graph)?;
        let answer = async {
            let told = tables::read(cx, &name, snapshot_id.as_ref().map(|id| id.as_str())).await?;
            PublishedTable::of(cx, &told).await
        };
        answer.await.map_err(|error| graph(fail(ctx, error)))
    }
}
#[cfg(test)]
mod tests;
