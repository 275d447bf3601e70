//! One pupil: the person, the documents and status numbers, enrolments and classes.

use anyhow::{Context, Result};
use chrono::NaiveDate;
use rand::Rng;
use uuid::Uuid;

use super::account::Held;
use super::buffer::row;
use super::calendar::{day, earlier, later};
use super::course::Stage;
use super::family::{self, Family};
use super::persona::Persona;
use super::record;
use super::school::{Level, School};
use super::world::{KnownClass, World, at, int};

/// What is decided about a pupil before rows are written.
#[derive(Debug)]
pub(super) struct Pupil {
    pub(super) id: Uuid,
    pub(super) stage: Stage,
    pub(super) boarding: bool,
    pub(super) needs_aid: bool,
    pub(super) ordinal: usize,
    /// Class group of each school year here.
    pub(super) groups: Vec<Option<Uuid>>,
    /// Since when at this school.
    pub(super) here_since: NaiveDate,
    /// Day on which a suspension began.
    pub(super) suspended_on: Option<NaiveDate>,
    pub(super) transferred: bool,
}

/// The identity document: type, number, birth date in it.
struct Document {
    kind: &'static str,
    number: Option<String>,
    born: NaiveDate,
    nationality: &'static str,
    overseas: Option<&'static str>,
}

/// Builds the pupil with this number in the class.
pub(super) fn build(
    world: &mut World<'_>,
    school: &School,
    level: &Level,
    class: usize,
    number: usize,
) -> Result<()> {
    let ordinal = world.counts.students;
    world.counts.students += 1;
    let id = world.id();
    let first_day = day(level.entry_year - level.stage.age() - 1, 9, 1)?;
    let shift = world.rng.random_range(0..365);
    let drawn = later(first_day, shift);
    let mut family = family::find(world, school.county, drawn)?;
    let male = world.chance(0.52);
    let document = document(world, &family, ordinal, drawn, male);

    let newcomer = level.entry_year == world.calendar.years.last().map_or(0, |year| year.start);
    let origin = if ordinal % 90 == 45 && !newcomer { origin(world, school, level) } else { None };
    let transferred_on = world
        .calendar
        .years
        .last()
        .map(|year| year.starts_on)
        .context("a calendar without years")?;
    let entered_on = day(level.entry_year, 9, 1)?;
    let boarding = match (level.stage, family.left_behind) {
        (_, "both_parents") => world.chance(0.6),
        (Stage::Primary, _) => world.chance(0.05),
        (Stage::Junior, _) => world.chance(0.25),
        (Stage::Senior, _) => world.chance(0.6),
    };
    let hardship = if family.orphan {
        1.0
    } else if family.left_behind == "none" {
        0.08
    } else {
        0.3
    };
    let mut groups = level.classes[class].groups.clone();
    if level.classes.len() > 1 && world.chance(0.05) {
        // Some sat in another class of the cohort in earlier years.
        let other = world.rng.random_range(0..level.classes.len());
        let current = world.calendar.current();
        groups[..current].clone_from_slice(&level.classes[other].groups[..current]);
    }
    let pupil = Pupil {
        id,
        stage: level.stage,
        boarding,
        needs_aid: world.chance(hardship),
        ordinal,
        groups,
        here_since: if origin.is_some() { transferred_on } else { entered_on },
        suspended_on: (ordinal % 230 == 120).then(|| earlier(world.today(), 40).max(entered_on)),
        transferred: origin.is_some(),
    };
    let name = person(world, school, &pupil, &family, &document, newcomer, male)?;
    enrolments(world, school, level, &pupil, origin, number)?;

    let example = Persona {
        class_group_id: pupil.groups.last().copied().flatten(),
        year_level_id: Some(level.id),
        exam_id: level
            .exams
            .iter()
            .find(|exam| exam.published && exam.on >= pupil.here_since)
            .map(|exam| exam.id),
        school_id: Some(school.id),
        ..Persona::default()
    };
    family::attach(world, &mut family, id, document.born, Some(&example))?;
    family::keep(world, school.county, family);
    if level.stage != Stage::Primary {
        let login = format!("student-{:06}", ordinal + 1);
        let account_id = world.account(&login, "student", &name, None, Some(id))?;
        world.grant(account_id, "student", Held::Own(id), entered_on, None)?;
        let (name, role) = ("student".to_owned(), "student".to_owned());
        world.personas.offer(Persona {
            name,
            role,
            account_id,
            login,
            student_ids: vec![id],
            ..example.clone()
        });
    }
    for name in ["homeroom teacher", "subject teacher", "year head", "registrar", "aid officer"] {
        if let Some(persona) = world.personas.get_mut(name)
            && persona.student_ids.len() < 3
            && persona.school_id == Some(school.id)
            && (persona.class_group_id.is_none()
                || persona.class_group_id == example.class_group_id)
        {
            persona.student_ids.push(id);
        }
    }
    record::build(world, school, level, class, &pupil)
}

