//! The root: the nouns, the viewer, any node, and the code lists.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry as Meta;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ID, MergedObject, Object, ObjectType, OutputType,
    Positioned, Result as GraphResult, ServerError, ServerResult, Value,
};
use xueji_entity::value::{Language, code};

use super::account_management::ApiClientQuery;
use super::audit::AuditQuery;
use super::concern::ConcernQuery;
use super::engine::output::AnyNode;
use super::engine::roots::Roots;
use super::error::{to_server, without_caller};
use super::explain::ExplainQuery;
use super::grants::GrantsQuery;
use super::login_session::LoginSessionQuery;
use super::retention::RetentionQuery;
use super::scalar::Code;
use super::statistics::StatisticsQuery;
use super::viewer::Viewer;
use crate::domain::Cx;
use crate::error::Error;

/// Where every question starts.
#[derive(Debug, Default, MergedObject)]
#[graphql(name = "Query")]
struct Parts(
    Base,
    Roots,
    StatisticsQuery,
    ExplainQuery,
    GrantsQuery,
    LoginSessionQuery,
    ApiClientQuery,
    AuditQuery,
    RetentionQuery,
    ConcernQuery,
);

/// Where every question starts. Its fields are answered one after the other: the library runs them side by side and
/// takes back all of them at the first error, so which error that is, and what was read by then, would be a matter of
/// time, and time depends on rows that the caller may not see.
#[derive(Debug, Default)]
pub struct Query(Parts);

impl OutputType for Query {
    fn type_name() -> Cow<'static, str> {
        <Parts as OutputType>::type_name()
    }

    fn create_type_info(meta: &mut Meta) -> String {
        Parts::create_type_info(meta)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        async_graphql::resolver_utils::resolve_container(ctx, self).await
    }
}

impl ContainerType for Query {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let budget = ctx.data_opt::<Cx>().map(|cx| cx.budget.clone());
        let _turn = match &budget {
            Some(budget) => Some(budget.turn().await),
            None => None,
        };
        self.0.resolve_field(ctx).await
    }
}

impl ObjectType for Query {}

/// The request's view of the registry; without a caller nothing is answered.
pub(crate) fn context<'c>(ctx: &Context<'c>) -> ServerResult<&'c Cx> {
    ctx.data_opt::<Cx>().ok_or_else(|| fail(ctx, Error::Unauthenticated))
}

/// A registry error as the error of a field.
pub(crate) fn fail(ctx: &Context<'_>, error: Error) -> ServerError {
    match ctx.data_opt::<Cx>() {
        Some(cx) => to_server(error, ctx.item.pos, &cx.caller),
        None => {
            let language = ctx.data_opt::<Language>().copied().unwrap_or(Language::Chinese);
            without_caller(error, language, "")
        }
    }
}

/// A field's error for a resolver of the derived kind.
pub(crate) fn graph(error: ServerError) -> async_graphql::Error {
    let mut out = async_graphql::Error::new(error.message);
    out.extensions = error.extensions;
    out
}

/// The root fields that are no nouns.
#[derive(Debug, Default)]
pub struct Base;

#[Object]
impl Base {
    /// Who you are, what you hold, and what is yours.
    async fn viewer(&self, ctx: &Context<'_>) -> GraphResult<Viewer> {
        Ok(Viewer::new(context(ctx).map_err(graph)?))
    }

    /// Anything by its global id; null when it does not exist or is not yours to see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> GraphResult<Option<AnyNode>> {
        Ok(Some(AnyNode::by_id(context(ctx).map_err(graph)?, &id)))
    }

    /// The codes of one list, such as `RDXB` (sex) or `ZGGMZMCDLMZMPXF` (ethnic groups); empty when
    /// there is no such list.
    async fn codes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list.")] list: String,
    ) -> GraphResult<Vec<Code>> {
        let language = context(ctx).map_err(graph)?.caller.language;
        Ok(code::list(&list)
            .iter()
            .map(|entry| Code {
                system: entry.system.to_string(),
                list: entry.list.to_string(),
                value: entry.code.to_string(),
                label: Some(entry.label(language).to_owned()),
            })
            .collect())
    }
}
