//! The price of sealed columns: the same rosters from a registry under AES-256-GCM, under SM4-GCM, and in the clear.
//!
//! In one process, without HTTP, tokens and records, askers at once put the roster of a homeroom teacher (three
//! sealed columns a pupil, one a guardian) to three registries with the same rows, in turns of half a second. What a
//! server adds to all three is left out, so the share of the codec is the largest that it can be. The clear text is this
//! benchmark's own: no server can keep it so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_graphql::{Request, Variables};
use clap::Parser;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::json;
use uuid::Uuid;
use xueji::access::action::ACTIONS;
use xueji::access::caller::{Caller, Session};
use xueji::access::filter::Key;
use xueji::access::ledger::Ledger;
use xueji::access::opaque::Opaque;
use xueji::access::policy::Policy;
use xueji::clock::Clock;
use xueji::config::settings::DataCipher;
use xueji::demo::{Sealer, Size, load};
use xueji::domain::Cx;
use xueji::error::Error;
use xueji::graphql::{Limits, REGISTRY, XuejiSchema, build_schema};
use xueji::store::Store;
use xueji::store::codec::{ClosedCodec, Codec};
use xueji::store::connect::connect;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji_entity::access_grant;
use xueji_migration::{Migrator, MigratorTrait};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROSTER: &str = include_str!("documents/roster.graphql");
const TURN: Duration = Duration::from_millis(500);
const KEY: [u8; 32] = [7; 32];
const NAMES: [&str; 3] = ["in the clear", "AES-256-GCM", "SM4-GCM"];

/// Options.
#[derive(Parser)]
struct Args {
    /// How many ask at once.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Rounds of three turns.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Keeps the text as it is.
struct Clear(ClosedCodec);

impl Codec for Clear {
    fn seal(&self, _: &str, _: &str, _: Uuid, bare: &str) -> xueji::error::Result<Vec<u8>> {
        Ok(bare.as_bytes().to_vec())
    }