/// Most have a resident identity number; some have none yet; a few come from Hong Kong, Macau or abroad.
fn document(
    world: &mut World<'_>,
    family: &Family,
    ordinal: usize,
    drawn: NaiveDate,
    male: bool,
) -> Document {
    let home = Document {
        kind: "SFZJLX:1",
        number: None,
        born: drawn,
        nationality: "SJGGHDQMC:156",
        overseas: None,
    };
    if ordinal % 250 == 17 {
        return Document { kind: "SFZJLX:Z", ..home };
    }
    match ordinal % 1000 {
        301 => {
            let number = Some(world.numbers.permit('H', &mut world.rng));
            Document { kind: "SFZJLX:6", number, overseas: Some("GATQW:01"), ..home }
        }
        601 => {
            let number = Some(world.numbers.permit('M', &mut world.rng));
            Document { kind: "SFZJLX:7", number, overseas: Some("GATQW:03"), ..home }
        }
        901 => {
            let number = Some(world.numbers.permit('E', &mut world.rng));
            Document {
                kind: "SFZJLX:A",
                number,
                nationality: "SJGGHDQMC:840",
                overseas: Some("GATQW:51"),
                ..home
            }
        }
        _ => {
            let (number, born) = world.numbers.resident(family.household, drawn, male);
            Document { number: Some(number), born, ..home }
        }
    }
}

/// The student row with documents, status numbers and their look-up keys; answers the name.
fn person(
    world: &mut World<'_>,
    school: &School,
    pupil: &Pupil,
    family: &Family,
    document: &Document,
    newcomer: bool,
    male: bool,
) -> Result<String> {
    let id = pupil.id;
    let surname = family.surname.clone();
    let name = world.names.person(&mut world.rng, family.group, male, &surname);
    let former = world
        .chance(0.01)
        .then(|| world.names.person(&mut world.rng, family.group, male, &surname).text);
    let number = document.number.as_ref().map(|bare| {
        let sealed = world.seal("student", "id_number", id, bare)?;
        anyhow::Ok((sealed, world.hash("id_number", bare)))
    });
    let (id_number, id_hash) = number.transpose()?.unzip();
    let status = status_number(world, school, document, newcomer);
    let nsn = (
        world.seal("student", "national_student_number", id, &status)?,
        world.hash("national_student_number", &status),
    );

    let phone =
        (world.seal("student", "phone", id, family.phone())?, world.hash("phone", family.phone()));
    let address = |column| world.seal("student", column, id, &family.address);
    let current_address = address("current_address")?;
    let mailing_address = address("mailing_address")?;
    let home_address = address("home_address")?;
    let postal = format!("{:03}{:03}", 410, world.rng.random_range(0..1000));
    let postal_code = world.seal("student", "postal_code", id, &postal)?;
    let mail = (pupil.stage != Stage::Primary && world.chance(0.3))
        .then(|| format!("student{:06}@example.com", pupil.ordinal + 1));
    let mail = mail.map(|bare| {
        anyhow::Ok((world.seal("student", "email", id, &bare)?, world.hash("email", &bare)))
    });
    let (email, email_hash) = mail.transpose()?.unzip();

    let disability = world.chance(0.005).then(|| world.pick(&["CJRLX:1", "CJRLX:2", "CJRLX:3"]));
    let health = match disability {
        Some("CJRLX:1") => "JKZKEWSZ:61",
        Some("CJRLX:2") => "JKZKEWSZ:62",
        Some(_) => "JKZKEWSZ:65",
        None if world.chance(0.02) => "JKZKEWSZ:20",
        None if world.chance(0.006) => "JKZKEWSZ:30",
        None => "JKZKEWSZ:10",
    };
    let political = match pupil.stage {
        Stage::Senior if world.chance(0.5) => "ZZMM:03",
        Stage::Primary | Stage::Junior | Stage::Senior => "ZZMM:13",
    };
    let far = if family.rural { 9_000 } else { 3_500 };
    let distance: i64 = world.rng.random_range(2..far / 50) * 50;
    let transport = match distance {
        ..1000 => "walk",
        1000..2500 => world.pick(&["walk", "bicycle", "parent"]),
        2500..5000 => world.pick(&["bicycle", "public_transport", "parent"]),
        _ => world.pick(&["public_transport", "parent", "school_bus"]),
    };
    let talents = world
        .chance(0.2)
        .then(|| world.pick(&["书法", "绘画", "钢琴", "篮球", "舞蹈", "编程", "象棋"]));
    let household = format!("GBT2260:{:06}", family.household);
    let valid = (pupil.stage == Stage::Senior && document.kind == "SFZJLX:1" && world.chance(0.4))
        .then(|| {
            later(world.calendar.today, 500 + u64::try_from(pupil.ordinal % 1000).unwrap_or(0))
        });
    let gender = if male { "RDXB:1" } else { "RDXB:2" };
    let household_kind = if family.rural { "HKLB:2" } else { "HKLB:1" };
    let (preschool, martyr, bought) = (world.chance(0.93), world.chance(0.001), world.chance(0.01));
    let compulsory = pupil.stage != Stage::Senior;
    let created_at = at(pupil.here_since.min(world.today()), 2);
    world.tracked(
        "student",
        row![
            id,
            name.text.as_str(),
            name.pinyin,
            former,
            gender,
            document.born,
            household.as_str(),
            household.as_str(),
            format!("ZGGMZMCDLMZMPXF:{:02}", family.group),
            document.nationality,
            document.overseas,
            political,
            health,
            document.kind,
            id_number,
            id_hash,
            valid,
            nsn.0,
            nsn.1,
            None::<String>,
            household.as_str(),
            household_kind,
            talents,
            current_address,
            mailing_address,
            home_address,
            phone.0,
            phone.1,
            postal_code,
            email,
            email_hash,
            family.only_child,
            preschool,
            family.left_behind,
            family.migrant,
            family.orphan,
            martyr,
            disability,
            disability.is_some(),
            bought,
            pupil.needs_aid,
            pupil.needs_aid && compulsory,
            distance,
            transport,
            transport == "school_bus",
            created_at,
        ],
    )?;
    documents(world, school, pupil, document, &status)?;
    Ok(name.text)
}

