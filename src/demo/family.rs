//! Families: parents and grandparents with their accounts, shared by all children of the family.

use anyhow::Result;
use chrono::NaiveDate;
use rand::Rng;
use uuid::Uuid;

use super::account::Held;
use super::buffer::row;
use super::calendar::{earlier, later};
use super::name::Surname;
use super::persona::Persona;
use super::world::{World, int};

/// Families kept in mind for another child, in each county.
const POOL: usize = 300;

/// A grown-up of a family.
#[derive(Debug, Clone)]
pub(super) struct Adult {
    name: String,
    group: usize,
    relation: &'static str,
    phone: String,
    id_number: Option<String>,
    workplace: &'static str,
    job_title: &'static str,
    account: Uuid,
    login: String,
    role: Part,
}

/// What part a grown-up has in the guardianship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Shared,
    Sole,
    /// Guardian until the divorce.
    Ended,
    /// Sees the child since the divorce, without custody.
    Visiting,
}

/// A family with its household and its children at school.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) surname: Surname,
    pub(super) group: usize,
    pub(super) adults: Vec<Adult>,
    pub(super) address: String,
    /// Code of the county of the household register.
    pub(super) household: u64,
    pub(super) rural: bool,
    pub(super) migrant: bool,
    pub(super) orphan: bool,
    pub(super) left_behind: &'static str,
    pub(super) only_child: bool,
    pub(super) children: Vec<(Uuid, NaiveDate)>,
    split_on: NaiveDate,
}

impl Family {
    /// The telephone number on the pupil's record.
    pub(super) fn phone(&self) -> &str {
        self.adults.first().map_or("", |adult| &adult.phone)
    }
}

/// A family for a child born on this day: one with a child at school already, or a new one.
pub(super) fn find(world: &mut World<'_>, county: usize, born: NaiveDate) -> Result<Family> {
    if world.chance(0.13) {
        let count = world.counties[county].families.len();
        if count > 0 {
            let place = world.rng.random_range(0..count);
            let apart = world.counties[county].families[place]
                .children
                .iter()
                .all(|(_, other)| (*other - born).num_days().abs() > 330);
            if apart {
                return Ok(world.counties[county].families.swap_remove(place));
            }
        }
    }
    new(world, county, born)
}

/// Keeps a family in mind while it may have another child.
pub(super) fn keep(world: &mut World<'_>, county: usize, family: Family) {
    if family.only_child || family.children.len() >= 3 {
        return;
    }
    let pool_size = world.counties[county].families.len();
    if pool_size < POOL {
        world.counties[county].families.push(family);
    } else {
        let place = world.rng.random_range(0..pool_size);
        world.counties[county].families[place] = family;
    }
}

fn new(world: &mut World<'_>, county: usize, born: NaiveDate) -> Result<Family> {
    let home = world.county(county)?.place.clone();
    let rural = home.rural() && world.chance(0.6);
    let migrant = !rural && world.chance(0.12);
    let household = if migrant { world.far_place() } else { home.code };
    let group = world.census.draw(&mut world.rng);
    let surname = world.names.surname(&mut world.rng);
    let left_behind = match world.rng.random_range(0..1000) {
        0..150 if rural => "one_parent",
        150..260 if rural => "both_parents",
        _ => "none",
    };
    let orphan = world.chance(0.003);
    let (number, block, room) = (
        world.rng.random_range(1..400),
        world.rng.random_range(1..30),
        world.rng.random_range(101..2600),
    );
    let address = if rural {
        format!("{}示例镇样板村{}组{number}号", home.full(), block)
    } else {
        format!("{}示例街道样板路{number}号{block}栋{room}室", home.full())
    };
    let only_child = world.chance(0.75);
    let lately = world.rng.random_range(200..1500);
    let split_on = earlier(world.today(), lately);
    let mut family = Family {
        surname,
        group,
        adults: Vec::new(),
        address,
        household,
        rural,
        migrant,
        orphan,
        left_behind,
        only_child,
        children: Vec::new(),
        split_on,
    };
    let (father, mother) = match world.rng.random_range(0..1000) {
        0..45 => (Part::Ended, Part::Sole),
        45..85 => (Part::Visiting, Part::Sole),
        85..110 => (Part::Sole, Part::Visiting),
        _ => (Part::Shared, Part::Shared),
    };
    if orphan {
        let aged = world.rng.random_range(48..66);
        add(world, &mut family, "JTGX:62", false, born, aged, Part::Sole)?;
    } else {
        let (his, hers) = (world.rng.random_range(23..40), world.rng.random_range(22..38));
        // The parent with whom the child lives stands first.
        if father == Part::Ended || father == Part::Visiting {
            add(world, &mut family, "JTGX:52", false, born, hers, mother)?;
            add(world, &mut family, "JTGX:51", true, born, his, father)?;
        } else {
            add(world, &mut family, "JTGX:51", true, born, his, father)?;
            add(world, &mut family, "JTGX:52", false, born, hers, mother)?;
        }
        if left_behind == "both_parents" {
            let (aged, male) = (world.rng.random_range(48..66), world.chance(0.4));
            let relation = if male { "JTGX:61" } else { "JTGX:62" };
            add(world, &mut family, relation, male, born, aged, Part::Shared)?;
        }
    }
    Ok(family)
}

