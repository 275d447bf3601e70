//! Identities of other issuers in the schema: linked with accounts and unlinked.

use async_graphql::{Context, InputObject, Object, Result as GraphResult, SimpleObject};

use super::query::{context, fail, graph};
use crate::domain::identity::{Named, link, unlink};

/// An identity of another issuer, and the account that it is linked with.
#[derive(InputObject)]
pub struct IdentityInput {
    /// The login of the account.
    login: String,
    /// The issuer, exactly as its tokens name it.
    issuer: String,
    /// What the issuer calls the holder: the claim `sub` of its tokens, exactly.
    subject: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What became of a link.
#[derive(Debug, SimpleObject)]
pub struct IdentityPayload {
    /// True when this request changed it; false when it was so already.
    changed: bool,
}

impl IdentityInput {
    fn parts(self) -> (Named, Option<String>) {
        let Self { login, issuer, subject, idempotency_key } = self;
        (Named { login, issuer, subject }, idempotency_key)
    }
}

/// What changes by whose word accounts sign in.
#[derive(Debug, Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Links an identity of another issuer with an account (关联外部身份): whoever the issuer calls so
    /// signs in as that account. Nobody does so for the own account; an identity has one account.
    async fn identity_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The identity and the account.")] input: IdentityInput,
    ) -> GraphResult<IdentityPayload> {
        let cx = context(ctx).map_err(graph)?;
        let (named, key) = input.parts();
        let done = link(cx, named, key.as_deref()).await;
        let done = done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(IdentityPayload { changed: done.changed })
    }

    /// Ends the link of an identity with an account (解除外部身份关联): its tokens are refused within a
    /// second, and its streams end.
    async fn identity_unlink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The identity and the account.")] input: IdentityInput,
    ) -> GraphResult<IdentityPayload> {
        let cx = context(ctx).map_err(graph)?;
        let (named, key) = input.parts();
        let done = unlink(cx, named, key.as_deref()).await;
        let done = done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(IdentityPayload { changed: done.changed })
    }
}