/// A formal number for most; a temporary one until the comparison with the population register; one of its own kind without identity number.
fn status_number(
    world: &mut World<'_>,
    school: &School,
    document: &Document,
    newcomer: bool,
) -> String {
    let division = world.counties[school.county].place.code;
    match (&document.number, document.kind) {
        (Some(number), "SFZJLX:1") if !(newcomer && world.chance(0.4)) => format!("G{number}"),
        (None, _) => world.numbers.provisional(division, document.born),
        (Some(_), _) => world.numbers.temporary(division, document.born),
    }
}

/// Identity document, status numbers and look-up keys; where a temporary number became formal, its history.
fn documents(
    world: &mut World<'_>,
    school: &School,
    pupil: &Pupil,
    document: &Document,
    status: &str,
) -> Result<()> {
    let row_id = world.id();
    let number = document.number.as_ref().map(|bare| {
        let sealed = world.seal("identity_document", "number", row_id, bare)?;
        anyhow::Ok((sealed, world.hash("id_number", bare)))
    });
    let (sealed, hash) = number.transpose()?.unzip();
    let (since, none) = (document.born, None::<NaiveDate>);
    world.tracked(
        "identity_document",
        row![
            pupil.id,
            row_id,
            document.kind,
            sealed,
            hash,
            since,
            none,
            document.kind == "SFZJLX:Z"
        ],
    )?;

    let entered = pupil.here_since;
    let formal = status.starts_with('G');
    let confirmed = later(entered, 180);
    if formal && confirmed < world.today() && world.chance(0.12) {
        let division = world.counties[school.county].place.code;
        let before = world.numbers.temporary(division, document.born);
        let until = Some(earlier(confirmed, 1));
        let old = student_number(world, pupil.id, "temporary", &before, entered, until)?;
        let new = student_number(world, pupil.id, "formal", status, confirmed, None)?;
        let id = world.id();
        let changed = |bytes: &[u8]| format!("{{\"national_student_number\":\"{}\"}}", hex(bytes));
        let values = row![
            pupil.id,
            id,
            "student",
            pupil.id,
            "student.confirm_number",
            changed(&old),
            changed(&new),
            None::<Uuid>,
            format!("demo-{:06}", pupil.ordinal),
            at(confirmed, 3),
        ];
        return world.tracked("history", values);
    }
    let kind = match status.chars().next() {
        Some('G') => "formal",
        Some('J') => "provisional",
        _ => "temporary",
    };
    student_number(world, pupil.id, kind, status, entered, None)?;
    Ok(())
}

