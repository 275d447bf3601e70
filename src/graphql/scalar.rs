//! Scalars and small objects of the schema that are no nouns.

use std::borrow::Cow;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use chrono::{DateTime, NaiveDate, Utc};
use xueji_entity::value::Thousandths;

/// A local date of the deployment's time zone, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A local date of the deployment's time zone, `YYYY-MM-DD`.
#[Scalar(name = "Date", specified_by_url = "https://scalars.graphql.org/andimarek/local-date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        crate::clock::parse_day(text).map(Self).ok_or_else(|| {
            InputValueError::custom("a date is written YYYY-MM-DD, such as 2026-09-01")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An instant in UTC, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant(pub DateTime<Utc>);

/// An instant in UTC, RFC 3339.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        DateTime::parse_from_rfc3339(text).map(|instant| Self(instant.with_timezone(&Utc))).map_err(
            |_detail| InputValueError::custom("an instant is written 2026-09-01T08:00:00Z"),
        )
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

/// An exact decimal number as text, such as `95.5` (scores) or `1250.00` (yuan); never a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Thousandths);

/// An exact decimal number as text, such as `95.5` (scores) or `1250.00` (yuan); never a float.
#[Scalar(name = "Decimal", specified_by_url = "https://scalars.graphql.org/chillicream/decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        text.parse()
            .map(Self)
            .map_err(|_detail| InputValueError::custom("a decimal is written 95.5"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A coded value together with its code system; the code alone means nothing.
#[derive(Clone, Debug, SimpleObject)]
pub struct Code {
    /// The standard that the list belongs to, such as `GB/T 2261.1`.
    pub system: String,
    /// The list, such as `RDXB`; filters write a code as `LIST:value`.
    pub list: String,
    /// The code within the list.
    pub value: String,
    /// The name in the language of the request, if the list has one.
    pub label: Option<String>,
}

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// More rows follow.
    pub has_next_page: bool,
    /// Rows stand before this page.
    pub has_previous_page: bool,
    /// The cursor of the first row.
    pub start_cursor: Option<String>,
    /// The cursor of the last row.
    pub end_cursor: Option<String>,
}

/// A sentence that both languages of the API have.
pub fn sentence(language: xueji_entity::value::Language, why: &crate::error::Why) -> Cow<'_, str> {
    match language {
        xueji_entity::value::Language::English => Cow::Borrowed(why.en.as_ref()),
        xueji_entity::value::Language::Chinese => Cow::Borrowed(why.zh.as_ref()),
    }
}
