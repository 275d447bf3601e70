//! Encrypted values and look-up hashes as the database stores them.
//! There is no way from here to the value inside: the codec and its keys live in the store.

use std::{fmt, marker::PhantomData};

use sea_orm::{
    ColIdx, DbErr, IntoActiveValue, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};

/// A `T` in encrypted form. The bytes are opaque here.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    // A function pointer keeps `Sealed<T>` Send and Sync whatever `T` is.
    of: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Takes bytes as the codec made them.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, of: PhantomData }
    }

    /// The encrypted bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encrypted bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

// Written by hand: a derive would ask the same of `T`, which is not inside.
impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::from_bytes(self.bytes.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl<T> From<Sealed<T>> for Value {
    fn from(sealed: Sealed<T>) -> Self {
        sealed.bytes.into()
    }
}

impl<T> TryGetable for Sealed<T> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        Vec::<u8>::try_get_by(row, index).map(Self::from_bytes)
    }
}

impl<T> ValueType for Sealed<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Vec<u8> as ValueType>::try_from(value).map(Self::from_bytes)
    }

    fn type_name() -> String {
        "Sealed".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Bytes
    }

    fn column_type() -> ColumnType {
        ColumnType::Blob
    }
}

impl<T> Nullable for Sealed<T> {
    fn null() -> Value {
        Value::Bytes(None)
    }
}

impl<T> IntoActiveValue<Sealed<T>> for Sealed<T> {
    fn into_active_value(self) -> sea_orm::ActiveValue<Self> {
        sea_orm::ActiveValue::Set(self)
    }
}

/// A keyed hash of a normalised value, by which an encrypted column is found again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookupHash([u8; 32]);

impl LookupHash {
    /// Takes a hash as the codec made it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LookupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupHash(…)")
    }
}

impl From<LookupHash> for Value {
    fn from(hash: LookupHash) -> Self {
        hash.0.to_vec().into()
    }
}

impl TryGetable for LookupHash {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let bytes = Vec::<u8>::try_get_by(row, index)?;
        bytes.try_into().map(Self).map_err(|wrong: Vec<u8>| {
            TryGetError::DbErr(DbErr::Type(format!(
                "a look-up hash has 32 bytes, not {}",
                wrong.len()
            )))
        })
    }
}

impl ValueType for LookupHash {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let bytes = <Vec<u8> as ValueType>::try_from(value)?;
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "LookupHash".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Bytes
    }

    fn column_type() -> ColumnType {
        ColumnType::Blob
    }
}

impl Nullable for LookupHash {
    fn null() -> Value {
        Value::Bytes(None)
    }
}

impl IntoActiveValue<LookupHash> for LookupHash {
    fn into_active_value(self) -> sea_orm::ActiveValue<Self> {
        sea_orm::ActiveValue::Set(self)
    }
}

// sea-orm asks this of every part of a key; a database never makes a hash.
impl TryFromU64 for LookupHash {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("LookupHash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::IdNumber;

    #[test]
    fn debug_shows_no_content() {
        let sealed = Sealed::<IdNumber>::from_bytes(vec![1, 2, 3]);
        assert_eq!(format!("{sealed:?}"), "Sealed(…)");
        assert_eq!(format!("{:?}", LookupHash::from_bytes([7; 32])), "LookupHash(…)");
    }

    #[test]
    fn both_survive_the_database_value() {
        let sealed = Sealed::<IdNumber>::from_bytes(vec![1, 2, 3]);
        assert_eq!(
            <Sealed<IdNumber> as ValueType>::try_from(Value::from(sealed.clone())).ok(),
            Some(sealed)
        );
        let hash = LookupHash::from_bytes([7; 32]);
        assert_eq!(<LookupHash as ValueType>::try_from(Value::from(hash)).ok(), Some(hash));
        assert!(<LookupHash as ValueType>::try_from(Value::from(vec![7u8; 31])).is_err());
    }
}
