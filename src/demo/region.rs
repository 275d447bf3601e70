//! Everything above the schools: calendar, courses, the organisation tree, its officers, and aid programmes.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use rand::Rng;
use uuid::Uuid;

use super::account::Held;
use super::buffer::row;
use super::course::Stage;
use super::persona::Persona;
use super::place;
use super::world::{County, World};

/// Builds it.
pub(super) fn build(world: &mut World<'_>) -> Result<()> {
    calendar(world)?;
    courses(world)?;
    let places = place::counties()?;
    ensure!(world.size.counties <= places.len(), "--counties must be at most {}", places.len());
    let nation = world.id();
    organisation(world, nation, "nation", None, "中华人民共和国教育部", None, [None; 3])?;
    let mut tops: HashMap<u64, Uuid> = HashMap::new();
    for place in places.iter().take(world.size.counties) {
        let province_id = match tops.get(&place.province_code()) {
            Some(id) => *id,
            None => {
                let id = world.id();
                tops.insert(place.province_code(), id);
                let name = format!("{}教育厅", place.province);
                organisation(
                    world,
                    id,
                    "province",
                    Some(nation),
                    &name,
                    Some(place.province_code()),
                    [Some(id), None, None],
                )?;
                officer(world, id, "province", place.province_code())?;
                id
            }
        };
        let city_id = match tops.get(&place.city_code()) {
            Some(id) => *id,
            None => {
                let id = world.id();
                tops.insert(place.city_code(), id);
                let name = format!("{}教育局", place.city);
                organisation(
                    world,
                    id,
                    "city",
                    Some(province_id),
                    &name,
                    Some(place.city_code()),
                    [Some(province_id), Some(id), None],
                )?;
                officer(world, id, "city", place.city_code())?;
                id
            }
        };
        let id = world.id();
        let name = format!("{}教育局", place.county);
        organisation(
            world,
            id,
            "county",
            Some(city_id),
            &name,
            Some(place.code),
            [Some(province_id), Some(city_id), Some(id)],
        )?;
        let (account_id, login) = officer(world, id, "county", place.code)?;
        world.personas.offer(Persona {
            name: "county officer".into(),
            role: "county_officer".into(),
            account_id,
            login,
            county_id: Some(id),
            ..Persona::default()
        });
        let programmes = programmes(world, id)?;
        let county = County {
            place: place.clone(),
            id,
            city_id,
            province_id,
            programmes,
            families: Vec::new(),
            known: Vec::new(),
        };
        world.counties.push(county);
    }
    world.places = places;
    keepers(world)
}

fn calendar(world: &mut World<'_>) -> Result<()> {
    for year in &world.calendar.years {
        world.out.add(
            "school_year",
            row![
                year.id,
                format!("{}-{}", year.start, year.start + 1),
                year.starts_on,
                year.ends_on
            ],
        )?;
    }
    for term in &world.calendar.terms {
        let year = &world.calendar.years[term.year];
        let (kind, word) =
            if term.autumn { ("XQ:1", "秋季学期") } else { ("XQ:2", "春季学期") };
        let name = format!("{}-{}学年{word}", year.start, year.start + 1);
        world.out.add("term", row![term.id, year.id, kind, name, term.starts_on, term.ends_on])?;
    }
    Ok(())
}

fn courses(world: &mut World<'_>) -> Result<()> {
    for stage in Stage::ALL {
        let mut ids = Vec::new();
        for (subject, name, _) in stage.courses() {
            let id = world.id();
            world.out.add("course", row![id, format!("ZXXKC:{subject}"), *name, stage.code()])?;
            ids.push(id);
        }
        world.courses.push(ids);
    }
    Ok(())
}

fn organisation(
    world: &mut World<'_>,
    id: Uuid,
    level: &'static str,
    parent: Option<Uuid>,
    name: &str,
    division: Option<u64>,
    [province, city, county]: [Option<Uuid>; 3],
) -> Result<()> {
    let division = division.map(|code| format!("{code:06}"));
    let (school_code, school_kind) = (None::<String>, None::<String>);
    world.out.add(
        "organisation",
        row![id, level, parent, name, division, school_code, school_kind, province, city, county],
    )
}

/// The status officer of an authority, with account, post and grant over its region.
fn officer(
    world: &mut World<'_>,
    organisation: Uuid,
    level: &str,
    division: u64,
) -> Result<(Uuid, String)> {
    let login = format!("{level}-officer-{division:06}");
    let role = format!("{level}_officer");
    let (_, account) = world.official(organisation, &login, &role)?;
    let since = world.year_starts();
    world.grant(account, &role, Held::Region(organisation), since, None)?;
    Ok((account, login))
}

