//! The schema: shape only. Views of the nouns, root fields of a few lines, one executor of lists.
//!
//! Nothing here reads a database or holds a bare value: rows come from the store with their
//! sights, and leave through the [engine]. Start reading at [`query`].

pub mod engine;
mod enums;
pub mod error;
pub mod explain;
pub mod login_session;
pub mod mutation;
pub mod query;
pub mod scalar;

pub mod access_grant;
pub mod access_review;
pub mod account;
pub mod account_management;
pub mod aid_grant;
pub mod aid_programme;
pub mod archive;
pub mod archive_item;
pub mod attendance;
pub mod audit;
pub mod class_group;
pub mod class_membership;
pub mod concern;
pub mod contact;
pub mod course;
pub mod disclosure;
pub mod duty;
pub mod enrollment;
pub mod exam;
pub mod exam_course;
pub mod exceptional;
pub mod grants;
pub mod guardian;
pub mod guardianship;
pub mod identity;
pub mod identity_document;
pub mod organisation;
pub mod policy;
pub mod retention;
pub mod reward;
pub mod sanction;
pub mod school_year;
pub mod score;
pub mod staff;
pub mod statistics;
pub mod student;
pub mod student_number;
pub mod subscription;
pub mod term;
pub mod viewer;
pub mod year_level;

use std::sync::LazyLock;

use async_graphql::{SDLExportOptions, Schema};

use crate::access::view::{Registry, View};

/// The schema of the registry.
pub type XuejiSchema = Schema<query::Query, mutation::Mutation, subscription::Subscription>;

/// All nouns, in the order of their policy ids.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let shapes = [
        organisation::Organisation::SHAPE,
        school_year::SchoolYear::SHAPE,
        term::Term::SHAPE,
        year_level::YearLevel::SHAPE,
        class_group::ClassGroup::SHAPE,
        course::Course::SHAPE,
        exam::Exam::SHAPE,
        exam_course::ExamCourse::SHAPE,
        staff::Staff::SHAPE,
        duty::Duty::SHAPE,
        aid_programme::AidProgramme::SHAPE,
        account::Account::SHAPE,
        access_grant::AccessGrant::SHAPE,
        student::Student::SHAPE,
        identity_document::IdentityDocument::SHAPE,
        student_number::StudentNumber::SHAPE,
        guardian::Guardian::SHAPE,
        guardianship::Guardianship::SHAPE,
        enrollment::Enrollment::SHAPE,
        class_membership::ClassMembership::SHAPE,
        archive::Archive::SHAPE,
        archive_item::ArchiveItem::SHAPE,
        score::Score::SHAPE,
        attendance::Attendance::SHAPE,
        reward::Reward::SHAPE,
        sanction::Sanction::SHAPE,
        aid_grant::AidGrant::SHAPE,
        disclosure::Disclosure::SHAPE,
        access_review::AccessReview::SHAPE,
    ];
    // The shapes are constants of this crate; a test builds the registry, so this cannot fail later.
    Registry::new(&shapes).unwrap_or_default()
});

/// Limits of a document beyond those checked before parsing.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest nesting of selections.
    pub depth: usize,
    /// Most fields of a document, fragments expanded.
    pub complexity: usize,
    /// Most aliases.
    pub aliases: usize,
    /// Most directives.
    pub directives: usize,
    /// Whether the schema describes itself to clients.
    pub introspection: bool,
}

impl Limits {
    /// The limits of the settings.
    pub fn from_settings(limits: &crate::config::settings::Limits, introspection: bool) -> Self {
        Self {
            depth: limits.depth,
            complexity: limits.complexity,
            aliases: usize::try_from(limits.aliases).unwrap_or(usize::MAX),
            directives: usize::try_from(limits.directives).unwrap_or(usize::MAX),
            introspection,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 16, complexity: 1_000, aliases: 100, directives: 50, introspection: true }
    }
}

/// Builds the schema. Data of a request (its `Cx`) comes with the request.
pub fn build_schema(limits: Limits) -> XuejiSchema {
    let query = query::Query::default();
    let builder = Schema::build(query, mutation::Mutation::default(), subscription::Subscription)
        .limit_depth(limits.depth)
        .limit_complexity(limits.complexity)
        .limit_aliases(limits.aliases)
        .limit_directives(limits.directives)
        .disable_suggestions();
    let builder = if limits.introspection { builder } else { builder.disable_introspection() };
    builder.finish()
}

/// The schema in SDL, as `schema.graphql` holds it.
pub fn sdl() -> String {
    let options = SDLExportOptions::new().include_specified_by();
    build_schema(Limits::default()).sdl_with_options(options)
}
