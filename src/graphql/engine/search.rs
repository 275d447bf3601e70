//! Free-text search (关键词搜索) over the rows of a list: each word stands in one of its texts.
//!
//! It looks into the columns that the policy lets the caller search, and into each of them on the rows that
//! show it in full. Which columns those are is not said: a word found where the caller cannot look is
//! not found.

use async_graphql::registry::MetaField;

use super::args::bad;
use super::types::input;
use crate::access::filter::{Filter, Test};
use crate::access::scope::Scope;
use crate::access::view::Noun;
use crate::error::{Error, Result, Why};

/// Most words of one search.
const WORDS_MAX: usize = 5;
/// Most characters of one search.
const LENGTH_MAX: usize = 100;

/// The condition of a search; none when nothing is searched. `FORBIDDEN` where the caller may search
/// no column.
pub(super) fn condition(asked: Option<&str>, scope: &Scope) -> Result<Option<Filter>> {
    let Some(asked) = asked else { return Ok(None) };
    if asked.chars().any(char::is_control) {
        return Err(bad(
            "search",
            "a text to search for has no control characters",
            "搜索文本不能包含控制字符",
        ));
    }
    let words: Vec<String> = asked.split_whitespace().map(str::to_ascii_lowercase).collect();
    if words.is_empty() {
        return Err(bad(
            "search",
            "give a word to search for, or leave the argument out",
            "请输入搜索词，或省略该参数",
        ));
    }
    if words.len() > WORDS_MAX || asked.chars().count() > LENGTH_MAX {
        return Err(Error::Limit {
            what: "search",
            why: Why::new(
                format!("a search has at most {WORDS_MAX} words and {LENGTH_MAX} characters"),
                format!("搜索最多 {WORDS_MAX} 个词、{LENGTH_MAX} 个字符"),
            ),
        });
    }
    let fields = scope.searched();
    if fields.is_empty() {
        let noun = scope.noun();
        let texts = (0..noun.shape.fields.len()).filter(|field| noun.searches(*field));
        let columns = texts.take(1).map(|field| noun.coordinate(field)).collect();
        return Err(Error::Forbidden { act: "search".into(), columns });
    }
    let anywhere = |word: &String| {
        let test =
            |field: &usize| Filter::Test { field: *field, test: Test::Contains(word.clone()) };
        Filter::Or(fields.iter().map(test).collect())
    };
    Ok(Some(Filter::And(words.iter().map(anywhere).collect())))
}

/// Describes the argument of a list whose rows have texts.
pub(super) fn describe(list: &mut MetaField, noun: &Noun) {
    if (0..noun.shape.fields.len()).any(|field| noun.searches(field)) {
        let about = "Only rows in whose texts each of these words stands, at most five words; Latin \
                     letters of either case are alike. A text counts on the rows that show it to you \
                     in full, where your roles may search it.";
        list.args.insert("search".to_owned(), input("search", "String", about));
    }
}
