//! Sessions in the schema: one's own under the viewer, those of others for administrators, and their end.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};

use super::query::{context, fail, graph};
use super::scalar::Instant;
use crate::domain::Cx;
use crate::domain::sign_in::sessions::{
    EndSessions, ListedSession, SignedIn, Which, end, end_own, of,
};

/// A sign-in that lasts (登录会话).
#[derive(Clone, Debug, SimpleObject)]
pub struct LoginSession {
    /// The opaque id, to end it.
    id: ID,
    /// Whether it is the one of this request.
    current: bool,
    /// Whether a program signed in and no person.
    program: bool,
    /// When it began.
    started_at: Instant,
    /// When a token was last given in it.
    last_used_at: Instant,
    /// When it ends at the latest.
    expires_at: Instant,
    /// The address that signed in; null when it came by no connection.
    address: Option<String>,
    /// The program that signed in, as it calls itself.
    agent: Option<String>,
}

impl LoginSession {
    pub(super) fn of(cx: &Cx, listed: ListedSession) -> Self {
        let current = cx.caller.session.login.is_some_and(|login| login.session == listed.id);
        Self {
            id: ID(cx.opaque.session_id(listed.id)),
            current,
            program: listed.program,
            started_at: Instant(listed.started_at),
            last_used_at: Instant(listed.last_used_at),
            expires_at: Instant(listed.expires_at),
            address: listed.address,
            agent: listed.agent,
        }
    }
}

/// A sign-in that was (登录记录).
#[derive(Clone, Debug, SimpleObject)]
pub struct SignIn {
    /// When.
    at: Instant,
    /// From which address; null when it came by no connection.
    address: Option<String>,
}

impl From<SignedIn> for SignIn {
    fn from((at, address): SignedIn) -> Self {
        Self { at: Instant(at), address }
    }
}

/// Questions about the sessions of others.
#[derive(Debug, Default)]
pub struct LoginSessionQuery;

#[Object]
impl LoginSessionQuery {
    /// The sessions of an account, the newest first, for who may end them; each look is on record. Your own are under the
    /// viewer.
    async fn account_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account's login.")] login: String,
    ) -> GraphResult<Vec<LoginSession>> {
        let cx = context(ctx).map_err(graph)?;
        let listed = of(cx, &login).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(listed.into_iter().map(|listed| LoginSession::of(cx, listed)).collect())
    }
}

/// Sessions of your own to be ended.
#[derive(InputObject)]
pub struct ViewerSessionEndInput {
    /// The session; null for all of them, that of this request included.
    id: Option<ID>,
}

/// Sessions of an account to be ended.
#[derive(InputObject)]
pub struct SessionEndInput {
    /// The account's login.
    login: String,
    /// The session; null for all of them.
    id: Option<ID>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What was ended.
#[derive(Debug, SimpleObject)]
pub struct SessionEndPayload {
    /// How many sessions; their tokens are refused within a second.
    ended: u64,
}

/// What ends sessions.
#[derive(Debug, Default)]
pub struct LoginSessionMutation;

fn which(cx: &Cx, id: Option<&ID>) -> Which {
    id.map_or(Which::All, |id| Which::One(cx.opaque.open_session_id(id)))
}

#[Object]
impl LoginSessionMutation {
    /// Ends one of your sessions, or signs you out everywhere (退出登录).
    async fn viewer_session_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: ViewerSessionEndInput,
    ) -> GraphResult<SessionEndPayload> {
        let cx = context(ctx).map_err(graph)?;
        let ended = end_own(cx, which(cx, input.id.as_ref())).await;
        Ok(SessionEndPayload { ended: ended.map_err(|error| graph(fail(ctx, error)))? })
    }

    /// Ends sessions of an account (强制下线), such as one whose device was lost.
    async fn session_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and which.")] input: SessionEndInput,
    ) -> GraphResult<SessionEndPayload> {
        let cx = context(ctx).map_err(graph)?;
        let asked = EndSessions { which: which(cx, input.id.as_ref()), login: input.login };
        let ended = end(cx, &asked, input.idempotency_key.as_deref()).await;
        Ok(SessionEndPayload { ended: ended.map_err(|error| graph(fail(ctx, error)))?.sessions })
    }
}
