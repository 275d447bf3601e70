//! `xueji accounts import` as a command: what a file may be, what becomes of it, and of the file with the codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use xueji_entity::value::Guarded;

use super::{accounts, lines, staff_of};
use crate::support::app::App;
use crate::support::keys::MASTER;
use crate::support::seed::Seed;

/// The code of the first school that is planted.
const SCHOOL: &str = "3100000000";

struct Scene {
    app: App,
    seed: Seed,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (app, seed) = App::school_alone().await;
        Self { app, seed, folder: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, file: &str, bytes: &[u8], more: &[&str]) -> Output {
        std::fs::write(self.path(file), bytes).unwrap();
        let url = &self.app.place().url;
        let lookup = "0c1d".repeat(16);
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().current_dir(self.folder.path()).stdin(Stdio::null());
        command.args(["accounts", "import", file, "--kind", "staff", "--school", SCHOOL]);
        command.args(["--database-url", url, "--master-key", MASTER, "--lookup-key", &lookup]);
        command.args(more).output().unwrap()
    }

    /// The rows of the first teachers, and one of nobody where it is asked for.
    async fn table(&self, teachers: usize, nobody: bool) -> Vec<Vec<String>> {
        let staff = staff_of(&self.app, self.seed.schools[0].id).await;
        let row = |number: &str, name: &str| vec![number.to_owned(), name.to_owned()];
        let mut rows = vec![row("工号", "姓名")];
        let teachers = staff.iter().take(teachers);
        rows.extend(teachers.map(|one| row(&one.staff_number, one.name.expose())));
        if nobody {
            rows.push(row("T-NOBODY", "Mknobodyhere"));
        }
        rows
    }
}

fn csv(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join(",") + "\r\n").collect()
}

