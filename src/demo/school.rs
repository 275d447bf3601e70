//! One school: year levels, classes, staff with their duties and grants, exams, and then its pupils class by class.

use std::collections::HashMap;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use rand::Rng;
use rand_distr::StandardNormal;
use uuid::Uuid;

use super::account::Held;
use super::buffer::row;
use super::calendar::later;
use super::course::{CORE, Stage};
use super::persona::Persona;
use super::student;
use super::world::{KnownClass, World, int};

/// A school being made.
#[derive(Debug)]
pub(super) struct School {
    pub(super) id: Uuid,
    pub(super) county: usize,
    pub(super) index: usize,
    pub(super) showcase: bool,
}

/// A cohort of the school.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) id: Uuid,
    pub(super) stage: Stage,
    pub(super) entry_year: i32,
    pub(super) classes: Vec<Class>,
    pub(super) exams: Vec<Exam>,
}

/// A class of a cohort, with its class group in each school year of the calendar.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) groups: Vec<Option<Uuid>>,
    /// Teacher of each course of the stage; the first is the homeroom teacher.
    pub(super) teachers: Vec<Uuid>,
    /// How far the class lies above or below the others.
    pub(super) strength: f64,
}

/// An exam of a cohort.
#[derive(Debug)]
pub(super) struct Exam {
    pub(super) id: Uuid,
    pub(super) on: NaiveDate,
    pub(super) year: usize,
    pub(super) published: bool,
    /// How many courses it has, from the front of the stage's list.
    pub(super) courses: usize,
}

/// A teacher with an account.
#[derive(Debug, Clone)]
struct Teacher {
    staff: Uuid,
    account: Uuid,
    login: String,
    classes: usize,
}

/// Builds the school with this number.
pub(super) fn build(world: &mut World<'_>, index: usize) -> Result<()> {
    let (stages, kind, word): (&[Stage], _, _) = match index % 4 {
        0 => (&[Stage::Primary], "BXLX:211", "小学"),
        1 => (&[Stage::Junior], "BXLX:311", "初级中学"),
        2 => (&[Stage::Senior], "BXLX:342", "高级中学"),
        _ => (&[Stage::Primary, Stage::Junior], "BXLX:312", "九年一贯制学校"),
    };
    let county = index % world.size.counties;
    let id = world.id();
    let school =
        School { id, county, index, showcase: index == usize::from(world.size.schools > 1) };
    enrol_school(world, &school, kind, word)?;
    posts(world, &school)?;

    let mut levels = Vec::new();
    let mut teachers: HashMap<(Stage, usize), Teacher> = HashMap::new();
    let years: Vec<(Stage, usize)> =
        stages.iter().flat_map(|stage| (1..=stage.length()).map(|year| (*stage, year))).collect();
    for (place, (stage, year_in_stage)) in years.iter().enumerate() {
        let classes = world.size.classes / years.len()
            + usize::from(place < world.size.classes % years.len());
        if classes > 0 {
            levels.push(level(world, &school, *stage, *year_in_stage, classes, &mut teachers)?);
        }
    }
    for level in &levels {
        for class in 0..level.classes.len() {
            for number in 1..=world.size.students {
                student::build(world, &school, level, class, number)?;
            }
        }
    }
    let known = levels.iter().flat_map(|level| {
        level.classes.iter().map(|class| KnownClass {
            school_id: school.id,
            level_id: level.id,
            stage: level.stage,
            entry_year: level.entry_year,
            groups: class.groups.clone(),
        })
    });
    let list = &mut world.counties[county].known;
    list.extend(known);
    // Where pupils come from is a matter of the latest few schools: the list does not grow with the demo.
    let surplus = list.len().saturating_sub(200);
    list.drain(..surplus);
    Ok(())
}

fn enrol_school(world: &mut World<'_>, school: &School, kind: &str, word: &str) -> Result<()> {
    let home = world.county(school.county)?;
    let (county, city, province) = (home.id, home.city_id, home.province_id);
    let name = format!("{}示例第{}{word}", home.place.county, school.index + 1);
    let division = format!("{:06}", home.place.code);
    let code = format!("36{:08}", school.index + 1);
    world.out.add(
        "organisation",
        row![school.id, "school", county, name, division, code, kind, province, city, county],
    )?;
    // Senior schools are often run by the city; it is then the authority although the county is the place.
    let authority = if school.index % 40 == 2 { city } else { county };
    let since = super::calendar::day(2010, 9, 1)?;
    let id = world.id();
    world.out.add("school_authority", row![id, school.id, authority, since, None::<NaiveDate>])
}

