//! What the registry shows, as data: nouns, their fields and their relations.
//!
//! `view!` turns an entity into a [`Noun`]. One list then feeds the policy (coordinates), the SQL
//! (columns), the schema (fields, filters, orderings) and the tests. A column that is neither
//! listed nor named under `unseen` does not compile. This module never holds a value of a row.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use xueji_entity::value::{
    Address, BankAccount, Code, Email, Fen, Guarded, IdNumber, Narrative, NationalStudentNumber,
    PersonName, Phone, PostalCode, Sealed, Thousandths, ValueError,
};

use super::catalogue::{Catalogue, Class, Coordinate, Group};
use super::place::covers;
use super::table::Reach;

/// How a column is stored, decoded, masked and shown.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Plain text; with a mask when it is personal.
    Text(Option<Mask>),
    /// Sealed bytes: no ranges, sort keys or groups; equality goes through the hash column.
    Sealed {
        /// The mask of the value type.
        mask: Mask,
        /// True when a look-up hash stands beside the column.
        hashed: bool,
        /// The normal form of a text from outside, for equality look-ups.
        normal: fn(&str) -> Result<String, ValueError>,
    },
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// A local date.
    Date,
    /// An instant in UTC.
    Instant,
    /// An exact decimal stored in thousandths.
    Thousandths,
    /// Money stored in fen.
    Fen,
    /// A code together with its code list.
    Code,
    /// An enum the server branches on, by its name in the schema.
    Enum(&'static str),
    /// A foreign key: never shown itself, governs the relation over it.
    Key,
    /// Computed from other coordinates.
    Computed,
}

/// A named mask: the text that stands for a value its reader may not see in full.
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    /// The name of the mask in the policy documents.
    pub name: &'static str,
    /// The mask itself; total over any text.
    pub apply: fn(&str) -> String,
}

/// A type that a column may have.
pub trait ColumnType {
    /// How it is stored and shown.
    const KIND: Kind;
    /// True when the column may be null.
    const OPTIONAL: bool = false;
}

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
}

const fn mask_of<T: Guarded>() -> Mask {
    Mask { name: T::MASK, apply: T::mask_text }
}

const fn sealed_of<T: Guarded>(hashed: bool) -> Kind {
    Kind::Sealed { mask: mask_of::<T>(), hashed, normal: normal_of::<T> }
}

fn normal_of<T: Guarded>(input: &str) -> Result<String, ValueError> {
    Ok(T::parse(input)?.expose().to_owned())
}

macro_rules! kinds {
    ($($ty:ty => $kind:expr;)*) => { $(impl ColumnType for $ty { const KIND: Kind = $kind; })* };
}
kinds! {
    String => Kind::Text(None);
    PersonName => Kind::Text(Some(mask_of::<PersonName>()));
    Narrative => Kind::Text(Some(mask_of::<Narrative>()));
    Sealed<IdNumber> => sealed_of::<IdNumber>(true);
    Sealed<NationalStudentNumber> => sealed_of::<NationalStudentNumber>(true);
    Sealed<Phone> => sealed_of::<Phone>(true);
    Sealed<Email> => sealed_of::<Email>(true);
    Sealed<BankAccount> => sealed_of::<BankAccount>(true);
    Sealed<Address> => sealed_of::<Address>(false);
    Sealed<PostalCode> => sealed_of::<PostalCode>(false);
    i64 => Kind::Int;
    bool => Kind::Bool;
    NaiveDate => Kind::Date;
    DateTime<Utc> => Kind::Instant;
    Thousandths => Kind::Thousandths;
    Fen => Kind::Fen;
    Code => Kind::Code;
}

macro_rules! enums {
    ($($module:ident::$name:ident),* $(,)?) => { $(
        impl ColumnType for xueji_entity::$module::$name {
            const KIND: Kind = Kind::Enum(stringify!($name));
        }
    )* };
}
enums! {
    access_review::ReviewState,
    organisation::OrganisationLevel, stage::Stage, exam::ExamKind, exam::ExamState,
    duty::DutyKind, aid_programme::AidKind, account::AccountKind, student::LeftBehind,
    student::Transport, student_number::StudentNumberKind, guardianship::Custody,
    enrollment::EnrollmentState, class_membership::MembershipKind, archive::ArchiveState,
    archive_item::ArchiveCategory, attendance::AttendanceKind, sanction::SanctionState,
    aid_grant::AidState,
}