/// A status number with its key; answers what stands sealed in the student row for it.
fn student_number(
    world: &mut World<'_>,
    student: Uuid,
    kind: &'static str,
    bare: &str,
    since: NaiveDate,
    until: Option<NaiveDate>,
) -> Result<Vec<u8>> {
    let id = world.id();
    let (sealed, hash) = (
        world.seal("student_number", "number", id, bare)?,
        world.hash("national_student_number", bare),
    );
    world.tracked("student_number", row![student, id, kind, sealed, hash.clone(), since, until])?;
    world.out.add("lookup_key", row!["national_student_number", hash, student, id])?;
    world.seal("student", "national_student_number", student, bare)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A class of another school of the same stage and cohort, from the county or, failing that, from anywhere.
fn origin(world: &mut World<'_>, school: &School, level: &Level) -> Option<KnownClass> {
    let fits =
        |known: &&KnownClass| known.stage == level.stage && known.entry_year == level.entry_year;
    let near: Vec<&KnownClass> = world.counties[school.county].known.iter().filter(fits).collect();
    let all = if near.is_empty() {
        world.counties.iter().flat_map(|county| &county.known).filter(fits).collect()
    } else {
        near
    };
    (!all.is_empty()).then(|| all[world.rng.random_range(0..all.len())].clone())
}

/// Enrolments with the classes of each school year.
fn enrolments(
    world: &mut World<'_>,
    school: &School,
    level: &Level,
    pupil: &Pupil,
    origin: Option<KnownClass>,
    number: usize,
) -> Result<()> {
    let guest_at = if pupil.ordinal % 180 == 150 {
        origin_or(world, school, level, origin.as_ref())
    } else {
        None
    };
    let boarding = if pupil.boarding { "JDFS:2" } else { "JDFS:1" };
    let entered_on = day(level.entry_year, 9, 1)?;
    let stage = level.stage.code();
    let none = None::<NaiveDate>;
    if let Some(old) = &origin {
        let id = world.id();
        let left = earlier(pupil.here_since, 1);
        let state = "transferred_out";
        world.tracked(
            "enrollment",
            row![
                pupil.id,
                id,
                old.school_id,
                old.level_id,
                stage,
                state,
                false,
                entered_on,
                left,
                "RXFS:01",
                boarding
            ],
        )?;
        memberships(world, pupil.id, id, &old.groups, entered_on, Some(left), number)?;
    }
    let id = world.id();
    let method = if origin.is_some() { "RXFS:09" } else { "RXFS:01" };
    let state = if pupil.suspended_on.is_some() { "suspended" } else { "enrolled" };
    world.tracked(
        "enrollment",
        row![
            pupil.id,
            id,
            school.id,
            level.id,
            stage,
            state,
            true,
            pupil.here_since,
            none,
            method,
            boarding
        ],
    )?;
    memberships(world, pupil.id, id, &pupil.groups, pupil.here_since, pupil.suspended_on, number)?;
    if let Some(group) = guest_at.and_then(|class| class.groups.last().copied().flatten()) {
        let (row_id, since) = (world.id(), world.year_starts());
        world.tracked(
            "class_membership",
            row![pupil.id, row_id, id, group, "guest", None::<i64>, since, none],
        )?;
    }
    Ok(())
}

/// Where a guest pupil sits: not the school the pupil came from.
fn origin_or(
    world: &mut World<'_>,
    school: &School,
    level: &Level,
    origin: Option<&KnownClass>,
) -> Option<KnownClass> {
    if origin.is_some() { None } else { self::origin(world, school, level) }
}

/// One membership for each school year between two days.
fn memberships(
    world: &mut World<'_>,
    student: Uuid,
    enrolment: Uuid,
    groups: &[Option<Uuid>],
    from: NaiveDate,
    to: Option<NaiveDate>,
    number: usize,
) -> Result<()> {
    let current = world.calendar.current();
    for (place, group) in groups.iter().enumerate() {
        let (starts_on, ends_on) =
            (world.calendar.years[place].starts_on, world.calendar.years[place].ends_on);
        let ends = if place == current { None } else { Some(ends_on) };
        let until = match (ends, to) {
            (Some(end), Some(to)) => Some(end.min(to)),
            (end, to) => end.or(to),
        };
        let since = starts_on.max(from);
        let Some(group) = group else { continue };
        if since > until.unwrap_or(ends_on) {
            continue;
        }
        let id = world.id();
        world.tracked(
            "class_membership",
            row![student, id, enrolment, *group, "ordinary", int(number), since, until],
        )?;
    }
    Ok(())
}
