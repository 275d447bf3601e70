//! How long it takes until a change has its effect, in a real server.
//!
//! Starts the program of this build with an invented registry, as an operator would, and changes something from
//! outside: a policy file, a grant. The time runs from the end of the change to the first answer that shows it, as a
//! client sees it over HTTP. With `--database-url` the same on PostgreSQL, and with a second server beside.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use xueji::clock::Clock;
use xueji::store::connect::connect;
use xueji_entity::access_grant;
use xueji_entity::value::AccountId;

/// Longest wait for an effect.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two questions whether it is there.
const STEP: Duration = Duration::from_millis(2);
/// A line that the change takes away and gives back.
const LINE: &str = "p, student.phone, homeroom_teacher, class, full, filter\n";

/// Options.
#[derive(Parser)]
struct Args {
    /// An empty PostgreSQL database; without one a SQLite file is measured.
    #[arg(long)]
    database_url: Option<String>,
    /// How often each change is made.
    #[arg(long, default_value_t = 10)]
    times: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let home = tempfile::TempDir::new()?;
    let data = home.path().join("data");
    let url = match &args.database_url {
        Some(url) => url.clone(),
        None => format!("sqlite://{}?mode=rwc", data.join("registry.db").display()),
    };
    let folder = policies(&home.path().join("policies"))?;
    let server = Server::start(&data, args.database_url.as_deref(), &folder).await?;
    let bench = Bench { db: connect(&url, 1).await?, folder, server, times: args.times };
    say(&format!(
        "{} on {}; {} times each; seconds from the change to the first answer that shows it",
        env!("CARGO_PKG_VERSION"),
        if url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" },
        args.times
    ));
    bench.policy("policy file changed", &bench.server, How::File).await?;
    bench.policy("policyReload", &bench.server, How::Mutation).await?;
    bench.policy("SIGHUP", &bench.server, How::Signal).await?;
    bench.refused().await?;
    bench.ended().await?;
    if args.database_url.is_some() {
        // The same data folder has the same keys; the other policy folder is never touched.
        let folder = policies(&home.path().join("others"))?;
        let second = Server::start(&data, args.database_url.as_deref(), &folder).await?;
        bench.policy("policy file changed, in a second server", &second, How::File).await?;
        bench.policy("policyReload, in a second server", &second, How::Mutation).await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the one place where this command speaks")]
fn say(line: &str) {
    println!("{line}");
}

/// A copy of the shipped policy.
fn policies(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            std::fs::copy(&path, folder.join(name))?;
        }
    }
    Ok(folder.to_owned())
}

/// How a policy that was changed is brought to a server.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// It looks at its files.
    File,
    /// An administrator says so.
    Mutation,
    /// The process is told.
    Signal,
}

struct Bench {
    server: Server,
    folder: PathBuf,
    db: DatabaseConnection,
    times: usize,
}

impl Bench {
    /// Takes a line away and gives it back in turns; each time until `seen` shows it.
    async fn policy(&self, what: &str, seen: &Server, how: How) -> Result<()> {
        let teacher = seen.person("homeroom_teacher")?;
        let administrator = self.server.person("administrator")?;
        let file = self.folder.join("student.csv");
        let with = std::fs::read_to_string(&file)?;
        let without = with.replace(LINE, "");
        ensure!(with != without, "student.csv has no line {LINE}");
        let (mut asks, mut tells) = (seen.client().await?, self.server.client().await?);
        let mut took = Vec::new();
        for time in 0..self.times {
            let hidden = time % 2 == 0;
            std::fs::write(&file, if hidden { &without } else { &with })?;
            let begun = Instant::now();
            match how {
                How::File => {}
                How::Mutation => {
                    let reload =
                        json!({ "query": "mutation { policyReload(input: {}) { number } }" });
                    let answer = tells.ask(&administrator.token, &reload).await?;
                    ensure!(answer["data"]["policyReload"]["number"].is_number(), "{answer}");
                }
                How::Signal => self.server.hang_up()?,
            }
            let question = json!({ "query": "{ students(first: 1) { nodes { phone } } }" });
            loop {
                let answer = asks.ask(&teacher.token, &question).await?;
                ensure!(answer["data"]["students"]["nodes"][0].is_object(), "{answer}");
                let redactions = answer["extensions"]["redactions"].as_array();
                let shown = redactions
                    .is_none_or(|all| all.iter().all(|one| one["coordinate"] != "Student.phone"));
                if shown != hidden {
                    break;
                }
                ensure!(begun.elapsed() < PATIENCE, "{what}: no effect");
                sleep(STEP).await;
            }
            took.push(begun.elapsed());
            // Not in step with the server's looks.
            self.pause(time).await;
        }
        std::fs::write(&file, &with)?;
        figures(what, &mut took);
        Ok(())
    }

