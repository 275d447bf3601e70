//! Tests of the shipped policy and of what is refused.

mod grants;
mod refusals;
mod shipped;

use crate::access::catalogue::Catalogue;
use crate::access::policy::Policy;
use crate::access::table::{Pair, Reach, Sight};
use std::error::Error;

type Tested = Result<(), Box<dyn Error>>;

fn pair(policy: &Policy, role: &str, reach: Reach) -> Result<Pair, String> {
    Ok(Pair { role: policy.roles.id(role).ok_or_else(|| format!("no role {role}"))?, reach })
}

fn sight(
    policy: &Policy,
    catalogue: &Catalogue,
    held: &[Pair],
    name: &str,
) -> Result<Sight, String> {
    let field = *catalogue.index().get(name).ok_or_else(|| format!("no column {name}"))?;
    Ok(policy.table.plan(held).sight(field))
}
