//! The database goes away: requests say so and ask to come back, and work again as soon as it does, without a restart.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};

use crate::support::answer::Answer;
use crate::support::app::App;

async fn ready(app: &App) -> Answer {
    app.send(Request::builder().uri("/readyz").body(Body::empty()).unwrap()).await
}

/// On a server alone: a file that is open stays readable whatever happens to its name, so that an embedded registry has
/// no outage to recover from short of a failing disk.
#[tokio::test]
async fn a_database_that_is_down_is_503_and_comes_back_without_a_restart() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let document = "{ students { totalCount } }";
    assert_eq!(registrar.ask(document).await.at("/students/totalCount"), 9);
    assert_eq!(ready(&app).await.status, 200);
    let Some((_, name)) = app.place().on_server() else { return };
    app.place().close().await;
    let token = registrar.token().await;
    let body = format!("{{\"query\": \"{document}\"}}");
    for (language, sentence) in [("en", "again"), ("zh", "稍后")] {
        let answer = app.post(Some(&token), language, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (503, "UNAVAILABLE"),
            "{}",
            answer.text
        );
        assert!(answer.message().contains(sentence), "{}", answer.message());
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        assert!(
            !answer.text.contains(name) && !answer.text.contains("postgres"),
            "{}",
            answer.text
        );
    }
    let down = ready(&app).await;
    assert_eq!(down.status, 503, "{}", down.text);
    app.place().reopen().await;
    let back = Instant::now();
    loop {
        let answer = registrar.ask(document).await;
        if answer.status == 200 {
            assert_eq!(answer.at("/students/totalCount"), 9);
            break;
        }
        assert_eq!(answer.code(), "UNAVAILABLE", "{}", answer.text);
        assert!(back.elapsed() < Duration::from_secs(10), "not back after {:?}", back.elapsed());
    }
    assert_eq!(ready(&app).await.status, 200);
}
