//! What a core checks of the files of a service before it takes them.

use xos_model_client::ServiceFiles;

/// Checks names, and whether Python files compile. Without a Python here, that is: whether their brackets match and
/// their functions and classes have names.
pub(super) fn check(files: &ServiceFiles) -> Result<(), String> {
    let all = files.xprotos.iter().chain(&files.decls).chain(&files.attics);
    for file in all.chain(&files.convenience_methods).chain(&files.migrations) {
        let good = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
        if !file.name.chars().all(good) {
            return Err(format!("illegal character in filename {}", file.name));
        }
    }
    for file in files.convenience_methods.iter().chain(&files.migrations) {
        if !brackets_match(&file.contents) || !all_named(&file.contents) {
            return Err(format!("python file {} failed compile test", file.name));
        }
    }
    Ok(())
}

fn brackets_match(text: &str) -> bool {
    let mut open = Vec::new();
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default();
        for character in code.chars() {
            match character {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' if open.pop() != Some(character) => return false,
                _ => {}
            }
        }
    }
    open.is_empty()
}

fn all_named(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim_start();
        let name = line.strip_prefix("def ").or_else(|| line.strip_prefix("class "));
        name.is_none_or(|name| name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_is_looked_at_from_afar() {
        assert!(brackets_match("def f(a):\n    return [a] # (\n") && all_named("class A:\n  def _f(): pass"));
        assert!(!brackets_match("def ("));
        assert!(!all_named("class :"));
    }
}
