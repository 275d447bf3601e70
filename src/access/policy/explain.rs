//! How a cell came about: which lines spoke, through which inheritance, and which one won.
//!
//! The answer is the table's own ([`Plan`](crate::access::table::Plan)); the lines are named beside it, for
//! people. It decides nothing.

use std::fmt::{self, Write as _};

use crate::access::catalogue::{Catalogue, Class, Coordinate, FieldId};
use crate::access::policy::lint::ColumnLine;
use crate::access::policy::{Policy, PurposeId};
use crate::access::table::{Pair, Reach, Rule, Sight, Uses};

/// A line that speaks to one of the pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The line.
    pub rule: Rule,
    /// The pair that hears it: `principal/school`.
    pub to: String,
    /// The roles from the one that hears it to the one that it names; one role when it names that one.
    pub through: Vec<String>,
    /// The sight that it gives.
    pub sight: Sight,
    /// The other uses that it gives.
    pub uses: Vec<&'static str>,
    /// The purposes that it asks for; none when it speaks to every request.
    pub purposes: Vec<String>,
    /// Whether it gave the sight of the answer.
    pub won: bool,
}

/// What a set of pairs that cover one row may do with a column, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The column.
    pub column: String,
    /// The pairs, `anyone/anywhere` left out.
    pub pairs: Vec<String>,
    /// The purpose that the request states; none when it states none.
    pub purpose: Option<String>,
    /// What is seen.
    pub sight: Sight,
    /// The other uses.
    pub uses: Vec<&'static str>,
    /// The lines that spoke, the winning one first.
    pub spoken: Vec<Spoken>,
    /// The lines that would speak if the request stated one of the purposes that they ask for.
    pub silent: Vec<Spoken>,
    /// For a computed column: the columns whose strictest sight it takes, with theirs.
    pub sources: Vec<(String, Sight)>,
}

/// Explains a column for the pairs of the grants that cover a row, and for the purpose that a request states.
pub fn explain(
    policy: &Policy,
    catalogue: &Catalogue,
    held: &[Pair],
    field: FieldId,
    purpose: Option<PurposeId>,
) -> Option<Explanation> {
    let coordinate = catalogue.coordinates.get(usize::from(field))?;
    let mut all = vec![Pair::ANYONE];
    all.extend(held);
    let plan = policy.table_for(purpose).plan(&all);
    let (mut spoken, mut silent): (Vec<Spoken>, Vec<Spoken>) = (Vec::new(), Vec::new());
    let index = catalogue.index();
    let fields: Vec<FieldId> = match coordinate.class {
        Class::Derived(sources) => {
            sources.iter().filter_map(|source| index.get(*source).copied()).collect()
        }
        Class::Column | Class::Reference | Class::Outlet | Class::Seen => vec![field],
    };
    for &pair in &all {
        for line in policy.said.columns.iter().filter(|line| fields.contains(&line.field)) {
            if line.pair.reach != pair.reach || !policy.roles.has(pair.role, line.pair.role) {
                continue;
            }
            let asks = !line.purposes.is_empty();
            let speaks = !asks || purpose.is_some_and(|stated| line.purposes.contains(&stated));
            let won = speaks && plan.rule(field) == Some(line.rule);
            let heard = heard(policy, line, pair, won);
            if speaks { spoken.extend(heard) } else { silent.extend(heard) }
        }
    }
    let order = |one: &Spoken| (!one.won, std::cmp::Reverse(one.sight), one.rule.line);
    spoken.sort_by_key(order);
    silent.sort_by_key(order);
    let names =
        |field: FieldId| catalogue.coordinates.get(usize::from(field)).map(Coordinate::name);
    Some(Explanation {
        column: coordinate.name(),
        pairs: held.iter().map(|pair| policy.roles.words(*pair)).collect(),
        purpose: purpose.and_then(|id| policy.purposes.get(id)).map(|one| one.code.clone()),
        sight: plan.sight(field),
        uses: words(plan.uses(field)),
        spoken,
        silent,
        sources: match coordinate.class {
            Class::Derived(_) => fields
                .iter()
                .filter_map(|&source| Some((names(source)?, plan.sight(source))))
                .collect(),
            Class::Column | Class::Reference | Class::Outlet | Class::Seen => Vec::new(),
        },
    })
}

