//! The root fields of the nouns: one row by its id, and the list of those the caller may see.
//!
//! They follow from a table, so that every noun is asked for in the same way.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry as Meta;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ID, ObjectType, OutputType, Positioned,
    ServerResult, Value,
};

use super::output::{Listing, Single};
use super::search;
use super::select::list_args;
use super::types::{connection, field, input, list_args as describe_args, noun, object};
use crate::access::scope::Scope;
use crate::access::view::camel;
use crate::graphql::REGISTRY;
use crate::graphql::query::context;

struct Root {
    noun: &'static str,
    list: &'static str,
    order: &'static [(&'static str, bool)],
    one_doc: &'static str,
    list_doc: &'static str,
}

const ROOTS: &[Root] = &[
    Root {
        noun: "student",
        list: "students",
        order: &[("name", false)],
        one_doc: "One pupil. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "The pupils that you may see, by name when no order is given.",
    },
    Root {
        noun: "class_group",
        list: "classGroups",
        order: &[("name", false)],
        one_doc: "One class group. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "The class groups that you may see, by name when no order is given.",
    },
    Root {
        noun: "staff",
        list: "staffMembers",
        order: &[("staff_number", false)],
        one_doc: "One member of staff. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "The members of staff that you may see.",
    },
    Root {
        noun: "organisation",
        list: "organisations",
        order: &[("name", false)],
        one_doc: "One organisation: a school or an authority.",
        list_doc: "Schools and authorities, by name when no order is given.",
    },
    Root {
        noun: "year_level",
        list: "yearLevels",
        order: &[("entry_year", true)],
        one_doc: "One year level of a school.",
        list_doc: "Year levels, the newest first when no order is given.",
    },
    Root {
        noun: "exam",
        list: "exams",
        order: &[("starts_on", true)],
        one_doc: "One examination.",
        list_doc: "Examinations, the newest first when no order is given.",
    },
    Root {
        noun: "course",
        list: "courses",
        order: &[("name", false)],
        one_doc: "One course.",
        list_doc: "Courses, by name when no order is given.",
    },
    Root {
        noun: "school_year",
        list: "schoolYears",
        order: &[("starts_on", true)],
        one_doc: "One school year.",
        list_doc: "School years, the newest first when no order is given.",
    },
    Root {
        noun: "term",
        list: "terms",
        order: &[("starts_on", true)],
        one_doc: "One term.",
        list_doc: "Terms, the newest first when no order is given.",
    },
    Root {
        noun: "aid_programme",
        list: "aidProgrammes",
        order: &[("valid_from", true)],
        one_doc: "One aid programme.",
        list_doc: "Aid programmes, the newest first when no order is given.",
    },
    Root {
        noun: "account",
        list: "accounts",
        order: &[("login", false)],
        one_doc: "One account. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "The accounts that you may see, by login when no order is given.",
    },
    Root {
        noun: "access_grant",
        list: "accessGrants",
        order: &[("since", true)],
        one_doc: "One grant. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "The grants that you may see: those that you gave to substitutes and that have not \
                   ended, the newest first when no order is given.",
    },
    Root {
        noun: "disclosure",
        list: "disclosures",
        order: &[("at", true)],
        one_doc: "One disclosure. `NOT_FOUND` when there is none or it is not yours to see.",
        list_doc: "Who was shown what in full of the pupils whose record you may see, the newest first \
                   when no order is given.",
    },
    Root {
        noun: "access_review",
        list: "accessReviews",
        order: &[("due_at", false)],
        one_doc: "One use of break-glass. `NOT_FOUND` when there is none or it is not yours to review.",
        list_doc: "The uses of break-glass that are yours to review, by due time when no order is given.",
    },
];

/// The root fields of the nouns.
#[derive(Debug, Default)]
pub struct Roots;

impl OutputType for Roots {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Roots")
    }

    fn create_type_info(meta: &mut Meta) -> String {
        let mut fields = Vec::new();
        for root in ROOTS {
            let Some(target) = REGISTRY.get(root.noun) else { continue };
            noun(meta, &REGISTRY, target);
            let mut one = field(&camel(root.noun), target.shape.type_name, root.one_doc);
            one.args.insert("id".to_owned(), input("id", "ID!", "The global id."));
            let ty = connection(meta, &REGISTRY, target);
            let mut list = field(root.list, ty, root.list_doc);
            list.args = describe_args(meta, &REGISTRY, target);
            search::describe(&mut list, target);
            fields.extend([one, list]);
        }
        meta.types
            .insert("Roots".to_owned(), object("Roots", "The root fields of the nouns.", fields));
        "Roots!".to_owned()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        async_graphql::resolver_utils::resolve_container(ctx, self).await
    }
}

impl ContainerType for Roots {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let name = ctx.item.node.name.node.as_str();
        let one = ROOTS.iter().find(|root| camel(root.noun) == name);
        let list = ROOTS.iter().find(|root| root.list == name);
        let Some(target) = one.or(list).and_then(|root| REGISTRY.get(root.noun)) else {
            return Ok(None);
        };
        let cx = context(ctx).map_err(|error| ctx.set_error_path(error))?;
        let selection = ctx.with_selection_set(&ctx.item.node.selection_set);
        let value = if one.is_some() {
            let id: ID = ctx.param_value("id", None)?.1;
            let key = cx.opaque.open_id_of(target, &id);
            let single = Single { cx: cx.clone(), noun: target, key, required: true };
            single.resolve(&selection, ctx.item).await?
        } else {
            let listing = Listing {
                cx: cx.clone(),
                scope: Scope::reading(&cx.caller, target),
                args: list_args(ctx)?,
                only: None,
                order: list.map_or(&[], |root| root.order),
            };
            listing.resolve(&selection, ctx.item).await?
        };
        Ok(Some(value))
    }
}

impl ObjectType for Roots {}
