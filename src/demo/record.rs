//! What gathers about a pupil: scores, attendance, archive, rewards, sanctions, aid.

use anyhow::Result;
use chrono::NaiveDate;
use rand::Rng;
use rand_distr::StandardNormal;
use uuid::Uuid;

use super::buffer::row;
use super::calendar::{earlier, later};
use super::course::Stage;
use super::school::{Level, School, entered_on};
use super::student::Pupil;
use super::world::{World, at};

/// Writes all of it for one pupil.
pub(super) fn build(
    world: &mut World<'_>,
    school: &School,
    level: &Level,
    class: usize,
    pupil: &Pupil,
) -> Result<()> {
    scores(world, level, class, pupil)?;
    attendance(world, level, class, pupil)?;
    let archive = archive(world, school, pupil)?;
    if world.chance(0.15) {
        reward(world, pupil, archive)?;
    }
    // Sanctions go through their states in turn, so that even a small demo has one that was lifted and one that was quashed.
    if pupil.stage != Stage::Primary && pupil.ordinal % 70 == 33 {
        sanction(world, pupil)?;
    }
    if pupil.needs_aid && pupil.suspended_on.is_none() {
        aid(world, school, pupil, archive)?;
    }
    Ok(())
}

/// Marks around the strength of class and pupil, in steps of half a point.
fn scores(world: &mut World<'_>, level: &Level, class: usize, pupil: &Pupil) -> Result<()> {
    let own: f64 = world.rng.sample(StandardNormal);
    let ability = 0.76 + 0.025 * level.classes[class].strength + 0.10 * own;
    for exam in &level.exams {
        if exam.on < pupil.here_since || pupil.suspended_on.is_some_and(|on| exam.on >= on) {
            continue;
        }
        let Some(group) = pupil.groups[exam.year] else { continue };
        let entered_at = at(entered_on(world, exam), 9);
        for (course, (_, _, full)) in level.stage.courses().iter().enumerate().take(exam.courses) {
            let noise: f64 = world.rng.sample(StandardNormal);
            let (value, nature, absence) = match world.rng.random_range(0..1000) {
                0..5 => (None, "KSXZ:01", Some("QKWB:1")),
                5..8 => (None, "KSXZ:02", None),
                _ => (Some(thousandths(ability + 0.06 * noise, *full)), "KSXZ:01", None),
            };
            let rank =
                value.filter(|_| level.stage != Stage::Senior).map(|value| level_of(value, *full));
            let id = world.id();
            let course_id = world.courses[level.stage.place()][course];
            let teacher = level.classes[class].teachers[course];
            world.tracked(
                "score",
                row![
                    pupil.id,
                    id,
                    exam.id,
                    course_id,
                    group,
                    value,
                    rank,
                    nature,
                    absence,
                    exam.published,
                    teacher,
                    entered_at
                ],
            )?;
        }
    }
    Ok(())
}

/// A share of the full mark as thousandths of a point, in half points.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a share between 0 and 1 of at most 150 points"
)]
fn thousandths(share: f64, full: i64) -> i64 {
    let halves = (share.clamp(0.1, 1.0) * 1000.0).round() as i64 * full * 2 / 1000;
    halves * 500
}

/// The level by which results of the compulsory stage are told.
fn level_of(value: i64, full: i64) -> &'static str {
    match value / (full * 10) {
        85.. => "A",
        75..85 => "B",
        60..75 => "C",
        _ => "D",
    }
}

fn attendance(world: &mut World<'_>, level: &Level, class: usize, pupil: &Pupil) -> Result<()> {
    let recorder = level.classes[class].teachers[0];
    for place in 0..world.school_days.len() {
        let (on, year) = world.school_days[place];
        if on < pupil.here_since || pupil.suspended_on.is_some_and(|since| on >= since) {
            continue;
        }
        let Some(group) = pupil.groups[year] else { continue };
        let (kind, note) = match world.rng.random_range(0..1000) {
            0..12 => ("late", None),
            12..15 => ("early_leave", None),
            15..32 => ("sick_leave", Some("家长电话请假")),
            32..42 => ("personal_leave", Some("家中有事")),
            42..44 => ("truant", None),
            44..48 => ("official", Some("参加比赛")),
            _ => ("present", None),
        };
        let id = world.id();
        world.tracked("attendance", row![pupil.id, id, group, on, kind, note, recorder])?;
    }
    Ok(())
}

/// The archive with the form that opens it and the evaluation of a school year.
fn archive(world: &mut World<'_>, school: &School, pupil: &Pupil) -> Result<Uuid> {
    let id = world.id();
    let opened_on = later(pupil.here_since, 20).min(world.today());
    let number = format!("DA{:05}-{:07}", school.index + 1, pupil.ordinal + 1);
    world.tracked(
        "archive",
        row![pupil.id, id, school.id, number, opened_on, None::<NaiveDate>, "open"],
    )?;
    item(world, pupil.id, id, "basic", "学生基本信息表", opened_on)?;
    item(world, pupil.id, id, "development", "综合素质评价表", opened_on)?;
    if pupil.transferred {
        item(world, pupil.id, id, "evidence", "转学申请及核准材料", opened_on)?;
    }
    Ok(id)
}

