//! Takes a request apart while its answers still differ, so that what is printed is little.

use super::both::{Both, Seen};
use super::document::{Arg, Request, Selection};
use super::outlets;

/// The smallest request whose answers differ that `most` further ones have found, with the answers.
pub(crate) async fn shrink(
    both: &Both<'_>,
    mut request: Request,
    mut seen: [Seen; 2],
    most: usize,
) -> (Request, [Seen; 2]) {
    let mut tries = 0;
    'smaller: loop {
        for smaller in reductions(&request) {
            tries += 1;
            if tries > most {
                break 'smaller;
            }
            let (now, differs) = both.ask(&smaller, &format!("smaller-{tries}")).await;
            if differs.is_some() {
                (request, seen) = (smaller, now);
                continue 'smaller;
            }
        }
        break;
    }
    (request, seen)
}

/// Requests that ask for one thing less, what drops most first.
pub(crate) fn reductions(request: &Request) -> Vec<Request> {
    let mut out = Vec::new();
    for selections in fewer(&request.selections) {
        out.push(Request { selections, ..request.clone() }.tidied());
    }
    for at in 0..request.fragments.len() {
        for below in fewer(&request.fragments[at].below) {
            let mut smaller = request.clone();
            smaller.fragments[at].below = below;
            out.push(smaller.tidied());
        }
        // The fragment where it is spread.
        let mut smaller = request.clone();
        let fragment = smaller.fragments.remove(at);
        let inline = Selection::Inline {
            on: Some(fragment.on.clone()),
            directive: None,
            below: fragment.below.clone(),
        };
        for selection in &mut smaller.selections {
            put(selection, &fragment.name, &inline);
        }
        for other in &mut smaller.fragments {
            for selection in &mut other.below {
                put(selection, &fragment.name, &inline);
            }
        }
        out.push(smaller.tidied());
    }
    for at in 0..request.variables.len() {
        let mut smaller = request.clone();
        let variable = smaller.variables.remove(at);
        let value = variable.value.or(variable.default).unwrap_or(Arg::Null);
        let all = smaller
            .selections
            .iter_mut()
            .chain(smaller.fragments.iter_mut().flat_map(|fragment| &mut fragment.below));
        for selection in all {
            fill(selection, &variable.name, &value);
        }
        out.push(smaller);
    }
    if request.purpose.is_some() {
        out.push(Request { purpose: None, ..request.clone() });
    }
    if request.chinese {
        out.push(Request { chinese: false, ..request.clone() });
    }
    out
}

fn put(selection: &mut Selection, name: &str, inline: &Selection) {
    if matches!(selection, Selection::Spread(spread) if spread == name) {
        *selection = inline.clone();
    } else if let Some(below) = selection.below_mut() {
        below.iter_mut().for_each(|below| put(below, name, inline));
    }
}

fn fill(selection: &mut Selection, name: &str, value: &Arg) {
    if let Selection::Field { args, directive, .. } = selection {
        args.iter_mut().for_each(|(_, arg)| fill_arg(arg, name, value));
        if let Some(directive) = directive {
            fill_arg(&mut directive.condition, name, value);
        }
    }
    if let Selection::Inline { directive: Some(directive), .. } = selection {
        fill_arg(&mut directive.condition, name, value);
    }
    if let Some(below) = selection.below_mut() {
        below.iter_mut().for_each(|below| fill(below, name, value));
    }
}

fn fill_arg(arg: &mut Arg, name: &str, value: &Arg) {
    match arg {
        Arg::Variable(own) if own == name => *arg = value.clone(),
        Arg::List(items) => items.iter_mut().for_each(|item| fill_arg(item, name, value)),
        Arg::Object(fields) => fields.iter_mut().for_each(|(_, item)| fill_arg(item, name, value)),
        _ => {}
    }
}

/// Lists of selections with one thing less; never empty.
fn fewer(selections: &[Selection]) -> Vec<Vec<Selection>> {
    let mut out = Vec::new();
    if selections.len() > 2 {
        let half = selections.len() / 2;
        out.push(selections[half..].to_vec());
        out.push(selections[..half].to_vec());
    }
    if selections.len() > 1 {
        for at in 0..selections.len() {
            let mut less = selections.to_vec();
            less.remove(at);
            out.push(less);
        }
    }
    for (at, selection) in selections.iter().enumerate() {
        for smaller in simpler(selection) {
            let mut less = selections.to_vec();
            less[at] = smaller;
            out.push(less);
        }
        if let Selection::Inline { below, .. } = selection {
            let mut less = selections.to_vec();
            less.splice(at..=at, below.iter().cloned());
            out.push(less);
        }
    }
    out
}

fn simpler(selection: &Selection) -> Vec<Selection> {
    let mut out = Vec::new();
    match selection {
        Selection::Field { alias, name, args, directive, below } => {
            let with = |args: Vec<(String, Arg)>, below: Vec<Selection>| Selection::Field {
                alias: alias.clone(),
                name: name.clone(),
                args,
                directive: directive.clone(),
                below,
            };
            for less in fewer(below) {
                out.push(with(args.clone(), less));
            }
            for at in 0..args.len() {
                let mut less = args.clone();
                less.remove(at);
                out.push(with(less, below.clone()));
                for smaller in lesser(&args[at].1) {
                    let mut less = args.clone();
                    less[at].1 = smaller;
                    out.push(with(less, below.clone()));
                }
            }
            if directive.is_some() {
                let mut plain = selection.clone();
                if let Selection::Field { directive, .. } = &mut plain {
                    *directive = None;
                }
                out.push(plain);
            }
            if alias.as_ref().is_some_and(|alias| !outlets::named(alias)) {
                let mut plain = selection.clone();
                if let Selection::Field { alias, .. } = &mut plain {
                    *alias = None;
                }
                out.push(plain);
            }
        }
        Selection::Inline { on, directive, below } => {
            for less in fewer(below) {
                out.push(Selection::Inline {
                    on: on.clone(),
                    directive: directive.clone(),
                    below: less,
                });
            }
        }
        Selection::Spread(_) => {}
    }
    out
}

fn lesser(arg: &Arg) -> Vec<Arg> {
    let mut out = Vec::new();
    match arg {
        Arg::List(items) => {
            for at in 0..items.len() {
                let mut less = items.clone();
                less.remove(at);
                out.push(Arg::List(less));
                for smaller in lesser(&items[at]) {
                    let mut less = items.clone();
                    less[at] = smaller;
                    out.push(Arg::List(less));
                }
            }
        }
        Arg::Object(fields) => {
            for at in 0..fields.len() {
                // What a condition holds in place of the condition: `not`, `and`, `or`.
                let inner = match &fields[at].1 {
                    Arg::Object(_) if fields[at].0 == "not" => Some(fields[at].1.clone()),
                    Arg::List(items) if items.len() == 1 => {
                        Some(items[0].clone()).filter(|item| matches!(item, Arg::Object(_)))
                    }
                    _ => None,
                };
                out.extend(inner);
                if fields.len() > 1 {
                    let mut less = fields.clone();
                    less.remove(at);
                    out.push(Arg::Object(less));
                }
                for smaller in lesser(&fields[at].1) {
                    let mut less = fields.clone();
                    less[at].1 = smaller;
                    out.push(Arg::Object(less));
                }
            }
        }
        _ => {}
    }
    out
}
