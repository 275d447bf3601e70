//! Scores: who sees which, and totals and means that tell no more than that.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use xueji_entity::score;
use xueji_entity::value::ScoreId;

use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::seed::{Shape, code};

#[tokio::test]
async fn a_guardian_sees_published_scores_only() {
    let (app, seed) = App::school().await;
    let (class, level) = (seed.first(), &seed.schools[0].levels[0]);
    let document = "{ viewer { wards { nodes { scores { totalCount nodes { value published \
                    exam { name } } } } } } }";
    let answer = app.guardian(class.students[0]).ask(document).await;
    let list = "/viewer/wards/nodes/0/scores";
    assert_eq!(answer.at(&format!("{list}/totalCount")), 2);
    assert!(!answer.text.contains("November"), "an examination in draft is not named by a score");
    // The homeroom teacher sees the one that is entered and not yet published as well.
    let all = app
        .homeroom_teacher(class.id)
        .ask("{ students { nodes { scores { totalCount } } } }")
        .await;
    assert_eq!(all.at("/students/nodes/0/scores/totalCount"), 3);
    // Published, it is there for the family at the next request.
    score::Entity::update_many()
        .col_expr(score::Column::Published, true.into())
        .filter(score::Column::ExamId.eq(level.draft))
        .exec(app.db())
        .await
        .unwrap();
    let answer = app.guardian(class.students[0]).ask(document).await;
    assert_eq!(answer.at(&format!("{list}/totalCount")), 3);
}

#[tokio::test]
async fn a_subject_teacher_sees_the_own_course_only() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.subject_teacher(class.id, seed.courses[1]);
    let answer = teacher
        .ask("{ students { nodes { scores { totalCount nodes { value course { name } } } } } }")
        .await;
    for node in answer.at("/students/nodes").as_array().unwrap() {
        assert_eq!(node["scores"]["totalCount"], 1, "{node}");
        assert_eq!(node["scores"]["nodes"][0]["course"]["name"], "数学");
    }
}

#[tokio::test]
async fn an_exam_total_adds_up_visible_scores_alone() {
    let (app, seed) = App::school().await;
    let (class, level) = (seed.first(), &seed.schools[0].levels[0]);
    let variables = json!({ "exam": app.id("exam", level.exam) });
    let document = "query($exam: ID!) { students { nodes { \
                    examTotal(examId: $exam) { value courses absent incomplete } \
                    scores(filter: { exam: { id: { eq: $exam } } }) { nodes { value } } } } }";
    let both = app.homeroom_teacher(class.id).query(document, variables.clone()).await;
    let one = app.subject_teacher(class.id, seed.courses[0]).query(document, variables).await;
    for (answer, courses) in [(&both, 2), (&one, 1)] {
        for node in answer.at("/students/nodes").as_array().unwrap() {
            let decimal =
                |value: &serde_json::Value| -> f64 { value.as_str().unwrap().parse().unwrap() };
            let scores = node["scores"]["nodes"].as_array().unwrap();
            let sum: f64 = scores.iter().map(|score| decimal(&score["value"])).sum();
            assert_eq!(node["examTotal"]["courses"], courses, "{node}");
            assert!((decimal(&node["examTotal"]["value"]) - sum).abs() < 1e-9, "{node}");
        }
    }
    // The examination in draft: a guardian gets no total where there is no score to see.
    let draft = json!({ "exam": app.id("exam", level.draft) });
    let document =
        "query($exam: ID!) { students { nodes { examTotal(examId: $exam) { value } } } }";
    let parent = app.guardian(class.students[0]).query(document, draft.clone()).await;
    assert_eq!(parent.at("/students/nodes/0/examTotal"), &json!(null));
    let teacher = app.homeroom_teacher(class.id).query(document, draft).await;
    assert!(teacher.at("/students/nodes/0/examTotal/value").is_string());
    // Whoever sees no score sees no total.
    let document =
        "query($exam: ID!) { students(first: 1) { nodes { examTotal(examId: $exam) { value } } } }";
    let exam = json!({ "exam": app.id("exam", level.exam) });
    let aid = app.aid_officer(seed.schools[0].id).query(document, exam).await;
    assert_eq!(aid.at("/students/nodes/0/examTotal"), &json!(null));
    assert_eq!(aid.redaction("Student.examTotal").len(), 1);
}

