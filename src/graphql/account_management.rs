//! The management of accounts in the schema: made, barred, let in again, given a new code; programs registered.
//!
//! Shape only. What is told once, a code or a secret, is in the payload of the act that made it and nowhere else.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use uuid::Uuid;

use super::query::{context, fail, graph};
use super::scalar::{Date, Instant};
use crate::access::filter::Key;
use crate::access::view::Noun;
use crate::domain::Cx;
use crate::domain::account::Whose;
use crate::domain::account::client::{
    ListedClient, Register, Registered, clients, register, rotate,
};
use crate::domain::account::create::{Create, Created, For, create};
use crate::domain::account::manage::{self, Renewed};
use crate::error::{Error, Result};

/// An account to be made, for one of `staffId`, `studentId` and `guardianIds`.
#[derive(InputObject)]
pub struct AccountCreateInput {
    /// The name to sign in with: 3 to 64 letters, digits or . _ - @, and no number of a person.
    login: String,
    /// The member of staff.
    staff_id: Option<ID>,
    /// The pupil.
    student_id: Option<ID>,
    /// The guardian, by the row of each child: rows that are known to be of one person.
    guardian_ids: Option<Vec<ID>>,
}

/// An account that was made.
#[derive(SimpleObject)]
pub struct AccountCreatePayload {
    /// The account.
    account_id: ID,
    /// The code (激活码) by which its owner sets the password, once. It is told here and never again.
    activation_code: String,
    /// Until when the code may be used.
    expires_at: Instant,
}

/// An account, named in one of five ways.
#[derive(InputObject)]
pub struct AccountNameInput {
    /// The account.
    account_id: Option<ID>,
    /// Its login.
    login: Option<String>,
    /// The member of staff whose it is.
    staff_id: Option<ID>,
    /// The pupil whose it is.
    student_id: Option<ID>,
    /// The guardian whose it is.
    guardian_id: Option<ID>,
}

/// An account that was barred or let in again.
#[derive(Debug, SimpleObject)]
pub struct AccountStatePayload {
    /// The account.
    account_id: ID,
    /// Whether signing in is barred.
    disabled: bool,
}

/// An account that is given a new code.
#[derive(InputObject)]
pub struct AccountResetInput {
    /// The account.
    account: AccountNameInput,
    /// Whether its second factor is withdrawn as well: for somebody who has lost it.
    #[graphql(default)]
    second_factor: bool,
}

/// The new code.
#[derive(SimpleObject)]
pub struct AccountResetPayload {
    /// The account.
    account_id: ID,
    /// The code (重置码) by which its owner sets a new password, once. It is told here and never again.
    activation_code: String,
    /// Until when the code may be used.
    expires_at: Instant,
}

/// A program of another system to be registered (应用接入).
#[derive(InputObject)]
pub struct ClientCreateInput {
    /// The name by which it asks for tokens.
    login: String,
    /// What it is, for people; letters or Chinese characters.
    name: String,
    /// Who answers for it: the account of a person.
    owner: AccountNameInput,
    /// The roles whose grants it may use, as the policy names them, and `write` if it may change anything.
    scopes: Vec<String>,
    /// The last day; that of the settings when none is named.
    until: Option<Date>,
    /// The networks that it may come from, such as `203.0.113.0/24`; any when none is named.
    networks: Option<Vec<String>>,
}

/// A program that was registered.
#[derive(SimpleObject)]
pub struct ClientCreatePayload {
    /// Its account, to which grants are given.
    account_id: ID,
    /// Its secret (密钥). It is told here and never again.
    secret: String,
    /// Until when it may ask.
    expires_at: Option<Instant>,
}

/// A registered program (应用接入).
#[derive(Debug, SimpleObject)]
pub struct ApiClient {
    /// Its account.
    account_id: ID,
    /// The name by which it asks for tokens.
    login: String,
    /// Whether it is stopped.
    disabled: bool,
    /// The account of who answers for it.
    owner_account_id: ID,
    /// The login of that account.
    owner_login: String,
    /// The roles whose grants it may use, and `write` if it may change anything.
    scopes: Vec<String>,
    /// The networks that it may come from; any when there is none.
    networks: Vec<String>,
    /// When it was registered.
    registered_at: Instant,
    /// Until when it may ask.
    expires_at: Option<Instant>,
    /// Until when an earlier secret is good as well; null when there is none.
    former_secret_until: Option<Instant>,
}