/// A line as one of the pairs hears it.
fn heard(policy: &Policy, line: &ColumnLine, pair: Pair, won: bool) -> Option<Spoken> {
    let code = |id: &PurposeId| Some(policy.purposes.get(*id)?.code.clone());
    Some(Spoken {
        rule: policy.table.rule(line.rule)?.clone(),
        to: policy.roles.words(pair),
        through: policy.roles.path(pair.role, line.pair.role),
        sight: line.uses.sight(),
        uses: words(line.uses),
        purposes: line.purposes.iter().filter_map(code).collect(),
        won,
    })
}

/// The uses beside the sight, `write` last.
pub(super) fn words(uses: Uses) -> Vec<&'static str> {
    let shown = Uses::FULL.union(Uses::MASKED);
    let mut words: Vec<&'static str> = Uses::VERBS
        .iter()
        .filter(|(bit, _, _)| !shown.contains(*bit) && uses.contains(*bit))
        .map(|(_, word, _)| *word)
        .collect();
    if uses.contains(Uses::WRITE) {
        words.push("write");
    }
    words
}

impl Sight {
    /// The word in Chinese.
    pub fn chinese(self) -> &'static str {
        match self {
            Sight::Hidden => "不可见",
            Sight::Masked => "脱敏可见",
            Sight::Full => "完整可见",
        }
    }
}

impl Reach {
    /// The word in Chinese.
    pub fn chinese(self) -> &'static str {
        match self {
            Reach::Anywhere => "全局",
            Reach::Own => "本人",
            Reach::Ward => "被监护人",
            Reach::Opened => "应急开启的档案",
            Reach::Teaching => "任课班级",
            Reach::Class => "班级",
            Reach::YearLevel => "年级",
            Reach::School => "学校",
            Reach::Region => "区域",
        }
    }
}

/// A use in Chinese.
pub(super) fn use_in_chinese(word: &str) -> &'static str {
    match word {
        "filter" => "筛选",
        "search" => "搜索",
        "sort" => "排序",
        "group" => "分组",
        "aggregate" => "汇总",
        "export" => "导出",
        "match" => "比对",
        "reveal" => "明示",
        "write" => "填写",
        _ => "",
    }
}

fn listed(words: &[&str], chinese: bool) -> String {
    match (words, chinese) {
        ([], false) => "no other use".to_owned(),
        ([], true) => "无其他用途".to_owned(),
        (words, false) => words.join(", "),
        (words, true) => {
            words.iter().map(|word| use_in_chinese(word)).collect::<Vec<_>>().join("、")
        }
    }
}

impl Spoken {
    /// Which purposes the line asks for, and who hears it.
    fn heard(&self) -> String {
        let mut how = String::new();
        if !self.purposes.is_empty() {
            let _ = write!(how, "for / 限用途 {}, ", self.purposes.join(", "));
        }
        let _ = write!(how, "to {}", self.to);
        if let [_, middle @ .., named] = self.through.as_slice() {
            let middle: String = middle.iter().map(|role| format!("{role}, ")).collect();
            let _ = write!(how, ", inherited from {middle}{named} / 继承自 {named}");
        }
        how
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { column, pairs, purpose, sight, uses, spoken, silent, sources } = self;
        let pairs = pairs.join(" + ");
        let english = listed(uses, false);
        let (stated, in_chinese) = match purpose {
            Some(code) => (format!(" for {code}"), format!("（用途 {code}）")),
            None => (String::new(), String::new()),
        };
        writeln!(f, "{pairs} sees {column}{stated}: {}; {english}", sight.word())?;
        writeln!(
            f,
            "{pairs} 对 {column}{in_chinese}：{}；{}",
            sight.chinese(),
            listed(uses, true)
        )?;
        for (source, sight) in sources {
            writeln!(
                f,
                "  computed from {source}: {} / 由 {source} 得出：{}",
                sight.word(),
                sight.chinese()
            )?;
        }
        if spoken.is_empty() {
            write!(f, "  no line speaks: hidden by default / 没有规则涉及：默认不可见")?;
        }
        let spoke = spoken
            .iter()
            .map(|line| (if line.won { "  won / 生效:" } else { "  spoke / 涉及:" }, line));
        let waits = silent.iter().map(|line| ("  asks for a purpose / 须说明用途:", line));
        for (place, (word, line)) in spoke.chain(waits).enumerate() {
            if place > 0 || spoken.is_empty() {
                writeln!(f)?;
            }
            write!(f, "{word} policies/{}: {} ({})", line.rule, line.rule.text, line.heard())?;
        }
        Ok(())
    }
}
