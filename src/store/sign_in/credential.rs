//! Credentials: passwords as hashes, failures and locks, second factors and recovery codes.

use chrono::{DateTime, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement, Value};
use uuid::Uuid;
use xueji_entity::value::PasswordHash;

use super::Entry;
use crate::error::{Error, Result};
use crate::store::stops::barred;
use crate::store::tx::{insert_into, names};
use crate::store::{Store, failed};

const TABLE: &str = "credential";
const SECRET: &str = "totp_secret";

/// What an account signs in with.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// The password, hashed; none until one is set.
    pub password: Option<PasswordHash>,
    /// When it was set.
    pub changed_at: Option<DateTime<Utc>>,
    /// Whether it must be changed before anything else.
    pub must_change: bool,
    /// Failures since the last sign-in.
    pub failures: i64,
    /// When the last of them was.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// Until when nothing is accepted.
    pub locked_until: Option<DateTime<Utc>>,
    /// Since when a second factor is asked for.
    pub factor_since: Option<DateTime<Utc>>,
    /// The last time step of which a code was accepted.
    pub last_step: Option<i64>,
    /// The last sign-in: when and from where.
    pub last: Option<(DateTime<Utc>, Option<String>)>,
    /// The one before that.
    pub previous: Option<(DateTime<Utc>, Option<String>)>,
    /// The key of the second factor, sealed.
    sealed: Option<Vec<u8>>,
}

/// An account with what it signs in with.
#[derive(Clone, Debug)]
pub struct Known {
    /// The account.
    pub account: Uuid,
    /// Whose login it is: `staff`, `student`, `guardian` or `client`.
    pub kind: String,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// The credential; that of an account without one is empty.
    pub credential: Credential,
}

const COLUMNS: [&str; 13] = [
    "password_hash",
    "changed_at",
    "must_change",
    "failures",
    "last_failure_at",
    "locked_until",
    "totp_since",
    "totp_last_step",
    "last_sign_in_at",
    "last_sign_in_from",
    "previous_sign_in_at",
    "previous_sign_in_from",
    SECRET,
];

fn known_query() -> SelectStatement {
    let mut query = Query::select();
    query
        .expr_as(Expr::col(("a", "id")), "c0")
        .expr_as(Expr::col(("a", "kind")), "c1")
        .expr_as(barred("a"), "c2");
    for (at, column) in COLUMNS.into_iter().enumerate() {
        query.expr_as(Expr::col(("c", column)), format!("c{}", at + 3));
    }
    query.from_as("account", "a").join_as(
        sea_orm::JoinType::LeftJoin,
        TABLE,
        "c",
        Expr::col(("c", "id")).equals(("a", "id")),
    );
    query
}

fn known(row: &QueryResult) -> Result<Known> {
    fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<T> {
        row.try_get_by_index(at).map_err(failed)
    }
    let moment = |at: usize| -> Result<Option<(DateTime<Utc>, Option<String>)>> {
        let when: Option<DateTime<Utc>> = get(row, at)?;
        let from: Option<String> = get(row, at + 1)?;
        Ok(when.map(|when| (when, from)))
    };
    let must_change: Option<bool> = get(row, 5)?;
    let failures: Option<i64> = get(row, 6)?;
    Ok(Known {
        account: get(row, 0)?,
        kind: get(row, 1)?,
        disabled: get(row, 2)?,
        credential: Credential {
            password: get(row, 3)?,
            changed_at: get(row, 4)?,
            must_change: must_change.unwrap_or_default(),
            failures: failures.unwrap_or_default(),
            last_failure_at: get(row, 7)?,
            locked_until: get(row, 8)?,
            factor_since: get(row, 9)?,
            last_step: get(row, 10)?,
            last: moment(11)?,
            previous: moment(13)?,
            sealed: get(row, 15)?,
        },
    })
}

impl Store {
    /// The account of a login with its credential.
    pub async fn known_by_login(&self, login: &str) -> Result<Option<Known>> {
        let mut query = known_query();
        query.and_where(Expr::col(("a", "login")).eq(login));
        self.select(&query).await?.first().map(known).transpose()
    }

    /// An account with its credential.
    pub async fn known(&self, account: Uuid) -> Result<Option<Known>> {
        let mut query = known_query();
        query.and_where(Expr::col(("a", "id")).eq(Expr::val(account)));
        self.select(&query).await?.first().map(known).transpose()
    }