/// The accounts that keep the deployment itself, and the reporting tool.
fn keepers(world: &mut World<'_>) -> Result<()> {
    let (home, city, county) =
        world.county(0).map(|first| (first.province_id, first.city_id, first.id))?;
    let since = world.year_starts();
    for role in ["auditor", "privacy_officer", "administrator"] {
        let login = role.replace('_', "-");
        let (_, account_id) = world.official(home, &login, role)?;
        world.grant(account_id, role, Held::Anywhere, since, None)?;
        if role != "privacy_officer" {
            world.personas.offer(Persona {
                name: role.into(),
                role: role.into(),
                account_id,
                login,
                ..Persona::default()
            });
        }
    }
    let account_id = world.account("analyst-region", "client", "统计报表", None, None)?;
    world.grant(account_id, "analyst", Held::Region(city), since, None)?;
    world.personas.offer(Persona {
        name: "analyst".into(),
        role: "analyst".into(),
        account_id,
        login: "analyst-region".into(),
        county_id: Some(county),
        ..Persona::default()
    });
    Ok(())
}

/// Living subsidy of the compulsory stages (day pupils, boarders), then the steps of the senior state grant; yearly amounts in fen.
fn programmes(world: &mut World<'_>, county: Uuid) -> Result<Vec<(Uuid, i64)>> {
    const ALL: [(&str, &str, &str, i64); 7] = [
        ("小学生活补助（走读）", "living_subsidy", "primary", 62_500),
        ("小学生活补助（寄宿）", "living_subsidy", "primary", 125_000),
        ("初中生活补助（走读）", "living_subsidy", "junior", 75_000),
        ("初中生活补助（寄宿）", "living_subsidy", "junior", 150_000),
        ("普通高中国家助学金（一档）", "state_grant", "senior", 100_000),
        ("普通高中国家助学金（二档）", "state_grant", "senior", 200_000),
        ("普通高中国家助学金（三档）", "state_grant", "senior", 300_000),
    ];
    let from = world.calendar.years.first().map_or(world.today(), |year| year.starts_on);
    let mut made = Vec::new();
    for (name, kind, stage, amount) in ALL {
        let id = world.id();
        let until = None::<chrono::NaiveDate>;
        world.out.add(
            "aid_programme",
            row![id, county, name, kind, stage, amount, "JLZZZJLY:1", from, until],
        )?;
        made.push((id, amount));
    }
    Ok(made)
}

impl World<'_> {
    /// A new member of staff; the name comes with the id.
    pub(super) fn staff(&mut self, organisation: Uuid) -> Result<(Uuid, String)> {
        let id = self.id();
        let male = self.chance(0.4);
        let group = self.census.draw(&mut self.rng);
        let surname = self.names.surname(&mut self.rng);
        let name = self.names.person(&mut self.rng, group, male, &surname).text;
        let phone = self.numbers.phone();
        self.counts.staff += 1;
        let number = format!("{:06}", self.counts.staff);
        let gender = if male { "RDXB:1" } else { "RDXB:2" };
        let (sealed, hash) = (self.seal("staff", "phone", id, &phone)?, self.hash("phone", &phone));
        self.tracked("staff", row![id, organisation, name.as_str(), number, gender, sealed, hash])?;
        Ok((id, name))
    }

    /// A member of staff with a post and an account.
    pub(super) fn official(
        &mut self,
        organisation: Uuid,
        login: &str,
        post: &str,
    ) -> Result<(Uuid, Uuid)> {
        let (staff, name) = self.staff(organisation)?;
        let since = self.year_starts();
        self.duty(staff, "post", organisation, [None; 3], Some(post), since, None)?;
        let account = self.account(login, "staff", &name, Some(staff), None)?;
        Ok((staff, account))
    }

    /// A duty; the place is class, course and year level, as far as the kind has them.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub(super) fn duty(
        &mut self,
        staff: Uuid,
        kind: &'static str,
        organisation: Uuid,
        [class, course, level]: [Option<Uuid>; 3],
        post: Option<&str>,
        since: chrono::NaiveDate,
        until: Option<chrono::NaiveDate>,
    ) -> Result<()> {
        let id = self.id();
        self.out.add(
            "duty",
            row![id, staff, kind, organisation, class, course, level, post, since, until],
        )
    }

    /// Code of a county anywhere in the country.
    pub(super) fn far_place(&mut self) -> u64 {
        if self.places.is_empty() {
            0
        } else {
            self.places[self.rng.random_range(0..self.places.len())].code
        }
    }
}
