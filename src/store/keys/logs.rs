//! The keys of the logs: one codes lines, one signs heads; wrapped like data keys, in a table of their own.
//!
//! A line names the key of its code, so that a new key rewrites none. Keys that are retired verify only. They
//! are numbered apart from the data keys, whose numbers stand inside sealed values and name a cipher.

use chrono::{DateTime, Utc};
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, QueryResult};
use sha2::Sha256;

use super::super::codec::keyed;
use super::super::failed;
use super::super::tx::{insert_into, names, unattended};
use super::master::MasterKey;
use super::{Refusal, State, immediate};
use crate::error::{Error, Result};

/// What a key of the logs is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Keyed codes of lines.
    Code,
    /// Signatures of heads.
    Heads,
}

impl Use {
    /// The word for it, in the database and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Heads => "heads",
        }
    }
}

/// A key of the logs as the database keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub of: Use,
    /// The fingerprint of the master key that wrapped it.
    pub master: String,
    /// Whether it is used, or verifies only.
    pub state: State,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    wrapped: Vec<u8>,
}

impl Stored {
    fn of(row: &QueryResult) -> Result<Self> {
        let odd = |what: &str| Error::internal(format!("a key of the logs has an unknown {what}"));
        let kind: String = row.try_get_by_index(1).map_err(failed)?;
        let state: String = row.try_get_by_index(4).map_err(failed)?;
        Ok(Self {
            id: row.try_get_by_index(0).map_err(failed)?,
            of: *[Use::Code, Use::Heads]
                .iter()
                .find(|of| of.word() == kind)
                .ok_or_else(|| odd("use"))?,
            master: row.try_get_by_index(2).map_err(failed)?,
            wrapped: row.try_get_by_index(3).map_err(failed)?,
            state: *[State::Active, State::Retired]
                .iter()
                .find(|known| known.word() == state)
                .ok_or_else(|| odd("state"))?,
            created_at: row.try_get_by_index(5).map_err(failed)?,
        })
    }

    async fn opened(&self, master: &dyn MasterKey) -> Result<[u8; 32], Refusal> {
        let key = master.open(&purpose(self.id, self.of), &self.wrapped).await;
        let key = match key {
            Ok(key) => key,
            Err(error @ Error::Unavailable) => return Err(error.into()),
            Err(_) if self.master != master.id() => {
                return Err(Refusal::OtherMaster {
                    key: u32::try_from(self.id).unwrap_or_default(),
                    wrapped_by: self.master.clone(),
                    given: master.id(),
                });
            }
            Err(_) => return Err(Refusal::LogKey(self.id)),
        };
        <[u8; 32]>::try_from(key.as_slice()).map_err(|_length| Refusal::LogKey(self.id))
    }
}

fn purpose(id: i64, of: Use) -> String {
    format!("xueji log key 1: {} {id}", of.word())
}

/// A keyed code and the key it was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Code {
    pub(in crate::store) key: i64,
    pub(in crate::store) bytes: Vec<u8>,
}

/// The keys of the logs, opened.
pub struct LogKeys {
    codes: Vec<(i64, [u8; 32])>,
    heads: Vec<(i64, SigningKey)>,
    code: usize,
    head: usize,
}

impl std::fmt::Debug for LogKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKeys(…)")
    }
}

impl LogKeys {
    /// Keys that follow from another one, for what stands on no database: tests and benchmarks.
    pub(super) fn over(key: &[u8; 32]) -> Self {
        Self {
            codes: vec![(1, keyed(key, "xueji.log-key", "code"))],
            heads: vec![(2, SigningKey::from_bytes(&keyed(key, "xueji.log-key", "heads")))],
            code: 0,
            head: 0,
        }
    }

    async fn of(stored: &[Stored], master: &dyn MasterKey) -> Result<Option<Self>, Refusal> {
        let (mut codes, mut heads) = (Vec::new(), Vec::new());
        let (mut code, mut head) = (None, None);
        for one in stored {
            let key = one.opened(master).await?;
            let active = one.state == State::Active;
            match one.of {
                Use::Code => {
                    codes.push((one.id, key));
                    code = active.then_some(codes.len() - 1).or(code);
                }
                Use::Heads => {
                    heads.push((one.id, SigningKey::from_bytes(&key)));
                    head = active.then_some(heads.len() - 1).or(head);
                }
            }
        }
        Ok(code.zip(head).map(|(code, head)| Self { codes, heads, code, head }))
    }