/// Which facts place a row, and so which reaches cover it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangs {
    /// The student itself.
    Student,
    /// A row of one student, placed where the student is today.
    OfStudent,
    /// A score: teaching covers the own course only; the family sees what is published.
    Score,
    /// A sanction: a quashed one is nobody's.
    Sanction,
    /// A class group.
    ClassGroup,
    /// A member of staff, placed by duties and organisation.
    Staff,
    /// A duty of a member of staff.
    Duty,
    /// Names and calendars that every signed-in caller may read.
    Open,
    /// A grant: whoever gave it to a substitute and holds the place above it, while it has not ended.
    Grant,
    /// An account: whoever has given it a duty that has not ended.
    Account,
    /// An examination: every signed-in caller may read it, and an act on it is placed by its school
    /// and year level.
    Exam,
}

impl Hangs {
    /// True for rows whose key is (student_id, id).
    pub const fn of_student(self) -> bool {
        matches!(self, Self::OfStudent | Self::Score | Self::Sanction)
    }
}

/// One field of a noun.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in table, struct and policy.
    pub name: &'static str,
    /// The documentation in the schema.
    pub doc: &'static str,
    /// How it is stored and shown.
    pub kind: Kind,
    /// True when the column may be null.
    pub optional: bool,
    /// The sensitivity group.
    pub group: Group,
    /// Column, reference, derived or outlet.
    pub class: Class,
}

/// How the rows of a relation are found.
#[derive(Clone, Copy, Debug)]
pub enum Join {
    /// `target.id = parent.<key>`: at most one row.
    To(&'static str),
    /// `(target.student_id, target.id) = (parent.student_id, parent.<key>)`: at most one row.
    ToOfStudent(&'static str),
    /// `target.id = parent.student_id`: the student a row hangs from.
    ToStudent,
    /// `target.<key> = parent.id`.
    From(&'static str),
    /// `target.student_id = parent.id`: rows of a student.
    OfStudent,
    /// The row of a student that is live: at most one.
    LiveOfStudent,
    /// `(target.student_id, target.<key>) = (parent.student_id, parent.id)`.
    FromOfStudent(&'static str),
    /// Through a table of student rows that holds today: `through.<from> = parent.id`.
    Through {
        /// The table in between.
        table: &'static str,
        /// Its column that names the parent.
        from: &'static str,
        /// Its column that names the target.
        to: &'static str,
        /// What makes a row of it hold.
        holds: Holds,
    },
}

/// What makes a row of a table in between hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// `since <= today` and `until` not passed.
    Today,
    /// As today, and an ordinary membership (guests aside).
    OrdinaryToday,
    /// The enrolment is live.
    Live,
}

/// One relation of a noun.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The name in snake case.
    pub name: &'static str,
    /// The documentation in the schema.
    pub doc: &'static str,
    /// The target noun.
    pub target: &'static str,
    /// How the rows are found.
    pub join: Join,
    /// A connection (true) or at most one object.
    pub many: bool,
    /// The foreign key whose sight governs the relation, if any.
    pub key: Option<&'static str>,
    /// Few rows for each parent by nature: read whole, cut afterwards.
    pub bounded: bool,
    /// The default order: fields of the target that are never null.
    pub order: &'static [(&'static str, bool)],
}

/// What `view!` emits for one noun.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Table and policy name.
    pub name: &'static str,
    /// Type name in the schema.
    pub type_name: &'static str,
    /// Documentation in the schema.
    pub doc: &'static str,
    /// What places a row.
    pub hangs: Hangs,
    /// True when the table has a lifecycle column.
    pub lifecycle: bool,
    /// The fields, in the table's order.
    pub fields: &'static [Field],
    /// The relations.
    pub relations: &'static [Relation],
}

/// A marker type of a noun; `view!` implements it.
pub trait View: Send + Sync + 'static {
    /// The shape.
    const SHAPE: Shape;
}

/// A noun of the registry with the names and ids that start-up gives it.
#[derive(Debug)]
pub struct Noun {
    /// What `view!` emitted.
    pub shape: Shape,
    /// The position among the nouns.
    pub index: usize,
    /// The policy id of the first field.
    pub base: u16,
    /// The schema names of the fields.
    pub camel: Vec<String>,
    /// The schema names of the relations.
    pub relation_camel: Vec<String>,
    /// The target nouns of the relations, by index.
    pub targets: Vec<usize>,
    by_camel: HashMap<String, Member>,
    by_name: HashMap<&'static str, usize>,
}