fn add(
    world: &mut World<'_>,
    family: &mut Family,
    relation: &'static str,
    male: bool,
    born: NaiveDate,
    older: u64,
    role: Part,
) -> Result<()> {
    const WORK: [(&str, &str); 8] = [
        ("示例机械厂", "工人"),
        ("示例商贸公司", "职员"),
        ("个体经营", "经营者"),
        ("示例建筑公司", "技术员"),
        ("示例物流公司", "司机"),
        ("务农", "农民"),
        ("示例医院", "护士"),
        ("自由职业", "其他"),
    ];
    // Mother and grandmother keep their own surnames.
    let surname = if male { family.surname.clone() } else { world.names.surname(&mut world.rng) };
    let group = if relation == "JTGX:52" && world.chance(0.12) {
        world.census.draw(&mut world.rng)
    } else {
        family.group
    };
    let name = world.names.person(&mut world.rng, group, male, &surname).text;
    let shift = world.rng.random_range(0..365);
    let birth = earlier(born, older * 365 + shift);
    let id_number =
        world.chance(0.5).then(|| world.numbers.resident(family.household, birth, male).0);
    let (workplace, job_title) = WORK[world.rng.random_range(0..WORK.len())];
    world.counts.guardians += 1;
    let login = format!("guardian-{:06}", world.counts.guardians);
    let account = world.account(&login, "guardian", &name, None, None)?;
    let phone = world.numbers.phone();
    family.adults.push(Adult {
        name,
        group,
        relation,
        phone,
        id_number,
        workplace,
        job_title,
        account,
        login,
        role,
    });
    Ok(())
}

/// Guardian and guardianship rows of one child, and the grants that mirror them.
pub(super) fn attach(
    world: &mut World<'_>,
    family: &mut Family,
    student: Uuid,
    born: NaiveDate,
    example: Option<&Persona>,
) -> Result<()> {
    family.children.push((student, born));
    let split_on = family.split_on.max(later(born, 200));
    for (place, adult) in family.adults.iter().enumerate() {
        let guardian = world.id();
        let phone = (
            world.seal("guardian", "phone", guardian, &adult.phone)?,
            world.hash("phone", &adult.phone),
        );
        let address = world.seal("guardian", "current_address", guardian, &family.address)?;
        let number = adult.id_number.as_ref().map(|bare| {
            let sealed = world.seal("guardian", "id_number", guardian, bare)?;
            anyhow::Ok((sealed, world.hash("id_number", bare)))
        });
        let number = number.transpose()?;
        let id_type = number.as_ref().map(|_| "SFZJLX:1");
        let (number, number_hash) = number.unzip();
        world.tracked(
            "guardian",
            row![
                student,
                guardian,
                int(place + 1),
                adult.name.as_str(),
                adult.relation,
                None::<String>,
                format!("ZGGMZMCDLMZMPXF:{:02}", adult.group),
                adult.workplace,
                adult.job_title,
                phone.0,
                phone.1,
                address,
                format!("GBT2260:{:06}", family.household),
                id_type,
                number,
                number_hash,
                adult.account,
            ],
        )?;
        let spans: &[(&str, NaiveDate, Option<NaiveDate>)] = match adult.role {
            Part::Shared => &[("shared", born, None)],
            Part::Sole if family.orphan => &[("sole", born, None)],
            Part::Sole => &[("shared", born, Some(earlier(split_on, 1))), ("sole", split_on, None)],
            Part::Ended => &[("shared", born, Some(earlier(split_on, 1)))],
            Part::Visiting => {
                &[("shared", born, Some(earlier(split_on, 1))), ("visiting", split_on, None)]
            }
        };
        for (custody, since, until) in spans {
            let id = world.id();
            world.tracked("guardianship", row![student, id, guardian, *custody, *since, *until])?;
            world.grant(adult.account, "guardian", Held::Ward(student), *since, *until)?;
        }
        let holds = matches!(adult.role, Part::Shared | Part::Sole);
        if let (true, Some(example)) = (holds, example) {
            offer(world, family, adult, example);
        }
    }
    Ok(())
}

/// A guardian to try out; one with several children is preferred to the first that came.
fn offer(world: &mut World<'_>, family: &Family, adult: &Adult, example: &Persona) {
    let persona = Persona {
        name: "guardian".into(),
        role: "guardian".into(),
        account_id: adult.account,
        login: adult.login.clone(),
        student_ids: family.children.iter().rev().map(|(child, _)| *child).collect(),
        ..example.clone()
    };
    let several =
        world.personas.get_mut("guardian").is_some_and(|known| known.student_ids.len() > 1);
    if family.children.len() > 1 && !several {
        world.personas.prefer(persona);
    } else {
        world.personas.offer(persona);
    }
}
