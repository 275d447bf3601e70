//! What processes cost, read from `/proc`: processor time and resident memory.
//!
//! On a system without `/proc` every figure is absent. Times have the resolution of a clock tick,
//! 10 ms; the figures of a cell add up many of them.

use std::collections::HashMap;
use std::path::Path;

/// Ticks of `/proc/PID/stat` in a second; Linux fixes `USER_HZ` to this on all common machines.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of a process so far, user and system, in ticks.
pub(super) fn ticks(pid: u32) -> Option<u64> {
    ticks_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Ticks as milliseconds.
pub(super) fn milliseconds(ticks: u64) -> f64 {
    ticks as f64 * 1000.0 / TICKS_PER_SECOND
}

/// Resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// `utime + stime` of a line of `/proc/PID/stat`. The name in brackets may hold anything.
fn ticks_in(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    // The first field after the name is field 3; utime is field 14 and stime follows.
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The name of a PostgreSQL database whose server is on this machine.
pub(super) fn local_database(url: &str) -> Option<String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let (authority, path) = rest.split_once('/')?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    // A host in the query is a socket's folder when it is a path.
    let elsewhere = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("host="))
        .any(|host| !host.starts_with('/') && !host.to_ascii_lowercase().starts_with("%2f"));
    let here = matches!(host, "" | "localhost" | "127.0.0.1" | "::1")
        || host.to_ascii_lowercase().starts_with("%2f");
    (here && !elsewhere && !path.is_empty()).then(|| path.to_owned())
}

/// The ticks of the backends of one PostgreSQL database, by process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Backends(HashMap<u32, u64>);

impl Backends {
    /// The backends of a database that run now.
    pub(super) fn of(database: &str) -> Option<Self> {
        let mut found = HashMap::new();
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if command_of(&entry.path()).is_some_and(|command| serves(&command, database))
                && let Some(ticks) = ticks(pid)
            {
                found.insert(pid, ticks);
            }
        }
        Some(Self(found))
    }

    /// Ticks spent since `earlier`. A backend that ended in between is lost, a new one counts whole.
    pub(super) fn since(&self, earlier: &Self) -> u64 {
        self.0
            .iter()
            .map(|(pid, ticks)| {
                ticks.saturating_sub(earlier.0.get(pid).copied().unwrap_or_default())
            })
            .sum()
    }
}

fn command_of(process: &Path) -> Option<String> {
    let bytes = std::fs::read(process.join("cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
}

/// Whether a title is that of a backend of this database: `postgres: user database host(port) state`,
/// with the cluster's name before the user where one is set.
fn serves(command: &str, database: &str) -> bool {
    let Some(title) = command.strip_prefix("postgres: ") else { return false };
    let mut words = title.split_ascii_whitespace().peekable();
    if words.peek().is_some_and(|word| word.ends_with(':')) {
        words.next();
    }
    // Helpers of the server itself have a purpose in place of user, database and host.
    let (Some(_user), Some(found), Some(host)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    found == database && (host == "[local]" || host.contains('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 2096 0 0 0 731 269 5 6 20 0 3 0 1234 1 2";
        assert_eq!(ticks_in(line), Some(1000));
        assert_eq!(ticks_in("42 (short) S 1"), None);
        assert_eq!(ticks_in(""), None);
        assert!((milliseconds(1000) - 10_000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t3\n"), Some(12_641_280));
        assert_eq!(resident_in("Name:\tx\n"), None);
    }

    #[test]
    fn only_backends_of_the_database_count() {
        for (command, expected) in [
            ("postgres: xueji registry 127.0.0.1(51234) SELECT ", true),
            ("postgres: main: xueji registry [local] idle", true),
            ("postgres: xueji other 127.0.0.1(51234) idle", false),
            ("postgres: autovacuum worker registry", false),
            ("postgres: checkpointer ", false),
            ("postgres: registry registry", false),
            ("psql registry", false),
        ] {
            assert_eq!(serves(command, "registry"), expected, "{command}");
        }
    }

    #[test]
    fn only_a_local_database_is_watched() {
        for (url, expected) in [
            ("postgres://u:p@localhost:5432/registry", Some("registry")),
            ("postgresql://127.0.0.1/registry?sslmode=disable", Some("registry")),
            ("postgres://u@[::1]:5432/registry", Some("registry")),
            ("postgres:///registry?host=/var/run/postgresql", Some("registry")),
            ("postgres:///registry?host=db.example", None),
            ("postgres://u:p@db.example/registry", None),
            ("postgres://localhost/", None),
            ("sqlite://xueji.db", None),
        ] {
            assert_eq!(local_database(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_new_backend_counts_whole_and_a_gone_one_not() {
        let before = Backends([(1, 10), (2, 20)].into());
        let after = Backends([(1, 15), (3, 7)].into());
        assert_eq!(after.since(&before), 12);
    }
}