/// Questions about programs.
#[derive(Debug, Default)]
pub struct ApiClientQuery;

#[Object]
impl ApiClientQuery {
    /// The registered programs of other systems, by login, for who may register them; each look is on record.
    async fn api_clients(&self, ctx: &Context<'_>) -> GraphResult<Vec<ApiClient>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let client = |listed: ListedClient| {
            Ok(ApiClient {
                account_id: account_id(cx, listed.account)?,
                login: listed.login,
                disabled: listed.disabled,
                owner_account_id: account_id(cx, listed.owner)?,
                owner_login: listed.owner_login,
                scopes: words(&listed.scopes),
                networks: listed.networks.as_deref().map(words).unwrap_or_default(),
                registered_at: Instant(listed.created_at),
                expires_at: listed.expires_at.map(Instant),
                former_secret_until: listed.former_until.map(Instant),
            })
        };
        let listed = clients(cx).await.map_err(refuse)?;
        listed.into_iter().map(client).collect::<Result<_>>().map_err(refuse)
    }
}

/// A program that is given a new secret.
#[derive(InputObject)]
pub struct ClientRotateInput {
    /// The program.
    account: AccountNameInput,
    /// Another last day.
    until: Option<Date>,
    /// Whether the earlier secret, and every session of the program, ends now: for a secret that got out.
    #[graphql(default)]
    at_once: bool,
}

/// The new secret.
#[derive(SimpleObject)]
pub struct ClientRotatePayload {
    /// Its account.
    account_id: ID,
    /// The new secret. It is told here and never again.
    secret: String,
    /// Until when the earlier secret is good.
    former_secret_until: Option<Instant>,
    /// The new end, where one was named.
    expires_at: Option<Instant>,
}

fn noun(cx: &Cx, name: &str) -> Result<&'static Noun> {
    cx.registry().get(name).ok_or_else(|| Error::internal("a noun is not registered"))
}

fn key(cx: &Cx, name: &'static str, id: &ID) -> Result<Option<Key>> {
    Ok(cx.opaque.open_id_of(noun(cx, name)?, id))
}

fn account_id(cx: &Cx, id: Uuid) -> Result<ID> {
    Ok(ID(cx.opaque.id(noun(cx, "account")?, Key { student: None, id })))
}

impl AccountCreateInput {
    fn create(self, cx: &Cx) -> Result<Create> {
        let Self { login, staff_id, student_id, guardian_ids } = self;
        let id = |key: Option<Key>| key.map(|key| key.id);
        let who = match (staff_id, student_id, guardian_ids) {
            (Some(staff), None, None) => For::Staff(id(key(cx, "staff", &staff)?)),
            (None, Some(student), None) => For::Student(id(key(cx, "student", &student)?)),
            (None, None, Some(rows)) => For::Guardian(
                rows.iter().map(|row| key(cx, "guardian", row)).collect::<Result<_>>()?,
            ),
            _ => {
                return Err(Error::invalid(
                    "staffId",
                    "name one of staffId, studentId and guardianIds",
                    "请在 staffId、studentId 与 guardianIds 中恰好填写一项",
                ));
            }
        };
        Ok(Create { login, who })
    }
}

impl AccountNameInput {
    /// Whose account; none for an id that cannot be one.
    fn whose(self, cx: &Cx) -> Result<Option<Whose>> {
        let Self { account_id, login, staff_id, student_id, guardian_id } = self;
        let id = |name, id: &ID| Ok::<_, Error>(key(cx, name, id)?.map(|key| key.id));
        Ok(match (account_id, login, staff_id, student_id, guardian_id) {
            (Some(account), None, None, None, None) => id("account", &account)?.map(Whose::Account),
            (None, Some(login), None, None, None) => Some(Whose::Login(login)),
            (None, None, Some(staff), None, None) => id("staff", &staff)?.map(Whose::Staff),
            (None, None, None, Some(student), None) => id("student", &student)?.map(Whose::Student),
            (None, None, None, None, Some(guardian)) => {
                key(cx, "guardian", &guardian)?.map(Whose::Guardian)
            }
            _ => {
                return Err(Error::invalid(
                    "accountId",
                    "name the account in one way: accountId, login, staffId, studentId or guardianId",
                    "请用一种方式指明账户：accountId、login、staffId、studentId 或 guardianId",
                ));
            }
        })
    }
}

