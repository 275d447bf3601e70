//! Who sees and does what. Pure: no database handle, no query; asynchronous only while policies load.
//!
//! Three people ask for the same pupil. *Ms Lin*, homeroom teacher of class 3-2, holds the grant
//! (homeroom_teacher, class, 3-2): her scope is the condition *member of 3-2 today*, and on such a row
//! the table says name full, phone full, identity number masked. *Mr Wang*, the father, holds
//! (guardian, ward, the pupil): his scope is that one pupil, in full. *Ms Zhao* of the statistics
//! office holds (analyst, region, the county): no row exists for her, but she may count.
//!
//! [`catalogue`] says what exists, the files in `policies/` who sees it; [`policy`] checks and compiles
//! them into a [`table`]. A [`caller`] holds grants; [`place`] turns a grant into a condition on rows;
//! a [`scope`] joins the two for one noun. What is read leaves as [`shown`], with its redactions in the
//! [`ledger`], which ends as the record of a [`disclosure`]. [`view`] declares the nouns,
//! [`opaque`] seals ids and cursors, [`version`] guards writes against stale reads.

pub mod action;
pub mod caller;
pub mod catalogue;
pub mod disclosure;
pub mod filter;
pub mod ledger;
pub mod opaque;
pub mod place;
pub mod policy;
pub mod scope;
pub mod shown;
pub mod table;
pub mod version;
pub mod view;
