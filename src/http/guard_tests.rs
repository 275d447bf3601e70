//! Documents that took other servers down, and plain ones that must pass.

use std::{fmt::Write, time::Instant};

use async_graphql::parser::parse_query;
use rstest::rstest;

use super::*;

fn limits() -> Limits {
    Limits::default()
}

fn code(result: Result<impl std::fmt::Debug, Refusal>) -> Code {
    result.unwrap_err().code()
}

fn count(query: &str) -> Result<Cost, Refusal> {
    document(&parse_query(query).unwrap(), &limits())
}

#[rstest]
fn deep_lists_and_objects_never_reach_the_parser(
    #[values(65, 300, 600, 1000, 2000, 3000, 5000)] depth: usize,
    #[values(("[", "]"), ("{a:", "}"), ("{", "}"), ("(", ")"))] pair: (&str, &str),
) {
    let nested = format!("{{ f(a: {}1{}) }}", pair.0.repeat(depth), pair.1.repeat(depth));
    assert_eq!(code(text(&nested, &limits())), Code::LimitExceeded);
    let open = format!("{{ f(a: {}", pair.0.repeat(depth));
    assert_eq!(code(text(&open, &limits())), Code::LimitExceeded);
}

#[test]
fn the_deepest_text_allowed_is_safe_to_parse() {
    for (open, close) in [("[", "]"), ("{a:", "}")] {
        let query = format!("{{ f(a: {}1{}) }}", open.repeat(62), close.repeat(62));
        text(&query, &limits()).unwrap();
        parse_query(&query).unwrap();
    }
    let fields = format!("{}a{}", "{a".repeat(63), "}".repeat(63));
    text(&fields, &limits()).unwrap();
    let _either_is_fine = parse_query(&fields);
}

#[rstest]
#[case("{ f }", 1)]
#[case("{ f(a: [1]) }", 3)]
#[case(r#"{ f(a: "[[[[{{{{((((") }"#, 2)]
#[case(r#"{ f(a: "\"[[[[") }"#, 2)]
#[case(r#"{ f(a: "\\") [ }"#, 2)]
#[case("{ f # [[[[[[\n }", 1)]
#[case("{ f # [[[[[[\r ( }", 2)]
#[case(r#"{ f(a: """[[[ " [[[ """) }"#, 2)]
#[case(r#"{ f(a: """[[[ \""" [[[ """) }"#, 2)]
#[case(r#"{ f(a: "") }"#, 2)]
#[case(r#"{ f(a: """""") [[ }"#, 3)]
#[case("{ f(a: \"[[[\n[[ ) }", 4)]
#[case(r#"{ f(a: """[[["#, 2)]
#[case(r#"{ f(a: "[[[\"#, 2)]
#[case(r#"{ f(a: "#, 2)]
#[case("}}}}]]]){ f }", 1)]
#[case("{ 学(a: \"生[\") [ }", 2)]
fn nesting_is_counted_outside_strings_and_comments(#[case] query: &str, #[case] deepest: u32) {
    assert!(nesting(query.as_bytes(), deepest).is_ok());
    assert!(nesting(query.as_bytes(), deepest - 1).is_err());
}

#[test]
fn the_refusal_says_where() {
    let refusal = text(&format!("{{ f\n(a: {}", "[".repeat(70)), &limits()).unwrap_err();
    assert_eq!(refusal.location(), Some(Pos { line: 2, column: 67 }));
}

#[test]
fn long_documents_are_refused() {
    assert_eq!(code(text(&"a".repeat(64 * 1024 + 1), &limits())), Code::LimitExceeded);
    text(&"a".repeat(64 * 1024), &limits()).unwrap();
}

#[test]
fn doubling_fragments_are_counted_not_expanded() {
    for levels in [10, 18, 25, 31] {
        let mut query = "{ ...f0 }".to_owned();
        for level in 0..levels {
            write!(query, " fragment f{level} on Q {{ ...f{0} ...f{0} }}", level + 1).unwrap();
        }
        write!(query, " fragment f{levels} on Q {{ a }}").unwrap();
        let begun = Instant::now();
        assert_eq!(code(count(&query)), Code::LimitExceeded, "{levels}");
        // Expanded, they would be two thousand million spreads at the last.
        assert!(begun.elapsed().as_secs() < 30);
        let unused = query.replacen("{ ...f0 }", "{ a }", 1);
        assert_eq!(code(count(&unused)), Code::LimitExceeded, "{levels} unused");
    }
}

#[test]
fn long_chains_and_circles_of_fragments_are_refused() {
    let mut query = "{ ...f0 }".to_owned();
    for level in 0..1500 {
        write!(query, "fragment f{level} on Q{{...f{}}}", level + 1).unwrap();
    }
    assert_eq!(code(count(&query)), Code::LimitExceeded);
    assert_eq!(
        code(count("{ ...a } fragment a on Q { ...b } fragment b on Q { ...a }")),
        Code::ValidationFailed
    );
    assert_eq!(code(count("{ x } fragment a on Q { ...a }")), Code::ValidationFailed);
}

#[test]
fn a_hundred_thousand_aliases_are_refused() {
    let generous = Limits { query_bytes: 1 << 22, fields: u32::MAX, ..limits() };
    let mut query = "{".to_owned();
    for number in 0..100_000 {
        write!(query, " a{number}: f").unwrap();
    }
    query.push('}');
    assert_eq!(code(text(&query, &limits())), Code::LimitExceeded);
    assert_eq!(code(document(&parse_query(&query).unwrap(), &generous)), Code::LimitExceeded);
}

#[test]
fn many_fields_and_directives_are_refused() {
    assert_eq!(code(count(&format!("{{ {} }}", "f ".repeat(5001)))), Code::LimitExceeded);
    assert_eq!(
        code(count(&format!("{{ {} }}", "f@skip(if:true) ".repeat(201)))),
        Code::LimitExceeded
    );
}

#[test]
fn costs_are_added_over_fragments() {
    let cost =
        count("{ a { ...f } b: a { ...f } } fragment f on T { c ... on T { d @skip(if: true) } }")
            .unwrap();
    assert_eq!(cost, Cost { spreads: 2, fields: 6, aliases: 1, directives: 2 });
    assert_eq!(count("{ ...missing }").unwrap().spreads, 1);
}

#[rstest]
#[case("{ a @unknown }")]
#[case("{ a @skip }")]
#[case("{ a @skip(unless: true) }")]
#[case("{ a @skip(if: true) @skip(if: false) }")]
#[case("query Q @skip(if: true) { a }")]
#[case("query Q($v: Int @deprecated) { a(v: $v) }")]
#[case("{ ...f } fragment f on Q @include(if: true) { a }")]
#[case("{ __typename(a: 1) }")]
#[case("{ __typename { a } }")]
fn what_validation_overlooks_is_refused(#[case] query: &str) {
    assert_eq!(code(count(query)), Code::ValidationFailed);
}
