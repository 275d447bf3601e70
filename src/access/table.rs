//! The compiled policy: a dense table of what each role at each reach may do with each field.
//!
//! A request asks this table and nothing else; it never sees a policy line or a role name. Cells are
//! filled by [`policy`](crate::access::policy). Start reading at [`Table::plan`].

use crate::access::catalogue::FieldId;
use std::fmt;

/// What a caller sees of a field of a row; a later one shows more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// Nothing, and it is said so.
    #[default]
    Hidden,
    /// A masked text.
    Masked,
    /// The value.
    Full,
}

impl Sight {
    /// The word in the policy files.
    pub fn word(self) -> &'static str {
        match self {
            Sight::Hidden => "hidden",
            Sight::Masked => "masked",
            Sight::Full => "full",
        }
    }
}

/// The kind of place at which a role is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// No place: the whole deployment.
    Anywhere,
    /// The student.
    Own,
    /// A guardian's child.
    Ward,
    /// One student whose record was opened for a short time (紧急查阅).
    Opened,
    /// A course in a class.
    Teaching,
    /// A class.
    Class,
    /// A year level of a school.
    YearLevel,
    /// A school.
    School,
    /// A county, city, province or the nation.
    Region,
}

impl Reach {
    /// All reaches, from no place to the widest place.
    pub const ALL: [Reach; 9] = [
        Reach::Anywhere,
        Reach::Own,
        Reach::Ward,
        Reach::Opened,
        Reach::Teaching,
        Reach::Class,
        Reach::YearLevel,
        Reach::School,
        Reach::Region,
    ];

    /// The word in the policy files and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Reach::Anywhere => "anywhere",
            Reach::Own => "own",
            Reach::Ward => "ward",
            Reach::Opened => "opened",
            Reach::Teaching => "teaching",
            Reach::Class => "class",
            Reach::YearLevel => "year_level",
            Reach::School => "school",
            Reach::Region => "region",
        }
    }

    /// The reach of a word.
    pub fn from_word(word: &str) -> Option<Reach> {
        Reach::ALL.into_iter().find(|reach| reach.word() == word)
    }
}

/// A role of the policy: its place in `roles.csv`, after [`RoleId::ANYONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(pub u8);

impl RoleId {
    /// The implicit role that every signed-in caller holds anywhere.
    pub const ANYONE: RoleId = RoleId(0);
}

/// A role held at a reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The role.
    pub role: RoleId,
    /// The kind of place.
    pub reach: Reach,
}

impl Pair {
    /// What every signed-in caller holds.
    pub const ANYONE: Pair = Pair { role: RoleId::ANYONE, reach: Reach::Anywhere };
}

/// The uses of a field that a cell grants, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Uses(u16);

impl Uses {
    /// Nothing at all.
    pub const NONE: Uses = Uses(0);
    /// Shown in full.
    pub const FULL: Uses = Uses(1);
    /// Shown masked.
    pub const MASKED: Uses = Uses(1 << 1);
    /// Conditions: over rows where the field is seen in full, and inside aggregates where it is not.
    pub const FILTER: Uses = Uses(1 << 2);
    /// Free-text search.
    pub const SEARCH: Uses = Uses(1 << 3);
    /// Ordering, and therefore cursors.
    pub const SORT: Uses = Uses(1 << 4);
    /// Group key of an aggregate.
    pub const GROUP: Uses = Uses(1 << 5);
    /// Measure of an aggregate.
    pub const AGGREGATE: Uses = Uses(1 << 6);
    /// Spreadsheet, CSV, print.
    pub const EXPORT: Uses = Uses(1 << 7);
    /// Set by at least one action that the pair may run; computed from `actions.csv`.
    pub const WRITE: Uses = Uses(1 << 8);
    /// Exact-match check without reading (promise 11).
    pub const MATCH: Uses = Uses(1 << 9);
    /// Shown in full by the act `student.reveal`, one value at a time, where it is masked.
    pub const REVEAL: Uses = Uses(1 << 10);

    /// Every use a column line may grant, with its word and its letter in the matrix.
    pub const VERBS: [(Uses, &'static str, char); 10] = [
        (Uses::FULL, "full", 'F'),
        (Uses::MASKED, "masked", 'M'),
        (Uses::FILTER, "filter", 'f'),
        (Uses::SEARCH, "search", 's'),
        (Uses::SORT, "sort", 'o'),
        (Uses::GROUP, "group", 'g'),
        (Uses::AGGREGATE, "aggregate", 'a'),
        (Uses::EXPORT, "export", 'x'),
        (Uses::MATCH, "match", 'm'),
        (Uses::REVEAL, "reveal", 'r'),
    ];

    /// Whether all of `wanted` is granted.
    pub const fn contains(self, wanted: Uses) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Whether any of `wanted` is granted.
    pub const fn intersects(self, wanted: Uses) -> bool {
        self.0 & wanted.0 != 0
    }

    /// What either grants.
    #[must_use]
    pub const fn union(self, other: Uses) -> Uses {
        Uses(self.0 | other.0)
    }

    /// What both grant.
    #[must_use]
    pub const fn intersection(self, other: Uses) -> Uses {
        Uses(self.0 & other.0)
    }

    /// What this grants beyond the other.
    #[must_use]
    pub const fn without(self, other: Uses) -> Uses {
        Uses(self.0 & !other.0)
    }

    /// Whether nothing is granted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The most open sight among the granted ones.
    pub const fn sight(self) -> Sight {
        if self.contains(Uses::FULL) {
            Sight::Full
        } else if self.contains(Uses::MASKED) {
            Sight::Masked
        } else {
            Sight::Hidden
        }
    }
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<&str> = Uses::VERBS
            .iter()
            .filter(|(bit, _, _)| self.contains(*bit))
            .map(|(_, word, _)| *word)
            .collect();
        if self.contains(Uses::WRITE) {
            words.push("write");
        }
        write!(f, "Uses({})", words.join(" "))
    }
}

