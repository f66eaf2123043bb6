//! How values are kept in columns.

use xos_model_client::{Kind, ObjectId, Timestamp, Value};

use crate::sql::{Sql, Stored};

/// How the values of a field are kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Bool,
    Int,
    Float,
    /// The double itself, bit for bit.
    Time,
    Text,
    Link,
    /// In a table of pairs.
    Links,
}

impl Storage {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => Storage::Text,
            Kind::Int32 | Kind::UInt32 => Storage::Int,
            Kind::Bool => Storage::Bool,
            Kind::Float => Storage::Float,
            Kind::Date => Storage::Time,
            Kind::Link => Storage::Link,
            Kind::Links => Storage::Links,
        }
    }

    /// The type of the column.
    pub(crate) fn column_type(self) -> &'static str {
        match self {
            Storage::Bool | Storage::Int | Storage::Link | Storage::Links => "INTEGER",
            Storage::Float | Storage::Time => "REAL",
            Storage::Text => "TEXT",
        }
    }

    /// What a column holds.
    pub(crate) fn read(self, stored: Stored<'_>) -> Value {
        match (self, stored) {
            (Storage::Bool, Stored::Int(int)) => Value::Bool(int != 0),
            (Storage::Int, Stored::Int(int)) => Value::Int(int),
            (Storage::Link, Stored::Int(int)) => Value::Link(ObjectId::new(int as i32)),
            (Storage::Float, Stored::Real(real)) => Value::Float(real as f32),
            (Storage::Time, Stored::Real(real)) => Value::Time(Timestamp::from_seconds(real)),
            (Storage::Text, Stored::Text(text)) => Value::Text(text.to_owned()),
            _ => Value::Null,
        }
    }
}

/// A value on its way into a column.
pub(crate) fn bound(value: &Value) -> Sql<'_> {
    match value {
        Value::Bool(bool) => Sql::Int(i64::from(*bool)),
        Value::Int(int) => Sql::Int(*int),
        Value::Float(float) => Sql::Real(f64::from(*float)),
        Value::Time(time) => Sql::Real(time.seconds()),
        Value::Text(text) => Sql::Text(text),
        Value::Secret(secret) => Sql::Text(secret.expose()),
        Value::Link(id) if id.is_set() => Sql::Int(i64::from(id.get())),
        Value::Null | Value::Link(_) | Value::Links(_) => Sql::Null,
    }
}

/// A name or a text inside a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Connection;

    /// What a column of the kind gives back for a value.
    fn kept(kind: Kind, value: &Value) -> Value {
        let db = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        let storage = Storage::of(kind);
        db.batch(&format!("CREATE TABLE t (x {}) STRICT", storage.column_type())).unwrap();
        db.execute("INSERT INTO t VALUES (?1)", [bound(value)]).unwrap();
        db.one("SELECT x FROM t", [], |row| Ok(storage.read(row.stored(0)?))).unwrap().unwrap()
    }

    #[test]
    fn a_time_keeps_its_bits_in_a_column() {
        for bits in
            [0x41D7_E9A3_1234_5678_u64, 1, 0x3FF0_0000_0000_0001, 1.0_f64.to_bits(), (-1.5_f64).to_bits()]
        {
            let value = Value::Time(Timestamp::from_seconds(f64::from_bits(bits)));
            assert_eq!(kept(Kind::Date, &value).as_time().unwrap().seconds().to_bits(), bits);
        }
    }

    #[test]
    fn every_kind_of_value_comes_back_from_its_column() {
        let cases = [
            (Kind::Bool, Value::Bool(true)),
            (Kind::Int32, Value::Int(-5)),
            (Kind::UInt32, Value::Int(4_294_967_295)),
            (Kind::Float, Value::Float(0.1)),
            (Kind::Text, Value::Text("größer".into())),
            (Kind::Link, Value::Link(ObjectId::new(7))),
            (Kind::Link, Value::Null),
        ];
        for (kind, value) in cases {
            assert_eq!(kept(kind, &value), value);
        }
    }
}
