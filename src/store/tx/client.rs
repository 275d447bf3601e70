//! Programs of other systems as the acts over them write and list them. Secrets come as hashes.

use chrono::{DateTime, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query, Value};
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::TokenHash;

use super::account::Whose;
use super::{Tx, insert_into, names};
use crate::access::filter::Key;
use crate::error::Result;
use crate::store::failed;

/// A program to be registered.
#[derive(Clone, Debug)]
pub struct NewClient<'a> {
    /// The account of the program.
    pub account: Uuid,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// What it may ask for, with blanks between.
    pub scopes: &'a str,
    /// Who answers for it.
    pub owner: Uuid,
    /// Until when it may sign in.
    pub expires_at: DateTime<Utc>,
    /// The networks it may come from, with blanks between.
    pub networks: Option<&'a str>,
}

/// A registered program, as an administrator is told of it.
#[derive(Clone, Debug)]
pub struct ListedClient {
    /// Its account.
    pub account: Uuid,
    /// The login.
    pub login: String,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// The account of who answers for it.
    pub owner: Uuid,
    /// The login of that account.
    pub owner_login: String,
    /// The scopes, with blanks between.
    pub scopes: String,
    /// The networks, with blanks between; none for any.
    pub networks: Option<String>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Until when it may ask.
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when an earlier secret is good, where there is one.
    pub former_until: Option<DateTime<Utc>>,
}

/// Most programs that are listed.
const LISTED: u64 = 1_000;

fn col(alias: &'static str, name: &'static str) -> Expr {
    Expr::col((alias, name))
}

impl Tx {
    /// The open account of a person with this id or login, whoever it is: for the owner of a program, whom the
    /// administrator alone names.
    pub async fn owner(&self, whose: &Whose) -> Result<Option<Uuid>> {
        let subject = self.subject(whose).await?;
        Ok(subject
            .filter(|subject| !subject.disabled && subject.kind != AccountKind::Client)
            .map(|subject| subject.account))
    }

    /// The registered programs, by login.
    pub async fn clients(&self) -> Result<Vec<ListedClient>> {
        let account = |alias: &'static str, key: &'static str| {
            (sea_orm::JoinType::InnerJoin, alias, col(alias, "id").equals(("k", key)))
        };
        let mut query = Query::select();
        for (at, (alias, name)) in [
            ("a", "id"),
            ("a", "login"),
            ("a", "disabled"),
            ("o", "id"),
            ("o", "login"),
            ("k", "scopes"),
            ("k", "allowed_addresses"),
            ("k", "created_at"),
            ("k", "expires_at"),
            ("r", "good_until"),
        ]
        .into_iter()
        .enumerate()
        {
            query.expr_as(col(alias, name), format!("c{at}"));
        }
        query.from_as("api_client", "k");
        for (join, alias, on) in [account("a", "id"), account("o", "owner_account_id")] {
            query.join_as(join, "account", alias, on);
        }
        query
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "retired_secret",
                "r",
                col("r", "id").equals(("k", "id")).and(col("r", "good_until").gt(self.now)),
            )
            .order_by_expr(col("a", "login"), sea_orm::Order::Asc)
            .limit(LISTED);
        let listed = |row: &QueryResult| {
            Ok(ListedClient {
                account: row.try_get_by_index(0).map_err(failed)?,
                login: row.try_get_by_index(1).map_err(failed)?,
                disabled: row.try_get_by_index(2).map_err(failed)?,
                owner: row.try_get_by_index(3).map_err(failed)?,
                owner_login: row.try_get_by_index(4).map_err(failed)?,
                scopes: row.try_get_by_index(5).map_err(failed)?,
                networks: row.try_get_by_index(6).map_err(failed)?,
                created_at: row.try_get_by_index(7).map_err(failed)?,
                expires_at: row.try_get_by_index(8).map_err(failed)?,
                former_until: row.try_get_by_index(9).map_err(failed)?,
            })
        };
        self.select(&query).await?.iter().map(listed).collect()
    }

    /// Registers a program.
    pub async fn make_client(&mut self, new: &NewClient<'_>) -> Result<()> {
        let columns = names(&[
            "id",
            "secret_hash",
            "scopes",
            "owner_account_id",
            "created_at",
            "expires_at",
            "allowed_addresses",
        ]);
        let values: Vec<Value> = vec![
            new.account.into(),
            new.hash.as_bytes().to_vec().into(),
            new.scopes.into(),
            new.owner.into(),
            self.now.into(),
            Some(new.expires_at).into(),
            new.networks.map(str::to_owned).into(),
        ];
        self.execute(&insert_into("api_client", columns, [values])?).await.map(|_count| ())
    }

    /// Gives a program a new secret and, where wanted, another end; the earlier secret is good until an instant.
    pub async fn rotate_secret(
        &mut self,
        account: Uuid,
        hash: &TokenHash,
        expires_at: Option<DateTime<Utc>>,
        good_until: DateTime<Utc>,
    ) -> Result<bool> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("secret_hash"), "c0")
            .from("api_client")
            .and_where(Expr::col("id").eq(Expr::val(account)));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let former: Vec<u8> = row.try_get_by_index(0).map_err(failed)?;
        let mut delete = Query::delete();
        delete.from_table("retired_secret").and_where(Expr::col("id").eq(Expr::val(account)));
        self.execute(&delete).await?;
        if good_until > self.now {
            let columns = names(&["id", "hash", "good_until"]);
            let values: Vec<Value> = vec![account.into(), former.into(), good_until.into()];
            self.execute(&insert_into("retired_secret", columns, [values])?).await?;
        }
        let mut update = Query::update();
        update
            .table("api_client")
            .value("secret_hash", Expr::val(hash.as_bytes().to_vec()))
            .and_where(Expr::col("id").eq(Expr::val(account)));
        if let Some(end) = expires_at {
            update.value("expires_at", Expr::val(end));
        }
        self.execute(&update).await?;
        let touched = self.touch("account")?;
        touched.updated.push(Key { student: None, id: account });
        touched.columns.insert("secret");
        Ok(true)
    }
}
