//! ArchiveItem in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::archive_item::ArchiveCategory;
use xueji_entity::value::{ArchiveId, ArchiveItemId, Narrative};

use crate::access::view::Join;
use crate::view;

view! {
    /// One document in the file of a student (档案材料).
    pub struct ArchiveItem from archive_item, hangs OfStudent;
    fields {
        /// Part of the file it belongs to.
        category: ArchiveCategory = Evaluation,
        /// Title.
        title: Narrative = Narrative,
        /// Date on the document.
        dated_on: NaiveDate = Evaluation,
        /// Who supplied it.
        source: Option<Narrative> = Narrative,
        /// SHA-256 of the content in hexadecimal.
        content_hash: Option<String> = Evaluation,
    }
    keys {
        archive_id: ArchiveId = Academic,
        supersedes_id: Option<ArchiveItemId> = Evaluation,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The archive.
        archive: one archive by Join::ToOfStudent("archive_id"), key archive_id;
        /// The item that this one replaces.
        supersedes: one archive_item by Join::ToOfStudent("supersedes_id"), key supersedes_id;
    }
}
