//! Administrative divisions (行政区划, GB/T 2260): every code listed from 1980 to 2020 or in 2023.
//! A code that was abolished stays known, because the identity numbers made with it stay valid.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use super::table::rows;

/// Id of the list of divisions.
pub const LIST: &str = "GBT2260";

/// Names that hold a place in the numbering and are not said in an address.
const PLACEHOLDERS: [&str; 4] = ["市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"];

/// Area of residence permits for Taiwan. The table has it too; the check must not hang on that line.
const TAIWAN_PERMITS: &str = "830000";

/// Longest name of a division in characters that the mask looks for.
const LONGEST_NAME: usize = 20;

/// Codes with their latest name, and all names ever used by level.
struct Divisions {
    latest: BTreeMap<String, String>,
    provinces: HashSet<String>,
    prefectures: HashSet<String>,
    counties: HashSet<String>,
    /// By level: the characters that names end with, sorted.
    lasts: [Vec<char>; 3],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Province,
    Prefecture,
    County,
}

static DIVISIONS: LazyLock<Divisions> = LazyLock::new(Divisions::read);

impl Level {
    fn of(code: &str) -> Self {
        if code.ends_with("0000") {
            Self::Province
        } else if code.ends_with("00") {
            Self::Prefecture
        } else {
            Self::County
        }
    }
}

impl Divisions {
    fn read() -> Self {
        let mut dated: BTreeMap<String, (u16, String)> = BTreeMap::new();
        let mut divisions = Self {
            latest: BTreeMap::new(),
            provinces: HashSet::new(),
            prefectures: HashSet::new(),
            counties: HashSet::new(),
            lasts: [const { Vec::new() }; 3],
        };
        let old = rows(include_str!("../../../data/division-codes-1980-2020.csv"))
            .filter_map(|[code, name, _, last, _]| Some((code, name, last.parse().ok()?)));
        let new = rows(include_str!("../../../data/divisions-2023.csv"))
            .map(|[code, name, _, _]| (code, name, 2023));
        for (code, name, last) in old.chain(new) {
            // One line of the source names a province where a county belongs.
            if code.len() != 6 || (Level::of(&code) == Level::County && name.ends_with('省')) {
                continue;
            }
            divisions.note_name(Level::of(&code), &name);
            match dated.get(&code) {
                Some((year, _)) if *year >= last => {}
                Some(_) | None => {
                    dated.insert(code, (last, name));
                }
            }
        }
        for level in [Level::Province, Level::Prefecture, Level::County] {
            let mut lasts: Vec<char> =
                divisions.names(level).iter().filter_map(|name| name.chars().next_back()).collect();
            lasts.sort_unstable();
            lasts.dedup();
            divisions.lasts[level as usize] = lasts;
        }
        divisions.latest = dated.into_iter().map(|(code, (_, name))| (code, name)).collect();
        divisions
    }

    fn note_name(&mut self, level: Level, name: &str) {
        match level {
            Level::Province => {
                self.provinces.insert(short(name).to_owned());
                self.provinces.insert(name.to_owned());
            }
            Level::Prefecture => {
                self.prefectures.insert(name.to_owned());
            }
            Level::County if PLACEHOLDERS.contains(&name) => {}
            Level::County => {
                self.counties.insert(name.to_owned());
            }
        }
    }

    fn name(&self, code: &str) -> Option<&str> {
        self.latest.get(code).map(String::as_str).filter(|name| !PLACEHOLDERS.contains(name))
    }

    /// Names from the province down, without placeholders.
    fn path(&self, code: &str, own: &str) -> String {
        let mut path = String::new();
        let above = [(2, "0000"), (4, "00")]
            .into_iter()
            .filter_map(|(length, zeros)| Some(format!("{}{zeros}", code.get(..length)?)));
        for above in above.filter(|above| above != code) {
            path.push_str(self.name(&above).unwrap_or_default());
        }
        if path.is_empty() || !PLACEHOLDERS.contains(&own) {
            path.push_str(own);
        }
        path
    }

    fn names(&self, level: Level) -> &HashSet<String> {
        match level {
            Level::Province => &self.provinces,
            Level::Prefecture => &self.prefectures,
            Level::County => &self.counties,
        }
    }

    /// Ends of the names of a level that begin at `from`, spaces before them included; the longest first.
    fn ends<'a>(
        &'a self,
        address: &'a str,
        from: usize,
        level: Level,
    ) -> impl Iterator<Item = usize> + 'a {
        let start =
            address.get(from..).map_or(from, |rest| from + (rest.len() - rest.trim_start().len()));
        let rest = address.get(start..).unwrap_or_default();
        // Few characters end a name, and the others need no look-up.
        let lasts = &self.lasts[level as usize];
        let mut ends: Vec<usize> = rest
            .char_indices()
            .take(LONGEST_NAME)
            .filter(|(_, c)| lasts.binary_search(c).is_ok())
            .map(|(at, c)| at + c.len_utf8())
            .collect();
        ends.reverse();
        ends.into_iter()
            .filter(move |end| {
                rest.get(..*end).is_some_and(|name| self.names(level).contains(name))
            })
            .map(move |end| start + end)
    }

    /// Province and prefecture may be missing or short; the county must be there.
    fn county_end(&self, address: &str) -> Option<usize> {
        let after_province = self.ends(address, 0, Level::Province).chain([0]);
        after_province
            .flat_map(|province| self.ends(address, province, Level::Prefecture).chain([province]))
            .find_map(|prefecture| self.ends(address, prefecture, Level::County).next())
    }
}

/// `北京` for `北京市`, `广西` for `广西壮族自治区`.
fn short(province: &str) -> &str {
    ["维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "特别行政区", "省", "市"]
        .into_iter()
        .find_map(|ending| province.strip_suffix(ending))
        .unwrap_or(province)
}

/// True for a code that a table lists, abolished ones included.
pub fn is_known(code: &str) -> bool {
    DIVISIONS.latest.contains_key(code) || code == TAIWAN_PERMITS
}

/// Every code with its full path, in the order of codes.
pub(super) fn paths() -> Vec<(String, String)> {
    DIVISIONS.latest.iter().map(|(code, name)| (code.clone(), DIVISIONS.path(code, name))).collect()
}

/// Byte position behind the county in an address that begins with known divisions.
pub(crate) fn county_end(address: &str) -> Option<usize> {
    DIVISIONS.county_end(address)
}
