//! Aid: who is aided, with how much, by free questions and in declared tables; one pupil with most of the money, and
//! pupils aided by several programmes.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};
use serde_json::json;
use xueji_entity::value::{AidGrantId, AidProgrammeId, Fen, StudentId};
use xueji_entity::{aid_grant, aid_programme};

use super::pads::{Bounds, choices, cut};
use super::{Known, Report, THRESHOLD, merged, range};
use crate::support::app::App;
use crate::support::seed::{Seed, Shape, code, day};

/// What each of the others was granted, in yuan.
const GRANT: i64 = 1_000;
/// What one of the few was granted.
const LARGE: i64 = 5_500;
/// Pupils of the third school who are aided.
const FEW: usize = 4;

async fn programme(app: &App, seed: &Seed, number: usize) -> AidProgrammeId {
    let id = AidProgrammeId::new();
    let row = aid_programme::Model {
        id,
        organisation_id: seed.province,
        name: format!("Programme {number}"),
        kind: aid_programme::AidKind::StateGrant,
        stage: None,
        amount: Fen(GRANT * 100),
        source: code("JLZZZJLY:1"),
        valid_from: day("2026-09-01"),
        valid_until: None,
    };
    aid_programme::Entity::insert(row.into_active_model())
        .exec_without_returning(app.db())
        .await
        .unwrap();
    id
}

/// Of these pupils' grants: the programme and the amount in yuan; or none at all.
async fn grant(app: &App, pupils: &[StudentId], what: Option<(AidProgrammeId, i64)>) {
    let mut statement = Query::update();
    statement.table("aid_grant");
    match what {
        Some((programme, yuan)) => statement
            .value("programme_id", programme.uuid())
            .value("amount", yuan * 100)
            .value("lifecycle", "live"),
        None => statement.value("lifecycle", "deleted"),
    };
    statement.and_where(Expr::col("student_id").is_in(pupils.iter().map(|id| id.uuid())));
    app.db().execute(&statement).await.unwrap();
}

/// A second grant for each of these pupils.
async fn second(app: &App, seed: &Seed, pupils: &[StudentId], programme: AidProgrammeId) {
    for pupil in pupils {
        let row = aid_grant::Model {
            student_id: *pupil,
            id: AidGrantId::new(),
            programme_id: programme,
            term_id: seed.term,
            degree: None,
            cause: None,
            amount: Fen(GRANT * 100),
            state: aid_grant::AidState::Approved,
            granted_on: day("2026-10-01"),
            bank_account: None,
            bank_account_hash: None,
            lifecycle: xueji_entity::lifecycle::Lifecycle::Live,
            row_version: 1,
            updated_at: crate::support::app::clock().now(),
        };
        aid_grant::Entity::insert(row.into_active_model())
            .exec_without_returning(app.db())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn neither_the_few_who_are_aided_nor_the_money_of_one_follow_from_coverage() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 60 }).await;
    let own = programme(&app, &seed, 1).await;
    for school in 0..3 {
        grant(&app, &seed.class(school, 0, 0).students, None).await;
    }
    let few = &seed.class(2, 0, 0).students[..FEW];
    grant(&app, few, Some((own, GRANT))).await;
    grant(&app, &few[..1], Some((own, LARGE))).await;
    let mut pads = Vec::new();
    for (number, pad) in (2..).zip(cut(&seed.class(1, 0, 0).students)) {
        let id = programme(&app, &seed, number).await;
        grant(&app, pad, Some((id, GRANT))).await;
        pads.push(id);
    }
    app.snapshot("first").await;
    let city = app.analyst(seed.city);
    let schools = [&seed.schools[1], &seed.schools[2]].map(|of| app.id("organisation", of.id));
    let document = "query($s: [ID!], $p: [ID!]) { aidCoverage(groupBy: [], filter: { schoolIds: $s, programmeIds: $p }) \
                    { groups { aided amount } total } }";
    let mut bounds = Bounds::up_to(60.0);
    let mut sharp = bounds;
    // What the one may have been granted, in steps of half a grant.
    let mut amounts: BTreeSet<i64> = (0..=60).map(|half| half * GRANT / 2).collect();
    let mut exact = amounts.clone();
    let (mut published, mut equations) = (0, 0);
    for (chosen, size) in choices() {
        let programmes: Vec<_> = chosen
            .iter()
            .map(|at| pads[*at])
            .chain([own])
            .map(|id| app.id("aid_programme", id))
            .collect();
        let answer = city.query(document, json!({ "s": schools, "p": programmes })).await;
        let group = answer.at("/aidCoverage/groups").pointer("/0");
        let size = size as f64;
        equations += 1;
        bounds.said(size, group.and_then(|group| group["aided"].as_f64()));
        sharp.sharp(size, FEW as f64);
        let known = (size + FEW as f64 - 1.0) * GRANT as f64;
        let Some(group) = group else { continue };
        published += 1;
        equations += 1;
        // A sum is off by at most 3.25 times the largest grant in it.
        let amount: f64 = group["amount"].as_str().unwrap().parse().unwrap();
        amounts.retain(|one| {
            let largest = Ord::max(GRANT, *one) as f64;
            (amount - known - *one as f64).abs() <= 3.25 * largest + 1.0
        });
        // Without an error the sum leaves one.
        let sum = known + LARGE as f64;
        exact.retain(|one| (known + *one as f64 - sum).abs() <= 1.0);
    }
    println!("solver, aid: of {FEW} aided is certain {bounds:?}; of {LARGE} granted {amounts:?}");
    assert!(amounts.contains(&LARGE));
    Report {
        attack: "coverage of aid, with known programmes added",
        published,
        cells: 1,
        values: 1,
        equations,
        recovered: usize::from(bounds.found()) + usize::from(amounts.len() < 2),
        control: usize::from(sharp.found()) + usize::from(exact.len() < 2),
    }
    .hold();
}

