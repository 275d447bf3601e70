//! The five operations: their documents, and the requests that are drawn from a sample.
//!
//! Requests are written once, before any clock runs.

use std::fmt;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::sample::Sample;
use super::target::{Kind, Target};

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A guardian's portal: one child with scores and attendance.
    Parent,
    /// A class roster with guardians, for its homeroom teacher.
    Roster,
    /// The same with the scores of one examination and their totals.
    RosterWithScores,
    /// A page of a school's students, for its registrar.
    Page,
    /// Figures by group, for a reporting tool.
    Aggregate,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parent => "parent",
            Self::Roster => "roster",
            Self::RosterWithScores => "roster-with-scores",
            Self::Page => "page",
            Self::Aggregate => "aggregate",
        })
    }
}

/// A request, ready to be sent any number of times.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) path: hyper::Uri,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 5] =
        [Self::Parent, Self::Roster, Self::RosterWithScores, Self::Page, Self::Aggregate];

    /// The document.
    pub(super) const fn document(self) -> &'static str {
        match self {
            Self::Parent => include_str!("../../benches/documents/parent.graphql"),
            Self::Roster => include_str!("../../benches/documents/roster.graphql"),
            Self::RosterWithScores => {
                include_str!("../../benches/documents/roster_with_scores.graphql")
            }
            Self::Page => include_str!("../../benches/documents/page.graphql"),
            Self::Aggregate => include_str!("../../benches/documents/aggregate.graphql"),
        }
    }

    /// Whether the server answers it; the bare handler knows two operations.
    pub(super) fn answered_by(self, kind: Kind) -> bool {
        kind != Kind::Bare || matches!(self, Self::Parent | Self::Roster)
    }

    /// Every request that the sample allows. Pages start at the beginning; [`Prepared::page_after`]
    /// leads on.
    pub(super) fn prepare(self, sample: &Sample, target: &Target) -> Result<Vec<Prepared>> {
        if target.kind == Kind::Bare {
            return self.prepare_bare(sample, target);
        }
        let ask = |token: &str, variables: Value| Prepared::ask(target, self, token, variables);
        let prepared: Result<Vec<Prepared>> = match self {
            Self::Parent => sample
                .parents
                .iter()
                .map(|parent| ask(&parent.token, json!({"id": parent.student_id})))
                .collect(),
            Self::Roster => sample
                .homeroom
                .iter()
                .map(|teacher| ask(&teacher.token, json!({"id": teacher.class_group_id})))
                .collect(),
            Self::RosterWithScores => sample
                .homeroom
                .iter()
                .filter_map(|teacher| {
                    let exam = teacher.exam_id.as_ref()?;
                    let variables = json!({"id": teacher.class_group_id, "exam": exam});
                    Some(ask(&teacher.token, variables))
                })
                .collect(),
            Self::Page => sample
                .registrars
                .iter()
                .map(|registrar| {
                    ask(&registrar.token, json!({"school": registrar.school_id, "after": null}))
                })
                .collect(),
            Self::Aggregate => sample
                .analysts
                .iter()
                .map(|analyst| {
                    let exams: Vec<&String> = analyst.exam_id.iter().collect();
                    let schools: Vec<&String> = analyst.school_id.iter().collect();
                    // No list at all is no condition; an empty one would match nothing.
                    let some =
                        |ids: Vec<&String>| if ids.is_empty() { Value::Null } else { json!(ids) };
                    let variables = json!({"exams": some(exams), "schools": some(schools)});
                    ask(&analyst.token, variables)
                })
                .collect(),
        };
        let prepared = prepared?;
        ensure!(!prepared.is_empty(), "The sample holds nobody who asks for {self}.");
        Ok(prepared)
    }

    fn prepare_bare(self, sample: &Sample, target: &Target) -> Result<Vec<Prepared>> {
        let keys: Vec<_> = match self {
            Self::Parent => sample.parents.iter().map(|parent| parent.student_key).collect(),
            Self::Roster => sample.homeroom.iter().map(|teacher| teacher.class_group_key).collect(),
            Self::RosterWithScores | Self::Page | Self::Aggregate => Vec::new(),
        };
        ensure!(!keys.is_empty(), "The sample holds nobody who asks for {self}.");
        let path = target.path(&format!("/{self}"))?;
        keys.into_iter()
            .map(|key| {
                Ok(Prepared {
                    path: path.clone(),
                    authorization: None,
                    body: serde_json::to_vec(&json!({"id": key}))?.into(),
                })
            })
            .collect()
    }
}

