//! A short way to write down a table: columns in order, then keys, checks and indexes with the names that
//! the whole schema uses (`fk_`, `uq_`, `ix_`, `ck_`, table, subject). One text serves SQLite and PostgreSQL.
//!
//! Released migrations are never edited, and they are written with this; so what a method creates may not
//! change either: a new need is a new method.

use sea_orm_migration::prelude::*;

/// A table and its indexes while they are being written down.
pub(crate) struct Shape {
    name: &'static str,
    table: TableCreateStatement,
    indexes: Vec<IndexCreateStatement>,
}

/// Removes tables, in the order given: those that refer before those referred to.
pub(crate) async fn drop_all(
    manager: &SchemaManager<'_>,
    tables: &[&'static str],
) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}

impl Shape {
    /// A table without a key yet.
    pub(crate) fn new(name: &'static str) -> Self {
        let table = Table::create().table(name).to_owned();
        Self { name, table, indexes: Vec::new() }
    }

    /// A table with the key `id`.
    pub(crate) fn keyed(name: &'static str) -> Self {
        Self::new(name).uuid("id").key(&["id"])
    }

    /// A table that hangs from a student: the key is `(student_id, id)`.
    pub(crate) fn of_student(name: &'static str) -> Self {
        Self::new(name).link("student_id", "student").uuid("id").key(&["student_id", "id"])
    }

