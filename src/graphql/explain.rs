//! `explainAccess`: why somebody sees what they see of a column of a student. It shows no value.

use async_graphql::{Context, ID, Object, Result as GraphResult, SimpleObject};
use xueji_entity::value::AccountId;

use super::query::{context, fail, graph};
use super::scalar::{Date, sentence};
use crate::access::table::Rule;
use crate::domain::Cx;
use crate::domain::explain::{self, Question};

/// A policy line (策略行).
#[derive(Clone, Debug, SimpleObject)]
pub struct PolicyLine {
    /// Where it stands: `student.csv:12`.
    at: String,
    /// The line itself.
    text: String,
}

impl PolicyLine {
    fn of(rule: Rule) -> Self {
        Self { at: rule.to_string(), text: rule.text }
    }
}

/// A grant that covers the pupil, and what it gives.
#[derive(Clone, Debug, SimpleObject)]
pub struct CoveringGrant {
    /// The role, as the policy names it.
    role: String,
    /// The kind of place at which it is held.
    reach: String,
    /// The first day.
    valid_from: Date,
    /// The last day; null while open.
    valid_until: Option<Date>,
    /// full, masked or hidden: what this grant alone shows.
    sight: String,
    /// Other uses that it gives: filter, search, sort, group, aggregate, export, match.
    uses: Vec<String>,
    /// The policy line that spoke; null where none does.
    rule: Option<PolicyLine>,
    /// Its line is the one that won.
    wins: bool,
    /// The rows that it covers, where these are not all rows of the pupil.
    rows: Option<String>,
    /// The same in words.
    sentence: String,
}

/// Why an account sees what it sees of a column of a pupil (权限说明).
#[derive(Clone, Debug, SimpleObject)]
pub struct AccessExplanation {
    /// The column, as the schema names it.
    coordinate: String,
    /// full, masked or hidden: the most open sight of the grants that cover the pupil.
    sight: String,
    /// Other uses, all grants together.
    uses: Vec<String>,
    /// The policy line that won; null where none shows the column.
    rule: Option<PolicyLine>,
    /// The grants that cover the pupil today.
    grants: Vec<CoveringGrant>,
    /// The same in words, in the language of the request.
    sentence: String,
}

fn owned(words: Vec<&'static str>) -> Vec<String> {
    words.into_iter().map(ToOwned::to_owned).collect()
}

fn told(cx: &Cx, explanation: explain::Explanation) -> AccessExplanation {
    let language = cx.caller.language;
    let said = |why: &_| sentence(language, why).into_owned();
    let whole = said(&explanation.sentence());
    let coordinate = explanation.coordinate;
    let grants = explanation
        .covering
        .into_iter()
        .map(|covering| CoveringGrant {
            sentence: said(&covering.sentence(&coordinate)),
            rows: covering.rows.as_ref().map(said),
            role: covering.role.0,
            reach: covering.grant.reach.word().to_owned(),
            valid_from: Date(covering.grant.since),
            valid_until: covering.grant.until.map(Date),
            sight: covering.sight.word().to_owned(),
            uses: owned(covering.uses),
            rule: covering.rule.map(PolicyLine::of),
            wins: covering.wins,
        })
        .collect();
    AccessExplanation {
        sight: explanation.sight.word().to_owned(),
        uses: owned(explanation.uses),
        rule: explanation.rule.map(PolicyLine::of),
        grants,
        sentence: whole,
        coordinate,
    }
}

/// What explains rights.
#[derive(Debug, Default)]
pub struct ExplainQuery;

#[Object]
impl ExplainQuery {
    /// Why you see what you see of a column of a pupil whom you may see: the grants that cover the pupil,
    /// the policy lines that spoke, the one that won. About another account the privacy officer may ask,
    /// for pupils of the own place. It shows no value.
    async fn explain_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil.")] student_id: ID,
        #[graphql(desc = "The column, as the schema and `extensions.redactions` name it: \
                          `Student.idNumber`, `Score.value`.")]
        coordinate: String,
        #[graphql(desc = "Another account, by its global id; yourself when not said.")]
        account_id: Option<ID>,
    ) -> GraphResult<AccessExplanation> {
        let cx = context(ctx).map_err(graph)?;
        let open = |noun, id: &ID| {
            cx.registry()
                .get(noun)
                .and_then(|noun| cx.opaque.open_id_of(noun, id))
                .map(|key| key.id)
        };
        let question = Question {
            student: open("student", &student_id),
            coordinate,
            account: account_id.map(|id| open("account", &id).map(AccountId::from_uuid)),
        };
        let explanation =
            explain::explain(cx, question).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(told(cx, explanation))
    }
}
