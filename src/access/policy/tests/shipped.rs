//! The shipped policy: against casbin, against the contract, and as a matrix.

use crate::access::action::ACTIONS;
use crate::access::catalogue::Catalogue;
use crate::access::catalogue::Class;
use crate::access::policy::oracle::Oracle;
use crate::access::policy::tests::{Tested, pair, sight};
use crate::access::policy::{Policy, Source, check, compile, matrix};
use crate::access::table::{Pair, Reach, RoleId, Sight, Uses};
use crate::graphql::REGISTRY;

/// What the nouns and acts of this program ask of a policy.
fn catalogue() -> Catalogue {
    REGISTRY.catalogue(ACTIONS)
}

#[tokio::test]
async fn the_shipped_policy_is_accepted() -> Tested {
    let report = check(Source::shipped(), &catalogue()).await;
    assert!(report.problems.is_empty(), "{report}");
    assert!(report.to_string().contains("cells of which"), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_folder_and_the_shipped_files_are_the_same_policy() -> Tested {
    let catalogue = catalogue();
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"));
    let (loaded, embedded) =
        (Policy::load(folder, &catalogue).await?, Policy::embedded(&catalogue).await?);
    assert_eq!(loaded.version, embedded.version);
    let nowhere = Policy::load(&folder.join("nowhere"), &catalogue).await;
    assert!(nowhere.is_err());
    Ok(())
}

/// Casbin holds a whole noun file, read here without the loader's help, and is asked for every cell, without a
/// purpose and with each that the file asks for.
#[tokio::test]
async fn every_cell_is_what_casbin_says() -> Tested {
    let catalogue = catalogue();
    let policy = Policy::embedded(&catalogue).await?;
    let source = Source::shipped();
    let pairs = compile::pair_names(&policy.roles, policy.table.pairs());
    let purposes = || std::iter::once(None).chain(policy.purposes.iter().map(Some));
    for (noun, purpose) in [
        "student",
        "guardian",
        "enrollment",
        "score",
        "attendance",
        "sanction",
        "aid_grant",
        "account",
        "term",
    ]
    .into_iter()
    .flat_map(|noun| purposes().map(move |purpose| (noun, purpose)))
    {
        let table = policy.table_for(purpose.map(|(id, _)| id));
        let code = purpose.map_or("", |(_, purpose)| purpose.code.as_str());
        let asked = source.files.get(&format!("{noun}.csv")).is_some_and(|text| {
            text.lines().any(|line| line.starts_with("p,") && line.contains(code))
        });
        if !asked {
            continue;
        }
        let model = source.files.get("model.conf").map(String::as_str);
        let mut oracle = Oracle::new(model).await.map_err(|problem| problem.why)?;
        oracle.link(&policy.roles)?;
        let mut rules = Vec::new();
        let text = source.files.get(&format!("{noun}.csv")).ok_or("no file")?;
        for line in text.lines().filter(|line| line.starts_with("p,")) {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let (column, role, reach, sight, uses) = match cells.as_slice() {
                [_, column, role, reach, sight, uses] => (column, role, reach, sight, uses),
                [_, column, role, reach, sight, uses, purposes] => {
                    if !purposes.split(' ').any(|purpose| purpose == code) {
                        continue;
                    }
                    (column, role, reach, sight, uses)
                }
                _ => return Err(line.into()),
            };
            rules.push(vec![
                format!("col:{column}"),
                format!("role:{role}"),
                format!("reach:{reach}"),
                (*sight).to_owned(),
                (*uses).to_owned(),
            ]);
        }
        oracle.load(rules)?;
        for (field, coordinate) in (0..)
            .zip(&catalogue.coordinates)
            .filter(|(_, coordinate)| coordinate.noun == noun)
            .filter(|(_, coordinate)| !matches!(coordinate.class, Class::Derived(_)))
        {
            for (pair, role, reach) in &pairs {
                let cell = table.cell(*pair, field);
                for (bit, verb, _) in Uses::VERBS {
                    let granted =
                        oracle.ask(&format!("col:{}", coordinate.name()), role, reach, verb)?;
                    assert_eq!(
                        granted,
                        cell.uses.contains(bit),
                        "{} {role} {reach} {verb}",
                        coordinate.name()
                    );
                }
                let rule = cell.rule.and_then(|rule| policy.table.rule(rule));
                assert_eq!(rule.is_some(), !cell.uses.without(Uses::WRITE).is_empty());
                assert!(rule.is_none_or(|rule| rule.text.contains(&coordinate.name())
                    && rule.text.contains(cell.uses.sight().word())));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_shipped_roles_see_what_the_contract_says() -> Tested {
    let catalogue = catalogue();
    let policy = Policy::embedded(&catalogue).await?;
    for (role, reach, column, wanted) in [
        ("student", Reach::Own, "student.id_number", Sight::Full),
        ("student", Reach::Own, "guardian.relation_note", Sight::Hidden),
        ("guardian", Reach::Ward, "guardian.phone", Sight::Masked),
        ("subject_teacher", Reach::Teaching, "student.name", Sight::Full),
        ("subject_teacher", Reach::Teaching, "student.birth_date", Sight::Hidden),
        ("subject_teacher", Reach::Teaching, "student.national_student_number", Sight::Hidden),
        ("homeroom_teacher", Reach::Class, "student.id_number", Sight::Masked),
        ("homeroom_teacher", Reach::Class, "student.phone", Sight::Full),
        ("year_head", Reach::YearLevel, "student.phone", Sight::Masked),
        ("registrar", Reach::School, "student.id_number", Sight::Full),
        ("principal", Reach::School, "student.id_number", Sight::Masked),
        ("principal", Reach::School, "staff.phone", Sight::Full),
        ("reviewer", Reach::School, "staff.phone", Sight::Hidden),
        ("aid_officer", Reach::School, "score.value", Sight::Hidden),
        ("province_officer", Reach::Region, "student.id_number", Sight::Full),
        ("county_officer", Reach::Region, "student.phone", Sight::Masked),
        ("administrator", Reach::Anywhere, "account.login", Sight::Full),
        ("guardian", Reach::Ward, "score.course_mean", Sight::Hidden),
    ] {
        let held = [pair(&policy, role, reach)?];
        assert_eq!(sight(&policy, &catalogue, &held, column)?, wanted, "{role} {column}");
    }
    let student = policy.table.noun("student").ok_or("no student")?;
    for (role, reach) in [
        ("administrator", Reach::Anywhere),
        ("analyst", Reach::Region),
        ("auditor", Reach::School),
        ("privacy_officer", Reach::Region),
    ] {
        let held = pair(&policy, role, reach)?;
        for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
            let shown = policy.table.cell(held, field).uses.sight() != Sight::Hidden;
            assert!(
                !shown
                    || matches!(
                        coordinate.noun,
                        "account"
                            | "access_grant"
                            | "access_review"
                            | "disclosure"
                            | "staff"
                            | "duty"
                    ),
                "{role} sees {}",
                coordinate.name()
            );
        }
        assert!(!policy.table.rows(held, student), "{role} reads rows");
        assert_eq!(policy.table.aggregates(held, student), role == "analyst");
    }
    assert!(policy.table.rows(Pair::ANYONE, policy.table.noun("course").ok_or("no course")?));
    Ok(())
}

#[tokio::test]
async fn grants_add_up_and_the_more_open_line_is_named() -> Tested {
    let catalogue = catalogue();
    let policy = Policy::embedded(&catalogue).await?;
    let (reviewer, registrar) =
        (pair(&policy, "reviewer", Reach::School)?, pair(&policy, "registrar", Reach::School)?);
    let field = *catalogue.index().get("student.id_number").ok_or("no column")?;
    for held in [[reviewer, registrar], [registrar, reviewer]] {
        let plan = policy.table.plan(&held);
        assert_eq!(plan.sight(field), Sight::Full);
        let rule = plan.rule(field).and_then(|rule| policy.table.rule(rule)).ok_or("no rule")?;
        assert!(rule.text.contains("registrar"), "{rule:?}");
    }
    // A reach that the role may not hold grants nothing, nor does a role that does not exist.
    for stranger in
        [Pair { reach: Reach::Own, ..registrar }, Pair { role: RoleId(200), reach: Reach::School }]
    {
        assert!(policy.table.plan(&[stranger]).uses(field).is_empty());
    }
    assert!(policy.table.plan(&[registrar]).uses(60_000).is_empty());
    Ok(())
}

#[tokio::test]
async fn actions_name_the_columns_they_set() -> Tested {
    let catalogue = catalogue();
    let policy = Policy::embedded(&catalogue).await?;
    let act = |role, reach, name| {
        Ok::<_, String>(
            policy
                .actions
                .may(&[pair(&policy, role, reach)?], policy.actions.id(name).ok_or("no action")?),
        )
    };
    let record =
        act("homeroom_teacher", Reach::Class, "attendance.record")?.ok_or("not allowed")?;
    let kind = *catalogue.index().get("attendance.kind").ok_or("no column")?;
    assert!(record.columns.contains(&kind));
    assert_eq!(act("guardian", Reach::Ward, "attendance.record")?, None);
    assert!(
        policy
            .table
            .cell(pair(&policy, "homeroom_teacher", Reach::Class)?, kind)
            .uses
            .contains(Uses::WRITE)
    );
    // Who was there the homeroom teacher knows, not the office.
    assert_eq!(act("registrar", Reach::School, "attendance.record")?, None);
    Ok(())
}

#[tokio::test]
async fn the_matrix_is_stable_and_complete() -> Tested {
    let catalogue = catalogue();
    let policy = Policy::embedded(&catalogue).await?;
    let text = matrix(&policy, &catalogue);
    assert_eq!(text, matrix(&Policy::embedded(&catalogue).await?, &catalogue));
    for coordinate in &catalogue.coordinates {
        assert!(
            text.lines().any(|line| line.starts_with(&coordinate.name())),
            "{}",
            coordinate.name()
        );
    }
    for name in &catalogue.actions {
        assert!(text.contains(name), "{name}");
    }
    Ok(())
}

/// A policy that is compiled after another one is the policy that is compiled by itself.
#[tokio::test]
async fn what_is_kept_of_an_earlier_policy_is_what_casbin_would_say() -> Tested {
    let catalogue = catalogue();
    let mut earlier = std::sync::Arc::new(Policy::embedded(&catalogue).await?);
    let changes = [
        // A column that loses a line, a line that only moves, and one that another role gets.
        ("student.csv", "p, student.phone, homeroom_teacher, class, full, filter\n", ""),
        ("student.csv", "# Name and gender", "# Name and gender\n#"),
        (
            "student.csv",
            "p, student.blood_group, registrar, school, full",
            "p, student.blood_group, reviewer, school, full",
        ),
        // Who inherits, and who writes.
        ("roles.csv", "g, vice_principal, reviewer\n", ""),
        (
            "actions.csv",
            "p, attendance.record, homeroom_teacher, class,",
            "p, attendance.record, year_head, year_level,",
        ),
    ];
    let mut source = Source::shipped();
    for (file, from, to) in changes {
        let text = source.files.get_mut(file).ok_or(file)?;
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
        let alone = Policy::compile(source.clone(), &catalogue).await?;
        let after = Policy::compile_after(source.clone(), &catalogue, earlier).await?;
        assert_eq!(alone.table.pairs(), after.table.pairs());
        for &pair in alone.table.pairs() {
            for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
                let (one, other) = (alone.table.cell(pair, field), after.table.cell(pair, field));
                let at = format!("{from}: {pair:?} {}", coordinate.name());
                assert_eq!(one.uses, other.uses, "{at}");
                let rule = |policy: &Policy, rule: Option<u16>| {
                    rule.and_then(|rule| policy.table.rule(rule)).cloned()
                };
                assert_eq!(rule(&alone, one.rule), rule(&after, other.rule), "{at}");
            }
            for (noun, _) in (0..).zip(alone.table.nouns()) {
                assert_eq!(alone.table.rows(pair, noun), after.table.rows(pair, noun));
            }
        }
        assert_eq!(alone.version, after.version);
        earlier = std::sync::Arc::new(after);
    }
    Ok(())
}