fn out(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

/// The codes of an output file.
fn codes(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip(1);
    lines.map(|line| line.split(',').nth(3).unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_staff_becomes_accounts_and_a_file_of_codes_that_only_its_owner_reads() {
    let scene = Scene::new().await;
    let table = csv(&scene.table(2, false).await);
    let before = accounts(&scene.app).await;
    let dry = scene.import("staff.csv", table.as_bytes(), &["--dry-run"]);
    let (done, text) = out(&dry);
    assert!(done && text.contains("2 accounts would be made"), "{text}");
    assert_eq!(accounts(&scene.app).await, before);

    let (done, text) = out(&scene.import("staff.csv", table.as_bytes(), &["--out", "codes.csv"]));
    assert!(done, "{text}");
    assert_eq!(accounts(&scene.app).await, before + 2);
    let file = scene.path("codes.csv");
    assert_eq!(mode(&file), 0o600);
    let codes = codes(&file);
    assert_eq!(codes.len(), 2);
    assert!(codes.iter().all(|code| code.len() == 19 && !text.contains(code.as_str())), "{text}");
    let on_record = format!("{:?}", lines(&scene.app, "account.create").await);
    for (table, rows) in crate::secrecy::marks::dump(scene.app.db()).await {
        assert!(codes.iter().all(|code| !rows.contains(code.as_str())), "no code in {table}");
    }
    assert!(on_record.contains("xueji accounts import"), "{on_record}");

    // Never over a file that is there.
    let kept = std::fs::read(&file).unwrap();
    let next = csv(&scene.table(3, false).await[..]
        .iter()
        .enumerate()
        .filter(|(at, _)| *at == 0 || *at == 3)
        .map(|(_, row)| row.clone())
        .collect::<Vec<_>>());
    let (done, text) = out(&scene.import("staff.csv", next.as_bytes(), &["--out", "codes.csv"]));
    assert!(!done && text.contains("cannot be made anew"), "{text}");
    assert_eq!(std::fs::read(&file).unwrap(), kept);
    assert_eq!(accounts(&scene.app).await, before + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_errors_writes_nothing_or_what_is_right_of_it_as_chosen() {
    let scene = Scene::new().await;
    let table = csv(&scene.table(2, true).await);
    let before = accounts(&scene.app).await;
    let (done, text) = out(&scene.import("staff.csv", table.as_bytes(), &["--out", "codes.csv"]));
    assert!(!done && text.contains("row 4: NO_MATCH"), "{text}");
    assert!(text.contains("nothing was written") && text.contains("未写入任何内容"), "{text}");
    assert!(!text.contains("Mknobody"), "{text}");
    assert_eq!(accounts(&scene.app).await, before);
    assert!(!scene.path("codes.csv").exists());

    let skip = ["--out", "codes.csv", "--on-error", "skip"];
    let (done, text) = out(&scene.import("staff.csv", table.as_bytes(), &skip));
    assert!(done && text.contains("row 4: NO_MATCH"), "{text}");
    assert_eq!(accounts(&scene.app).await, before + 2);
    assert_eq!(codes(&scene.path("codes.csv")).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_and_a_table_in_the_national_encoding_are_read_as_well() {
    let scene = Scene::new().await;
    let staff = scene.table(2, false).await;
    let before = accounts(&scene.app).await;
    let (gb, _, lost) = encoding_rs::GB18030.encode(&csv(&staff[..2])).into_owned_parts();
    assert!(!lost);
    let (done, text) = out(&scene.import("staff.csv", &gb, &["--out", "one.csv"]));
    assert!(done, "{text}");
    let book = workbook(&[staff[0].clone(), staff[2].clone()]);
    let (done, text) = out(&scene.import("staff.xlsx", &book, &["--out", "two.csv"]));
    assert!(done, "{text}");
    assert_eq!(accounts(&scene.app).await, before + 2);

    for (file, bytes) in [
        ("a.csv", b"".as_slice()),
        ("b.csv", b"\xff\xff\xff,\x00"),
        ("c.xlsx", b"PK\x03\x04 and no more"),
    ] {
        let (done, text) = out(&scene.import(file, bytes, &["--out", "three.csv"]));
        assert!(!done && text.contains(file), "{text}");
    }
    let (done, text) = out(&scene.import("d.csv", "工号\r\n".as_bytes(), &["--out", "three.csv"]));
    assert!(!done && text.contains("COLUMN_MISSING"), "{text}");
    let other = ["--school", "9999999999"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(["accounts", "import", "x.csv", "--kind", "guardian"]).args(other);
    let (done, text) = out(&command.output().unwrap());
    assert!(!done && text.contains("--class"), "{text}");
    assert_eq!(accounts(&scene.app).await, before + 2);
}

trait Owned {
    fn into_owned_parts(self) -> (Vec<u8>, &'static encoding_rs::Encoding, bool);
}

impl Owned for (std::borrow::Cow<'_, [u8]>, &'static encoding_rs::Encoding, bool) {
    fn into_owned_parts(self) -> (Vec<u8>, &'static encoding_rs::Encoding, bool) {
        (self.0.into_owned(), self.1, self.2)
    }
}

/// A workbook of one sheet, as small as a workbook can be.
fn workbook(rows: &[Vec<String>]) -> Vec<u8> {
    let cells = |row: &Vec<String>| -> String {
        row.iter().map(|cell| format!("<c t=\"inlineStr\"><is><t>{cell}</t></is></c>")).collect()
    };
    let rows: String = rows
        .iter()
        .enumerate()
        .map(|(at, row)| format!("<row r=\"{}\">{}</row>", at + 1, cells(row)))
        .collect();
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let types = "http://schemas.openxmlformats.org/package/2006/content-types";
    let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    archive(&[
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{types}\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{sheet}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"{sheet}.worksheet+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets><sheet name=\"Staff\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{relations}\"><Relationship Id=\"rId1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ])
}

/// A ZIP archive whose files are stored as they are.
fn archive(files: &[(&str, String)]) -> Vec<u8> {
    let (mut body, mut index) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let at = u32::try_from(body.len()).unwrap();
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let named = u16::try_from(name.len()).unwrap().to_le_bytes();
        let mut head = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        head.extend(crc(text.as_bytes()).to_le_bytes());
        head.extend([length, length].concat());
        head.extend(named);
        head.extend([0, 0]);
        index.extend(b"PK\x01\x02\x14\x00");
        index.extend(&head);
        index.extend([0; 10]);
        index.extend(at.to_le_bytes());
        index.extend(name.as_bytes());
        body.extend(b"PK\x03\x04");
        body.extend(&head);
        body.extend(name.as_bytes());
        body.extend(text.as_bytes());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let (at, length) = (u32::try_from(body.len()).unwrap(), u32::try_from(index.len()).unwrap());
    body.extend(index);
    body.extend(b"PK\x05\x06\x00\x00\x00\x00");
    body.extend([count, count].concat());
    body.extend(length.to_le_bytes());
    body.extend(at.to_le_bytes());
    body.extend([0, 0]);
    body
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
