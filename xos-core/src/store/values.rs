//! How values are kept in columns.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use xos_model_client::{Kind, ObjectId, Timestamp, Value};

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
    pub(crate) fn read(self, stored: ValueRef<'_>) -> Value {
        match (self, stored) {
            (Storage::Bool, ValueRef::Integer(int)) => Value::Bool(int != 0),
            (Storage::Int, ValueRef::Integer(int)) => Value::Int(int),
            (Storage::Link, ValueRef::Integer(int)) => Value::Link(ObjectId::new(int as i32)),
            (Storage::Float, ValueRef::Real(real)) => Value::Float(real as f32),
            (Storage::Time, ValueRef::Real(real)) => Value::Time(Timestamp::from_seconds(real)),
            (Storage::Text, ValueRef::Text(bytes)) => {
                Value::Text(String::from_utf8_lossy(bytes).into_owned())
            }
            _ => Value::Null,
        }
    }
}

/// A value on its way into a column.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Bool(bool) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*bool))),
            Value::Int(int) => ToSqlOutput::Borrowed(ValueRef::Integer(*int)),
            Value::Float(float) => ToSqlOutput::Borrowed(ValueRef::Real(f64::from(*float))),
            Value::Time(time) => ToSqlOutput::Borrowed(ValueRef::Real(time.seconds())),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Link(id) if id.is_set() => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(id.get()))),
            Value::Null | Value::Link(_) | Value::Links(_) => ToSqlOutput::Borrowed(ValueRef::Null),
        })
    }
}

/// A name or a text inside a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_bits_in_a_column() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (x REAL) STRICT").unwrap();
        for bits in
            [0x41D7_E9A3_1234_5678_u64, 1, 0x3FF0_0000_0000_0001, 1.0_f64.to_bits(), (-1.5_f64).to_bits()]
        {
            let value = Value::Time(Timestamp::from_seconds(f64::from_bits(bits)));
            db.execute("DELETE FROM t", []).unwrap();
            db.execute("INSERT INTO t VALUES (?1)", [Bound(&value)]).unwrap();
            let back =
                db.query_row("SELECT x FROM t", [], |row| Ok(Storage::Time.read(row.get_ref(0)?))).unwrap();
            assert_eq!(back.as_time().unwrap().seconds().to_bits(), bits);
        }
    }

    #[test]
    fn every_kind_of_value_comes_back_from_its_column() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
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
            let storage = Storage::of(kind);
            db.execute_batch(&format!("CREATE TABLE t (x {}) STRICT", storage.column_type())).unwrap();
            db.execute("INSERT INTO t VALUES (?1)", [Bound(&value)]).unwrap();
            let back = db.query_row("SELECT x FROM t", [], |row| Ok(storage.read(row.get_ref(0)?))).unwrap();
            assert_eq!(back, value);
            db.execute_batch("DROP TABLE t").unwrap();
        }
    }
}
