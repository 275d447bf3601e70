use super::*;
use crate::value::code::divisions;

#[test]
fn every_line_of_the_files_is_read() {
    let count = |name: &str| list(name).len();
    assert_eq!(count("RDXB"), 4);
    assert_eq!(count("JTGX"), 84);
    assert_eq!(count("SJGGHDQMC"), 239);
    assert_eq!(count("ZGGMZMCDLMZMPXF"), 59);
    assert_eq!(count("BXLX"), 76);
    assert_eq!(count("XJYDYY"), 49);
    assert_eq!(count("NATIONAL25"), 6);
    assert_eq!(count("no such list"), 0);
    let coded: usize = lists().into_iter().filter(|name| *name != divisions::LIST).map(count).sum();
    // 2535 and 643 lines, 18 of the form, the sex that the transcription lacks, five headings dropped.
    assert_eq!(coded, 2535 + 643 + 18 + 1 - 5);
    assert!(count(divisions::LIST) > 5000);
}

#[test]
fn every_english_name_belongs_to_a_code() {
    let mut names = 0;
    for line in
        csv::Reader::from_reader(include_str!("../../../data/english.csv").as_bytes()).records()
    {
        let line = line.unwrap();
        let entry = entry(&format!("{}:{}", &line[0], &line[1]));
        assert_eq!(entry.and_then(|entry| entry.en.as_deref()), Some(&line[2]));
        names += 1;
    }
    assert!(names > 500);
}

#[test]
fn lists_of_the_student_form_have_english_names() {
    for name in [
        "RDXB",
        "ZGGMZMCDLMZMPXF",
        "JTGX",
        "SFZJLX",
        "GATQW",
        "ZZMM",
        "JKZKEWSZ",
        "HKLB",
        "CJRLX",
        "JDFS",
        "RXFS",
        "XQ",
        "ZXXKC",
    ] {
        for entry in list(name) {
            assert!(entry.en.is_some(), "{name}:{}", entry.code);
        }
    }
}

#[test]
fn known_defects_are_corrected() {
    for (code, zh) in [
        ("ZGGMZMCDLMZMPXF:36", "毛南族"),
        ("RDXB:9", "未说明的性别"),
        ("DABGQX:21", "30年"),
        ("DABGQX:1", "永久"),
        ("SFZJLX:B", "户口簿"),
        ("HKLB:1", "非农业家庭户口"),
        ("NATIONAL18:1", "农业户口"),
    ] {
        assert_eq!(label(code, Language::Chinese), Some(zh), "{code}");
    }
    for heading in ["4", "5", "6", "7", "8"] {
        assert!(Code::new("XJYDYY", heading).is_err());
    }
}

#[test]
fn labels_fall_back_to_chinese() {
    assert_eq!(label("RDXB:2", Language::English), Some("female"));
    assert_eq!(label("SJGGHDQMC:156", Language::English), Some("中国"));
    assert_eq!(label("RDXB:7", Language::English), None);
    assert_eq!(label("", Language::Chinese), None);
}

#[test]
fn divisions_are_full_paths() {
    for (code, path) in [
        ("GBT2260:110000", "北京市"),
        ("GBT2260:110105", "北京市朝阳区"),
        ("GBT2260:420102", "湖北省武汉市江岸区"),
        ("GBT2260:429004", "湖北省仙桃市"),
        ("GBT2260:441900", "广东省东莞市"),
        ("GBT2260:440524", "广东省汕头市潮阳县"),
        ("GBT2260:810000", "香港特别行政区"),
    ] {
        assert_eq!(label(code, Language::Chinese), Some(path), "{code}");
    }
    assert!(divisions::is_known("830000"));
    assert!(!divisions::is_known("990105"));
}

#[test]
fn codes_are_parsed() {
    let code = Code::parse(" RDXB:1 ").unwrap();
    assert_eq!((code.list(), code.code(), code.as_str()), ("RDXB", "1", "RDXB:1"));
    assert_eq!(code.entry().unwrap().system, "GB/T 2261.1");
    assert_eq!(Code::parse_in("RDXB", "1"), Ok(code.clone()));
    assert_eq!(Code::parse_in("RDXB", "RDXB:1"), Ok(code.clone()));
    assert!(Code::parse_in("RDXB", "HKLB:1").is_err());
    for text in ["", ":", "RDXB", "RDXB:", "RDXB:7", "NOLIST:1", ":1", "RDXB:1:1"] {
        assert!(Code::parse(text).is_err(), "{text}");
    }
    assert_eq!(format!("{code:?}"), "Code(RDXB:…)");
}

#[test]
fn a_stored_text_without_a_list_is_no_trouble() {
    let code =
        <Code as sea_orm::sea_query::ValueType>::try_from(sea_orm::Value::from("old")).unwrap();
    assert_eq!((code.list(), code.code(), code.entry()), ("", "old", None));
}