/// What a name in the schema means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A field, by index.
    Field(usize),
    /// A relation, by index.
    Relation(usize),
}

impl Noun {
    /// The member with this name in the schema.
    pub fn member(&self, camel: &str) -> Option<Member> {
        self.by_camel.get(camel).copied()
    }

    /// The field with this policy name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The policy id of the noun.
    pub fn noun_id(&self) -> u16 {
        u16::try_from(self.index).unwrap_or(u16::MAX)
    }

    /// The policy id of a field.
    pub fn id(&self, field: usize) -> u16 {
        self.base.saturating_add(u16::try_from(field).unwrap_or(u16::MAX))
    }

    /// Whether free-text search can look into a field: a text that is stored as it is, and is not told
    /// as a story.
    pub fn searches(&self, field: usize) -> bool {
        let field = &self.shape.fields[field];
        matches!(field.kind, Kind::Text(_))
            && !field.group.equality_only()
            && field.group != Group::Narrative
    }

    /// Whether a row is a student or hangs from one.
    pub fn is_of_student(&self) -> bool {
        self.shape.hangs == Hangs::Student || self.shape.hangs.of_student()
    }

    /// The coordinate of a field as the schema writes it: `Student.idNumber`.
    pub fn coordinate(&self, field: usize) -> String {
        format!("{}.{}", self.shape.type_name, self.camel[field])
    }
}

/// All nouns. Built once at start; its order gives the policy ids.
#[derive(Debug, Default)]
pub struct Registry {
    nouns: Vec<Noun>,
    by_name: HashMap<&'static str, usize>,
}

impl Registry {
    /// Registers shapes. A relation to an unknown noun is an error that names it.
    pub fn new(shapes: &[Shape]) -> Result<Self, String> {
        let by_name: HashMap<_, _> =
            shapes.iter().enumerate().map(|(index, shape)| (shape.name, index)).collect();
        let mut base = 0_u16;
        let mut nouns = Vec::with_capacity(shapes.len());
        for (index, shape) in shapes.iter().enumerate() {
            let camel: Vec<_> = shape.fields.iter().map(|field| camel(field.name)).collect();
            let relation_camel: Vec<_> =
                shape.relations.iter().map(|relation| self::camel(relation.name)).collect();
            let mut by_camel = HashMap::new();
            for (at, name) in camel.iter().enumerate() {
                if !matches!(shape.fields[at].kind, Kind::Key) {
                    by_camel.insert(name.clone(), Member::Field(at));
                }
            }
            for (at, name) in relation_camel.iter().enumerate() {
                if by_camel.insert(name.clone(), Member::Relation(at)).is_some() {
                    return Err(format!("{}.{name} is both a field and a relation", shape.name));
                }
            }
            let targets = shape
                .relations
                .iter()
                .map(|relation| {
                    by_name.get(relation.target).copied().ok_or_else(|| {
                        format!("{}.{} leads to an unknown noun", shape.name, relation.name)
                    })
                })
                .collect::<Result<_, _>>()?;
            nouns.push(Noun {
                shape: *shape,
                index,
                base,
                camel,
                relation_camel,
                targets,
                by_camel,
                by_name: shape.fields.iter().enumerate().map(|(at, f)| (f.name, at)).collect(),
            });
            base += u16::try_from(shape.fields.len()).map_err(|error| error.to_string())?;
        }
        Ok(Self { nouns, by_name })
    }

    /// The noun of a marker type. Absent only when it was never registered.
    pub fn of<V: View>(&self) -> Option<&Noun> {
        self.get(V::SHAPE.name)
    }

    /// The noun with this policy name.
    pub fn get(&self, name: &str) -> Option<&Noun> {
        self.by_name.get(name).map(|index| &self.nouns[*index])
    }

    /// The noun at this position.
    pub fn at(&self, index: usize) -> &Noun {
        &self.nouns[index]
    }

    /// All nouns in order.
    pub fn nouns(&self) -> &[Noun] {
        &self.nouns
    }

