//! Reward in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::value::{Code, Fen, Narrative};

use crate::access::view::Join;
use crate::view;

view! {
    /// A reward of a student (奖励).
    pub struct Reward from reward, hangs OfStudent;
    fields {
        /// Name of the reward.
        name: Narrative = Conduct,
        /// Level of the awarding body, list `JB`.
        level: Code = Conduct,
        /// Grade of the reward, list `JLDJ`.
        rank: Option<Code> = Conduct,
        /// Field of the reward, list `XSHJLB`.
        kind: Code = Conduct,
        /// Reason.
        reason: Option<Narrative> = Narrative,
        /// Day of the award.
        awarded_on: NaiveDate = Conduct,
        /// Number of the document.
        document_number: Option<String> = Conduct,
        /// Who awarded it.
        awarding_body: Option<Narrative> = Conduct,
        /// Money that came with it.
        amount: Option<Fen> = Aid,
    }
    keys {
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
    }
}