    /// The key of an account's second factor in base 32, whether it was confirmed or not.
    pub fn factor_secret(&self, known: &Known) -> Result<Option<String>> {
        let sealed = known.credential.sealed.as_deref();
        sealed.map(|sealed| self.codec.open(TABLE, SECRET, known.account, sealed)).transpose()
    }

    /// The form in which a recovery code is kept: hashed under the deployment's key, since a person can type it
    /// and so it is shorter than a token.
    pub fn recovery_hash(&self, code: &str) -> Vec<u8> {
        self.codec.hash("recovery_code", code).to_vec()
    }
}

impl Entry {
    /// The account with its credential, locked until the act ends, so that tries count one after the other.
    pub async fn known(&self, account: Uuid) -> Result<Option<Known>> {
        let mut lock = Query::select();
        lock.expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(account)))
            .lock(LockType::NoKeyUpdate);
        self.select(&lock).await?;
        let mut query = known_query();
        query.and_where(Expr::col(("a", "id")).eq(Expr::val(account)));
        self.select(&query).await?.first().map(known).transpose()
    }

    /// A sign-in has failed. For an account without a credential, or none, it changes nothing and costs the same.
    pub async fn failed(
        &self,
        account: Uuid,
        failures: i64,
        locked_until: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("failures", failures)
            .value("last_failure_at", self.now)
            .value("locked_until", Expr::val(locked_until))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&update).await.map(|_| ())
    }

    /// A sign-in has succeeded: failures are forgotten, and the last sign-in becomes the one before.
    pub async fn succeeded(&self, known: &Known) -> Result<()> {
        let (at, from) = known.credential.last.clone().unzip();
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("failures", 0_i64)
            .value("last_failure_at", Expr::val(None::<DateTime<Utc>>))
            .value("locked_until", Expr::val(None::<DateTime<Utc>>))
            .value("previous_sign_in_at", Expr::val(at))
            .value("previous_sign_in_from", Expr::val(from.flatten()))
            .value("last_sign_in_at", self.now)
            .value(
                "last_sign_in_from",
                Expr::val(self.visit.client.map(|client| client.to_string())),
            )
            .and_where(Expr::col("id").eq(Expr::val(known.account)));
        self.execute(&update).await.map(|_| ())
    }

    /// The same password under other parameters.
    pub async fn rehashed(&self, account: Uuid, hash: &PasswordHash) -> Result<()> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("password_hash", Expr::val(hash.as_phc()))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&update).await.map(|_| ())
    }

    /// Sets a password that was checked and hashed; failures and locks are forgotten with the old one, of which
    /// so many are kept, so that they are not chosen again.
    pub async fn set_password(
        &self,
        known: &Known,
        hash: &PasswordHash,
        must_change: bool,
        kept: u32,
    ) -> Result<()> {
        let account = known.account;
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("password_hash", Expr::val(hash.as_phc()))
            .value("changed_at", self.now)
            .value("must_change", must_change)
            .value("failures", 0_i64)
            .value("last_failure_at", Expr::val(None::<DateTime<Utc>>))
            .value("locked_until", Expr::val(None::<DateTime<Utc>>))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        if self.execute(&update).await? == 0 {
            let columns = names(&["id", "password_hash", "changed_at", "must_change", "failures"]);
            let row: Vec<Value> = vec![
                account.into(),
                hash.as_phc().into(),
                self.now.into(),
                must_change.into(),
                0_i64.into(),
            ];
            self.execute(&insert_into(TABLE, columns, [row])?).await?;
        }
        // A code that was given before opens nothing any more.
        let mut withdrawn = Query::update();
        withdrawn
            .table("activation_code")
            .value("used_at", self.now)
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .and_where(Expr::col("used_at").is_null());
        self.execute(&withdrawn).await?;
        if let Some(old) = &known.credential.password {
            let columns = names(&["id", "account_id", "hash", "at"]);
            let row: Vec<Value> =
                vec![Uuid::now_v7().into(), account.into(), old.as_phc().into(), self.now.into()];
            self.execute(&insert_into("password_history", columns, [row])?).await?;
        }
        let ids = self.history(account).await?;
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        for (id, _) in ids.iter().skip(kept) {
            let mut delete = Query::delete();
            delete.from_table("password_history").and_where(Expr::col("id").eq(Expr::val(*id)));
            self.execute(&delete).await?;
        }
        Ok(())
    }

    /// Passwords that were replaced, the newest first.
    async fn history(&self, account: Uuid) -> Result<Vec<(Uuid, PasswordHash)>> {
        history(&self.select(&history_query(account)).await?)
    }

    /// Keeps the key of a second factor, sealed, until it is confirmed by a code.
    pub async fn begin_factor(&self, account: Uuid, secret: &str) -> Result<()> {
        let sealed = self.store.codec.seal(TABLE, SECRET, account, secret)?;
        self.factor(account, Some(sealed), None, None).await
    }

    /// From now on codes of the key are asked for; that of this step was used.
    pub async fn confirm_factor(&self, account: Uuid, step: i64) -> Result<()> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("totp_since", self.now)
            .value("totp_last_step", step)
            .and_where(Expr::col("id").eq(Expr::val(account)))
            .and_where(Expr::col(SECRET).is_not_null());
        match self.execute(&update).await? {
            1 => Ok(()),
            _ => Err(Error::Conflict { what: "second_factor".into() }),
        }
    }

    /// Takes the second factor and its recovery codes away.
    pub async fn remove_factor(&self, account: Uuid) -> Result<()> {
        self.factor(account, None, None, None).await?;
        self.set_recovery(account, &[]).await
    }

    async fn factor(
        &self,
        account: Uuid,
        sealed: Option<Vec<u8>>,
        since: Option<DateTime<Utc>>,
        step: Option<i64>,
    ) -> Result<()> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value(SECRET, Expr::val(sealed))
            .value("totp_since", Expr::val(since))
            .value("totp_last_step", Expr::val(step))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&update).await.map(|_| ())
    }

    /// A code of this step was accepted: none of it or of an earlier one is from now on.
    pub async fn stepped(&self, account: Uuid, step: i64) -> Result<()> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("totp_last_step", step)
            .and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&update).await.map(|_| ())
    }

    /// Recovery codes, hashed; those of before are gone.
    pub async fn set_recovery(&self, account: Uuid, hashes: &[Vec<u8>]) -> Result<()> {
        let mut delete = Query::delete();
        delete
            .from_table("recovery_code")
            .and_where(Expr::col("account_id").eq(Expr::val(account)));
        self.execute(&delete).await?;
        if hashes.is_empty() {
            return Ok(());
        }
        let columns = names(&["id", "account_id", "hash"]);
        let rows = hashes.iter().map(|hash| -> Vec<Value> {
            vec![Uuid::now_v7().into(), account.into(), hash.clone().into()]
        });
        self.execute(&insert_into("recovery_code", columns, rows)?).await.map(|_| ())
    }

    /// Uses a recovery code up; false when the account has none such that is unused.
    pub async fn use_recovery(&self, account: Uuid, hash: Vec<u8>) -> Result<bool> {
        let mut update = Query::update();
        update
            .table("recovery_code")
            .value("used_at", self.now)
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .and_where(Expr::col("hash").eq(Expr::val(hash)))
            .and_where(Expr::col("used_at").is_null());
        Ok(self.execute(&update).await? == 1)
    }
}

fn history_query(account: Uuid) -> SelectStatement {
    Query::select()
        .expr_as(Expr::col("id"), "c0")
        .expr_as(Expr::col("hash"), "c1")
        .from("password_history")
        .and_where(Expr::col("account_id").eq(Expr::val(account)))
        .order_by("at", Order::Desc)
        .order_by("id", Order::Desc)
        .to_owned()
}

fn history(rows: &[QueryResult]) -> Result<Vec<(Uuid, PasswordHash)>> {
    let each = |row: &QueryResult| {
        Ok((row.try_get_by_index(0).map_err(failed)?, row.try_get_by_index(1).map_err(failed)?))
    };
    rows.iter().map(each).collect()
}

impl Store {
    /// Passwords that were replaced, the newest first.
    pub async fn replaced_passwords(&self, account: Uuid) -> Result<Vec<PasswordHash>> {
        let rows = self.select(&history_query(account)).await?;
        Ok(history(&rows)?.into_iter().map(|(_, hash)| hash).collect())
    }
}
