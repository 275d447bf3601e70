//! Course in the schema: what it shows and where it leads.

use xueji_entity::stage::Stage;
use xueji_entity::value::Code;

use crate::view;

view! {
    /// A subject taught in a stage (课程).
    pub struct Course from course, hangs Open;
    fields {
        /// The subject, list `ZXXKC`.
        subject: Code = Organisation,
        /// Name for people.
        name: String = Organisation,
        /// The stage it is taught in.
        stage: Stage = Organisation,
    }
    keys {
    }
    unseen { id }
    computed {
    }
    relations {
    }
}
