//! Stages and the courses taught in them, in the order in which exams take them up.

/// A stage of schooling that the demo has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Primary,
    Junior,
    Senior,
}

/// A course of a stage: code of the subject (学科, list ZXXKC), name, full mark in points.
pub(super) type Course = (&'static str, &'static str, i64);

/// Position of mathematics and English in every list: taught to two classes each.
pub(super) const CORE: usize = 3;

const PRIMARY: [Course; 9] = [
    ("13", "语文", 100),
    ("14", "数学", 100),
    ("41", "英语", 100),
    ("15", "科学", 100),
    ("11", "品德与生活", 100),
    ("22", "体育与健康", 100),
    ("24", "音乐", 100),
    ("25", "美术", 100),
    ("61", "信息技术", 100),
];
const JUNIOR: [Course; 9] = [
    ("13", "语文", 120),
    ("14", "数学", 120),
    ("41", "英语", 120),
    ("16", "物理", 100),
    ("17", "化学", 100),
    ("12", "思想品德", 100),
    ("21", "历史", 100),
    ("20", "地理", 100),
    ("18", "生物", 100),
];
const SENIOR: [Course; 9] = [
    ("13", "语文", 150),
    ("14", "数学", 150),
    ("41", "英语", 150),
    ("16", "物理", 100),
    ("17", "化学", 100),
    ("18", "生物", 100),
    ("12", "思想政治", 100),
    ("21", "历史", 100),
    ("20", "地理", 100),
];

impl Stage {
    /// All stages, in order.
    pub(super) const ALL: [Self; 3] = [Self::Primary, Self::Junior, Self::Senior];

    /// As stored.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Junior => "junior",
            Self::Senior => "senior",
        }
    }

    /// Years a pupil spends in it.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Primary => 6,
            Self::Junior | Self::Senior => 3,
        }
    }

    /// Age in whole years on 31 August of the year of entry.
    pub(super) fn age(self) -> i32 {
        match self {
            Self::Primary => 6,
            Self::Junior => 12,
            Self::Senior => 15,
        }
    }

    /// Its courses.
    pub(super) fn courses(self) -> &'static [Course; 9] {
        match self {
            Self::Primary => &PRIMARY,
            Self::Junior => &JUNIOR,
            Self::Senior => &SENIOR,
        }
    }

    /// Place in [`Self::ALL`].
    pub(super) fn place(self) -> usize {
        match self {
            Self::Primary => 0,
            Self::Junior => 1,
            Self::Senior => 2,
        }
    }

    /// Ordinary class of the stage (list ZXXBJLX).
    pub(super) fn class_kind(self) -> &'static str {
        match self {
            Self::Primary => "ZXXBJLX:10",
            Self::Junior => "ZXXBJLX:20",
            Self::Senior => "ZXXBJLX:40",
        }
    }

    /// A year of the stage as people say it.
    pub(super) fn year_name(self, year_in_stage: usize) -> String {
        const DIGITS: [&str; 7] = ["零", "一", "二", "三", "四", "五", "六"];
        let digit = DIGITS.get(year_in_stage).copied().unwrap_or("六");
        match self {
            Self::Primary => format!("{digit}年级"),
            Self::Junior => format!("初{digit}"),
            Self::Senior => format!("高{digit}"),
        }
    }
}
