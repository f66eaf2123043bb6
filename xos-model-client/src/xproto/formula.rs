//! The formulas of policies: first-order logic over objects and the caller.

use std::fmt;

use super::value::{Number, Quoted};

/// A formula, such as `ctx.user.is_admin | obj.creator = ctx.user`.
///
/// `not`, `exists` and `forall` bind tightest, then `&`, `|`, and `->`, which groups to the right. So
/// `exists P: a & b` means `(exists P: a) & b`, as the core reads it.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto::{Formula, Term};
///
/// let formula = Formula::parse("ctx.user.is_admin | exists Privilege: Privilege.object_id = obj.id").unwrap();
/// let Formula::Or(parts) = &formula else { panic!("{formula}") };
/// assert_eq!(parts[0], Formula::Term(Term::Path("ctx.user.is_admin".into())));
/// assert!(matches!(parts[1], Formula::Exists { .. }));
/// assert_eq!(formula.to_string(), "ctx.user.is_admin | exists Privilege: Privilege.object_id = obj.id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// What a term is, taken as true or false.
    Term(Term),
    /// Both are the same.
    Equal(Term, Term),
    /// The first is among the second.
    In(Term, Term),
    /// The opposite.
    Not(Box<Formula>),
    /// All of them; two or more, none of them an `And`.
    And(Vec<Formula>),
    /// One of them; two or more, none of them an `Or`.
    Or(Vec<Formula>),
    /// When the first holds, the second does.
    Implies(Box<Formula>, Box<Formula>),
    /// There is an object of that model for which the formula holds.
    Exists {
        /// The model, which is also the name of the object.
        variable: String,
        /// What holds.
        body: Box<Formula>,
    },
    /// The formula holds for each object of that model.
    ForAll {
        /// The model, which is also the name of the object.
        variable: String,
        /// What holds.
        body: Box<Formula>,
    },
}

/// What a formula speaks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// `True`
    True,
    /// `False`
    False,
    /// A number.
    Number(Number),
    /// A text.
    Text(Quoted),
    /// Names with dots between them, such as `obj.site.id`; perhaps `()` at the end.
    Path(String),
    /// `{{ .. }}`: an expression in Python.
    Python(String),
    /// `*policy(field)`: what a policy says about a linked object.
    Call {
        /// The policy.
        policy: String,
        /// The field of the object.
        argument: String,
    },
}

impl Formula {
    /// All of these, at least one; what is an `And` already is taken apart.
    pub fn and(formulas: impl IntoIterator<Item = Formula>) -> Formula {
        let mut parts = Vec::new();
        for formula in formulas {
            match formula {
                Formula::And(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        only(&mut parts).unwrap_or(Formula::And(parts))
    }

    /// One of these, at least one; what is an `Or` already is taken apart.
    pub fn or(formulas: impl IntoIterator<Item = Formula>) -> Formula {
        let mut parts = Vec::new();
        for formula in formulas {
            match formula {
                Formula::Or(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        only(&mut parts).unwrap_or(Formula::Or(parts))
    }

    /// The formula that this text is, without the `<` and `>` around it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Formula, super::SyntaxErrors> {
        super::parse_formula(text)
    }

    /// How strongly it holds together, from 0 for `->` on.
    const fn strength(&self) -> u8 {
        match self {
            Formula::Implies(..) => 0,
            Formula::Or(_) => 1,
            Formula::And(_) => 2,
            _ => 3,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        let grouped = self.strength() < least;
        if grouped {
            f.write_str("(")?;
        }
        match self {
            Formula::Term(term) => write!(f, "{term}")?,
            Formula::Equal(one, other) => write!(f, "{one} = {other}")?,
            Formula::In(one, other) => write!(f, "{one} in {other}")?,
            Formula::Not(inner) => {
                f.write_str("not ")?;
                inner.write(f, 3)?;
            }
            Formula::And(parts) => write_joined(f, parts, " & ", 3)?,
            Formula::Or(parts) => write_joined(f, parts, " | ", 2)?,
            Formula::Implies(when, then) => {
                when.write(f, 1)?;
                f.write_str(" -> ")?;
                then.write(f, 0)?;
            }
            Formula::Exists { variable, body } => {
                write!(f, "exists {variable}: ")?;
                body.write(f, 3)?;
            }
            Formula::ForAll { variable, body } => {
                write!(f, "forall {variable}: ")?;
                body.write(f, 3)?;
            }
        }
        if grouped {
            f.write_str(")")?;
        }
        Ok(())
    }

    /// The policies that it calls.
    pub(super) fn calls<'a>(&'a self, out: &mut Vec<&'a str>) {
        let mut term = |term: &'a Term| {
            if let Term::Call { policy, .. } = term {
                out.push(policy.as_str());
            }
        };
        match self {
            Formula::Term(one) => term(one),
            Formula::Equal(one, other) | Formula::In(one, other) => {
                term(one);
                term(other);
            }
            Formula::Not(inner) => inner.calls(out),
            Formula::And(parts) | Formula::Or(parts) => parts.iter().for_each(|part| part.calls(out)),
            Formula::Implies(when, then) => {
                when.calls(out);
                then.calls(out);
            }
            Formula::Exists { body, .. } | Formula::ForAll { body, .. } => body.calls(out),
        }
    }
}

/// The only one, when there is one only.
fn only(parts: &mut Vec<Formula>) -> Option<Formula> {
    if parts.len() == 1 { parts.pop() } else { None }
}

fn write_joined(f: &mut fmt::Formatter<'_>, parts: &[Formula], between: &str, least: u8) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        part.write(f, least)?;
    }
    Ok(())
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::True => f.write_str("True"),
            Term::False => f.write_str("False"),
            Term::Number(number) => number.fmt(f),
            Term::Text(text) => text.fmt(f),
            Term::Path(path) => f.write_str(path),
            Term::Python(python) => write!(f, "{{{{ {python} }}}}"),
            Term::Call { policy, argument } => write!(f, "*{policy}({argument})"),
        }
    }
}
