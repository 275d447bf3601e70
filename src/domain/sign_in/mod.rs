//! Signing in (登录): by name and password, with a second factor where there is one, and what follows.
//!
//! [`Door`] decides; what it reads and writes is in `store::sign_in`. Whether a name is unknown, its account locked
//! or barred, or the password wrong: the answer is the same, and so is the work. The reason is on record alone. Tokens
//! for access are made by whoever holds the signing key.

mod factor;
mod hash;
mod lock;
mod rules;
pub mod sessions;
mod token;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use xueji_entity::value::PasswordHash;

use crate::config::secret::SecretText;
use crate::config::sign_in::SignIn;
use crate::error::{Error, Result, Why};
use crate::store::Store;
use crate::store::sign_in::{End, Entry, Known, NewSession, Personal, Said, Visit};
use factor::Code;
pub use factor::RECOVERY_CODES;
pub use hash::Hasher;
use rules::Weak;
use token::Refresh;

/// Longest login that is looked up.
const LOGIN: usize = 128;
/// Longest name of a program that is kept.
const AGENT: usize = 80;
/// Lines in the audit log name these.
const SIGN_IN: &str = "sign_in";
const REFRESH: &str = "session.refresh";
const SIGN_OUT: &str = "session.sign_out";
const PASSWORD: &str = "password.change";
const PASSWORD_SET: &str = "password.set";
const FACTOR_BEGIN: &str = "second_factor.begin";
const FACTOR_CONFIRM: &str = "second_factor.confirm";
const FACTOR_REMOVE: &str = "second_factor.remove";

/// Why somebody is not let in.
#[derive(Debug)]
pub enum Denied {
    /// Name, password or code are wrong, or nothing is accepted for now: nobody learns which.
    Wrong,
    /// Name and password are right, and the code of the second factor is missing.
    FactorNeeded,
    /// The session has ended, or never was.
    Ended,
    /// Something else.
    Failed(Error),
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Somebody who was let in, or goes on.
#[derive(Debug)]
pub struct Entered {
    /// The account.
    pub account: Uuid,
    /// The session.
    pub session: Uuid,
    /// How long the access token may hold.
    pub access: Duration,
    /// For how long the refresh token is good unless it is used.
    pub good_for: Duration,
    /// The refresh token.
    pub refresh: SecretText,
    /// The sign-in before this one: when and from where.
    pub previous: Option<(DateTime<Utc>, Option<String>)>,
}

/// The key of a second factor that awaits its confirmation.
#[derive(Debug)]
pub struct Enrolment {
    /// The key in base 32.
    pub secret: SecretText,
    /// The same as an address that authenticators read.
    pub uri: SecretText,
}

/// Who is at the door with a token: the account and its session.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// The account.
    pub account: Uuid,
    /// The session.
    pub session: Uuid,
}

/// Lets people in.
#[derive(Debug)]
pub struct Door {
    rules: SignIn,
    hasher: Hasher,
}