#[tokio::test]
async fn a_total_says_what_was_missed_and_what_is_left_out() {
    let (app, seed) = App::school().await;
    let (class, level) = (seed.first(), &seed.schools[0].levels[0]);
    let pupil = class.students[0];
    let rows = score::Entity::find()
        .filter(score::Column::StudentId.eq(pupil))
        .filter(score::Column::ExamId.eq(level.exam))
        .all(app.db())
        .await
        .unwrap();
    let mut missed: score::ActiveModel = rows[0].clone().into();
    missed.value = Set(None);
    missed.absence = Set(Some(crate::support::seed::code("QKWB:1")));
    missed.update(app.db()).await.unwrap();
    let document = "query($exam: ID!) { students(first: 200) { nodes { id \
                    examTotal(examId: $exam) { value courses absent incomplete } } } }";
    let variables = json!({ "exam": app.id("exam", level.exam) });
    let answer = app.homeroom_teacher(class.id).query(document, variables).await;
    let own = app.id("student", pupil);
    let nodes = answer.at("/students/nodes").as_array().unwrap();
    let total = &nodes.iter().find(|node| node["id"] == own.as_str()).unwrap()["examTotal"];
    assert_eq!((&total["courses"], &total["absent"]), (&json!(2), &json!(1)), "{total}");
    assert_eq!(total["incomplete"], false);
}

#[tokio::test]
async fn a_course_mean_of_fewer_than_ten_is_not_said() {
    for (students, mean) in [(9, None), (10, Some("70.1"))] {
        let (app, seed) = App::school_of(Shape { classes: 1, students }).await;
        let document = "query($exam: ID!) { students { nodes { scores(filter: \
                        { exam: { id: { eq: $exam } } }) { nodes { value courseMean } } } } }";
        let exam = json!({ "exam": app.id("exam", seed.schools[0].levels[0].exam) });
        let teacher = app.subject_teacher(seed.first().id, seed.courses[0]);
        let answer = teacher.query(document, exam).await;
        let nodes = answer.at("/students/nodes").as_array().unwrap();
        assert_eq!(nodes.len(), students);
        for node in nodes {
            let score = &node["scores"]["nodes"][0];
            assert_eq!(score["courseMean"].as_str(), mean, "{students} pupils: {score}");
        }
        // The family does not hold the figure, however many there are, and is told so.
        let document = "{ viewer { wards { nodes { scores { nodes { courseMean } } } } } }";
        let answer = app.guardian(seed.first().students[0]).ask(document).await;
        assert!(!answer.text.contains("70.1"), "{}", answer.text);
        let hidden = ("hidden".to_owned(), "NOT_GRANTED".to_owned(), 2);
        assert_eq!(answer.redaction("Score.courseMean"), [hidden]);
    }
}

#[tokio::test]
async fn a_make_up_neither_doubles_a_total_nor_lifts_a_mean_over_the_threshold() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 9 }).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let document = "query($exam: ID!) { students { nodes { examTotal(examId: $exam) { value courses } \
                    scores(filter: { exam: { id: { eq: $exam } } }) { nodes { courseMean } } } } }";
    let exam = seed.schools[0].levels[0].exam;
    let variables = json!({ "exam": app.id("exam", exam) });
    let before = teacher.query(document, variables.clone()).await;
    for row in
        score::Entity::find().filter(score::Column::ExamId.eq(exam)).all(app.db()).await.unwrap()
    {
        let mut again: score::ActiveModel = row.into();
        again.id = Set(ScoreId::new());
        again.nature = Set(code("KSXZ:11"));
        again.insert(app.db()).await.unwrap();
    }
    let after = teacher.query(document, variables).await;
    let pupils = |answer: &Answer| answer.at("/students/nodes").as_array().unwrap().clone();
    for (before, after) in pupils(&before).iter().zip(pupils(&after)) {
        assert!(before["examTotal"]["value"].is_string(), "{before}");
        assert_eq!(before["examTotal"], after["examTotal"]);
        assert!(after["scores"]["nodes"].as_array().unwrap().len() > 1);
        for score in after["scores"]["nodes"].as_array().unwrap() {
            assert!(score["courseMean"].is_null(), "nine pupils stand behind it: {score}");
        }
    }
}
