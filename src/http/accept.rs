//! What the client wants to read: media type by `Accept`, language by `Accept-Language`.

use axum::http::{HeaderMap, HeaderValue, header};

/// Language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese (中文).
    Zh,
}

impl Language {
    /// The tag for `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }
}

/// Media type of a GraphQL answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphQl,
    /// `application/json`: well-formed requests are answered with 200.
    Json,
}

impl Media {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// One item of an `Accept` or `Accept-Language` list: the range in lower case, its parameters, its quality.
struct Range {
    range: String,
    charset: Option<String>,
    quality: u16,
}

/// Reads a list of ranges with qualities in thousandths; an item that is no range is passed over.
fn ranges(headers: &HeaderMap, name: header::HeaderName) -> Vec<Range> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(range).take(64).collect()
}

fn range(item: &str) -> Option<Range> {
    let mut parts = item.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
    let mut parsed = Range { range, charset: None, quality: 1000 };
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("q") {
            parsed.quality = quality(value.trim())?;
        } else if name.trim().eq_ignore_ascii_case("charset") {
            parsed.charset = Some(value.trim().trim_matches('"').to_ascii_lowercase());
        }
    }
    Some(parsed)
}

/// `0`, `0.5`, `1.000`: at most three digits after the point, as the standard has it.
fn quality(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The media type of the answer; `None` when the client takes neither.
///
/// Without `Accept` the answer is `application/graphql-response+json`, as the specification has it since 2025. A
/// wildcard means `application/json`, which is what general HTTP tools expect.
pub(super) fn media(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Media::GraphQl);
    }
    let ranges = ranges(headers, header::ACCEPT);
    // The quality of a media type is the one of its most specific range; the place breaks ties between media types.
    let best = |name: &str| {
        let usable = |range: &&Range| {
            range.charset.as_deref().is_none_or(|set| matches!(set, "utf-8" | "utf8" | "*"))
        };
        let find = |wanted: &str| {
            ranges
                .iter()
                .enumerate()
                .filter(|(_, range)| usable(range))
                .find(|(_, range)| range.range == wanted)
        };
        let found = find(name).or_else(|| find("application/*")).or_else(|| find("*/*"));
        found.map(|(place, range)| (range.quality, place)).filter(|(quality, _)| *quality > 0)
    };
    match (best("application/graphql-response+json"), best("application/json")) {
        (Some((new, new_place)), Some((old, old_place))) => {
            let new_wins = new > old || (new == old && new_place < old_place);
            Some(if new_wins { Media::GraphQl } else { Media::Json })
        }
        (Some(_), None) => Some(Media::GraphQl),
        (None, Some(_)) => Some(Media::Json),
        (None, None) => None,
    }
}

/// Whether the client reads a stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Events {
    /// It does not say so. A wildcard does not count: no tool that sends one reads a stream.
    No,
    /// It does, but likes a single answer better.
    Also,
    /// It likes a stream better, or takes nothing else.
    Rather,
}

/// Whether the client reads `text/event-stream`.
pub(super) fn events(headers: &HeaderMap) -> Events {
    let ranges = ranges(headers, header::ACCEPT);
    let best = |names: &[&str]| {
        let named = ranges.iter().enumerate();
        named
            .filter(|(_, range)| names.contains(&range.range.as_str()) && range.quality > 0)
            .map(|(place, range)| (range.quality, usize::MAX - place))
            .max()
    };
    let json = ["application/graphql-response+json", "application/json", "application/*", "*/*"];
    match (best(&["text/event-stream"]), best(&json)) {
        (None, _) => Events::No,
        (Some(stream), Some(json)) if json > stream => Events::Also,
        (Some(_), _) => Events::Rather,
    }
}

/// The language of messages: the better liked of Chinese and English, English when neither is named.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let mut chosen = (0, Language::default());
    for range in ranges(headers, header::ACCEPT_LANGUAGE) {
        let language = match range.range.split('-').next() {
            Some("zh") => Language::Zh,
            Some("en") => Language::En,
            _ => continue,
        };
        if range.quality > chosen.0 {
            chosen = (range.quality, language);
        }
    }
    chosen.1
}

