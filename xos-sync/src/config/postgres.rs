//! The URL of a PostgreSQL database, which may hold a password.

use secrecy::{ExposeSecret as _, SecretString};

use super::error::{Origin, Problem};
use super::tree::Tree;

/// Whether a database is named by a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// The PostgreSQL database that `accessor.database` names, if it is a URL; any other URL is a problem.
pub(super) fn read(tree: &mut Tree) -> Option<SecretString> {
    const KEY: &str = "accessor.database";
    let node = tree.node(KEY)?;
    let text = node.text().filter(|text| is_url(text))?;
    let known = ["postgres://", "postgresql://"].into_iter().any(|scheme| text.starts_with(scheme));
    let origin = node.origin.clone();
    let problem = if !known {
        Problem::new(&origin, format!("{KEY} must be a path, or a URL that begins with postgres://"))
    } else if matches!(origin, Origin::Flag(_)) && has_password(text) {
        // Others see the command line of a process.
        Problem::new(&origin, "a password does not belong on the command line").hint(
            "leave it out of the URL and set PGPASSWORD, or give the URL in the variable \
             XOS_SYNC_ACCESSOR__DATABASE or in the config file",
        )
    } else {
        return Some(text.into());
    };
    tree.problem(problem.key(KEY));
    None
}

fn has_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || options.split('&').any(|option| option.starts_with("password="))
}

/// The URL as it may be shown: without user, password and options.
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "nothing connects"))]
pub(crate) fn shown(url: &SecretString) -> String {
    let url = url.expose_secret();
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let check = |url: &str, expected: &str| assert_eq!(shown(&url.into()), expected);
        check("postgres://xos:s3cr3t@db:5432/xos?sslmode=require", "postgres://db:5432/xos");
        check("postgresql://xos:s3@cr3t@db/xos", "postgresql://db/xos");
        check("postgres://db/xos?password=s3cr3t", "postgres://db/xos");
        check("postgres:///xos?host=/run/postgresql", "postgres:///xos");
    }

    #[test]
    fn a_password_is_seen_wherever_it_stands() {
        assert!(has_password("postgres://u:p@h/d"));
        assert!(has_password("postgres://u:@h/d"));
        assert!(has_password("postgres://u@h/d?sslmode=require&password=p"));
        assert!(!has_password("postgres://u@h:5432/d?sslmode=require"));
    }
}
