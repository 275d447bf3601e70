//! The policy in the schema: applying this server's files.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result as GraphResult, SimpleObject};

use super::query::{context, fail, graph};
use crate::domain::policy::{Keeper, Published, reload};
use crate::error::Error;

/// The policy files of the server that answers, to be applied.
#[derive(InputObject)]
pub struct PolicyReloadInput {
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// The version that is in force.
#[derive(Debug, SimpleObject)]
pub struct PolicyReloadPayload {
    /// Its number; every server runs the newest within a second.
    number: i64,
    /// The hash of its files.
    hash: String,
    /// True when it was published by this request; files that were in force already get no second number.
    published: bool,
}

/// What changes the policy.
#[derive(Debug, Default)]
pub struct PolicyMutation;

#[Object]
impl PolicyMutation {
    /// Reads, checks and publishes the policy files of the server that answers (重新加载授权策略).
    /// Files with a mistake are refused with file and line, and the policy in force stays.
    async fn policy_reload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A key against doing it twice.")] input: PolicyReloadInput,
    ) -> GraphResult<PolicyReloadPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let keeper = ctx
            .data_opt::<Arc<Keeper>>()
            .ok_or_else(|| refuse(Error::internal("a request came without its policy")))?;
        let done = reload(cx, keeper, input.idempotency_key.as_deref()).await.map_err(refuse)?;
        let Published { number, hash, fresh } = done;
        Ok(PolicyReloadPayload { number, hash, published: fresh })
    }
}