    /// The keys of a database; none when it has none yet.
    pub async fn open<C: ConnectionTrait>(
        db: &C,
        master: &dyn MasterKey,
    ) -> Result<Option<Self>, Refusal> {
        Self::of(&stored(db).await?, master).await
    }

    /// The keys of a database, which are made where there are none yet.
    pub async fn open_or_make(
        db: &DatabaseConnection,
        master: &dyn MasterKey,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        if let Some(keys) = Self::open(db, master).await? {
            return Ok(keys);
        }
        let tx = immediate(db).await?;
        match Self::make(&tx, master, now).await {
            Ok(keys) => {
                tx.commit().await.map_err(failed)?;
                Ok(keys)
            }
            Err(error) => {
                tx.rollback().await.map_err(failed)?;
                // Another server may have been quicker.
                Self::open(db, master).await?.ok_or(error)
            }
        }
    }

    /// The same within a transaction.
    pub(super) async fn make(
        tx: &DatabaseTransaction,
        master: &dyn MasterKey,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        if let Some(keys) = Self::open(tx, master).await? {
            return Ok(keys);
        }
        let code = add(tx, master, Use::Code, now).await?;
        let heads = add(tx, master, Use::Heads, now).await?;
        let keys = Self::open(tx, master).await?.ok_or(Refusal::None)?;
        for (of, id) in [(Use::Code, code), (Use::Heads, heads)] {
            keys.on_record(tx, "keys.init", &format!("log key {id} ({})", of.word()), now).await?;
        }
        Ok(keys)
    }

    /// Puts what is done with keys on record, in the transaction that does it.
    pub(super) async fn on_record(
        &self,
        tx: &DatabaseTransaction,
        action: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let line = unattended(self, action, "", detail, now)?;
        tx.execute(&line).await.map_err(failed)?;
        Ok(())
    }

    /// The number of the key that codes lines now.
    pub(in crate::store) fn coding(&self) -> Result<i64> {
        let key = self.codes.get(self.code);
        key.map(|(id, _)| *id).ok_or_else(|| Error::internal("there is no key for codes"))
    }

    /// The code of a line under one of the keys; none when the key is unknown.
    pub(in crate::store) fn code(&self, key: i64, line: &[u8]) -> Option<Vec<u8>> {
        self.mac(key, line).map(|mac| mac.finalize().into_bytes().to_vec())
    }

    /// Whether a code is that of a line.
    pub(in crate::store) fn fits(&self, code: &Code, line: &[u8]) -> bool {
        self.mac(code.key, line).is_some_and(|mac| mac.verify_slice(&code.bytes).is_ok())
    }

    fn mac(&self, key: i64, line: &[u8]) -> Option<Hmac<Sha256>> {
        let (_, key) = self.codes.iter().find(|(id, _)| *id == key)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(line);
        Some(mac)
    }

    /// The number of the key that signs heads now.
    pub(in crate::store) fn signing(&self) -> Result<i64> {
        let key = self.heads.get(self.head);
        key.map(|(id, _)| *id).ok_or_else(|| Error::internal("there is no key for heads"))
    }

    /// Signs a head under one of the keys.
    pub(in crate::store) fn sign(&self, key: i64, head: &[u8]) -> Option<Vec<u8>> {
        let (_, signer) = self.heads.iter().find(|(id, _)| *id == key)?;
        Some(signer.sign(head).to_bytes().to_vec())
    }

    /// Whether a head was signed under that key.
    pub(in crate::store) fn signed(&self, key: i64, head: &[u8], signature: &[u8]) -> bool {
        let known = self.heads.iter().find(|(id, _)| *id == key);
        let signature = Signature::from_slice(signature);
        known.zip(signature.ok()).is_some_and(|((_, signer), signature)| {
            signer.verifying_key().verify_strict(head, &signature).is_ok()
        })
    }