    /// Sets the primary key.
    pub(crate) fn key(mut self, columns: &[&'static str]) -> Self {
        let mut key = Index::create().name(format!("pk_{}", self.name)).to_owned();
        for column in columns {
            key.col(*column);
        }
        self.table.primary_key(&mut key);
        self
    }

    fn column(mut self, column: &mut ColumnDef) -> Self {
        self.table.col(column);
        self
    }

    /// A UUID.
    pub(crate) fn uuid(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).uuid().not_null())
    }

    /// A UUID or null.
    pub(crate) fn uuid_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).uuid().null())
    }

    /// A text of any length.
    pub(crate) fn text(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).text().not_null())
    }

    /// A text of any length or null.
    pub(crate) fn text_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).text().null())
    }

    /// A whole number of 64 bits.
    pub(crate) fn integer(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).big_integer().not_null())
    }

    /// A whole number of 64 bits or null.
    pub(crate) fn integer_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).big_integer().null())
    }

    /// The key: a whole number that the database counts up, in the order in which rows are written.
    pub(crate) fn serial(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).big_integer().not_null().auto_increment().primary_key())
    }

    /// True or false.
    pub(crate) fn boolean(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).boolean().not_null())
    }

    /// True, false or null.
    pub(crate) fn boolean_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).boolean().null())
    }

    /// A calendar day.
    pub(crate) fn date(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).date().not_null())
    }

    /// A calendar day or null.
    pub(crate) fn date_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).date().null())
    }

    /// An instant.
    pub(crate) fn instant(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).timestamp_with_time_zone().not_null())
    }

    /// An instant or null.
    pub(crate) fn instant_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).timestamp_with_time_zone().null())
    }

    /// Bytes: a sealed value or a hash.
    pub(crate) fn bytes(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).blob().not_null())
    }

    /// Bytes or null.
    pub(crate) fn bytes_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).blob().null())
    }

    /// A sealed value with the hash by which it is found, in the column `hash`.
    pub(crate) fn sealed(self, name: &'static str, hash: &'static str) -> Self {
        self.bytes(name).bytes(hash).index(hash, &[hash])
    }

    /// A sealed value with its hash, or null.
    pub(crate) fn sealed_null(self, name: &'static str, hash: &'static str) -> Self {
        self.bytes_null(name).bytes_null(hash).index(hash, &[hash])
    }

    /// One word of a closed list.
    pub(crate) fn choice(self, name: &'static str, words: &[&'static str]) -> Self {
        self.text(name).one_of(name, words)
    }

    /// One word of a closed list, or null.
    pub(crate) fn choice_null(self, name: &'static str, words: &[&'static str]) -> Self {
        self.text_null(name).one_of(name, words)
    }

    fn one_of(mut self, name: &'static str, words: &[&'static str]) -> Self {
        let expression = Expr::col(name).is_in(words.iter().copied());
        self.table.check((format!("ck_{}_{name}", self.name), expression));
        self
    }

    /// A reference to the key `id` of another table.
    pub(crate) fn link(self, name: &'static str, to: &'static str) -> Self {
        self.uuid(name).reference(name, to, &[(name, "id")])
    }

    /// A reference to the key `id` of another table, or null.
    pub(crate) fn link_null(self, name: &'static str, to: &'static str) -> Self {
        self.uuid_null(name).reference(name, to, &[(name, "id")])
    }

    /// A reference to a row of the same student.
    pub(crate) fn link_within(self, name: &'static str, to: &'static str) -> Self {
        self.uuid(name).reference(name, to, &[("student_id", "student_id"), (name, "id")])
    }

    /// A reference to a row of the same student, or null.
    pub(crate) fn link_within_null(self, name: &'static str, to: &'static str) -> Self {
        self.uuid_null(name).reference(name, to, &[("student_id", "student_id"), (name, "id")])
    }

    fn reference(
        mut self,
        name: &'static str,
        to: &'static str,
        columns: &[(&'static str, &'static str)],
    ) -> Self {
        let mut key = ForeignKey::create();
        key.name(format!("fk_{}_{name}", self.name)).from_tbl(self.name).to_tbl(to);
        for (here, there) in columns {
            key.from_col(*here).to_col(*there);
        }
        // Within one table the check waits for the end of the statement: rows that refer to each other then go
        // together, when a student's file is destroyed or SQLite drops the table. Both refuse to leave a gap.
        let action =
            if to == self.name { ForeignKeyAction::NoAction } else { ForeignKeyAction::Restrict };
        self.table.foreign_key(key.on_delete(action));
        self
    }

    /// The columns `since` and `until`, both inclusive, where an open end is null.
    pub(crate) fn period(self) -> Self {
        self.date("since").date_null("until").check("until", "until IS NULL OR until >= since")
    }

    /// The three columns at the end of every table about a person.
    pub(crate) fn row_state(self) -> Self {
        self.choice("lifecycle", &["live", "deleted", "restricted"])
            .integer("row_version")
            .instant("updated_at")
    }

    /// A condition that every row meets, as SQL that both databases read alike.
    pub(crate) fn check(mut self, what: &'static str, condition: &'static str) -> Self {
        self.table.check((format!("ck_{}_{what}", self.name), Expr::cust(condition)));
        self
    }

    /// An index.
    pub(crate) fn index(mut self, what: &'static str, columns: &[&'static str]) -> Self {
        let index = self.plain_index("ix", what, columns);
        self.indexes.push(index);
        self
    }

    /// An index over the rows that meet a condition.
    pub(crate) fn index_where(
        mut self,
        what: &'static str,
        columns: &[&'static str],
        condition: &'static str,
    ) -> Self {
        let mut index = self.plain_index("ix", what, columns);
        index.and_where(Expr::cust(condition));
        self.indexes.push(index);
        self
    }

    /// No two rows agree in these columns.
    pub(crate) fn unique(mut self, what: &'static str, columns: &[&'static str]) -> Self {
        let mut index = self.plain_index("uq", what, columns);
        index.unique();
        self.indexes.push(index);
        self
    }

    /// No two rows that meet a condition agree in these columns.
    pub(crate) fn unique_where(
        mut self,
        what: &'static str,
        columns: &[&'static str],
        condition: &'static str,
    ) -> Self {
        let mut index = self.plain_index("uq", what, columns);
        index.unique().and_where(Expr::cust(condition));
        self.indexes.push(index);
        self
    }

    fn plain_index(
        &self,
        prefix: &str,
        what: &str,
        columns: &[&'static str],
    ) -> IndexCreateStatement {
        let mut index = Index::create();
        index.name(format!("{prefix}_{}_{what}", self.name)).table(self.name);
        for column in columns {
            index.col(*column);
        }
        index
    }

    /// Makes the table, then its indexes.
    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        manager.create_table(self.table).await?;
        for index in self.indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