/// What manages accounts.
#[derive(Debug, Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Makes an account for a member of staff, a pupil or a guardian on file (建立账户), and tells the code by which its
    /// owner sets the password. A pupil's account sees the own record, a guardian's those of the children while each
    /// guardianship holds.
    async fn account_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The login, and for whom.")] input: AccountCreateInput,
    ) -> GraphResult<AccountCreatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let act = input.create(cx).map_err(refuse)?;
        let Created { account, code, expires_at } = create(cx, &act).await.map_err(refuse)?;
        Ok(AccountCreatePayload {
            account_id: account_id(cx, account).map_err(refuse)?,
            activation_code: code.reveal().to_owned(),
            expires_at: Instant(expires_at),
        })
    }

    /// Bars an account (停用): its sessions and streams end within a second, its codes at once. The emergency stop of a
    /// program as well.
    async fn account_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: AccountNameInput,
    ) -> GraphResult<AccountStatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let whose = input.whose(cx).map_err(refuse)?;
        let account = manage::disable(cx, whose.as_ref()).await.map_err(refuse)?;
        let account_id = account_id(cx, account).map_err(refuse)?;
        Ok(AccountStatePayload { account_id, disabled: true })
    }

    /// Lets an account sign in again (启用). Sessions that have ended stay ended.
    async fn account_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: AccountNameInput,
    ) -> GraphResult<AccountStatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let whose = input.whose(cx).map_err(refuse)?;
        let account = manage::enable(cx, whose.as_ref()).await.map_err(refuse)?;
        let account_id = account_id(cx, account).map_err(refuse)?;
        Ok(AccountStatePayload { account_id, disabled: false })
    }

    /// Withdraws the password of somebody who cannot sign in (重置口令), ends the sessions, and tells a code for a new
    /// one. Nobody does so with the own account, nor with one that holds more than they may manage.
    async fn account_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: AccountResetInput,
    ) -> GraphResult<AccountResetPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let whose = input.account.whose(cx).map_err(refuse)?;
        let done = manage::reset(cx, whose.as_ref(), input.second_factor).await;
        let Renewed { account, code, expires_at } = done.map_err(refuse)?;
        Ok(AccountResetPayload {
            account_id: account_id(cx, account).map_err(refuse)?,
            activation_code: code.reveal().to_owned(),
            expires_at: Instant(expires_at),
        })
    }

    /// Registers a program of another system (应用接入) with somebody who answers for it. It holds nothing until grants
    /// are given to its account, and uses those of its scopes alone.
    async fn client_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The program.")] input: ClientCreateInput,
    ) -> GraphResult<ClientCreatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let ClientCreateInput { login, name, owner, scopes, until, networks } = input;
        let act = Register {
            login,
            name,
            owner: owner.whose(cx).map_err(refuse)?,
            scopes,
            until: until.map(|Date(day)| day),
            networks: networks.unwrap_or_default(),
        };
        let done = register(cx, &act).await.map_err(refuse)?;
        let Registered { account, secret, expires_at, .. } = done;
        Ok(ClientCreatePayload {
            account_id: account_id(cx, account).map_err(refuse)?,
            secret: secret.reveal().to_owned(),
            expires_at: expires_at.map(Instant),
        })
    }

    /// Gives a program a new secret (更换密钥). The earlier one is good for a while longer, unless it ends at once.
    async fn client_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The program.")] input: ClientRotateInput,
    ) -> GraphResult<ClientRotatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let ClientRotateInput { account, until, at_once } = input;
        let whose = account.whose(cx).map_err(refuse)?;
        let done = rotate(cx, whose.as_ref(), until.map(|Date(day)| day), at_once).await;
        let Registered { account, secret, expires_at, former_until } = done.map_err(refuse)?;
        Ok(ClientRotatePayload {
            account_id: account_id(cx, account).map_err(refuse)?,
            secret: secret.reveal().to_owned(),
            former_secret_until: former_until.map(Instant),
            expires_at: expires_at.map(Instant),
        })
    }
}
