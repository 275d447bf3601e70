//! The price of the record of disclosures: the same rosters with their lines and without.
//!
//! In one process, without HTTP and tokens, sixteen askers at once put the roster of a homeroom teacher to the
//! application, and to its schema alone, which answers without putting anything on record. The two take turns of half a
//! second. What a server adds to both is left out, so the share of the record is the largest that it can be.
//! The registry is invented, in an empty database. The server itself has no switch that turns records off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Variables};
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
use xueji::app::App;
use xueji::clock::Clock;
use xueji::config::settings::DataCipher;
use xueji::demo::{Sealer, Size, load};
use xueji::domain::Cx;
use xueji::graphql::{Limits, REGISTRY, XuejiSchema, build_schema};
use xueji::http::accept::Language;
use xueji::http::backend::{Backend, RequestMeta};
use xueji::store::Store;
use xueji::store::codec::Codec;
use xueji::store::connect::{connect, connect_keyed};
use xueji::store::disclosures::Disclosures;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji_entity::access_grant;
use xueji_migration::{Migrator, MigratorTrait};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROSTER: &str = include_str!("documents/roster.graphql");
const TURN: Duration = Duration::from_millis(500);
const KEY: [u8; 32] = [7; 32];

/// Options.
#[derive(Parser)]
struct Args {
    /// An empty database; a file in a temporary folder when not said.
    #[arg(long)]
    database_url: Option<String>,
    /// How many ask at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Pairs of turns.
    #[arg(long, default_value_t = 20)]
    pairs: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

struct DemoSealer(Arc<EnvelopeCodec>);

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

struct Bench {
    app: App,
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
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
    let url = args.database_url.clone().unwrap_or(file);
    let bench = Arc::new(Bench::new(&url).await?);
    for recorded in [true, false] {
        bench.turn(recorded, args.connections).await?;
    }
    let mut ratios = Vec::with_capacity(args.pairs);
    let mut rates = [0.0; 2];
    for pair in 0..args.pairs {
        // Forwards and backwards, so that a machine that changes its speed favours neither.
        let with_first = pair % 2 == 0;
        let first = bench.turn(with_first, args.connections).await?;
        let second = bench.turn(!with_first, args.connections).await?;
        let (with, without) = if with_first { (first, second) } else { (second, first) };
        rates[0] += with;
        rates[1] += without;
        ratios.push(with / without);
    }
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or_default();
    let pairs = f64::from(u32::try_from(args.pairs)?);
    let log = bench.store.disclosures();
    let lines = log.after(0, 10_000_000).await?.len();
    say(&format!(
        "roster, {} at once: {:.0} answers/s with records, {:.0} without; with ÷ without: median {:.3} \
         (quartiles {:.3}, {:.3}); {lines} lines in {} commits",
        args.connections,
        rates[0] / pairs,
        rates[1] / pairs,
        at(2),
        at(1),
        at(3),
        log.commits()
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the one place where this command speaks")]
fn say(line: &str) {
    println!("{line}");
}

impl Bench {
    async fn new(url: &str) -> Result<Self> {
        let clock = Clock::system(chrono_tz::Asia::Shanghai);
        let postgres = url.starts_with("postgres");
        let db = connect(url, if postgres { 12 } else { 4 }).await?;
        Migrator::up(&db, None).await?;
        let size = Size { schools: 20, scores: 9, days: 5, ..Size::default() };
        let codec = Arc::new(EnvelopeCodec::over(KEY, 1, DataCipher::Aes256Gcm, &KEY)?);
        let sealer = Arc::new(DemoSealer(Arc::clone(&codec)));
        load::ensure(&load::bulk(db.clone()), &size, clock.today(), sealer).await?;
        let log = Disclosures::beside(url, &db).await?;
        let mut store = Store::new(db.clone(), codec, &REGISTRY).with_disclosures(log);
        if postgres {
            store = store.with_keyed(connect_keyed(url, 12).await?);
        }
        let catalogue = REGISTRY.catalogue(ACTIONS);
        let policy = Arc::new(Policy::embedded(&catalogue).await?);
        let app = App::new(store.clone(), Arc::clone(&policy), &KEY, clock, Limits::default());
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
            let session = Session::new(
                grant.account_id,
                held.context("an account")?,
                Arc::clone(&policy),
                clock.today(),
            );
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
        Ok(Self { app, schema, store, opaque, clock, askers, turn: AtomicU64::new(0) })
    }

    /// Answers for half a second; answers a second.
    async fn turn(self: &Arc<Self>, recorded: bool, connections: usize) -> Result<f64> {
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (bench, stop) = (Arc::clone(self), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut answers = 0_u32;
                    while !stop.load(Ordering::Relaxed) {
                        let response = bench.ask(recorded).await?;
                        ensure!(response.errors.is_empty(), "{:?}", response.errors);
                        ensure!(serde_json::to_vec(&response)?.len() > 1_000, "a roster");
                        answers += 1;
                    }
                    Ok(answers)
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

    async fn ask(&self, recorded: bool) -> Result<Response> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = usize::try_from(turn)? % self.askers.len();
        let asker = self.askers.get(at).context("an asker")?;
        let request = Request::new(ROSTER).variables(asker.variables.clone());
        let request_id: Arc<str> = format!("bench-{turn}").into();
        if recorded {
            let meta = RequestMeta {
                request_id,
                language: Language::En,
                purpose: None,
                client: None,
                document: Arc::new(parse_query("{ __typename }")?),
                operation_type: OperationType::Query,
                operation_name: None,
            };
            return Ok(self.app.execute(Some(Arc::clone(&asker.session)), request, meta).await);
        }
        let ledger = Arc::new(Ledger::default());
        let caller = Caller {
            session: Arc::clone(&asker.session),
            language: xueji_entity::value::Language::English,
            request_id,
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
        let response = self.schema.execute(request.data(cx)).await;
        // Both tell of their redactions.
        let _redactions = ledger.redactions();
        Ok(response)
    }
}