    fn open(&self, _: &str, _: &str, _: Uuid, sealed: &[u8]) -> xueji::error::Result<String> {
        String::from_utf8(sealed.to_vec()).map_err(|_bytes| Error::internal("no text"))
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        self.0.hash(kind, bare)
    }
}

struct DemoSealer(Arc<dyn Codec>);

impl Sealer for DemoSealer {
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>> {
        Ok(self.0.seal(table, column, row, bare)?)
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        self.0.hash(kind, bare)
    }
}

/// Who asks, and for which class.
struct Asker {
    session: Arc<Session>,
    variables: Variables,
}

/// A registry under one codec.
struct Bench {
    schema: XuejiSchema,
    store: Store,
    opaque: Arc<Opaque>,
    clock: Clock,
    askers: Vec<Asker>,
    turn: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::TempDir::new()?;
    let codecs: [Arc<dyn Codec>; 3] = [
        Arc::new(Clear(ClosedCodec::new(KEY))),
        Arc::new(EnvelopeCodec::over(KEY, 1, DataCipher::Aes256Gcm, &KEY)?),
        Arc::new(EnvelopeCodec::over(KEY, 1, DataCipher::Sm4Gcm, &KEY[..16])?),
    ];
    for (name, codec) in NAMES.iter().zip(&codecs) {
        alone(name, codec.as_ref())?;
    }
    let mut benches = Vec::new();
    for (at, codec) in codecs.into_iter().enumerate() {
        let file = folder.path().join(format!("{at}.db"));
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let bench = Arc::new(Bench::new(&url, codec).await?);
        bench.turn(args.connections).await?;
        benches.push(bench);
    }
    let mut ratios = [Vec::new(), Vec::new()];
    let mut rates = [0.0; 3];
    for round in 0..args.rounds {
        let mut turns = [0.0; 3];
        for step in 0..3 {
            // Each takes each place in turn, so that a machine that changes its speed favours none.
            let at = (round + step) % 3;
            let rate = benches.get(at).context("a registry")?.turn(args.connections).await?;
            turns[at] = rate;
            rates[at] += rate;
        }
        for (ratios, rate) in ratios.iter_mut().zip(&turns[1..]) {
            ratios.push(rate / turns[0]);
        }
    }
    let rounds = f64::from(u32::try_from(args.rounds)?);
    say(&format!(
        "roster, {} at once: {:.0} answers/s in the clear",
        args.connections,
        rates[0] / rounds
    ));
    for ((name, mut ratios), rate) in NAMES[1..].iter().zip(ratios).zip(&rates[1..]) {
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or_default();
        say(&format!(
            "{name}: {:.0} answers/s; ÷ in the clear: median {:.3} (quartiles {:.3}, {:.3})",
            rate / rounds,
            at(2),
            at(1),
            at(3)
        ));
    }
    Ok(())
}

/// What one value costs, sealed and opened.
fn alone(name: &str, codec: &dyn Codec) -> Result<()> {
    const TIMES: u32 = 200_000;
    const TEXT: &str = "110105201501010011";
    let row = Uuid::from_u128(7);
    let sealed = codec.seal("student", "id_number", row, TEXT)?;
    let timed = |what: &dyn Fn() -> Result<()>| -> Result<u128> {
        let begun = Instant::now();
        for _ in 0..TIMES {
            what()?;
        }
        Ok(begun.elapsed().as_nanos() / u128::from(TIMES))
    };
    let seal = timed(&|| {
        std::hint::black_box(codec.seal("student", "id_number", row, TEXT)?);
        Ok(())
    })?;
    let open = timed(&|| {
        std::hint::black_box(codec.open("student", "id_number", row, &sealed)?);
        Ok(())
    })?;
    say(&format!("{name}: a value of 18 bytes is sealed in {seal} ns, opened in {open} ns"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the one place where this command speaks")]
fn say(line: &str) {
    println!("{line}");
}

impl Bench {
    async fn new(url: &str, codec: Arc<dyn Codec>) -> Result<Self> {
        let clock = Clock::system(chrono_tz::Asia::Shanghai);
        let db = connect(url, 4).await?;
        Migrator::up(&db, None).await?;
        let size = Size { schools: 4, scores: 0, days: 1, ..Size::default() };
        let sealer = Arc::new(DemoSealer(Arc::clone(&codec)));
        load::ensure(&load::bulk(db.clone()), &size, clock.today(), sealer).await?;
        let store = Store::new(db.clone(), codec, &REGISTRY);
        let policy = Arc::new(Policy::embedded(&REGISTRY.catalogue(ACTIONS)).await?);
        let opaque = Arc::new(Opaque::new(&KEY, &REGISTRY));
        let grants = access_grant::Entity::find()
            .filter(access_grant::Column::Role.eq("homeroom_teacher"))
            .limit(200)
            .all(&db)
            .await?;
        let noun = REGISTRY.get("class_group").context("no classes")?;
        let mut askers = Vec::new();
        for grant in grants {
            let class = grant.class_group_id.context("a class")?.uuid();
            let held = store.grants(grant.account_id, &policy, clock.today(), clock.now()).await?;
            let held = held.context("an account")?;
            let session = Session::new(grant.account_id, held, Arc::clone(&policy), clock.today());
            // Grants of earlier school years hold no more.
            if !session.grants.iter().any(|held| held.id == grant.id.uuid()) {
                continue;
            }
            let id = opaque.id(noun, Key { student: None, id: class });
            let variables = Variables::from_json(json!({ "id": id }));
            askers.push(Asker { session: Arc::new(session), variables });
        }
        ensure!(!askers.is_empty(), "the registry has homeroom teachers");
        let schema = build_schema(Limits::default());
        Ok(Self { schema, store, opaque, clock, askers, turn: AtomicU64::new(0) })
    }

    /// Answers for half a second; answers a second.
    async fn turn(self: &Arc<Self>, connections: usize) -> Result<f64> {
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (bench, stop) = (Arc::clone(self), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut answers = 0_u32;
                    while !stop.load(Ordering::Relaxed) {
                        bench.ask().await?;
                        answers += 1;
                    }
                    anyhow::Ok(answers)
                })
            })
            .collect();
        tokio::time::sleep(TURN).await;
        stop.store(true, Ordering::Relaxed);
        let mut answers = 0;
        for task in tasks {
            answers += task.await??;
        }
        Ok(f64::from(answers) / started.elapsed().as_secs_f64())
    }

    async fn ask(&self) -> Result<()> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(turn)? % self.askers.len();
        let asker = self.askers.get(at).context("an asker")?;
        let ledger = Arc::new(Ledger::default());
        let caller = Caller {
            session: Arc::clone(&asker.session),
            language: xueji_entity::value::Language::English,
            request_id: format!("bench-{turn}").into(),
            purpose: None,
            client: None,
            backend: self.store.backend(),
            meter: Arc::default(),
        };
        let cx = Cx {
            caller: Arc::new(caller),
            store: self.store.clone(),
            opaque: Arc::clone(&self.opaque),
            ledger: Arc::clone(&ledger),
            budget: Arc::default(),
            clock: self.clock,
        };
        let request = Request::new(ROSTER).variables(asker.variables.clone());
        let response = self.schema.execute(request.data(cx)).await;
        let _redactions = ledger.redactions();
        ensure!(response.errors.is_empty(), "{:?}", response.errors);
        ensure!(serde_json::to_vec(&response)?.len() > 1_000, "a roster");
        Ok(())
    }
}
