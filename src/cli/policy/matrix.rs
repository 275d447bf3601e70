//! `xueji policy matrix`: the compiled policy as text, or as one page.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Context;

use super::Folder;
use crate::access::policy::{matrix, page};
use crate::cli::{say, start};
use crate::graphql::REGISTRY;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// Write one page for a browser to this file instead
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let policy = super::compiled(args.folder.source()?).await?;
    let catalogue = start::catalogue();
    match &args.html {
        None => say(matrix(&policy, &catalogue).trim_end()),
        Some(file) => std::fs::write(file, page(&policy, &catalogue, &labels()))
            .with_context(|| format!("{} cannot be written", file.display())),
    }
}

/// The English labels of nouns and columns: the first sentence of what the schema says of them.
fn labels() -> HashMap<String, String> {
    let mut labels = HashMap::new();
    for noun in REGISTRY.nouns() {
        labels.insert(noun.shape.name.to_owned(), noun.shape.type_name.to_owned());
        for field in noun.shape.fields {
            labels.insert(format!("{}.{}", noun.shape.name, field.name), short(field.doc));
        }
    }
    labels
}

fn short(doc: &str) -> String {
    let first = doc.split([';', '\n', '(', '（']).next().unwrap_or_default();
    let first = first.split(", list `").next().unwrap_or_default();
    first.trim().trim_end_matches(['.', ',']).replace(", sealed", "")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_label_is_the_beginning_of_the_documentation() {
        assert_eq!(
            short("Name as on the household register; form item 1.\n"),
            "Name as on the household register"
        );
        assert_eq!(short(" Gender, list `RDXB`; form item 2."), "Gender");
        assert_eq!(
            short("The sum of the scores of one examination (总分)."),
            "The sum of the scores of one examination"
        );
    }
}
