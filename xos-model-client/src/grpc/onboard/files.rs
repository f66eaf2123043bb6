//! What is sent of a service: xproto written from its models, or the files it has.

use crate::accessor::{LoadModels, ServiceFile, ServiceFiles};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::describe::RemoteSchema;
use crate::model::ModelDef;
use crate::models::core_models;
use crate::schema::Schema;
use crate::xproto;

/// The models that a service brings along: those with its name as `app_label`, or all, where none has it. Models of
/// other services are loaded by these.
pub(super) fn own_models<'a>(load: &'a LoadModels, served: &Schema) -> Vec<&'a ModelDef> {
    let needed = needed_models(load);
    let is_own = |model: &&&ModelDef| model.app_label == load.name;
    if needed.iter().any(|model| is_own(&model)) {
        return needed.iter().filter(is_own).copied().collect();
    }
    let is_of_other = |model: &ModelDef| {
        served.model(&model.name).is_some_and(|known| {
            known.def.app_label == model.app_label
                && needed.iter().any(|own| own.app_label != model.app_label)
        })
    };
    needed.iter().filter(|model| !is_of_other(model)).copied().collect()
}

/// The models that a service needs beside those that every core has.
pub(super) fn needed_models(load: &LoadModels) -> Vec<&ModelDef> {
    let is_of_core =
        |model: &ModelDef| model.app_label == "core" && core_models().any(|core| core.name == model.name);
    load.models.iter().filter(|model| !is_of_core(model)).collect()
}

/// The files to send. Every xproto in them was read and checked: one with a mistake would keep a real core from ever
/// starting again.
pub(super) fn of(load: &LoadModels, own: &[&ModelDef], served: &Schema) -> Result<ServiceFiles> {
    let mut files = load.files.clone();
    if files.xprotos.is_empty() {
        let contents =
            xproto::write(own.iter().copied(), &xproto::WriteOptions::default()).map_err(|findings| {
                refused(load, format!("cannot be loaded, as xproto cannot say what they are:\n{findings}"))
            })?;
        files.xprotos.push(ServiceFile { name: format!("{}.xproto", file_name(&load.name)), contents });
    }
    check_names(load, &files)?;
    let texts = files.xprotos.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let document = xproto::parse_files(texts)
        .map_err(|errors| refused(load, format!("cannot be loaded, their xproto has mistakes:\n{errors}")))?;
    let is_own = |model: &ModelDef| own.iter().any(|own| own.name == model.name);
    let others = served.models().iter().map(|model| &model.def).filter(|model| !is_own(model));
    let others = others.chain(load.models.iter().filter(|model| !is_own(model)));
    let findings = document.check_against(others.clone());
    let refusals: Vec<String> = findings.refusals().map(ToString::to_string).collect();
    if !refusals.is_empty() {
        let problem = format!("cannot be loaded, their xproto breaks rules:\n{}", refusals.join("\n"));
        return Err(refused(load, problem));
    }
    for finding in findings.lint_errors() {
        tracing::debug!(%finding, "xosgenx --lint would report this");
    }
    check_against_program(load, own, &document, others)?;
    Ok(files)
}

/// The core takes letters, digits, `_`, `-` and `.` in the name of a file.
fn check_names(load: &LoadModels, files: &ServiceFiles) -> Result<()> {
    let ServiceFiles { xprotos, decls, attics, convenience_methods, migrations } = files;
    for file in [xprotos, decls, attics, convenience_methods, migrations].into_iter().flatten() {
        if file.name.is_empty() || file_name(&file.name) != file.name {
            let problem = format!(
                "cannot be loaded: the file name \"{}\" has other characters than letters, digits, _ - and .; give it another",
                file.name
            );
            return Err(refused(load, problem));
        }
    }
    Ok(())
}

fn file_name(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    name.chars().map(|c| if good(c) { c } else { '-' }).collect()
}

