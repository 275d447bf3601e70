//! The tools of whoever keeps the policy know of purposes, and of the database that a folder is for.

use std::process::{Command, Output, Stdio};

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tempfile::TempDir;
use xueji::access::policy::{Policy, Source, diff, explain, page};
use xueji::access::table::{Pair, Reach, Sight};
use xueji_entity::{access_grant, policy_version};

use crate::policy_reload::{change, folder, hide_phone};
use crate::support::app::{App, catalogue, policy};
use crate::support::keys::MASTER;

const FOR_PURPOSES: &str =
    "p, student.phone, county_officer, region, full, filter, dropout_return transfer_review\n";

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The shipped policy with texts of its files changed.
async fn changed(changes: &[(&str, &str, &str)]) -> Policy {
    let mut source = Source::shipped();
    for (file, from, to) in changes {
        let text = source.files.get_mut(*file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
    }
    Policy::compile(source, &catalogue()).await.unwrap()
}

#[tokio::test]
async fn an_explanation_counts_the_lines_of_the_stated_purpose_alone() {
    let policy = policy().await;
    let catalogue = catalogue();
    let officer = [Pair { role: policy.roles.id("county_officer").unwrap(), reach: Reach::Region }];
    let phone = catalogue.index()["student.phone"];
    let ask = |code: Option<&str>| {
        let purpose = code.map(|code| policy.purposes.id(code).unwrap());
        explain(&policy, &catalogue, &officer, phone, purpose).unwrap()
    };

    let plain = ask(None);
    assert_eq!((plain.sight, plain.uses.len()), (Sight::Masked, 0));
    assert!(plain.spoken.iter().all(|line| line.purposes.is_empty()), "{plain}");
    let [waits] = plain.silent.as_slice() else { panic!("{plain}") };
    assert_eq!(waits.purposes, ["dropout_return", "transfer_review"]);
    assert!(!waits.won);
    let text = plain.to_string();
    assert!(text.contains("asks for a purpose / 须说明用途: policies/student.csv:"), "{text}");
    assert!(text.contains("for / 限用途 dropout_return, transfer_review, to "), "{text}");

    let stated = ask(Some("transfer_review"));
    assert_eq!((stated.sight, stated.uses.as_slice()), (Sight::Full, ["filter"].as_slice()));
    assert!(stated.silent.is_empty(), "{stated}");
    assert_eq!(stated.spoken[0].purposes, ["dropout_return", "transfer_review"]);
    assert!(stated.spoken[0].won && stated.spoken.len() == 2, "{stated}");
    let text = stated.to_string();
    assert!(text.contains("sees student.phone for transfer_review: full; filter"), "{text}");
    assert!(text.contains("（用途 transfer_review）：完整可见"), "{text}");

    // Another purpose of the policy is like none for this column.
    let other = ask(Some("home_contact"));
    assert_eq!((other.sight, other.silent.len()), (Sight::Masked, 1));

    let say = |more: &[&str]| {
        let mut args = vec!["policy", "explain", "--role", "county_officer", "--reach", "region"];
        args.extend(["--column", "student.phone"]);
        args.extend(more);
        xueji(&args)
    };
    assert!(said(&say(&[])).0.starts_with("county_officer/region sees student.phone: masked"));
    let (out, err) = said(&say(&["--purpose", "dropout_return"]));
    assert!(
        out.starts_with("county_officer/region sees student.phone for dropout_return: full"),
        "{out}{err}"
    );
    let wrong = say(&["--purpose", "curiosity"]);
    assert_eq!(wrong.status.code(), Some(1));
    let err = said(&wrong).1;
    assert!(err.contains("no purpose curiosity") && err.contains("transfer_review"), "{err}");
}

#[tokio::test]
async fn a_difference_names_what_changes_for_a_purpose() {
    let catalogue = catalogue();
    let old = policy().await;
    let all = |new: &Policy| -> Vec<String> {
        diff(&old, new, &catalogue).iter().map(ToString::to_string).collect()
    };
    // The officers of city and province inherit from that of the county: what changes does so three times.
    let lines = |new: &Policy| -> Vec<String> {
        let all = all(new);
        let of_county: Vec<String> =
            all.iter().filter(|line| line.contains(" county_officer/")).cloned().collect();
        assert_eq!(all.len(), 3 * of_county.len(), "{all:#?}");
        of_county
    };
    // A purpose less: requests that state none see what they saw.
    let less = FOR_PURPOSES.replace("dropout_return transfer_review", "dropout_return");
    let new = changed(&[("student.csv", FOR_PURPOSES, &less)]).await;
    assert_eq!(
        lines(&new),
        ["narrowed county_officer/region student.phone for transfer_review: full filter -> masked"]
    );
    // A line that asked for purposes and asks for none: wider for everybody, and not for those who stated one.
    let open = FOR_PURPOSES.replace(", dropout_return transfer_review", "");
    let masked = "p, student.phone, county_officer, region, masked,\n";
    let new = changed(&[("student.csv", FOR_PURPOSES, &open), ("student.csv", masked, "")]).await;
    assert_eq!(
        lines(&new),
        ["widened  county_officer/region student.phone: masked -> full filter"]
    );
    // A purpose that the other policy does not know at all.
    let new = changed(&[
        ("purposes.csv", "u, transfer_review, review of a transfer, 转学核办, registrar reviewer county_officer\n", ""),
        ("student.csv", " transfer_review\n", "\n"),
        ("guardian.csv", " transfer_review\n", "\n"),
    ])
    .await;
    let found = all(&new);
    for wanted in [
        "narrowed county_officer/region student.phone for transfer_review: full filter -> masked",
        "narrowed registrar/school student.id_number for transfer_review: full filter export match",
    ] {
        assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted}: {found:#?}");
    }
    assert!(found.iter().all(|line| line.contains(" for transfer_review: ")), "{found:#?}");
    // What changes alike with and without a purpose is one line.
    let new = changed(&[("student.csv", FOR_PURPOSES, ""), ("student.csv", masked, "")]).await;
    assert_eq!(
        lines(&new),
        [
            "removed  county_officer/region student.phone: masked -> nothing",
            "removed  county_officer/region student.phone for dropout_return: full filter -> nothing",
            "removed  county_officer/region student.phone for transfer_review: full filter -> nothing",
        ]
    );

    let mine = folder();
    change(mine.path(), "student.csv", FOR_PURPOSES, &less);
    let path = mine.path().to_str().unwrap();
    let (out, err) = said(&xueji(&["policy", "diff", "shipped", path]));
    assert!(out.contains("student.phone for transfer_review: full filter -> masked"), "{out}{err}");
    assert!(out.contains("3 changes from"), "{out}");
}

#[tokio::test]
async fn the_page_marks_the_cells_that_a_purpose_changes() {
    let text = page(policy().await.as_ref(), &catalogue(), &Default::default());
    let cell = |start: &str| {
        let at = text.find(start).unwrap_or_else(|| panic!("no cell {start}"));
        text[at..].split_once("</td>").unwrap().0
    };
    let phone = cell("county_officer/region · student.phone: masked");
    assert!(phone.contains(" · 转学核办 transfer_review: full filter"), "{phone}");
    assert!(phone.contains(" · 控辍保学 dropout_return: full filter"), "{phone}");
    assert!(!phone.contains("home_contact") && phone.ends_with("掩<i>?</i>"), "{phone}");
    let plain = cell("year_head/year_level · student.phone: masked");
    assert!(plain.ends_with("掩<i>r</i>") && !plain.contains("transfer_review"), "{plain}");
    assert!(text.contains("differs for a stated purpose"));
}

/// What a database has to say to a folder: nothing published, the same, other files, files that no program here can use.
#[tokio::test(flavor = "multi_thread")]
async fn check_says_how_a_folder_fits_a_database() {
    let (app, _) = App::school().await;
    let place = app.place();
    let holder = app.administrator();
    let account = holder.account().await;
    let (mine, other) = (folder(), folder());
    hide_phone(other.path());
    let path = |folder: &TempDir| folder.path().to_str().unwrap().to_owned();
    let run = |what: &[&str], folder: &TempDir| {
        let path = path(folder);
        let mut args = vec!["policy"];
        args.extend(what);
        args.extend(["--policies", &path, "--database-url", &place.url]);
        xueji(&args)
    };
    let check = |folder: &TempDir| run(&["check", "--strict"], folder);
    let expect = |output: Output, code: i32, part: &str| {
        let (out, err) = said(&output);
        assert_eq!(output.status.code(), Some(code), "{out}{err}");
        assert!(out.contains(part), "{part} in {out}{err}");
        (out, err)
    };
    let (out, _) = expect(check(&mine), 0, "note[published] no version is published");
    assert!(out.contains("note[unheld] registrar/school: nobody holds it today"), "{out}");
    assert!(!out.contains("[unheld] administrator/anywhere"), "{out}");
    assert!(run(&["apply", "--master-key", MASTER], &mine).status.success());
    expect(check(&mine), 0, "note[published] version 1 is in force, and is these files");
    let (out, _) =
        expect(check(&other), 0, "note[published] version 1 is in force, and is other files");
    assert!(out.contains("publishes them as the next version"), "{out}");
    assert!(out.contains("`xueji policy diff 1 FOLDER`"), "{out}");
    assert!(run(&["apply", "--master-key", MASTER], &other).status.success());
    let (out, _) = expect(check(&mine), 0, "version 2 is in force, and is other files");
    assert!(out.contains("these files were in force before it"), "{out}");

    // The newest version cannot be used: a server with files that came before it does not start, and check fails.
    policy_version::Entity::update_many()
        .col_expr(policy_version::Column::Files, Expr::val("{}"))
        .col_expr(policy_version::Column::Hash, Expr::val("0".repeat(16)))
        .filter(policy_version::Column::Number.eq(2))
        .exec(app.db())
        .await
        .unwrap();
    let unusable = "error[published] version 2 is in force and cannot be used by this program";
    let (out, err) = expect(check(&mine), 1, unusable);
    assert!(
        out.contains("policies/model.conf") && err.contains("does not fit the database"),
        "{out}{err}"
    );
    let home = TempDir::new().unwrap();
    let mut args = vec!["serve".to_owned()];
    args.extend(crate::support::process::settings(home.path(), &place.url));
    args.extend(["--policies".to_owned(), path(&mine)]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = xueji(&args);
    let (_, err) = said(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("version 2, cannot be used by this program"), "{err}");
    assert!(err.contains("xueji policy apply"), "{err}");
    // With files that were never published it would be healed, which is a warning.
    let whole = run(&["check"], &other);
    expect(whole, 0, "warning[published] version 2 is in force and cannot be used");
    expect(check(&other), 1, "warning[published] version 2");
    assert!(run(&["apply", "--master-key", MASTER], &mine).status.success());
    expect(check(&mine), 0, "note[published] version 3 is in force, and is these files");

    // A role that is held and that the policy does not know.
    access_grant::Entity::update_many()
        .col_expr(access_grant::Column::Role, Expr::val("astrologer"))
        .filter(access_grant::Column::AccountId.eq(account))
        .exec(app.db())
        .await
        .unwrap();
    let part = "warning[unknown] astrologer/anywhere is held in the database";
    expect(run(&["check"], &mine), 0, part);
    let (_, err) = expect(check(&mine), 1, part);
    assert!(err.contains("--strict allows none"), "{err}");
    // A database that is none.
    let gone = xueji(&["policy", "check", "--database-url", "postgres://127.0.0.1:1/none"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(said(&gone).1.contains("The database does not answer"), "{:?}", said(&gone));
}
