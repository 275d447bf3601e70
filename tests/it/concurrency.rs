//! Many callers at once: each gets the answer that it gets alone.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::canary::everybody;
use crate::support::app::App;
use crate::support::document::{self, everything, noun};

/// What came back, without what differs from request to request.
fn told(answer: &crate::support::answer::Answer) -> String {
    answer.without_request_id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_callers_at_once_each_get_the_answer_they_get_alone() {
    let (app, seed) = App::school().await;
    let app = Arc::new(app);
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let documents = [
        document::list("students", &everything(noun("student"), 1)),
        "{ classGroups { nodes { name students { totalCount nodes { name idNumber phone scores { \
         nodes { value } } guardians { nodes { name phone } } } } } } }"
            .to_owned(),
        "{ viewer { grants { role } wards { nodes { name phone } } } students { totalCount } }"
            .to_owned(),
    ];
    let mut questions: Vec<(String, String)> = Vec::new();
    for (at, (_, person)) in everybody(&app, &seed).into_iter().enumerate() {
        let token = person.token().await;
        for document in documents.iter().cycle().skip(at).take(2) {
            let variables =
                if document.contains("$exam") { json!({ "exam": exam }) } else { Value::Null };
            let body = json!({ "query": document, "variables": variables }).to_string();
            questions.push((token.clone(), body));
        }
    }
    assert!(questions.len() >= 30);
    let mut alone = Vec::new();
    for (token, body) in &questions {
        alone.push(told(&app.post(Some(token), "en", body.clone()).await));
    }
    for round in 0..2 {
        let mut asked = Vec::new();
        for (token, body) in questions.clone() {
            let app = Arc::clone(&app);
            asked
                .push(tokio::spawn(async move { told(&app.post(Some(&token), "en", body).await) }));
        }
        for ((asked, alone), (_, body)) in asked.into_iter().zip(&alone).zip(&questions) {
            assert_eq!(&asked.await.unwrap(), alone, "round {round}: {body}");
        }
    }
}