/// Money by school and programme as it is, with the pupils behind it.
type Truth = BTreeMap<(usize, usize), (i64, BTreeSet<StudentId>)>;

#[tokio::test]
async fn no_money_of_few_or_of_one_follows_from_declared_tables() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 60 }).await;
    let mut programmes = Vec::new();
    for number in 1..=3 {
        programmes.push(programme(&app, &seed, number).await);
    }
    for school in &seed.schools {
        for level in &school.levels {
            grant(&app, &level.classes[0].students, None).await;
        }
    }
    let mut truth = Truth::new();
    let mut add = |school: usize, programme: usize, pupils: &[StudentId], yuan: i64| {
        let cell = truth.entry((school, programme)).or_default();
        cell.0 += yuan * i64::try_from(pupils.len()).unwrap();
        cell.1.extend(pupils);
    };
    let of = |school: usize| &seed.class(school, 0, 0).students;
    // The first school: six pupils, each aided twice, which are twelve grants and six pupils.
    grant(&app, &of(0)[..6], Some((programmes[0], GRANT))).await;
    second(&app, &seed, &of(0)[..6], programmes[1]).await;
    add(0, 0, &of(0)[..6], GRANT);
    add(0, 1, &of(0)[..6], GRANT);
    // The second: many, few, and one who has most of it.
    for (programme, from, until) in [(0, 0, 25), (1, 25, 28), (2, 28, 45)] {
        grant(&app, &of(1)[from..until], Some((programmes[programme], GRANT))).await;
        add(1, programme, &of(1)[from..until], GRANT);
    }
    grant(&app, &of(1)[28..29], Some((programmes[2], 90 * GRANT))).await;
    add(1, 2, &of(1)[28..29], 89 * GRANT);
    // The third: many of each.
    for (programme, from, until) in [(0, 0, 20), (1, 20, 40), (2, 40, 60)] {
        grant(&app, &of(2)[from..until], Some((programmes[programme], GRANT))).await;
        add(2, programme, &of(2)[from..until], GRANT);
    }
    app.snapshot("first").await;
    let document = "{ declaredTable(name: \"aid_by_programme\") { cells { level place { name } withheld amount \
                    keys { place { id } } } } }";
    let answer = app.analyst(seed.city).ask(document).await;
    let atoms: Vec<(usize, usize)> =
        (0..3).flat_map(|school| (0..3).map(move |programme| (school, programme))).collect();
    let ids: Vec<_> = programmes.iter().map(|id| app.id("aid_programme", *id)).collect();
    let (mut known, mut all, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
    for cell in answer.at("/declaredTable/cells").as_array().unwrap() {
        let schools: Vec<usize> = match cell["place"]["name"].as_str() {
            None => vec![0, 1, 2],
            Some("东县") => vec![0, 1],
            Some("西县") => vec![2],
            Some(name) => {
                vec![["第1小学", "第2小学", "第3小学"].iter().position(|of| *of == name).unwrap()]
            }
        };
        let programme = cell["keys"][0]["place"]["id"].as_str();
        let programme = programme.map(|id| ids.iter().position(|of| of == id));
        if programme == Some(None) {
            continue;
        }
        let of: BTreeSet<usize> = (0..atoms.len())
            .filter(|at| {
                let (school, of) = atoms[*at];
                schools.contains(&school) && programme.flatten().is_none_or(|only| only == of)
            })
            .collect();
        let cells = of.iter().filter_map(|at| truth.get(&atoms[*at]));
        let sum = cells.clone().map(|(yuan, _)| *yuan).sum::<i64>() as f64;
        let pupils: BTreeSet<StudentId> =
            cells.flat_map(|(_, pupils)| pupils.iter().copied()).collect();
        all.push(Known { of: of.clone(), low: sum, high: sum });
        match cell["amount"].as_str() {
            Some(amount) => {
                let amount: f64 = amount.parse().unwrap();
                assert!((amount - sum).abs() < 0.01, "{cell}");
                assert!(pupils.len() as f64 >= THRESHOLD, "{} pupils in {cell}", pupils.len());
                known.push(Known { of, low: amount, high: amount });
            }
            None => {
                assert_eq!(cell["withheld"], true);
                withheld.push((of, sum, pupils.len()));
            }
        }
    }
    let first = |of: &BTreeSet<usize>| of.iter().all(|at| atoms[*at].0 == 0);
    assert!(
        withheld.iter().any(|(of, _, _)| of.len() == 3 && first(of)),
        "six pupils, twelve grants"
    );
    let most = 1_000.0 * GRANT as f64;
    let determined = |known: &[Known]| {
        let known = merged(known);
        withheld
            .iter()
            .filter(|(of, _, _)| {
                let goal = of.iter().map(|at| (*at, 1.0)).collect();
                let (low, high) = range(atoms.len(), most, &known, &goal);
                high - low < 2.0 * GRANT as f64
            })
            .count()
    };
    // What one has of the money of the second school is known to be most of it: it must stay open by more than the rest.
    let large: BTreeSet<usize> = (0..atoms.len()).filter(|at| atoms[*at] == (1, 2)).collect();
    let goal = large.iter().map(|at| (*at, 1.0)).collect();
    let (low, high) = range(atoms.len(), most, &merged(&known), &goal);
    println!(
        "solver, aid tables: the cell of one with most of the money is between {low} and {high}"
    );
    assert!(high - low > 89.0 * GRANT as f64, "{low} {high}");
    // Only what is small itself withheld, as of each table alone.
    let primary: Vec<Known> = all
        .iter()
        .filter(|of| {
            !withheld
                .iter()
                .any(|(small, _, pupils)| *small == of.of && (*pupils as f64) < THRESHOLD)
        })
        .cloned()
        .collect();
    Report {
        attack: "declared tables of money",
        published: known.len(),
        cells: withheld.iter().filter(|(_, _, pupils)| (*pupils as f64) < THRESHOLD).count(),
        values: 1,
        equations: merged(&known).len(),
        recovered: determined(&known),
        control: determined(&primary),
    }
    .hold();
}
