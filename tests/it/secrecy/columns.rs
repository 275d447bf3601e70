//! Which columns are sealed: all of the sensitive groups, and no bytes of the registry are anything else.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use xueji::access::catalogue::{Class, Group};
use xueji::access::view::Kind;
use xueji::graphql::REGISTRY;

use crate::support::app::App;

#[test]
fn every_column_of_the_groups_identity_contact_address_and_account_number_is_sealed() {
    let mut sealed = 0;
    for noun in REGISTRY.nouns() {
        for field in noun.shape.fields.iter() {
            let sensitive = matches!(
                field.group,
                Group::Identity | Group::Contact | Group::Address | Group::AccountNumber
            );
            let is = matches!(field.kind, Kind::Sealed { .. });
            let name = format!("{}.{}", noun.shape.name, field.name);
            if field.class == Class::Column {
                assert_eq!(is, sensitive, "{name} is of the group {:?}", field.group);
            }
            sealed += usize::from(is);
        }
    }
    assert!(sealed >= 15, "{sealed} sealed columns");
}

#[tokio::test]
async fn bytes_of_the_registry_are_sealed_or_a_hash_beside() {
    let app = App::start().await;
    let backend = app.db().get_database_backend();
    for noun in REGISTRY.nouns() {
        let table = noun.shape.name;
        let columns = match backend {
            DbBackend::Postgres => format!(
                "SELECT column_name AS name FROM information_schema.columns WHERE \
                 table_schema = 'public' AND table_name = '{table}' AND data_type = 'bytea'"
            ),
            _ => {
                format!("SELECT name FROM pragma_table_info('{table}') WHERE lower(type) = 'blob'")
            }
        };
        let rows = app.db().query_all_raw(Statement::from_string(backend, columns)).await.unwrap();
        let sealed: Vec<&str> = super::sealed(noun).collect();
        let mut found = Vec::new();
        for row in rows {
            let column: String = row.try_get("", "name").unwrap();
            let of = column.strip_suffix("_hash").unwrap_or(&column).to_owned();
            assert!(sealed.contains(&of.as_str()), "{table}.{column} is not in the registry");
            found.push(column);
        }
        for column in sealed {
            assert!(found.iter().any(|known| known == column), "{table}.{column} holds bytes");
        }
    }
}
