//! Formulas of policies.

use super::{DEEPEST, Kind, Number, Parser, Read};
use crate::xproto::formula::{Formula, Term};

impl Parser<'_> {
    /// A formula, and nothing behind it.
    pub(super) fn whole_formula(&mut self) -> Read<Formula> {
        let formula = self.implication()?;
        if self.peek().kind == Kind::End {
            return Ok(formula);
        }
        let help = match self.peek().text {
            "=" | "in" => "a comparison has one sign; join several with `&`",
            ">" | "<" => "there is no order in formulas; and `>` ends a policy, wherever it stands",
            "and" => "`and` is written `&`",
            "or" => "`or` is written `|`",
            _ => "",
        };
        self.fail("`&`, `|`, `->` or the end of the formula", help)
    }

    /// `a -> b -> c`, which groups to the right.
    fn implication(&mut self) -> Read<Formula> {
        let mut parts = vec![self.disjunction()?];
        while self.take_sign("->") {
            if parts.len() >= DEEPEST {
                return self.too_deep();
            }
            parts.push(self.disjunction()?);
        }
        let Some(mut formula) = parts.pop() else { return self.fail("a formula", "") };
        while let Some(when) = parts.pop() {
            formula = Formula::Implies(Box::new(when), Box::new(formula));
        }
        Ok(formula)
    }

    fn disjunction(&mut self) -> Read<Formula> {
        let mut parts = vec![self.conjunction()?];
        while self.take_sign("|") {
            parts.push(self.conjunction()?);
        }
        Ok(Formula::or(parts))
    }

    fn conjunction(&mut self) -> Read<Formula> {
        let mut parts = vec![self.unary()?];
        while self.take_sign("&") {
            parts.push(self.unary()?);
        }
        Ok(Formula::and(parts))
    }

    /// What `not`, `exists` and `forall` reach.
    fn unary(&mut self) -> Read<Formula> {
        if self.depth >= DEEPEST {
            return self.too_deep();
        }
        self.depth += 1;
        let formula = self.unary_within()?;
        self.depth -= 1;
        Ok(formula)
    }

    fn unary_within(&mut self) -> Read<Formula> {
        if self.is_keyword("not") {
            self.next();
            return Ok(Formula::Not(Box::new(self.unary()?)));
        }
        if self.is_keyword("exists") || self.is_keyword("forall") {
            let word = self.next().text;
            let variable = self.name("a model")?.text.to_owned();
            self.expect(":", &format!("after the model of `{word}`"), "write `exists Model: formula`")?;
            let body = Box::new(self.unary()?);
            return Ok(if word == "exists" {
                Formula::Exists { variable, body }
            } else {
                Formula::ForAll { variable, body }
            });
        }
        if self.take_sign("(") {
            let formula = self.implication()?;
            self.expect(")", "after the group", "")?;
            return Ok(formula);
        }
        let term = self.term()?;
        if self.take_sign("=") {
            // `==` is a slip that is easy to make.
            if self.is_sign("=") {
                return self.fail("what to compare with", "a comparison is written with one `=`");
            }
            return Ok(Formula::Equal(term, self.term()?));
        }
        if self.is_keyword("in") {
            self.next();
            return Ok(Formula::In(term, self.term()?));
        }
        Ok(Formula::Term(term))
    }

    fn term(&mut self) -> Read<Term> {
        let token = self.peek();
        let term = match token.kind {
            Kind::Name => Some(Term::Path(token.text.to_owned())),
            Kind::Number => Number::parse(token.text).map(Term::Number),
            Kind::Text => Self::quoted(token).map(Term::Text),
            Kind::Python => {
                let python = token.text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
                python.map(|python| Term::Python(python.trim().to_owned()))
            }
            Kind::Keyword if token.text == "True" => Some(Term::True),
            Kind::Keyword if token.text == "False" => Some(Term::False),
            Kind::Sign if token.text == "*" => {
                self.next();
                let policy = self.name("a policy")?.text.to_owned();
                let help = "what a policy says of a linked object is written `*policy(field)`";
                self.expect("(", "after the name of the policy", help)?;
                let argument = self.name("a field")?.text.to_owned();
                self.expect(")", "after the field", help)?;
                return Ok(Term::Call { policy, argument });
            }
            _ => None,
        };
        match term {
            Some(term) => {
                self.next();
                Ok(term)
            }
            None => self.fail(
                "a term of the formula",
                "a term is a name such as `obj.id`, a number, a text in double quotes, `True`, `False`, \
                 `*policy(field)` or `{{ python }}`",
            ),
        }
    }

    fn too_deep(&mut self) -> Read<Formula> {
        self.fail(
            format!("at most {DEEPEST} levels in a formula"),
            "take a part of it out, as a policy of its own, or use fewer parentheses",
        )
    }
}
