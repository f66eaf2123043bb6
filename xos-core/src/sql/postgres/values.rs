//! Values on their way into and out of PostgreSQL.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::sql::{Sql, SqlError, Stored};

/// What a row holds in a column.
pub(crate) fn stored(row: &Row, at: usize) -> Result<Stored<'_>, SqlError> {
    match row.try_get::<_, Raw<'_>>(at) {
        Ok(Raw(stored)) => Ok(stored),
        Err(_) => Err(SqlError::mismatch(at)),
    }
}

struct Raw<'a>(Stored<'a>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(match *ty {
            Type::INT8 => Stored::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Stored::Int(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Stored::Int(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Stored::Real(f64::from_sql(ty, raw)?),
            _ => Stored::Text(<&str>::from_sql(ty, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(Stored::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::FLOAT8)
            || <&str as FromSql<'_>>::accepts(ty)
    }
}

impl ToSql for Sql<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match *self {
            Sql::Null => Ok(IsNull::Yes),
            Sql::Int(int) => match *ty {
                Type::INT4 => i32::try_from(int)?.to_sql(ty, out),
                Type::INT8 => int.to_sql(ty, out),
                _ => unfit("a number", ty),
            },
            Sql::Real(real) if *ty == Type::FLOAT8 => real.to_sql(ty, out),
            Sql::Text(text) if <&str as ToSql>::accepts(ty) => text.to_sql(ty, out),
            Sql::Ids(ids) if *ty == Type::INT8_ARRAY => ids.to_sql(ty, out),
            Sql::Real(_) => unfit("a number with a fraction", ty),
            Sql::Text(_) => unfit("a text", ty),
            Sql::Ids(_) => unfit("ids", ty),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::FLOAT8 | Type::INT8_ARRAY)
            || <&str as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

fn unfit(what: &str, ty: &Type) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
    Err(format!("{what} for a {ty}").into())
}
