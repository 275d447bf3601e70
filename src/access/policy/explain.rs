//! How a cell came about: which lines spoke, through which inheritance, and which one won.
//!
//! The answer is the table's own ([`Plan`](crate::access::table::Plan)); the lines are named beside it, for
//! people. It decides nothing.

use std::fmt::{self, Write as _};

use crate::access::catalogue::{Catalogue, Class, Coordinate, FieldId};
use crate::access::policy::Policy;
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
    /// What is seen.
    pub sight: Sight,
    /// The other uses.
    pub uses: Vec<&'static str>,
    /// The lines that spoke, the winning one first.
    pub spoken: Vec<Spoken>,
    /// For a computed column: the columns whose strictest sight it takes, with theirs.
    pub sources: Vec<(String, Sight)>,
}

/// Explains a column for the pairs of the grants that cover a row.
pub fn explain(
    policy: &Policy,
    catalogue: &Catalogue,
    held: &[Pair],
    field: FieldId,
) -> Option<Explanation> {
    let coordinate = catalogue.coordinates.get(usize::from(field))?;
    let mut all = vec![Pair::ANYONE];
    all.extend(held);
    let plan = policy.table.plan(&all);
    let mut spoken: Vec<Spoken> = Vec::new();
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
            let Some(rule) = policy.table.rule(line.rule) else { continue };
            spoken.push(Spoken {
                rule: rule.clone(),
                to: policy.roles.words(pair),
                through: policy.roles.path(pair.role, line.pair.role),
                sight: line.uses.sight(),
                uses: words(line.uses),
                won: plan.rule(field) == Some(line.rule),
            });
        }
    }
    spoken.sort_by_key(|spoken| (!spoken.won, std::cmp::Reverse(spoken.sight), spoken.rule.line));
    let names =
        |field: FieldId| catalogue.coordinates.get(usize::from(field)).map(Coordinate::name);
    Some(Explanation {
        column: coordinate.name(),
        pairs: held.iter().map(|pair| policy.roles.words(*pair)).collect(),
        sight: plan.sight(field),
        uses: words(plan.uses(field)),
        spoken,
        sources: match coordinate.class {
            Class::Derived(_) => fields
                .iter()
                .filter_map(|&source| Some((names(source)?, plan.sight(source))))
                .collect(),
            Class::Column | Class::Reference | Class::Outlet | Class::Seen => Vec::new(),
        },
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

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { column, pairs, sight, uses, spoken, sources } = self;
        let pairs = pairs.join(" + ");
        let english = listed(uses, false);
        writeln!(f, "{pairs} sees {column}: {}; {english}", sight.word())?;
        writeln!(f, "{pairs} 对 {column}：{}；{}", sight.chinese(), listed(uses, true))?;
        for (source, sight) in sources {
            writeln!(
                f,
                "  computed from {source}: {} / 由 {source} 得出：{}",
                sight.word(),
                sight.chinese()
            )?;
        }
        if spoken.is_empty() {
            return write!(f, "  no line speaks: hidden by default / 没有规则涉及：默认不可见");
        }
        for (place, line) in spoken.iter().enumerate() {
            let mut how = String::new();
            if let [_, middle @ .., named] = line.through.as_slice() {
                let middle: String = middle.iter().map(|role| format!("{role}, ")).collect();
                let _ = write!(how, ", inherited from {middle}{named} / 继承自 {named}");
            }
            let won = if line.won { "  won / 生效:" } else { "  spoke / 涉及:" };
            write!(f, "{won} policies/{}: {} (to {}{how})", line.rule, line.rule.text, line.to)?;
            if place + 1 < spoken.len() {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
