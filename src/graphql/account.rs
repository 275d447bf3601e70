//! Account in the schema: what it shows and where it leads.

use xueji_entity::account::AccountKind;
use xueji_entity::value::{PersonName, StaffId, StudentId};

use crate::access::view::Join;
use crate::view;

view! {
    /// A login (账号).
    pub struct Account from account, hangs Account;
    fields {
        /// Name to sign in with; upper and lower case differ.
        login: String = Directory,
        /// Whose login it is.
        kind: AccountKind = Directory,
        /// Name shown beside acts of the account.
        display_name: PersonName = Directory,
        /// Whether signing in is barred.
        disabled: bool = Directory,
    }
    keys {
        staff_id: Option<StaffId> = Directory,
        student_id: Option<StudentId> = Directory,
    }
    unseen { id, created_at }
    computed {
    }
    relations {
        /// The grants of the account.
        grants: many access_grant by Join::From("account_id"), order [("since", true)];
    }
}
