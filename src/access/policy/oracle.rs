//! Casbin, with the model of the policy. The only place that names it.
//!
//! One enforcer is reused: its policy is swapped for the few lines of one column or action, because
//! the price of a question grows with the lines. It decides; it keeps nothing and knows no table.

use crate::access::policy::Problem;
use crate::access::policy::roles::Roles;
use casbin::function_map::OperatorFunction;
use casbin::rhai::{Dynamic, ImmutableString};
use casbin::{CoreApi, DefaultModel, Enforcer, Model as _};

/// The file of the casbin model.
pub(super) const MODEL: &str = "model.conf";

/// An enforcer whose model was tried.
pub(super) struct Oracle(Enforcer);

impl Oracle {
    /// An enforcer without policy lines.
    pub(super) async fn new(model: Option<&str>) -> Result<Oracle, Problem> {
        let refused = |why: String| Problem::file(MODEL, why).of("model");
        let missing = || refused("is missing; it says what makes a line match".to_owned());
        let model = DefaultModel::from_str(model.ok_or_else(missing)?)
            .await
            .map_err(|error| refused(format!("does not parse: {error}")))?;
        definitions(&model).map_err(refused)?;
        let mut enforcer = Enforcer::new(model, ())
            .await
            .map_err(|error| refused(format!("is no casbin model: {error}")))?;
        enforcer.add_function("can", OperatorFunction::Arg3(can));
        let mut oracle = Oracle(enforcer);
        oracle.probe().map_err(refused)?;
        Ok(oracle)
    }

    /// Replaces the policy lines: what, role, reach, sight, uses.
    pub(super) fn load(
        &mut self,
        lines: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), String> {
        let assertions = self.0.get_mut_model().get_mut_model().get_mut("p");
        let assertion = assertions.and_then(|assertions| assertions.get_mut("p"));
        let policy = assertion.ok_or("the model has no policy section")?.get_mut_policy();
        policy.clear();
        policy.extend(lines);
        Ok(())
    }

    /// Sets the role links.
    pub(super) fn link(&mut self, roles: &Roles) -> Result<(), String> {
        for (_, heir) in roles.iter() {
            for ancestor in heir.inherits.iter().filter_map(|&id| roles.get(id)) {
                let rule = [&heir.name, &ancestor.name].map(|name| format!("role:{name}"));
                self.0.get_mut_model().add_policy("g", "g", rule.to_vec());
            }
        }
        self.0.build_role_links().map_err(|error| format!("the role links fail: {error}"))
    }

    /// The question: may the role at the reach do this with that?
    pub(super) fn ask(
        &self,
        what: &str,
        role: &str,
        reach: &str,
        verb: &str,
    ) -> Result<bool, String> {
        let question = [what, role, reach, verb].map(str::to_owned).to_vec();
        self.0
            .enforce(question)
            .map_err(|error| format!("casbin cannot answer for {what}: {error}"))
    }

    /// Tries the matcher: it must grant what a line says and nothing that differs in one word.
    fn probe(&mut self) -> Result<(), String> {
        let granted = ["col:a.b", "role:x", "reach:own", "full"];
        let ask = |oracle: &Oracle, [what, role, reach, verb]: [&str; 4]| {
            oracle.ask(what, role, reach, verb)
        };
        if ask(self, granted)? {
            return Err("the matcher grants without any line".to_owned());
        }
        self.load([["col:a.b", "role:x", "reach:own", "full", "filter"]
            .map(str::to_owned)
            .to_vec()])?;
        if !ask(self, granted)? {
            return Err("the matcher does not grant what a line says".to_owned());
        }
        for (place, word) in [(0, "col:a.c"), (1, "role:y"), (2, "reach:ward"), (3, "sort")] {
            let mut other = granted;
            if let Some(cell) = other.get_mut(place) {
                *cell = word;
            }
            if ask(self, other)? {
                return Err(format!(
                    "the matcher grants {word} although the line says something else"
                ));
            }
        }
        self.load([])
    }
}

/// `can(sight, uses, verb)`: the verb is the sight or one of the uses.
fn can(sight: Dynamic, uses: Dynamic, verb: Dynamic) -> Dynamic {
    let words = (
        sight.read_lock::<ImmutableString>(),
        uses.read_lock::<ImmutableString>(),
        verb.read_lock::<ImmutableString>(),
    );
    let (Some(sight), Some(uses), Some(verb)) = words else {
        return Dynamic::FALSE;
    };
    Dynamic::from(
        sight.as_str() == verb.as_str() || uses.split(' ').any(|word| word == verb.as_str()),
    )
}

/// Everything but the matcher is fixed: another effect panics at the first question or allows by default.
fn definitions(model: &DefaultModel) -> Result<(), String> {
    let value = |section: &str| {
        let assertion =
            model.get_model().get(section).and_then(|assertions| assertions.get(section));
        assertion
            .map(|assertion| assertion.value.split_whitespace().collect::<String>())
            .unwrap_or_default()
    };
    for (section, wanted) in [
        ("r", "what,role,reach,verb"),
        ("p", "what,role,reach,sight,uses"),
        ("g", "_,_"),
        ("e", "some(where(p_eft==allow))"),
    ] {
        if value(section) != wanted {
            return Err(format!("the definition of {section} must stay as shipped"));
        }
    }
    if value("m").is_empty() { Err("has no matcher".to_owned()) } else { Ok(()) }
}