    /// Revokes the grants of a guardian until a question is refused, and gives them back.
    async fn refused(&self) -> Result<()> {
        let guardian = self.server.person("guardian")?;
        let mut client = self.server.client().await?;
        let question = json!({ "query": "{ viewer { wards { nodes { id } } } }" });
        let mut took = Vec::new();
        for time in 0..self.times {
            for held in [false, true] {
                self.grants(guardian, held).await?;
                let begun = Instant::now();
                loop {
                    let answer = client.ask(&guardian.token, &question).await?;
                    let wards = answer["data"]["viewer"]["wards"]["nodes"].as_array();
                    if wards.is_some_and(|wards| wards.is_empty() != held) {
                        break;
                    }
                    ensure!(begun.elapsed() < PATIENCE, "a grant: no effect: {answer}");
                    sleep(STEP).await;
                }
                if !held {
                    took.push(begun.elapsed());
                }
                self.pause(time).await;
            }
        }
        figures("grant revoked, a query is refused", &mut took);
        Ok(())
    }

    /// Revokes the grants of a guardian until an open subscription ends, and gives them back.
    async fn ended(&self) -> Result<()> {
        let guardian = self.server.person("guardian")?;
        let mut client = self.server.client().await?;
        let question = json!({ "query": "{ viewer { wards { nodes { id } } } }" });
        let ward = client.ask(&guardian.token, &question).await?;
        let ward = &ward["data"]["viewer"]["wards"]["nodes"][0]["id"];
        ensure!(ward.is_string(), "the guardian has no child");
        let subscription = json!({
            "query": "subscription($s: ID!) { scorePublished(studentId: $s) { at } }",
            "variables": { "s": ward },
        });
        let mut took = Vec::new();
        for time in 0..self.times {
            let mut client = self.server.client().await?;
            let mut stream =
                client.send(&guardian.token, &subscription, "text/event-stream").await?;
            // The head is sent when the stream is open.
            ensure!(stream.status() == 200, "no stream: {}", stream.status());
            self.pause(time).await;
            self.grants(guardian, false).await?;
            let begun = Instant::now();
            let mut text = String::new();
            while let Some(frame) = timeout(PATIENCE, stream.body_mut().frame()).await? {
                let bytes = frame?.into_data().unwrap_or_default();
                text.push_str(std::str::from_utf8(&bytes)?);
                if text.contains("event: complete") {
                    break;
                }
            }
            ensure!(text.contains("NOT_FOUND"), "the stream ended otherwise: {text}");
            took.push(begun.elapsed());
            self.grants(guardian, true).await?;
            // The account is read again before the next stream opens.
            sleep(Duration::from_secs(1)).await;
        }
        figures("grant revoked, an open subscription ends", &mut took);
        Ok(())
    }