/// Models that come as files must be those that the program was built with. Their bases may be models that others have
/// loaded.
fn check_against_program<'a>(
    load: &LoadModels,
    own: &[&ModelDef],
    document: &xproto::Document,
    others: impl Iterator<Item = &'a ModelDef>,
) -> Result<()> {
    let there = document.models_against(others).map_err(|errors| {
        refused(load, format!("cannot be loaded, their xproto cannot be understood:\n{errors}"))
    })?;
    let missing: Vec<&str> = own
        .iter()
        .filter(|model| !there.iter().any(|there| there.name == model.name))
        .map(|model| model.name.as_ref())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let files: Vec<&str> = load.files.xprotos.iter().map(|file| file.name.as_str()).collect();
    let problem = format!(
        "cannot be loaded: {} is in the program and not in {}; add it there, or remove these files to have the xproto written from the program",
        missing.join(", "),
        files.join(", ")
    );
    Err(refused(load, problem))
}

/// The models that are not served, and what is different in those that are, as far as it matters.
pub(super) fn differences(remote: &RemoteSchema, needed: &[&ModelDef]) -> (Vec<String>, Vec<String>) {
    let (there, missing): (Vec<&ModelDef>, Vec<&ModelDef>) =
        needed.iter().partition(|model| remote.schema.model(&model.name).is_some());
    let differences = remote.differences(&there);
    let wrong = differences.iter().filter(|difference| difference.matters).map(ToString::to_string);
    (missing.iter().map(|model| model.name.to_string()).collect(), wrong.collect())
}

fn refused(load: &LoadModels, problem: String) -> Error {
    ErrorKind::Onboarding { service: load.name.clone(), problem }.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    const PAPERS: &str = "option app_label = \"papers\";\nmessage Paper (XOSBase) { required string title = 1 [text = True]; }";
    const NOTES: &str =
        "option app_label = \"notes\";\nmessage Note (Paper) { optional string words = 1 [text = True]; }";

    fn models(text: &str) -> Vec<ModelDef> {
        let document = xproto::parse("test.xproto", text).unwrap();
        document.models_against(&models_of_papers()).unwrap()
    }

    fn models_of_papers() -> Vec<ModelDef> {
        xproto::parse("papers.xproto", PAPERS).unwrap().models().unwrap()
    }

    /// A core that has the core's models and these.
    fn serving(more: Vec<ModelDef>) -> Schema {
        let all: Vec<ModelDef> = core_models().cloned().chain(more).collect();
        Schema::new(&all).unwrap()
    }

    fn load(models: Vec<ModelDef>, xprotos: &[&str]) -> LoadModels {
        let file = |text: &&str| ServiceFile { name: "notes.xproto".into(), contents: (*text).to_owned() };
        LoadModels {
            name: "notes".into(),
            version: "1.0.0".into(),
            models,
            core_version: None,
            files: ServiceFiles { xprotos: xprotos.iter().map(file).collect(), ..ServiceFiles::default() },
        }
    }

    fn sent(load: &LoadModels, served: &Schema) -> Result<ServiceFiles> {
        of(load, &own_models(load, served), served)
    }

    #[test]
    fn a_base_may_be_another_services_that_the_core_serves() {
        let served = serving(models_of_papers());
        let files = sent(&load(models(NOTES), &[]), &served).unwrap();
        let [written] = files.xprotos.as_slice() else { panic!("{files:?}") };
        assert!(written.contents.contains("message Note (Paper)"), "{}", written.contents);
        assert!(!written.contents.contains("message Paper"), "{}", written.contents);
        let files = sent(&load(models(NOTES), &[NOTES]), &served).unwrap();
        assert_eq!(files.xprotos[0].contents, NOTES);
    }

    #[test]
    fn a_base_may_be_another_services_that_only_the_program_knows() {
        let both: Vec<ModelDef> = models_of_papers().into_iter().chain(models(NOTES)).collect();
        let files = sent(&load(both, &[]), &serving(Vec::new())).unwrap();
        assert!(!files.xprotos[0].contents.contains("message Paper"), "{}", files.xprotos[0].contents);
    }

    #[test]
    fn a_base_that_nobody_has_is_refused_by_name() {
        for xprotos in [&[][..], &[NOTES]] {
            let error = sent(&load(models(NOTES), xprotos), &serving(Vec::new())).unwrap_err().to_string();
            assert!(error.contains("cannot be loaded") && error.contains("its base `Paper`"), "{error}");
        }
    }
}
