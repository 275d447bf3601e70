//! The compiled policy as one page for people: role × column × reach, in English and Chinese.
//!
//! The page needs nothing else: styles and script stand inside it, and no part of it is asked of another
//! place. Without the script it is complete, and it prints. Every text is escaped.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::access::catalogue::{Catalogue, Class, Coordinate, FieldId, Group};
use crate::access::policy::Policy;
use crate::access::policy::explain::{use_in_chinese, words};
use crate::access::table::{Cell, Pair, Sight, Table, Uses};

const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");
const LABELS: &str = include_str!("labels.csv");

/// What a noun or a column is called on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Label {
    /// English, from the schema.
    english: String,
    /// Chinese (中文), where there is a name.
    chinese: String,
}

/// The page. `labels` are the English ones of nouns and columns by policy name.
pub fn page(policy: &Policy, catalogue: &Catalogue, labels: &HashMap<String, String>) -> String {
    let chinese: HashMap<&str, &str> =
        LABELS.lines().filter_map(|line| line.split_once(',')).collect();
    let page = Page { policy, catalogue, labels, chinese };
    let mut out = String::new();
    page.write(&mut out);
    out
}

/// Text as it stands in HTML, in an attribute too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

struct Page<'a> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    labels: &'a HashMap<String, String>,
    chinese: HashMap<&'a str, &'a str>,
}

