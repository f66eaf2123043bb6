//! The database through a second connection, which knows nothing of the program's own code.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// A greeting as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) hello_to: String,
    pub(crate) version: f64,
    pub(crate) enacted: Option<f64>,
    pub(crate) status: String,
    pub(crate) code: i64,
    pub(crate) deleted: bool,
    pub(crate) need_delete: bool,
}

impl Row {
    /// Whether the program says that it is done with it.
    pub(crate) fn is_clean(&self) -> bool {
        self.enacted.is_some_and(|enacted| enacted >= self.version)
    }
}

/// What a database holds at one moment.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) rows: HashMap<String, Row>,
    /// What is wrong with the file or its tables.
    pub(crate) faults: Vec<String>,
}

const ROWS: &str = "SELECT b.id, s.name, h.hello_to, max(b.updated, ifnull(b.changed_by_policy, 0)), b.enacted, \
     b.backend_status, b.backend_code, b.deleted, b.backend_need_delete \
     FROM helloworldserviceinstance h JOIN serviceinstance s ON s.id = h.id JOIN xosbase b ON b.id = h.id";

/// Tables of one object that do not belong together.
const HALVES: &str = "SELECT (SELECT count(*) FROM helloworldserviceinstance h LEFT JOIN serviceinstance s ON s.id = h.id \
     WHERE s.id IS NULL) + (SELECT count(*) FROM serviceinstance s LEFT JOIN xosbase b ON b.id = s.id WHERE b.id IS NULL) \
     + (SELECT count(*) FROM xosbase b LEFT JOIN helloworldserviceinstance h ON h.id = b.id \
        WHERE b.leaf_model_name = 'HelloWorldServiceInstance' AND h.id IS NULL)";

impl Inside {
    /// Looks at a file, also one that a program is writing.
    pub(crate) fn of(database: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        // All at one moment.
        connection.execute_batch("PRAGMA query_only = ON; BEGIN").unwrap();
        let mut faults = Vec::new();
        let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        if integrity != "ok" {
            faults.push(format!("integrity_check: {integrity}"));
        }
        let mut check = connection.prepare("PRAGMA foreign_key_check").unwrap();
        let dangling = check.query_map([], |row| row.get::<_, String>(0)).unwrap().count();
        if dangling > 0 {
            faults.push(format!("foreign_key_check: {dangling} links to nothing"));
        }
        let halves: i64 = connection.query_row(HALVES, [], |row| row.get(0)).unwrap();
        if halves > 0 {
            faults.push(format!("{halves} objects are there by half"));
        }
        let mut rows = HashMap::new();
        let mut statement = connection.prepare(ROWS).unwrap();
        let found = statement.query_map([], |row| {
            Ok(Row {
                id: row.get(0)?,
                name: row.get(1)?,
                hello_to: row.get(2)?,
                version: row.get(3)?,
                enacted: row.get(4)?,
                status: row.get(5)?,
                code: row.get(6)?,
                deleted: row.get(7)?,
                need_delete: row.get(8)?,
            })
        });
        for row in found.unwrap() {
            let row = row.unwrap();
            if let Some(other) = rows.insert(row.name.clone(), row) {
                faults.push(format!("{} is there twice", other.name));
            }
        }
        Inside { rows, faults }
    }

    /// Looks at what a killed program left, without touching it: on a copy, so that the program itself has to repair it.
    pub(crate) fn of_what_is_left(database: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        for end in ["", "-wal"] {
            let from = format!("{}{end}", database.display());
            if Path::new(&from).exists() {
                std::fs::copy(&from, format!("{}{end}", copy.display())).unwrap();
            }
        }
        Self::of(&copy)
    }

    /// How many objects wait for the program.
    pub(crate) fn dirty(&self) -> usize {
        self.rows.values().filter(|row| row.deleted || !row.is_clean()).count()
    }
}