    /// The coordinates for the policy, in the order of their ids.
    pub fn catalogue(&self, actions: &[&'static str]) -> Catalogue {
        let coordinates = self
            .nouns
            .iter()
            .flat_map(|noun| {
                noun.shape.fields.iter().map(|field| Coordinate {
                    noun: noun.shape.name,
                    field: field.name,
                    group: field.group,
                    class: field.class,
                    sealed: matches!(field.kind, Kind::Sealed { .. }),
                    text: matches!(field.kind, Kind::Text(Some(_)) | Kind::Sealed { .. }),
                    mask: match field.kind {
                        Kind::Text(mask) => mask.map(|mask| mask.name),
                        Kind::Sealed { mask, .. } => Some(mask.name),
                        Kind::Int
                        | Kind::Bool
                        | Kind::Date
                        | Kind::Instant
                        | Kind::Thousandths
                        | Kind::Fen
                        | Kind::Code
                        | Kind::Enum(_)
                        | Kind::Key
                        | Kind::Computed => None,
                    },
                })
            })
            .collect();
        let reaches = |noun: &Noun| {
            Reach::ALL.into_iter().filter(|reach| covers(noun.shape.hangs, *reach)).collect()
        };
        let reaches = self.nouns.iter().map(|noun| (noun.shape.name, reaches(noun))).collect();
        Catalogue { coordinates, actions: actions.to_vec(), reaches }
    }
}

/// `id_number` as the schema writes it: `idNumber`.
pub fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// Declares how an entity is shown: every column is listed, is a key, or is named under `unseen`.
///
/// The destructuring of the entity's `Model` makes a forgotten column a compile error, and the
/// type annotations make a wrong type one.
#[macro_export]
macro_rules! view {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident from $entity:ident, hangs $hangs:ident;
        fields { $( $(#[doc = $fdoc:literal])* $field:ident : $ty:ty = $group:ident, )* }
        keys { $( $key:ident : $kty:ty = $kgroup:ident, )* }
        unseen { $( $unseen:ident ),* $(,)? }
        computed { $( $(#[doc = $cdoc:literal])* $computed:ident = $cgroup:ident $class:expr, )* }
        relations { $( $(#[doc = $rdoc:literal])* $relation:ident : $many:ident $target:ident by $join:expr
            $(, key $rkey:ident)? $(, bounded $bounded:literal)? $(, order $order:expr)? ; )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub struct $name;

        const _: fn(&xueji_entity::$entity::Model) = |model| {
            let xueji_entity::$entity::Model { $($field: _,)* $($key: _,)* $($unseen: _,)* } = model;
            $(let _: &$ty = &model.$field;)*
            $(let _: &$kty = &model.$key;)*
        };

        impl $crate::access::view::View for $name {
            const SHAPE: $crate::access::view::Shape = $crate::access::view::Shape {
                name: stringify!($entity),
                type_name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                hangs: $crate::access::view::Hangs::$hangs,
                lifecycle: $crate::view!(@lifecycle $($unseen)*),
                fields: &[
                    $($crate::access::view::Field {
                        name: stringify!($field),
                        doc: concat!($($fdoc, "\n"),*),
                        kind: <$ty as $crate::access::view::ColumnType>::KIND,
                        optional: <$ty as $crate::access::view::ColumnType>::OPTIONAL,
                        group: $crate::access::catalogue::Group::$group,
                        class: $crate::access::catalogue::Class::Column,
                    },)*
                    $($crate::access::view::Field {
                        name: stringify!($key),
                        doc: "",
                        kind: $crate::access::view::Kind::Key,
                        optional: true,
                        group: $crate::access::catalogue::Group::$kgroup,
                        class: $crate::access::catalogue::Class::Reference,
                    },)*
                    $($crate::access::view::Field {
                        name: stringify!($computed),
                        doc: concat!($($cdoc, "\n"),*),
                        kind: $crate::access::view::Kind::Computed,
                        optional: true,
                        group: $crate::access::catalogue::Group::$cgroup,
                        class: $class,
                    },)*
                ],
                relations: &[
                    $($crate::access::view::Relation {
                        name: stringify!($relation),
                        doc: concat!($($rdoc, "\n"),*),
                        target: stringify!($target),
                        join: $join,
                        many: $crate::view!(@many $many),
                        key: $crate::view!(@key $($rkey)?),
                        bounded: $crate::view!(@bounded $($bounded)?),
                        order: $crate::view!(@order $($order)?),
                    },)*
                ],
            };
        }
    };
    (@lifecycle lifecycle $($rest:ident)*) => { true };
    (@lifecycle $other:ident $($rest:ident)*) => { $crate::view!(@lifecycle $($rest)*) };
    (@lifecycle) => { false };
    (@many many) => { true };
    (@many one) => { false };
    (@key $key:ident) => { Some(stringify!($key)) };
    (@key) => { None };
    (@bounded $bounded:literal) => { $bounded };
    (@bounded) => { false };
    (@order $order:expr) => { &$order };
    (@order) => { &[] };
}