/// Principal and offices.
fn posts(world: &mut World<'_>, school: &School) -> Result<()> {
    let since = world.year_starts();
    for role in ["principal", "vice_principal", "reviewer", "registrar", "aid_officer"] {
        let login = format!("{}-{:04}", role.replace('_', "-"), school.index + 1);
        let (_, account_id) = world.official(school.id, &login, role)?;
        world.grant(account_id, role, Held::School(school.id), since, None)?;
        if school.showcase && matches!(role, "registrar" | "aid_officer") {
            world.personas.offer(Persona {
                name: role.replace('_', " "),
                role: role.into(),
                account_id,
                login,
                school_id: Some(school.id),
                ..Persona::default()
            });
        }
    }
    if school.index == 0 {
        let account = world.account("analyst-school", "client", "统计报表", None, None)?;
        world.grant(account, "analyst", Held::School(school.id), since, None)?;
    }
    Ok(())
}

fn level(
    world: &mut World<'_>,
    school: &School,
    stage: Stage,
    year_in_stage: usize,
    count: usize,
    teachers: &mut HashMap<(Stage, usize), Teacher>,
) -> Result<Level> {
    let id = world.id();
    let current = world.calendar.current();
    let entry_year = world.calendar.years[current].start + 1 - i32::try_from(year_in_stage)?;
    let name = format!("{}（{entry_year}级）", stage.year_name(year_in_stage));
    world.out.add(
        "year_level",
        row![id, school.id, stage.code(), i64::from(entry_year), int(year_in_stage), name],
    )?;
    let exams = exams(world, school, id, stage, entry_year)?;
    let mut classes = Vec::new();
    for number in 1..=count {
        let mut groups = Vec::new();
        for place in 0..world.calendar.years.len() {
            let (year_id, start) =
                (world.calendar.years[place].id, world.calendar.years[place].start);
            groups.push(if start < entry_year {
                None
            } else {
                let group = world.id();
                let year_then = usize::try_from(start - entry_year + 1)?;
                let name = format!("{}（{number}）班", stage.year_name(year_then));
                world.out.add(
                    "class_group",
                    row![group, school.id, id, year_id, int(number), name, stage.class_kind()],
                )?;
                Some(group)
            });
        }
        let group = groups[current].context("a class without its running year")?;
        let showcase = (school.showcase && classes.is_empty())
            .then(|| exams.iter().find(|exam| exam.published).map(|exam| exam.id))
            .flatten();
        let example = Persona {
            class_group_id: Some(group),
            year_level_id: Some(id),
            exam_id: showcase,
            school_id: Some(school.id),
            ..Persona::default()
        };
        let staff = class_teachers(
            world,
            school,
            stage,
            &groups,
            id,
            number == 1,
            teachers,
            school.showcase.then_some(example),
        )?;
        let strength: f64 = world.rng.sample(StandardNormal);
        classes.push(Class { groups, teachers: staff, strength });
    }
    Ok(Level { id, stage, entry_year, classes, exams })
}

/// Exams of a cohort over two years: as many as the wished number of scores asks for, the newest still a draft.
fn exams(
    world: &mut World<'_>,
    school: &School,
    level: Uuid,
    stage: Stage,
    entry_year: i32,
) -> Result<Vec<Exam>> {
    let mut occasions = world.calendar.occasions(entry_year);
    let wished = world.size.scores;
    occasions.truncate(wished.div_ceil(3));
    occasions.sort_by_key(|occasion| std::cmp::Reverse(occasion.on));
    let count = occasions.len().max(1);
    let mut exams = Vec::new();
    for (place, occasion) in occasions.into_iter().enumerate() {
        let courses =
            (wished / count + usize::from(place < wished % count)).min(stage.courses().len());
        let (id, term) = (world.id(), &world.calendar.terms[occasion.term]);
        let published = place > 0;
        let state = match place {
            0 => "draft",
            1 => "published",
            _ => "locked",
        };
        let year = term.year;
        let name = format!(
            "{}学年{}{}",
            world.calendar.years[year].start,
            if term.autumn { "秋季" } else { "春季" },
            occasion.name
        );
        world.out.add(
            "exam",
            row![id, school.id, level, term.id, name, occasion.kind, occasion.on, state],
        )?;
        for (course, (_, _, full)) in stage.courses().iter().enumerate().take(courses) {
            let row_id = world.id();
            let course_id = world.courses[stage.place()][course];
            world.out.add(
                "exam_course",
                row![row_id, id, course_id, full * 1000, full * 600, full * 850],
            )?;
        }
        exams.push(Exam { id, on: occasion.on, year, published, courses });
    }
    Ok(exams)
}