impl Prepared {
    fn ask(target: &Target, operation: Operation, token: &str, variables: Value) -> Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .context("A token of the sample does not fit into a header.")?;
        authorization.set_sensitive(true);
        Ok(Self {
            path: target.path("/graphql")?,
            authorization: Some(authorization),
            body: body(operation, variables)?,
        })
    }

    /// The request for the page behind this cursor.
    pub(super) fn page_after(&self, cursor: &str) -> Result<Self> {
        let mut asked: Value = serde_json::from_slice(&self.body)?;
        if let Some(after) = asked.pointer_mut("/variables/after") {
            *after = json!(cursor);
        }
        Ok(Self { body: serde_json::to_vec(&asked)?.into(), ..self.clone() })
    }
}

fn body(operation: Operation, variables: Value) -> Result<Bytes> {
    let asked = json!({"query": operation.document(), "variables": variables});
    Ok(serde_json::to_vec(&asked)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::{Limits, build_schema};
    use crate::load::sample::{Analyst, Homeroom, Parent, Registrar};

    fn sample() -> Sample {
        let token = || "t".to_owned();
        let key = uuid::Uuid::from_u128(1);
        Sample {
            parents: vec![Parent { token: token(), student_id: "S".into(), student_key: key }],
            homeroom: vec![
                Homeroom {
                    token: token(),
                    class_group_id: "C".into(),
                    class_group_key: key,
                    exam_id: Some("E".into()),
                },
                Homeroom {
                    token: token(),
                    class_group_id: "D".into(),
                    class_group_key: key,
                    exam_id: None,
                },
            ],
            registrars: vec![Registrar { token: token(), school_id: "O".into() }],
            analysts: vec![Analyst { token: token(), exam_id: Some("E".into()), school_id: None }],
        }
    }

    fn target(kind: Kind) -> Target {
        Target::new(kind, "http://127.0.0.1:8080", None).unwrap()
    }

    /// Nobody is signed in here, so a document that the schema accepts is refused for that alone.
    #[tokio::test]
    async fn every_document_fits_the_schema() {
        let schema = build_schema(Limits::default());
        for operation in Operation::ALL {
            for prepared in operation.prepare(&sample(), &target(Kind::Policy)).unwrap() {
                let asked: async_graphql::Request = serde_json::from_slice(&prepared.body).unwrap();
                let answer = schema.execute(asked).await;
                assert!(!answer.errors.is_empty());
                for error in answer.errors {
                    let code = error.extensions.as_ref().and_then(|all| all.get("code"));
                    let code = code.map(ToString::to_string);
                    assert_eq!(
                        code.as_deref(),
                        Some("\"UNAUTHENTICATED\""),
                        "{operation}: {}",
                        error.message
                    );
                }
            }
        }
    }

    #[test]
    fn requests_follow_the_sample() {
        let policy = target(Kind::Policy);
        let roster = Operation::Roster.prepare(&sample(), &policy).unwrap();
        assert_eq!((roster.len(), roster[0].path.path()), (2, "/graphql"));
        assert!(roster[0].authorization.as_ref().unwrap().is_sensitive());
        let with_scores = Operation::RosterWithScores.prepare(&sample(), &policy).unwrap();
        assert_eq!(with_scores.len(), 1);
        let aggregate = Operation::Aggregate.prepare(&sample(), &policy).unwrap();
        let asked: Value = serde_json::from_slice(&aggregate[0].body).unwrap();
        assert_eq!(asked["variables"], json!({"exams": ["E"], "schools": null}));
        assert!(Operation::Parent.prepare(&Sample::default(), &policy).is_err());
    }

    #[test]
    fn the_bare_handler_is_asked_by_key() {
        let bare = target(Kind::Bare);
        let parent = Operation::Parent.prepare(&sample(), &bare).unwrap();
        assert_eq!(parent[0].path.path(), "/parent");
        assert_eq!(parent[0].body, r#"{"id":"00000000-0000-0000-0000-000000000001"}"#);
        assert!(!Operation::Page.answered_by(Kind::Bare));
        assert!(Operation::Page.prepare(&sample(), &bare).is_err());
    }

    #[test]
    fn a_page_leads_to_the_next() {
        let page = Operation::Page.prepare(&sample(), &target(Kind::Policy)).unwrap();
        let next = page[0].page_after("cursor").unwrap();
        let asked: Value = serde_json::from_slice(&next.body).unwrap();
        assert_eq!(asked["variables"], json!({"school": "O", "after": "cursor"}));
        assert_eq!(next.authorization, page[0].authorization);
    }
}