/// Index of a [`Rule`]; kept small because a cell carries one.
pub type RuleId = u16;

/// The sight of a cell with the line behind it, as one number: the more open sight is greater, and
/// among equal sights the earlier line. Joining pairs is then a maximum, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
struct Voice(u32);

impl Voice {
    fn of(cell: Cell) -> Voice {
        let rank = u32::from(cell.uses.contains(Uses::FULL)) * 2
            + u32::from(cell.uses.contains(Uses::MASKED));
        Voice(rank << RuleId::BITS | cell.rule.map_or(0, |rule| u32::from(RuleId::MAX - rule)))
    }

    /// The line; the greatest id stands for none, and no policy has as many lines.
    fn rule(self) -> Option<RuleId> {
        let [_, _, high, low] = self.0.to_be_bytes();
        let rule = RuleId::MAX - RuleId::from_be_bytes([high, low]);
        (rule != RuleId::MAX).then_some(rule)
    }
}

/// A policy line, for answers to *why*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The file: `student.csv`.
    pub file: String,
    /// The line, counted from one.
    pub line: u32,
    /// The line itself.
    pub text: String,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What one pair may do with one field, and the line that won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The granted uses.
    pub uses: Uses,
    /// The line that gives the sight; without a sight, the first line that gives a use.
    pub rule: Option<RuleId>,
}

/// Id of a noun: its place in [`Table::nouns`].
pub type NounId = u16;

/// The compiled policy of columns.
#[derive(Clone, Debug)]
pub struct Table {
    fields: usize,
    /// Permitted pairs; cells are rows of this list.
    pairs: Vec<Pair>,
    /// `role * reaches + reach` to the place in `pairs`.
    slots: Vec<Option<u16>>,
    uses: Vec<Uses>,
    voices: Vec<Voice>,
    rules: Vec<Rule>,
    nouns: Vec<&'static str>,
    /// `slot * nouns + noun`
    rows: Vec<bool>,
    aggregates: Vec<bool>,
    /// The best sight of each cell whatever the purpose; empty where no line asks for one.
    potential: Vec<Sight>,
}

impl Table {
    /// An empty table for the permitted pairs.
    pub(crate) fn new(
        pairs: Vec<Pair>,
        nouns: Vec<&'static str>,
        fields: usize,
        rules: Vec<Rule>,
    ) -> Table {
        let roles = pairs.iter().map(|pair| usize::from(pair.role.0) + 1).max().unwrap_or(0);
        let mut slots = vec![None; roles * Reach::ALL.len()];
        for (place, pair) in (0..).zip(&pairs) {
            if let Some(slot) = slots.get_mut(slot_key(*pair)) {
                *slot = Some(place);
            }
        }
        Table {
            fields,
            slots,
            uses: vec![Uses::NONE; pairs.len() * fields],
            voices: vec![Voice::default(); pairs.len() * fields],
            rules,
            rows: vec![false; pairs.len() * nouns.len()],
            aggregates: vec![false; pairs.len() * nouns.len()],
            potential: Vec::new(),
            nouns,
            pairs,
        }
    }

    /// Notes what each cell shows at best in any of the tables, which have the same shape.
    pub(crate) fn could(&mut self, tables: &[Table]) {
        self.potential = self.uses.iter().map(|uses| uses.sight()).collect();
        for table in tables {
            for (best, uses) in self.potential.iter_mut().zip(&table.uses) {
                *best = (*best).max(uses.sight());
            }
        }
    }

    /// Sets a cell of a permitted pair; other pairs are left without.
    pub(crate) fn set(&mut self, pair: Pair, field: FieldId, cell: Cell) {
        let Some(at) = self.at(pair, field) else {
            return;
        };
        if let (Some(uses), Some(voice)) = (self.uses.get_mut(at), self.voices.get_mut(at)) {
            *uses = cell.uses;
            *voice = Voice::of(cell);
        }
    }

