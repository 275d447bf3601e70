//! Everybody: one person for each role, at the places of the first school.

use super::app::App;
use super::callers::Person;
use super::seed::Seed;

/// Everybody, by role; the places are those of the first school.
pub(crate) fn everybody<'a>(app: &'a App, seed: &Seed) -> Vec<(&'static str, Person<'a>)> {
    let (school, county) = (seed.schools[0].id, seed.counties[0]);
    let (class, other) = (seed.class(0, 0, 0), seed.class(0, 1, 0));
    let both = app.homeroom_teacher(class.id).and_subject_teacher(other.id, seed.courses[0]);
    vec![
        ("stranger", app.stranger()),
        ("student", app.student(class.students[0])),
        ("guardian", app.guardian(class.students[0])),
        ("subject_teacher", app.subject_teacher(class.id, seed.courses[0])),
        ("homeroom_teacher", app.homeroom_teacher(class.id)),
        ("homeroom and subject teacher", both),
        ("year_head", app.year_head(seed.schools[0].levels[0].id)),
        ("registrar", app.registrar(school)),
        ("reviewer", app.reviewer(school)),
        ("principal", app.principal(school)),
        ("vice_principal", app.vice_principal(school)),
        ("aid_officer", app.aid_officer(school)),
        ("aid_officer of the county", app.regional_aid_officer(county)),
        ("county_officer", app.county_officer(county)),
        ("city_officer", app.city_officer(seed.city)),
        ("province_officer", app.province_officer(seed.province)),
        ("analyst", app.analyst(county)),
        ("analyst of the school", app.school_analyst(school)),
        ("auditor", app.auditor(county)),
        ("auditor of the school", app.school_auditor(school)),
        ("privacy_officer", app.privacy_officer(county)),
        ("privacy_officer of the school", app.school_privacy_officer(school)),
        ("who opened a record", app.opened(class.students[0])),
        ("administrator", app.administrator()),
    ]
}