    /// The public keys of heads with their numbers, in PEM, for whoever keeps heads elsewhere.
    pub fn public(&self) -> Result<Vec<(i64, String)>> {
        let pem = |key: VerifyingKey| {
            let pem = key.to_public_key_pem(LineEnding::LF);
            pem.map_err(|_encoding| Error::internal("a public key cannot be written"))
        };
        self.heads.iter().map(|(id, key)| Ok((*id, pem(key.verifying_key())?))).collect()
    }
}

/// The keys of the logs, from the oldest.
pub async fn stored<C: ConnectionTrait>(db: &C) -> Result<Vec<Stored>> {
    let mut query = Query::select();
    for (at, name) in
        ["id", "kind", "master", "wrapped", "state", "created_at"].into_iter().enumerate()
    {
        query.expr_as(Expr::col(name), format!("c{at}"));
    }
    query.from("log_key").order_by("id", Order::Asc);
    db.query_all(&query).await.map_err(failed)?.iter().map(Stored::of).collect()
}

/// Numbers and states of the keys, for a server that follows them: nothing is unwrapped.
pub(super) async fn states<C: ConnectionTrait>(db: &C) -> Result<Vec<(i64, State)>> {
    Ok(stored(db).await?.into_iter().map(|key| (key.id, key.state)).collect())
}

/// Writes a new key, wrapped; its number.
async fn add(
    tx: &DatabaseTransaction,
    master: &dyn MasterKey,
    of: Use,
    now: DateTime<Utc>,
) -> Result<i64> {
    let mut query = Query::select();
    query.expr_as(Func::max(Expr::col("id")), "c0").from("log_key");
    let last: Option<i64> = match tx.query_one(&query).await.map_err(failed)? {
        Some(row) => row.try_get_by_index(0).map_err(failed)?,
        None => None,
    };
    let id = last.unwrap_or_default() + 1;
    let mut key = [0_u8; 32];
    rand::rng().fill(&mut key);
    let wrapped = master.wrap(&purpose(id, of), &key).await?;
    let columns = ["id", "kind", "master", "wrapped", "state", "created_at"];
    let values: Vec<Value> = vec![
        id.into(),
        of.word().into(),
        master.id().into(),
        wrapped.into(),
        State::Active.word().into(),
        now.into(),
    ];
    let insert = insert_into("log_key", names(&columns), [values])?;
    tx.execute(&insert).await.map_err(failed)?;
    Ok(id)
}

/// Lines are coded under a new key from now on; no line is rewritten. The number of the key.
pub async fn rotate(
    db: &DatabaseConnection,
    master: &dyn MasterKey,
    now: DateTime<Utc>,
) -> Result<i64, Refusal> {
    let tx = immediate(db).await?;
    LogKeys::make(&tx, master, now).await?;
    let mut retire = Query::update();
    retire
        .table("log_key")
        .value("state", State::Retired.word())
        .and_where(Expr::col("kind").eq(Use::Code.word()))
        .and_where(Expr::col("state").eq(State::Active.word()));
    tx.execute(&retire).await.map_err(failed)?;
    let id = add(&tx, master, Use::Code, now).await?;
    let keys = LogKeys::open(&tx, master).await?.ok_or(Refusal::None)?;
    keys.on_record(&tx, "keys.rotate", &format!("log key {id} (code)"), now).await?;
    tx.commit().await.map_err(failed)?;
    Ok(id)
}

/// Wraps every key by another master key; how many. Those that it wraps already are left alone.
pub(super) async fn rewrap(
    tx: &DatabaseTransaction,
    from: &dyn MasterKey,
    to: &dyn MasterKey,
) -> Result<Vec<i64>, Refusal> {
    let mut done = Vec::new();
    for key in stored(tx).await? {
        if key.master == to.id() {
            key.opened(to).await?;
            continue;
        }
        let bare = key.opened(from).await?;
        let wrapped = to.wrap(&purpose(key.id, key.of), &bare).await?;
        let mut update = Query::update();
        update
            .table("log_key")
            .value("wrapped", Expr::val(wrapped))
            .value("master", Expr::val(to.id()))
            .and_where(Expr::col("id").eq(key.id))
            .and_where(Expr::col("wrapped").eq(key.wrapped.clone()));
        if tx.execute(&update).await.map_err(failed)?.rows_affected() != 1 {
            return Err(Error::Conflict { what: "log_key".into() }.into());
        }
        done.push(key.id);
    }
    Ok(done)
}
