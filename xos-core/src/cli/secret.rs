//! Passwords: from a file, a variable, the terminal or stdin, never from the command line.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::Outcome;

/// The variable that holds the password of the first administrator.
const VARIABLE: &str = "XOS_ADMIN_PASSWORD";

/// The password of the first administrator, when one was given.
pub(super) fn of_admin(file: Option<&Path>) -> Outcome<Option<SecretString>> {
    if let Some(file) = file {
        return of_file(file).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(text) if text.is_empty() => {
            Err(format!("{VARIABLE} is empty; expected a password, or unset it").into())
        }
        Ok(text) => Ok(Some(text.into())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{VARIABLE} is no text").into()),
    }
}

/// A new password: from the file, else asked for twice, else the first line of stdin.
pub(super) fn new(file: Option<&Path>, email: &str) -> Outcome<SecretString> {
    if let Some(file) = file {
        return of_file(file);
    }
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        return first_line(&line, "stdin");
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map(SecretString::from);
    let first = ask(&format!("Password of {email}: "))?;
    if first.expose_secret().is_empty() {
        return Err("no password was typed; nothing was changed".into());
    }
    let second = ask("Again: ")?;
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err("the two passwords differ; nothing was changed".into())
    }
}

fn of_file(file: &Path) -> Outcome<SecretString> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the password file {shown} cannot be read: {error}"))?;
    first_line(&text, &format!("the password file {shown}"))
}

fn first_line(text: &str, from: &str) -> Outcome<SecretString> {
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(format!("{from} has no password in its first line").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let read =
            || of_file(&path).map(|secret| secret.expose_secret().to_owned()).map_err(|e| e.to_string());
        assert!(read().unwrap_err().contains("cannot be read"));
        std::fs::write(&path, " top:secret \r\nnot this\n").unwrap();
        assert_eq!(read().unwrap(), " top:secret ");
        std::fs::write(&path, "\nnot this\n").unwrap();
        assert!(read().unwrap_err().ends_with("has no password in its first line"));
    }
}