    /// Notes for a permitted pair that rows of the noun exist for it, or that it may aggregate over them.
    pub(crate) fn open(&mut self, pair: Pair, noun: NounId, rows: bool, aggregates: bool) {
        let Some(at) = self.noun_at(pair, noun) else {
            return;
        };
        if let (Some(row), Some(aggregate)) = (self.rows.get_mut(at), self.aggregates.get_mut(at)) {
            *row |= rows;
            *aggregate |= aggregates;
        }
    }

    fn slot(&self, pair: Pair) -> Option<usize> {
        self.slots.get(slot_key(pair)).copied().flatten().map(usize::from)
    }

    fn at(&self, pair: Pair, field: FieldId) -> Option<usize> {
        let field = usize::from(field);
        (field < self.fields).then_some(self.slot(pair)? * self.fields + field)
    }

    fn noun_at(&self, pair: Pair, noun: NounId) -> Option<usize> {
        let noun = usize::from(noun);
        (noun < self.nouns.len()).then_some(self.slot(pair)? * self.nouns.len() + noun)
    }

    /// The caller's view of a row: `held` are the pairs of the grants that cover that row, together
    /// with [`Pair::ANYONE`], and no others. A pair the policy does not permit grants nothing.
    pub fn plan(&self, held: &[Pair]) -> Plan {
        let mut uses = vec![Uses::NONE; self.fields].into_boxed_slice();
        let mut voices = vec![Voice::default(); self.fields].into_boxed_slice();
        let mut potential = match self.potential.len() {
            0 => Box::default(),
            _ => vec![Sight::Hidden; self.fields].into_boxed_slice(),
        };
        for slot in held.iter().filter_map(|&pair| self.slot(pair)) {
            let cells = slot * self.fields..(slot + 1) * self.fields;
            for (have, &more) in
                uses.iter_mut().zip(self.uses.get(cells.clone()).unwrap_or_default())
            {
                *have = have.union(more);
            }
            let best = self.potential.get(cells.clone()).unwrap_or_default();
            for (have, &more) in potential.iter_mut().zip(best) {
                *have = (*have).max(more);
            }
            for (have, &more) in voices.iter_mut().zip(self.voices.get(cells).unwrap_or_default()) {
                *have = (*have).max(more);
            }
        }
        Plan { uses, voices, potential }
    }

    /// The cell of one pair; of a pair the policy does not permit, an empty one.
    pub fn cell(&self, pair: Pair, field: FieldId) -> Cell {
        let Some(at) = self.at(pair, field) else {
            return Cell::default();
        };
        Cell {
            uses: self.uses.get(at).copied().unwrap_or_default(),
            rule: self.voices.get(at).and_then(|voice| voice.rule()),
        }
    }

    /// Whether rows of the noun exist for the pair: it is shown at least one stored field of it.
    pub fn rows(&self, pair: Pair, noun: NounId) -> bool {
        self.noun_at(pair, noun).and_then(|at| self.rows.get(at)).copied().unwrap_or(false)
    }

    /// Whether the pair may aggregate over the noun.
    pub fn aggregates(&self, pair: Pair, noun: NounId) -> bool {
        self.noun_at(pair, noun).and_then(|at| self.aggregates.get(at)).copied().unwrap_or(false)
    }

    /// The line of a rule id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(usize::from(id))
    }

    /// The id of a noun.
    pub fn noun(&self, name: &str) -> Option<NounId> {
        (0..).zip(&self.nouns).find_map(|(id, noun)| (*noun == name).then_some(id))
    }

    /// The nouns in the order of their ids.
    pub fn nouns(&self) -> &[&'static str] {
        &self.nouns
    }

    /// The permitted pairs, by role and reach.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The number of fields.
    pub fn fields(&self) -> usize {
        self.fields
    }
}

fn slot_key(pair: Pair) -> usize {
    usize::from(pair.role.0) * Reach::ALL.len() + pair.reach as usize
}

/// A caller's view of the rows that one set of grants covers: a use per field, and the line behind it.
///
/// The uses of several pairs are joined. A condition on rows needs `FILTER` *and* full sight; the
/// group keys, measures and conditions of an aggregate are those of one pair, asked of [`Table::cell`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    uses: Box<[Uses]>,
    voices: Box<[Voice]>,
    potential: Box<[Sight]>,
}

impl Plan {
    /// The granted uses of a field; none for an id that does not exist.
    pub fn uses(&self, field: FieldId) -> Uses {
        self.uses.get(usize::from(field)).copied().unwrap_or_default()
    }

    /// The most open sight of a field.
    pub fn sight(&self, field: FieldId) -> Sight {
        self.uses(field).sight()
    }

    /// Whether another purpose would show more of a field.
    pub fn needs_purpose(&self, field: FieldId) -> bool {
        self.potential.get(usize::from(field)).is_some_and(|best| *best > self.sight(field))
    }

    /// The line that gave the sight, if any line speaks.
    pub fn rule(&self, field: FieldId) -> Option<RuleId> {
        self.voices.get(usize::from(field)).and_then(|voice| voice.rule())
    }
}
