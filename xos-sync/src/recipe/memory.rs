//! What a recipe made, kept in a file: for a core that has no place for it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind as Io, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::Mutex;
use xos_model_client::tosca::{Applied, Memory};
use xos_model_client::{Error, FieldFault, ObjectId, Result};

/// The file `<name>.recipe.json` in the current folder, with what each recipe of this synchronizer made.
pub(crate) struct MemoryFile {
    path: PathBuf,
    recipe: String,
    /// Reading, changing and writing belong together.
    turn: Mutex<()>,
}

impl MemoryFile {
    /// The file of the synchronizer of this name, for this recipe.
    pub(crate) fn of(name: &str, recipe: &Path) -> Self {
        MemoryFile::at(PathBuf::from(format!("{}.recipe.json", name.replace(['/', '\\'], "-"))), recipe)
    }

    fn at(path: PathBuf, recipe: &Path) -> Self {
        // The absolute path, so that it does not matter from where the program is started.
        let recipe = std::path::absolute(recipe).unwrap_or_else(|_| recipe.to_owned());
        MemoryFile { path, recipe: recipe.to_string_lossy().into_owned(), turn: Mutex::new(()) }
    }

    fn read(&self) -> Result<BTreeMap<String, Applied>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == Io::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.fault("cannot be read", error)),
        };
        serde_json::from_slice(&text).map_err(|error| {
            self.fault("is not what this program wrote; move it away to begin without it", error)
        })
    }

    /// All of it or nothing: a new file takes the place of the old one.
    fn write(&self, all: &BTreeMap<String, Applied>) -> io::Result<()> {
        let next = self.path.with_extension("json.new");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(all)?)?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        // The name is as durable as what it names.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn fault(&self, problem: &str, error: impl std::error::Error) -> Error {
        let message = format!(
            "what the recipe made is remembered in {}, which {problem}: {error}",
            self.path.display()
        );
        Error::invalid("recipe", ObjectId::UNSET, vec![FieldFault::whole(message)])
    }
}

#[async_trait]
impl Memory for MemoryFile {
    async fn load(&self) -> Result<Applied> {
        let _turn = self.turn.lock().await;
        Ok(self.read()?.remove(&self.recipe).unwrap_or_default())
    }

    async fn store(&self, applied: &Applied) -> Result<()> {
        let _turn = self.turn.lock().await;
        let mut all = self.read()?;
        all.insert(self.recipe.clone(), applied.clone());
        self.write(&all).map_err(|error| self.fault("cannot be written", error))
    }
}

#[cfg(test)]
mod tests {
    use xos_model_client::tosca::AppliedNode;

    use super::*;

    fn applied(node: &str, id: i32) -> Applied {
        let made = AppliedNode {
            model: "Site".into(),
            id: ObjectId::new(id),
            created: true,
            key: BTreeMap::new(),
            settled: BTreeMap::new(),
        };
        Applied { nodes: [(node.to_owned(), made)].into() }
    }

    #[tokio::test]
    async fn what_was_stored_is_there_after_a_restart_for_each_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let memory = |recipe: &str| MemoryFile::at(folder.path().join("x.recipe.json"), Path::new(recipe));
        assert_eq!(memory("a.yaml").load().await.unwrap(), Applied::default());
        memory("a.yaml").store(&applied("site", 1)).await.unwrap();
        memory("b.yaml").store(&applied("other", 2)).await.unwrap();
        assert_eq!(memory("a.yaml").load().await.unwrap(), applied("site", 1));
        assert_eq!(memory("b.yaml").load().await.unwrap(), applied("other", 2));
        let files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["x.recipe.json"]);
    }

    #[tokio::test]
    async fn a_file_of_something_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.recipe.json");
        fs::write(&path, "mine").unwrap();
        let memory = MemoryFile::at(path.clone(), Path::new("a.yaml"));
        let error = memory.store(&applied("site", 1)).await.unwrap_err().to_string();
        assert!(error.contains("x.recipe.json") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
}