    /// Ends the grants of an account, or gives them back.
    async fn grants(&self, person: &Person, held: bool) -> Result<()> {
        let ended = if held {
            Expr::value(None::<DateTime<Utc>>)
        } else {
            Expr::value(Clock::system(chrono_tz::UTC).now())
        };
        let done = access_grant::Entity::update_many()
            .col_expr(access_grant::Column::EndedAt, ended)
            .filter(access_grant::Column::AccountId.eq(AccountId::from_uuid(person.account)))
            .exec(&self.db)
            .await?;
        ensure!(done.rows_affected > 0, "no grant was changed");
        Ok(())
    }

    /// A time that is another each time, so that changes come at every moment between two looks.
    async fn pause(&self, time: usize) {
        let steps = u64::try_from(time * 7 % 10).unwrap_or_default();
        sleep(Duration::from_millis(700 + 97 * steps)).await;
    }
}

fn figures(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |place: usize| took.get(place).copied().unwrap_or_default().as_secs_f64();
    say(&format!(
        "{what}: median {:.3} s, worst {:.3} s, of {}",
        at(took.len() / 2),
        at(took.len().saturating_sub(1)),
        took.len()
    ));
}

/// Somebody of the demo.
struct Person {
    role: String,
    token: String,
    account: Uuid,
}

/// The program as a process of its own, ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    people: Vec<Person>,
}

impl Server {
    async fn start(data: &Path, database_url: Option<&str>, policies: &Path) -> Result<Self> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let personas = data.with_extension(format!("{}.json", address.port()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("demo").arg("--listen").arg(address.to_string());
        command.arg("--data").arg(data).arg("--policies").arg(policies);
        command.arg("--personas").arg(&personas);
        if let Some(url) = database_url {
            command.arg("--database-url").arg(url);
        }
        let child = command.spawn().context("the server does not start")?;
        let mut server = Self { child, address, people: Vec::new() };
        let begun = Instant::now();
        while server.client().await.is_err() || !personas.exists() {
            ensure!(server.child.try_wait()?.is_none(), "the server has ended");
            ensure!(begun.elapsed() < 10 * PATIENCE, "the server does not listen");
            sleep(Duration::from_millis(100)).await;
        }
        let known: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&personas)?)?;
        for one in &known {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            let token = text("token");
            server.people.push(Person { role: text("role"), account: subject(&token)?, token });
        }
        // It listens before it answers.
        let mut client = server.client().await?;
        let token = server.person("administrator")?.token.clone();
        client.ask(&token, &json!({ "query": "{ __typename }" })).await?;
        Ok(server)
    }

    fn person(&self, role: &str) -> Result<&Person> {
        self.people.iter().find(|one| one.role == role).with_context(|| format!("nobody is {role}"))
    }

    async fn client(&self) -> Result<Client> {
        let stream = TcpStream::connect(self.address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Client { sender, host: self.address.to_string() })
    }

    fn hang_up(&self) -> Result<()> {
        let done = Command::new("kill").arg("-HUP").arg(self.child.id().to_string()).status()?;
        ensure!(done.success(), "the signal was not sent");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The account that a token names.
fn subject(token: &str) -> Result<Uuid> {
    use base64::Engine as _;
    let Some(claims) = token.split('.').nth(1) else { bail!("a token has three parts") };
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims)?;
    let claims: Value = serde_json::from_slice(&bytes)?;
    Ok(claims["sub"].as_str().context("a token has a subject")?.parse()?)
}

/// One connection.
struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    async fn send(
        &mut self,
        token: &str,
        body: &Value,
        accept: &str,
    ) -> Result<Response<Incoming>> {
        let request = Request::post("/graphql")
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body.to_string())))?;
        self.sender.ready().await?;
        Ok(timeout(PATIENCE, self.sender.send_request(request)).await??)
    }

    async fn ask(&mut self, token: &str, body: &Value) -> Result<Value> {
        let answer = self.send(token, body, "application/json").await?;
        let bytes = timeout(PATIENCE, answer.into_body().collect()).await??.to_bytes();
        Ok(serde_json::from_slice(&bytes)?)
    }
}
