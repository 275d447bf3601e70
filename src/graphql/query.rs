//! The root fields. Each finds its scope and returns; the engine does the rest.

use async_graphql::{Context, ID, Object, Result as GraphResult};

use super::aid_programme::AidProgramme;
use super::class_group::ClassGroup;
use super::course::Course;
use super::engine::output::{AnyNode, Connection, FilterOf, One, OrderOf, list_args};
use super::exam::Exam;
use super::organisation::Organisation;
use super::school_year::SchoolYear;
use super::student::Student;
use super::viewer::Viewer;
use crate::domain::Cx;
use crate::error::Error;

/// The request's view of the registry.
pub(crate) fn cx<'c>(ctx: &Context<'c>) -> GraphResult<&'c Cx> {
    // The caller is known before a document runs; without one nothing is answered.
    ctx.data::<Cx>().map_err(|_| fail(ctx, Error::Unauthenticated))
}

/// A registry error as the error of a root field.
pub(crate) fn fail(ctx: &Context<'_>, error: Error) -> async_graphql::Error {
    let server = match ctx.data_opt::<Cx>() {
        Some(cx) => super::error::to_server(error, ctx.item.pos, &cx.caller),
        None => super::error::without_caller(error, xueji_entity::value::Language::Chinese, ""),
    };
    let mut out = async_graphql::Error::new(server.message);
    out.extensions = server.extensions;
    out
}

/// Where every question starts.
#[derive(Debug)]
pub struct Query;

#[Object]
impl Query {
    /// Who you are, what you hold, and what is yours.
    async fn viewer(&self, ctx: &Context<'_>) -> GraphResult<Viewer> {
        Ok(Viewer::new(cx(ctx)?))
    }

    /// Anything by its global id; null when it does not exist or is not yours to see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> GraphResult<Option<AnyNode>> {
        Ok(Some(AnyNode::by_id(cx(ctx)?, &id)))
    }

    /// One pupil. `NOT_FOUND` when there is none or it is not yours to see.
    async fn student(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil's global id.")] id: ID,
    ) -> GraphResult<One<Student>> {
        One::by_id(cx(ctx)?, &id).map_err(|error| fail(ctx, error))
    }

    /// The pupils that you may see, by name when no order is given.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn students(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<Student>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<Student>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<Student>> {
        let args = list_args(filter, order_by, first, after, last, before);
        Connection::of(cx(ctx)?, args, &[("name", false)]).map_err(|error| fail(ctx, error))
    }

    /// One class group. `NOT_FOUND` when there is none or it is not yours to see.
    async fn class_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class group's global id.")] id: ID,
    ) -> GraphResult<One<ClassGroup>> {
        One::by_id(cx(ctx)?, &id).map_err(|error| fail(ctx, error))
    }

    /// The class groups that you may see.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn class_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<ClassGroup>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<ClassGroup>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<ClassGroup>> {
        let args = list_args(filter, order_by, first, after, last, before);
        Connection::of(cx(ctx)?, args, &[("name", false)]).map_err(|error| fail(ctx, error))
    }
}