/// Teachers of all courses of a class, with duties and grants; the teacher of Chinese is the homeroom teacher.
#[expect(clippy::too_many_arguments, reason = "called once, from the loop over classes")]
fn class_teachers(
    world: &mut World<'_>,
    school: &School,
    stage: Stage,
    groups: &[Option<Uuid>],
    level: Uuid,
    first: bool,
    teachers: &mut HashMap<(Stage, usize), Teacher>,
    example: Option<Persona>,
) -> Result<Vec<Uuid>> {
    let (current, since) = (world.calendar.current(), world.year_starts());
    let group = groups[current].context("a class without its running year")?;
    let mut staff = Vec::new();
    for course in 0..stage.courses().len() {
        let most = match course {
            0 => 1,
            1..CORE => 2,
            _ => 6,
        };
        let teacher = match teachers.get_mut(&(stage, course)) {
            Some(teacher) if teacher.classes < most => {
                teacher.classes += 1;
                teacher.clone()
            }
            _ => {
                let (id, name) = world.staff(school.id)?;
                let login = format!("staff-{:06}", world.counts.staff);
                let account = world.account(&login, "staff", &name, Some(id), None)?;
                let teacher = Teacher { staff: id, account, login, classes: 1 };
                teachers.insert((stage, course), teacher.clone());
                teacher
            }
        };
        let course_id = world.courses[stage.place()][course];
        world.duty(
            teacher.staff,
            "course_teacher",
            school.id,
            [Some(group), Some(course_id), None],
            None,
            since,
            None,
        )?;
        world.grant(
            teacher.account,
            "subject_teacher",
            Held::Teaching(group, course_id),
            since,
            None,
        )?;
        let mut offer = |name: &str, role: &str| {
            if let Some(example) = &example {
                world.personas.offer(Persona {
                    name: name.into(),
                    role: role.into(),
                    account_id: teacher.account,
                    login: teacher.login.clone(),
                    course_id: Some(course_id),
                    ..example.clone()
                });
            }
        };
        match course {
            0 => {
                offer("homeroom teacher", "homeroom_teacher");
                homeroom(world, school, &teacher, groups)?;
            }
            1 if first => {
                offer("year head", "year_head");
                world.duty(
                    teacher.staff,
                    "year_head",
                    school.id,
                    [None, None, Some(level)],
                    None,
                    since,
                    None,
                )?;
                world.grant(teacher.account, "year_head", Held::YearLevel(level), since, None)?;
            }
            2 => offer("subject teacher", "subject_teacher"),
            _ => {}
        }
        staff.push(teacher.staff);
    }
    Ok(staff)
}

/// The homeroom duty of this year, and that of last year, which has ended with its grant.
fn homeroom(
    world: &mut World<'_>,
    school: &School,
    teacher: &Teacher,
    groups: &[Option<Uuid>],
) -> Result<()> {
    let current = world.calendar.current();
    for (place, group) in groups.iter().enumerate().skip(current.saturating_sub(1)) {
        let Some(group) = *group else { continue };
        let year = &world.calendar.years[place];
        let (since, until) = (year.starts_on, (place < current).then_some(year.ends_on));
        world.duty(
            teacher.staff,
            "homeroom_teacher",
            school.id,
            [Some(group), None, None],
            None,
            since,
            until,
        )?;
        world.grant(teacher.account, "homeroom_teacher", Held::Class(group), since, until)?;
    }
    Ok(())
}

/// The day on which marks of an exam were entered.
pub(super) fn entered_on(world: &World<'_>, exam: &Exam) -> NaiveDate {
    later(exam.on, 5).min(world.today())
}