/// What comes of a try, decided while the credential is locked.
enum Verdict {
    Right,
    FactorNeeded,
    /// Counts as a failure.
    Failure(&'static str),
    /// Refused and not counted.
    Barred(&'static str),
}

impl Door {
    /// A door under these rules. Computes one hash.
    pub fn new(rules: SignIn) -> Result<Self> {
        let hasher = Hasher::new(&rules)?;
        Ok(Self { rules, hasher })
    }

    /// The rules.
    pub const fn rules(&self) -> &SignIn {
        &self.rules
    }

    /// What hashes passwords.
    pub const fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Signs somebody in by name and password, and the code of a second factor where there is one.
    pub async fn sign_in(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        (login, password, code): (&str, &SecretText, Option<&SecretText>),
    ) -> Result<Entered, Denied> {
        // What cannot be a login is looked up as one that nobody has.
        let login = if is_login(login) { login } else { "" };
        let known = store.known_by_login(login).await?;
        // Programs have secrets of their own and sign in otherwise.
        let known = known.filter(|known| known.kind != "client");
        let right = self.verify(known.as_ref(), password).await?;
        let entry = store.enter(&shortened(visit), now).await?;
        let Some(known) = self.judge(&entry, store, SIGN_IN, known, right, Some(code)).await?
        else {
            entry.commit().await?;
            return Err(Denied::Wrong);
        };
        let known = match known {
            Ok(known) => known,
            Err(denied) => {
                entry.commit().await?;
                return Err(denied);
            }
        };
        entry.succeeded(&known).await?;
        let refresh = Refresh::first();
        let session = NewSession {
            id: Uuid::now_v7(),
            account: known.account,
            program: false,
            idle_until: Some(later(now, self.rules.idle)),
            expires_at: later(now, self.rules.session),
            refresh: Some((refresh.handle, refresh.hash())),
        };
        entry.open_session(&session).await?;
        let said = Said::done(SIGN_IN, known.account);
        entry.say(Said { row: Some(("login_session", session.id)), ..said }).await?;
        entry.commit().await?;
        self.rehash(store, visit, now, &known, password).await?;
        metrics::counter!("xueji_sign_ins_total", "outcome" => "done").increment(1);
        Ok(Entered {
            account: known.account,
            session: session.id,
            access: self.rules.access.min(self.rules.session),
            good_for: self.rules.idle.min(self.rules.session),
            refresh: refresh.text(),
            previous: known.credential.last,
        })
    }

    /// Goes on with a session: the refresh token is replaced. One that was replaced already ends the session, since
    /// two hold it of whom one stole it.
    pub async fn refresh(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        token: &SecretText,
    ) -> Result<Entered, Denied> {
        let token = Refresh::parse(token.reveal()).ok_or(Denied::Ended)?;
        let entry = store.enter(&shortened(visit), now).await?;
        let Some(session) = entry.session_by_handle(token.handle).await? else {
            entry.say(Said::denied(REFRESH, None, "unknown")).await?;
            entry.commit().await?;
            return Err(Denied::Ended);
        };
        let row = Some(("login_session", session.id));
        if !session.live {
            let said = Said::denied(REFRESH, Some(session.account), "ended");
            entry.say(Said { row, ..said }).await?;
            entry.commit().await?;
            return Err(Denied::Ended);
        }
        let next = Refresh::next(token.handle);
        let idle_until = later(now, self.rules.idle);
        let known = session.refresh.as_deref() == Some(token.hash().as_slice());
        if !known || !entry.rotate(&session, next.hash(), Some(idle_until)).await? {
            entry.end_session(session.account, session.id, End::Reused).await?;
            let said =
                Said::denied(REFRESH, Some(session.account), "reused: the session was ended");
            entry.say(Said { row, ..said }).await?;
            entry.commit().await?;
            metrics::counter!("xueji_refresh_reuses_total").increment(1);
            return Err(Denied::Ended);
        }
        entry.commit().await?;
        let left = (session.expires_at - now).to_std().unwrap_or_default();
        Ok(Entered {
            account: session.account,
            session: session.id,
            access: self.rules.access.min(left),
            good_for: self.rules.idle.min(left),
            refresh: next.text(),
            previous: None,
        })
    }

    /// Ends a session of its holder: the one of the token, another one of theirs, or all of them; how many.
    pub async fn sign_out(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        account: Uuid,
        session: Option<Uuid>,
    ) -> Result<u64> {
        sign_out(store, visit, now, account, session).await
    }

    /// Changes the password of whoever holds a session; their other sessions end.
    pub async fn change_password(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        holder: Holder,
        (old, new): (&SecretText, &SecretText),
    ) -> Result<(), Denied> {
        let known = self.prove(store, visit, now, holder, PASSWORD, old, None).await?;
        let person = store.personal(holder.account).await?;
        self.acceptable(store, &known, &person, new).await?;
        let hash = self.hasher.hash(new).await?;
        let entry = store.enter(visit, now).await?;
        let again = entry.known(holder.account).await?;
        let again = again.filter(|again| same(again, &known) && !again.disabled);
        let Some(known) = again else {
            entry.give_up().await?;
            return Err(Error::Conflict { what: "password".into() }.into());
        };
        entry.set_password(&known, &hash, false, self.rules.history).await?;
        entry.end_sessions(holder.account, Some(holder.session), End::Password).await?;
        let said = Said::done(PASSWORD, holder.account);
        let columns = Some("password_hash");
        entry.say(Said { columns, row: Some(("credential", holder.account)), ..said }).await?;
        Ok(entry.commit().await?)
    }

    /// Whether a password may be that of an account: the rules, what is on file about the person, those it had.
    pub async fn acceptable(
        &self,
        store: &Store,
        known: &Known,
        person: &Personal,
        new: &SecretText,
    ) -> Result<()> {
        rules::check(&self.rules, new.reveal(), person).map_err(Weak::refused)?;
        let before = store.replaced_passwords(known.account).await?;
        let kept = usize::try_from(self.rules.history).unwrap_or(usize::MAX);
        for hash in known.credential.password.iter().chain(before.iter().take(kept)) {
            if self.hasher.verify(new, Some(hash)).await? {
                return Err(Weak::Reused.refused());
            }
        }
        Ok(())
    }

    /// Sets the password of an account for somebody else, to be changed at the first sign-in; its sessions end. Who may is
    /// decided by the caller.
    pub async fn set_initial(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        account: Uuid,
        password: &SecretText,
    ) -> Result<()> {
        let known = store.known(account).await?.ok_or_else(|| Error::not_found("Account"))?;
        let person = store.personal(account).await?;
        self.acceptable(store, &known, &person, password).await?;
        let hash = self.hasher.hash(password).await?;
        self.put(store, visit, now, account, &hash, true).await
    }

    /// Gives accounts of a demo one password, which none of them must change; those that have one keep it.
    pub async fn set_demo(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        accounts: &[Uuid],
        password: &SecretText,
    ) -> Result<()> {
        let mut hash = None;
        for account in accounts {
            let known = store.known(*account).await?;
            if known.is_none_or(|known| known.credential.password.is_some()) {
                continue;
            }
            if hash.is_none() {
                hash = Some(self.hasher.hash(password).await?);
            }
            if let Some(hash) = &hash {
                self.put(store, visit, now, *account, hash, false).await?;
            }
        }
        Ok(())
    }

    async fn put(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        account: Uuid,
        hash: &PasswordHash,
        must_change: bool,
    ) -> Result<()> {
        let entry = store.enter(visit, now).await?;
        let known = entry.known(account).await?.ok_or_else(|| Error::not_found("Account"))?;
        entry.set_password(&known, hash, must_change, self.rules.history).await?;
        entry.end_sessions(account, None, End::Password).await?;
        let said = Said::done(PASSWORD_SET, account);
        let columns = Some("password_hash must_change");
        entry.say(Said { columns, row: Some(("credential", account)), ..said }).await?;
        entry.commit().await
    }

    /// Makes the key of a second factor, which a code must confirm.
    pub async fn begin_factor(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        holder: Holder,
        password: &SecretText,
    ) -> Result<Enrolment, Denied> {
        let known = self.prove(store, visit, now, holder, FACTOR_BEGIN, password, None).await?;
        if known.credential.factor_since.is_some() {
            return Err(active().into());
        }
        let login = store.personal(holder.account).await?.login;
        let key = factor::new_key();
        let entry = store.enter(visit, now).await?;
        // Another request may have confirmed one meanwhile, which is not replaced without its code.
        let again = entry.known(holder.account).await?;
        if again.is_none_or(|again| again.credential.factor_since.is_some()) {
            entry.give_up().await?;
            return Err(active().into());
        }
        entry.begin_factor(holder.account, &key).await?;
        let said = Said::done(FACTOR_BEGIN, holder.account);
        entry.say(Said { row: Some(("credential", holder.account)), ..said }).await?;
        entry.commit().await?;
        let uri = factor::uri(&login, &key).into();
        Ok(Enrolment { secret: key.into(), uri })
    }

    /// Confirms the key by a code: from now on one is asked for. Returns the recovery codes, which are shown once.
    pub async fn confirm_factor(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        holder: Holder,
        code: &SecretText,
    ) -> Result<Vec<SecretText>, Denied> {
        let entry = store.enter(visit, now).await?;
        let known = entry.known(holder.account).await?.ok_or(Denied::Ended)?;
        let secret = store.factor_secret(&known)?;
        let waits = known.credential.factor_since.is_none() && secret.is_some();
        let (true, Some(secret)) = (waits, secret) else {
            entry.give_up().await?;
            return Err(Error::Refused {
                rule: "SECOND_FACTOR_NOT_BEGUN",
                why: Why::new(
                    "there is no key that waits for a code; set up the second factor first",
                    "没有待确认的密钥；请先开始设置双因素认证",
                ),
            }
            .into());
        };
        let step = match Code::read(code.reveal()) {
            Code::Digits(digits) => factor::step(&secret, &digits, now)?,
            Code::Recovery(_) | Code::Odd => None,
        };
        let locked = lock::locked(&known.credential, now);
        let Some(step) = step.filter(|_| !locked) else {
            if !locked {
                let (failures, until) = lock::after_failure(&self.rules, &known.credential, now);
                entry.failed(holder.account, failures, until).await?;
            }
            entry.say(Said::denied(FACTOR_CONFIRM, Some(holder.account), "wrong_code")).await?;
            entry.commit().await?;
            return Err(Denied::Wrong);
        };
        entry.confirm_factor(holder.account, step).await?;
        let codes = factor::recovery_codes();
        let hashes: Vec<_> = codes.iter().map(|code| store.recovery_hash(code)).collect();
        entry.set_recovery(holder.account, &hashes).await?;
        let said = Said::done(FACTOR_CONFIRM, holder.account);
        let columns = Some("totp_since");
        entry.say(Said { columns, row: Some(("credential", holder.account)), ..said }).await?;
        entry.commit().await?;
        Ok(codes.iter().map(|code| factor::printed(code).into()).collect())
    }

    /// Removes the second factor of whoever holds a session, by password and code; their other sessions end.
    pub async fn remove_factor(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        holder: Holder,
        (password, code): (&SecretText, Option<&SecretText>),
    ) -> Result<(), Denied> {
        let known =
            self.prove(store, visit, now, holder, FACTOR_REMOVE, password, Some(code)).await?;
        let entry = store.enter(visit, now).await?;
        let again = entry.known(holder.account).await?;
        if !again.is_some_and(|again| same(&again, &known) && !again.disabled) {
            entry.give_up().await?;
            return Err(Error::Conflict { what: "password".into() }.into());
        }
        entry.remove_factor(holder.account).await?;
        entry.end_sessions(holder.account, Some(holder.session), End::Factor).await?;
        let said = Said::done(FACTOR_REMOVE, holder.account);
        let columns = Some("totp_secret totp_since");
        entry.say(Said { columns, row: Some(("credential", holder.account)), ..said }).await?;
        Ok(entry.commit().await?)
    }

    /// Whether a password has been one for too long.
    pub fn too_old(&self, changed_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        if self.rules.max_age_days == 0 {
            return false;
        }
        let age = TimeDelta::days(i64::from(self.rules.max_age_days));
        changed_at.and_then(|at| at.checked_add_signed(age)).is_none_or(|end| end <= now)
    }

    /// The password once more, of whoever holds a session: wrong ones count like failed sign-ins.
    #[expect(clippy::too_many_arguments, reason = "who, where, when, and what is proved")]
    async fn prove(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        holder: Holder,
        action: &'static str,
        password: &SecretText,
        code: Option<Option<&SecretText>>,
    ) -> Result<Known, Denied> {
        let known = store.known(holder.account).await?;
        let right = self.verify(known.as_ref(), password).await?;
        let entry = store.enter(visit, now).await?;
        let known = self.judge(&entry, store, action, known, right, code).await?;
        entry.commit().await?;
        known.unwrap_or(Err(Denied::Wrong))
    }

    async fn verify(&self, known: Option<&Known>, password: &SecretText) -> Result<bool> {
        if password.reveal().len() > rules::MOST_BYTES {
            // No password is as long; the work is done all the same.
            let none = SecretText::from(String::new());
            return self.hasher.verify(&none, None).await;
        }
        let hash = known.and_then(|known| known.credential.password.as_ref());
        self.hasher.verify(password, hash).await
    }

    /// Hashes a password that has let somebody in anew where the parameters have changed: after that alone, so that the
    /// time of a refusal tells nothing of the password.
    async fn rehash(
        &self,
        store: &Store,
        visit: &Visit,
        now: DateTime<Utc>,
        known: &Known,
        password: &SecretText,
    ) -> Result<()> {
        let outdated = known.credential.password.as_ref().filter(|hash| self.hasher.outdated(hash));
        if outdated.is_none() {
            return Ok(());
        }
        let hash = self.hasher.hash(password).await?;
        let entry = store.enter(visit, now).await?;
        match entry.known(known.account).await? {
            Some(again) if same(&again, known) => {
                entry.rehashed(known.account, &hash).await?;
                entry.commit().await
            }
            Some(_) | None => entry.give_up().await,
        }
    }

    /// Decides over a try and writes what comes of it; whoever fails, in whatever way, costs the same statements. None
    /// for a failure, which the caller commits. With `code` the second factor is asked for, where there is one.
    async fn judge(
        &self,
        entry: &Entry,
        store: &Store,
        action: &'static str,
        known: Option<Known>,
        right: bool,
        code: Option<Option<&SecretText>>,
    ) -> Result<Option<Result<Known, Denied>>> {
        let account = known.as_ref().map(|known| known.account);
        let locked = entry.known(account.unwrap_or(Uuid::nil())).await?;
        let verdict = match (&known, &locked) {
            (Some(before), Some(now)) => {
                // A password that was replaced meanwhile was verified for nothing.
                let right = right && same(before, now);
                self.verdict(entry, store, now, right, code).await?
            }
            _ => Verdict::Barred("unknown"),
        };
        let (why, counted) = match verdict {
            Verdict::Right => return Ok(locked.map(Ok)),
            Verdict::FactorNeeded => ("code_needed".to_owned(), None),
            Verdict::Barred(why) => (why.to_owned(), None),
            Verdict::Failure(why) => {
                let credential = locked.as_ref().map(|known| known.credential.clone());
                let (failures, until) =
                    lock::after_failure(&self.rules, &credential.unwrap_or_default(), entry.now());
                let why = match until {
                    Some(until) => {
                        let seconds = (until - entry.now()).num_seconds();
                        metrics::counter!("xueji_account_locks_total").increment(1);
                        format!("{why}; locked for {seconds} s")
                    }
                    None => why.to_owned(),
                };
                (why, account.map(|account| (account, failures, until)))
            }
        };
        let (whose, failures, until) = counted.unwrap_or((Uuid::nil(), 0, None));
        entry.failed(whose, failures, until).await?;
        entry.say(Said::denied(action, account, &why)).await?;
        metrics::counter!("xueji_sign_ins_total", "outcome" => "denied").increment(1);
        Ok(match verdict {
            Verdict::FactorNeeded => Some(Err(Denied::FactorNeeded)),
            Verdict::Right | Verdict::Failure(_) | Verdict::Barred(_) => None,
        })
    }

    async fn verdict(
        &self,
        entry: &Entry,
        store: &Store,
        known: &Known,
        right: bool,
        code: Option<Option<&SecretText>>,
    ) -> Result<Verdict> {
        if known.disabled {
            return Ok(Verdict::Barred("disabled"));
        }
        if lock::locked(&known.credential, entry.now()) {
            return Ok(Verdict::Barred("locked"));
        }
        if known.credential.password.is_none() {
            return Ok(Verdict::Barred("no_password"));
        }
        if !right {
            return Ok(Verdict::Failure("wrong_password"));
        }
        let Some(code) = code.filter(|_| known.credential.factor_since.is_some()) else {
            return Ok(Verdict::Right);
        };
        let Some(code) = code else { return Ok(Verdict::FactorNeeded) };
        let secret = store
            .factor_secret(known)?
            .ok_or_else(|| Error::internal("a second factor has no key"))?;
        match Code::read(code.reveal()) {
            Code::Digits(digits) => match factor::step(&secret, &digits, entry.now())? {
                // No code serves twice, nor one from before the last.
                Some(step) if known.credential.last_step.is_none_or(|last| last < step) => {
                    entry.stepped(known.account, step).await?;
                    Ok(Verdict::Right)
                }
                Some(_) => Ok(Verdict::Failure("replayed_code")),
                None => Ok(Verdict::Failure("wrong_code")),
            },
            Code::Recovery(code) => {
                match entry.use_recovery(known.account, store.recovery_hash(&code)).await? {
                    true => Ok(Verdict::Right),
                    false => Ok(Verdict::Failure("wrong_code")),
                }
            }
            Code::Odd => Ok(Verdict::Failure("wrong_code")),
        }
    }
}

/// Ends a session of an account by whoever holds it: one, or all; how many.
pub async fn sign_out(
    store: &Store,
    visit: &Visit,
    now: DateTime<Utc>,
    account: Uuid,
    session: Option<Uuid>,
) -> Result<u64> {
    let entry = store.enter(visit, now).await?;
    let said = Said::done(SIGN_OUT, account);
    let ended = match session {
        Some(session) => {
            let ended = entry.end_session(account, session, End::SignedOut).await?;
            entry.say(Said { row: Some(("login_session", session)), ..said }).await?;
            u64::from(ended)
        }
        None => {
            let ended = entry.end_sessions(account, None, End::SignedOutEverywhere).await?;
            let detail = format!("everywhere: {ended} ended");
            entry.say(Said { detail: Some(&detail), ..said }).await?;
            ended
        }
    };
    entry.commit().await?;
    Ok(ended)
}

fn active() -> Error {
    Error::Refused {
        rule: "SECOND_FACTOR_ACTIVE",
        why: Why::new(
            "this account has a second factor; remove it before another is set up",
            "该账号已启用双因素认证；如需更换，请先移除",
        ),
    }
}

/// Whether a text can be a login at all.
fn is_login(text: &str) -> bool {
    !text.is_empty() && text.len() <= LOGIN && !text.chars().any(char::is_control)
}

/// Whether the password is the same in two readings.
fn same(one: &Known, other: &Known) -> bool {
    one.credential.password == other.credential.password
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The visit with the name of the program as short as it is kept, and printable.
pub(in crate::domain) fn shortened(visit: &Visit) -> Visit {
    let agent = visit
        .agent
        .as_deref()
        .map(|agent| agent.chars().filter(|c| !c.is_control()).take(AGENT).collect::<String>());
    Visit { agent: agent.filter(|agent| !agent.is_empty()), ..visit.clone() }
}

/// A password that nobody chose, for an account that gets its first one.
pub fn random_password() -> SecretText {
    SecretText::from(format!("X-{}", factor::printed(&factor::recovery_codes().remove(0))))
}

/// Shows the counters of sign-ins before anything has moved them.
pub fn count_from_nought() {
    for outcome in ["done", "denied"] {
        metrics::counter!("xueji_sign_ins_total", "outcome" => outcome).increment(0);
    }
    metrics::counter!("xueji_account_locks_total").increment(0);
    metrics::counter!("xueji_refresh_reuses_total").increment(0);
}