/// Whether a body is JSON in UTF-8. Anything else a browser can send without asking first, so only this is read.
pub(super) fn is_json_body(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).into_iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    if !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return false;
    }
    let utf8 = parts.filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            matches!(value.trim().trim_matches('"').to_ascii_lowercase().as_str(), "utf-8" | "utf8")
        }
        Some(_) => true,
        None => false,
    });
    utf8 && !headers.contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[rstest]
    #[case(&[], Some(Media::GraphQl))]
    #[case(&["application/json"], Some(Media::Json))]
    #[case(&["application/graphql-response+json"], Some(Media::GraphQl))]
    #[case(&["application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"], Some(Media::GraphQl))]
    #[case(&["application/json, application/graphql-response+json"], Some(Media::Json))]
    #[case(&["application/json;q=0.5, application/graphql-response+json;q=0.6"], Some(Media::GraphQl))]
    #[case(&["application/graphql-response+json;q=0.4", "application/json"], Some(Media::Json))]
    #[case(&["*/*"], Some(Media::Json))]
    #[case(&["application/*"], Some(Media::Json))]
    #[case(&["text/html, */*;q=0.1"], Some(Media::Json))]
    #[case(&["application/json;q=0, */*"], Some(Media::GraphQl))]
    #[case(&["APPLICATION/JSON"], Some(Media::Json))]
    #[case(&["application/json; charset=iso-8859-1"], None)]
    #[case(&["application/json;q=0"], None)]
    #[case(&["text/html"], None)]
    #[case(&["application/json;q=2"], None)]
    #[case(&[""], None)]
    fn media_types(#[case] accept: &[&str], #[case] expected: Option<Media>) {
        assert_eq!(media(&headers(header::ACCEPT, accept)), expected);
    }

    #[rstest]
    #[case(&[], Events::No)]
    #[case(&["*/*"], Events::No)]
    #[case(&["text/*"], Events::No)]
    #[case(&["text/event-stream"], Events::Rather)]
    #[case(&["text/event-stream;q=0"], Events::No)]
    #[case(&["text/event-stream, application/json"], Events::Rather)]
    #[case(&["application/json, text/event-stream"], Events::Also)]
    #[case(&["application/json;q=0.5", "text/event-stream;q=0.6"], Events::Rather)]
    #[case(&["*/*, text/event-stream;q=0.9"], Events::Also)]
    fn streams(#[case] accept: &[&str], #[case] expected: Events) {
        assert_eq!(events(&headers(header::ACCEPT, accept)), expected);
    }

    #[rstest]
    #[case(&[], Language::En)]
    #[case(&["zh-CN,zh;q=0.9,en;q=0.8"], Language::Zh)]
    #[case(&["en-GB, zh;q=0.5"], Language::En)]
    #[case(&["fr, zh-Hans;q=0.2"], Language::Zh)]
    #[case(&["zh;q=0"], Language::En)]
    fn languages(#[case] accept: &[&str], #[case] expected: Language) {
        assert_eq!(language(&headers(header::ACCEPT_LANGUAGE, accept)), expected);
    }

    #[rstest]
    #[case(&["application/json"], true)]
    #[case(&["Application/JSON; Charset=\"UTF-8\""], true)]
    #[case(&["application/json; charset=gbk"], false)]
    #[case(&["text/plain"], false)]
    #[case(&["application/jsonp"], false)]
    #[case(&["multipart/form-data; boundary=application/json"], false)]
    #[case(&["application/x-www-form-urlencoded"], false)]
    #[case(&["application/json", "text/plain"], false)]
    #[case(&[], false)]
    fn bodies(#[case] kinds: &[&str], #[case] expected: bool) {
        assert_eq!(is_json_body(&headers(header::CONTENT_TYPE, kinds)), expected);
    }
}