fn item(
    world: &mut World<'_>,
    student: Uuid,
    archive: Uuid,
    category: &'static str,
    title: &str,
    on: NaiveDate,
) -> Result<()> {
    let id = world.id();
    let (content_hash, supersedes) = (None::<String>, None::<Uuid>);
    world.tracked(
        "archive_item",
        row![student, id, archive, category, title, on, "学校", content_hash, supersedes],
    )
}

fn reward(world: &mut World<'_>, pupil: &Pupil, archive: Uuid) -> Result<()> {
    const ALL: [(&str, &str, Option<&str>, &str, &str); 6] = [
        ("三好学生", "JB:60", None, "XSHJLB:5", "示例学校"),
        ("优秀学生干部", "JB:60", None, "XSHJLB:6", "示例学校"),
        ("数学竞赛", "JB:51", Some("JLDJ:3"), "XSHJLB:1", "县级教育行政部门"),
        ("科技创新比赛", "JB:41", Some("JLDJ:4"), "XSHJLB:2", "地级教育行政部门"),
        ("校园艺术节", "JB:60", Some("JLDJ:2"), "XSHJLB:3", "示例学校"),
        ("运动会", "JB:60", Some("JLDJ:2"), "XSHJLB:4", "示例学校"),
    ];
    let (name, level, rank, kind, body) = ALL[world.rng.random_range(0..ALL.len())];
    let ago = world.rng.random_range(10..600);
    let on = earlier(world.today(), ago).max(pupil.here_since).min(world.today());
    let id = world.id();
    let number = format!("奖〔{}〕{}号", on.format("%Y"), pupil.ordinal + 1);
    world.tracked(
        "reward",
        row![pupil.id, id, name, level, rank, kind, "表现突出", on, number, body, None::<i64>],
    )?;
    item(world, pupil.id, archive, "award", name, on)
}

fn sanction(world: &mut World<'_>, pupil: &Pupil) -> Result<()> {
    world.counts.sanctions += 1;
    let turn = world.counts.sanctions;
    let today = world.today();
    let imposed_on = earlier(today, 150).max(pupil.here_since).min(today);
    let (state, lifted) = match turn % 4 {
        1 => (
            "lifted",
            Some((
                later(imposed_on, 90).min(today),
                format!("撤处〔{}〕{turn}号", today.format("%Y")),
            )),
        ),
        2 => ("quashed", None),
        3 => ("in_force", None),
        _ => ("under_appeal", None),
    };
    let (lifted_on, lifting_document) = lifted.unzip();
    let (kind, offence, account) = match turn % 3 {
        0 => ("CFMC:1", "WJLB:03", "考试中夹带资料"),
        1 => ("CFMC:2", "WJLB:05", "与同学争执并动手"),
        _ => ("CFMC:3", "WJLB:12", "多次违反宿舍管理规定"),
    };
    let id = world.id();
    let number = format!("处〔{}〕{turn}号", imposed_on.format("%Y"));
    world.tracked(
        "sanction",
        row![
            pupil.id,
            id,
            kind,
            offence,
            account,
            imposed_on,
            number,
            state,
            lifted_on,
            lifting_document
        ],
    )
}

/// Half the yearly amount in each of the last two terms.
fn aid(world: &mut World<'_>, school: &School, pupil: &Pupil, archive: Uuid) -> Result<()> {
    let step = world.rng.random_range(0..3);
    let place = match pupil.stage {
        Stage::Primary => usize::from(pupil.boarding),
        Stage::Junior => 2 + usize::from(pupil.boarding),
        Stage::Senior => 4 + step,
    };
    let (programme, yearly) = world.counties[school.county].programmes[place];
    let terms: Vec<(Uuid, NaiveDate)> =
        world.calendar.begun().take(2).map(|term| (term.id, term.starts_on)).collect();
    let degree = ["KNCD:22", "KNCD:21", "KNCD:1"][step];
    let cause = world.pick(&["KNYY:1", "KNYY:2", "KNYY:3", "KNYY:4", "KNYY:9"]);
    let bank = world.numbers.bank_account();
    for (turn, (term, starts_on)) in terms.into_iter().enumerate() {
        if starts_on < pupil.here_since {
            continue;
        }
        let id = world.id();
        let state = match turn {
            0 if world.chance(0.7) => "approved",
            _ if world.chance(0.03) => "pay_failed",
            _ => "paid",
        };
        let granted_on = later(starts_on, 30).min(world.today());
        let (sealed, hash) = (
            world.seal("aid_grant", "bank_account", id, &bank)?,
            world.hash("bank_account", &bank),
        );
        world.tracked(
            "aid_grant",
            row![
                pupil.id,
                id,
                programme,
                term,
                degree,
                cause,
                yearly / 2,
                state,
                granted_on,
                sealed,
                hash
            ],
        )?;
        if turn == 0 {
            item(world, pupil.id, archive, "aid", "家庭经济困难学生认定申请表", granted_on)?;
        }
    }
    Ok(())
}