impl Page<'_> {
    fn label(&self, name: &str) -> Label {
        let readable = name.rsplit('.').next().unwrap_or(name).replace('_', " ");
        Label {
            english: self.labels.get(name).filter(|l| !l.is_empty()).cloned().unwrap_or(readable),
            chinese: self.chinese.get(name).map(|name| (*name).to_owned()).unwrap_or_default(),
        }
    }

    // Writing into a String cannot fail, so the results are dropped throughout.
    fn write(&self, out: &mut String) {
        let version = escape(&self.policy.version);
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"zh-CN\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>谁能看到什么 · Who sees what</title>\n<style>\n{CSS}</style>\n<style id=\"columns\"></style>\n\
             </head>\n<body>\n<header>\n<h1>谁能看到什么 · Who sees what</h1>\n\
             <p>每一行是一项信息，每一列是某角色在某范围内；格子说明该角色对范围内的学生能看到什么、能用来做什么。\
             没有写明的一律不可见。<br>A row is a piece of information, a column a role at a place. A cell says what \
             that role sees of the rows of that place, and what it may use it for. What is not said is hidden.</p>\n\
             <p class=\"quiet\">策略版本 policy version {version}</p>\n"
        );
        self.legend(out);
        self.controls(out);
        out.push_str("</header>\n<main>\n");
        for noun in self.nouns() {
            let label = self.label(noun);
            self.section(out, noun, &label, &|page, out| page.columns(out, noun));
        }
        let acts = Label {
            english: "Actions".to_owned(),
            chinese: "操作（可填写的栏目数）".to_owned(),
        };
        self.section(out, "actions", &acts, &|page, out| page.actions(out));
        let _ = write!(out, "</main>\n<script>\n{JS}</script>\n</body>\n</html>\n");
    }

    /// The nouns, the student first, then what is about people, then what everybody may know.
    fn nouns(&self) -> Vec<&'static str> {
        let personal = |noun: &str| {
            self.catalogue
                .coordinates
                .iter()
                .any(|known| known.noun == noun && known.group.personal())
        };
        let mut nouns = self.catalogue.nouns();
        nouns.sort_by_key(|noun| (*noun != "student", !personal(noun)));
        nouns
    }

    /// What a pair may do under a table, with what everybody may do.
    fn effective(table: &Table, pair: Pair, field: FieldId) -> Cell {
        let (own, all) = (table.cell(pair, field), table.cell(Pair::ANYONE, field));
        let rule =
            if own.uses.sight() >= all.uses.sight() { own.rule.or(all.rule) } else { all.rule };
        Cell { uses: own.uses.union(all.uses), rule }
    }

    /// What a pair may do otherwise for each purpose that changes it, in words.
    fn purposes(&self, pair: Pair, field: FieldId, plain: Uses) -> String {
        let mut said = String::new();
        for (id, purpose) in self.policy.purposes.iter().filter(|(id, _)| self.policy.asks_for(*id))
        {
            let uses = Self::effective(self.policy.table_for(Some(id)), pair, field).uses;
            if uses != plain {
                let (sight, others) = (uses.sight().word(), words(uses).join(" "));
                let _ = write!(said, " · {} {}: {sight} {others}", purpose.chinese, purpose.code);
            }
        }
        said
    }

    fn legend(&self, out: &mut String) {
        out.push_str("<ul class=\"legend\">\n");
        for (class, mark, text) in [
            ("f", "全", "完整可见 seen in full"),
            ("m", "掩", "脱敏可见 seen masked"),
            ("u", "用", "不可见，仅用于统计 hidden, used in figures"),
            ("n", "·", "不可见 hidden"),
        ] {
            let _ = writeln!(out, "<li><b class=\"{class}\">{mark}</b> {text}</li>");
        }
        for (letter, word) in [
            ("f", "filter"),
            ("s", "search"),
            ("o", "sort"),
            ("g", "group"),
            ("a", "aggregate"),
            ("x", "export"),
            ("m", "match"),
            ("r", "reveal"),
            ("w", "write"),
        ] {
            let _ = writeln!(out, "<li><b>{letter}</b> {} {word}</li>", use_in_chinese(word));
        }
        out.push_str("<li><b>?</b> 说明用途后不同 differs for a stated purpose</li>\n</ul>\n");
    }

    fn controls(&self, out: &mut String) {
        out.push_str(
            "<form><label>查找 search <input type=\"search\" name=\"search\" \
             placeholder=\"电话, phone, student.phone\"></label>\n<label>角色 role <select name=\"role\">\
             <option value=\"\">全部 all</option>",
        );
        for (id, role) in self.policy.roles.iter() {
            let _ = write!(
                out,
                "<option value=\"{}\">{} {}</option>",
                id.0,
                escape(&role.chinese),
                escape(&role.name.replace('_', " "))
            );
        }
        out.push_str(
            "</select></label>\n<label>敏感类别 group <select name=\"group\"><option value=\"\">全部 all</option>",
        );
        for group in Group::ALL {
            let (english, chinese) = group.words();
            let _ = write!(
                out,
                "<option value=\"{english}\">{chinese} {}</option>",
                english.replace('_', " ")
            );
        }
        out.push_str(
            "</select></label>\n<label>可见 sight <select name=\"sight\"><option value=\"\">全部 all</option>\
             <option value=\"f\">完整 full</option><option value=\"m\">脱敏 masked</option></select></label>\n\
             <button type=\"reset\">重置 reset</button> <span id=\"count\" class=\"quiet\"></span></form>\n",
        );
    }

    fn section(
        &self,
        out: &mut String,
        name: &str,
        label: &Label,
        rows: &dyn Fn(&Self, &mut String),
    ) {
        let _ = write!(
            out,
            "<section>\n<h2>{} {}</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>{}</th>",
            escape(&label.chinese),
            escape(&label.english),
            escape(name)
        );
        for (place, pair) in self.policy.table.pairs().iter().enumerate() {
            let role = self.policy.roles.get(pair.role);
            let (name, chinese) =
                role.map(|role| (role.name.as_str(), role.chinese.as_str())).unwrap_or_default();
            let _ = write!(
                out,
                "<th class=\"p{place}\" data-pair=\"{place}\" data-role=\"{}\">{}<small>{} · {}<br>{}</small></th>",
                pair.role.0,
                escape(chinese),
                escape(&name.replace('_', " ")),
                pair.reach.word().replace('_', " "),
                pair.reach.chinese()
            );
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        rows(self, out);
        out.push_str("</tbody></table></div>\n</section>\n");
    }

    fn row(&self, out: &mut String, name: &str, group: Option<Group>, note: &str) {
        let label = self.label(name);
        let (english, chinese) = group.map(Group::words).unwrap_or_default();
        let text = format!("{name} {} {} {english} {chinese}", label.english, label.chinese)
            .to_lowercase();
        let _ = write!(
            out,
            "<tr data-group=\"{english}\" data-text=\"{}\"><th>{} {}<small>{}{note}{}{chinese}</small></th>",
            escape(&text),
            escape(&label.chinese),
            escape(&label.english),
            escape(name),
            if chinese.is_empty() { "" } else { " · " }
        );
    }

    fn columns(&self, out: &mut String, noun: &str) {
        let of_noun = (0..)
            .zip(&self.catalogue.coordinates)
            .filter(|(_, coordinate)| coordinate.noun == noun);
        for (field, coordinate) in of_noun {
            let note = match coordinate.class {
                Class::Column | Class::Outlet | Class::Seen => "",
                Class::Reference => " →",
                Class::Derived(_) => " =",
            };
            self.row(out, &coordinate.name(), Some(coordinate.group), note);
            for (place, &pair) in self.policy.table.pairs().iter().enumerate() {
                let cell = Self::effective(&self.policy.table, pair, field);
                let purposes = self.purposes(pair, field, cell.uses);
                self.cell(out, (place, pair), coordinate, cell, &purposes);
            }
            out.push_str("</tr>\n");
        }
    }

    fn cell(
        &self,
        out: &mut String,
        (place, pair): (usize, Pair),
        column: &Coordinate,
        cell: Cell,
        purposes: &str,
    ) {
        if cell.uses.is_empty() && purposes.is_empty() {
            let _ = write!(out, "<td class=\"n p{place}\" data-pair=\"{place}\">·</td>");
            return;
        }
        let (class, mark) = match cell.uses.sight() {
            Sight::Full => ("f", "全"),
            Sight::Masked => ("m", "掩"),
            Sight::Hidden if cell.uses.is_empty() => ("n", "·"),
            Sight::Hidden => ("u", "用"),
        };
        let uses = words(cell.uses);
        let asks = if purposes.is_empty() { "" } else { "?" };
        let letters: String = uses
            .iter()
            .filter_map(|word| {
                if *word == "sort" {
                    Some('o')
                } else if *word == "export" {
                    Some('x')
                } else {
                    word.chars().next()
                }
            })
            .collect();
        let rule = cell.rule.and_then(|rule| self.policy.table.rule(rule));
        let by = rule.map(ToString::to_string).unwrap_or_default();
        let said = format!(
            "{} · {}: {} {} {by}{purposes}",
            self.policy.roles.words(pair),
            column.name(),
            cell.uses.sight().word(),
            uses.join(" ")
        );
        let _ = write!(
            out,
            "<td class=\"{class} p{place}\" data-pair=\"{place}\" title=\"{}\">{mark}<i>{letters}{asks}</i></td>",
            escape(said.trim())
        );
    }

    fn actions(&self, out: &mut String) {
        let names: BTreeMap<u16, &str> =
            (0..).zip(self.catalogue.actions.iter().copied()).collect();
        for (&action, name) in &names {
            self.row(out, name, None, "");
            for (place, &pair) in self.policy.table.pairs().iter().enumerate() {
                match self.policy.actions.may(&[pair], action) {
                    Some(act) => {
                        let columns: Vec<String> = act
                            .columns
                            .iter()
                            .filter_map(|&field| self.catalogue.coordinates.get(usize::from(field)))
                            .map(Coordinate::name)
                            .collect();
                        let _ = write!(
                            out,
                            "<td class=\"f p{place}\" data-pair=\"{place}\" title=\"{}\">可<i>{}</i></td>",
                            escape(&columns.join(" ")),
                            columns.len()
                        );
                    }
                    None => {
                        let _ =
                            write!(out, "<td class=\"n p{place}\" data-pair=\"{place}\">·</td>");
                    }
                }
            }
            out.push_str("</tr>\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(escape("<b a=\"1\" c='2'>&"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
    }
}
