//! How pupils and family members are reached (联系方式): what may be entered, and by which tag a
//! write knows that its caller has seen what it replaces.
//!
//! One rule for both nouns: the columns are those of the groups contact and address, their values
//! are read by the value types, and what a mask left of one is refused (promise 6). Who may set
//! which column stands in the policy; the store refuses one column more.

pub mod update;
