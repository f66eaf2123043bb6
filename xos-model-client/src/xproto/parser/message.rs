//! Messages and what stands in them.

use super::{DEEPEST, Failed, Kind, Parser, Read, Token, comment_text};
use crate::xproto::document::{Field, Link, LinkKind, Message, Modifier, Part, Setting};
use crate::xproto::value::Number;

const FIELD: &str = "every field has a number: `required string name = 1;`";
const LINK: &str = "a link is written `required manytoone owner->Service:service_instances = 2:1009;`";

/// What stands behind the name of a field or link.
struct Tail {
    number: Number,
    reverse_number: Option<Number>,
    options: Vec<Setting>,
}

impl<'a> Parser<'a> {
    /// `message Name::policy (Base) { .. }`, the word `message` being read already.
    pub(super) fn message(&mut self, word: Token<'a>) -> Read<Message> {
        let name = self.name("a message")?;
        let mut message = Message {
            name: name.text.to_owned(),
            place: name.place,
            comment: word
                .comment
                .and_then(|(from, to)| self.text.get(from..to))
                .map(comment_text)
                .unwrap_or_default(),
            policy: self.policy_name()?,
            ..Message::default()
        };
        if self.take_sign("(") && !self.take_sign(")") {
            loop {
                message.bases.push(self.dotted("a base")?);
                if self.take_sign(")") {
                    break;
                }
                self.expect(",", "or `)` after the base", "bases are written `(Base, Base)`")?;
            }
        }
        message.parts = self.body(&format!("message {}", name.text))?;
        Ok(message)
    }

    fn policy_name(&mut self) -> Read<Option<String>> {
        if !self.take_sign("::") {
            return Ok(None);
        }
        Ok(Some(self.name("a policy")?.text.to_owned()))
    }

    /// `{ .. }` of a message.
    pub(super) fn body(&mut self, of: &str) -> Read<Vec<Part>> {
        let opening = self.peek();
        self.expect("{", &format!("before the fields of `{of}`"), "")?;
        if self.depth >= DEEPEST {
            return self.fail_at(
                opening,
                format!("at most {DEEPEST} messages within each other"),
                "the core does not use messages within messages; write them one after the other",
            );
        }
        self.depth += 1;
        let depth = self.depth;
        let mut parts = Vec::new();
        while !self.take_sign("}") {
            if self.peek().kind == Kind::End {
                let help = format!("`{of}` starts at line {} and has no end", opening.place.line);
                return self.fail("`}`", help);
            }
            let from = self.at;
            match self.part() {
                Ok(part) => parts.push(part),
                Err(Failed) => {
                    if self.errors.len() >= super::MOST {
                        return Err(Failed);
                    }
                    self.recover(from, depth);
                    if self.peek().kind == Kind::End {
                        return Err(Failed);
                    }
                }
            }
        }
        self.depth = depth - 1;
        Ok(parts)
    }

    fn part(&mut self) -> Read<Part> {
        let token = self.peek();
        let word = if token.kind == Kind::Keyword { token.text } else { "" };
        let modifier = match word {
            "required" => Modifier::Required,
            "optional" => Modifier::Optional,
            "repeated" => Modifier::Repeated,
            "option" => {
                self.next();
                return Ok(Part::Option(self.option()?));
            }
            "enum" => {
                self.next();
                return Ok(Part::Enum(self.enumeration()?));
            }
            "message" => {
                self.next();
                return Ok(Part::Message(self.message(token)?));
            }
            "extend" => {
                self.next();
                return Ok(Part::Extend(self.extend()?));
            }
            "extensions" => {
                self.next();
                return self.extensions();
            }
            _ => {
                let help = match token.text {
                    "policy" => "a policy stands outside of messages",
                    "onetomany" => "the other end of a manytoone link: write it there, with `:reverse`",
                    "manytoone" | "manytomany" | "onetoone" | "string" | "int32" | "uint32" | "bool"
                    | "float" => "write `required` or `optional` before it",
                    _ => "a field is written `required string name = 1 [max_length = 256];`",
                };
                return self.fail("a field, an option or `}`", help);
            }
        };
        self.next();
        match self.peek().text {
            "onetoone" => self.link(modifier, LinkKind::OneToOne),
            "manytoone" => self.link(modifier, LinkKind::ManyToOne),
            "manytomany" => self.link(modifier, LinkKind::ManyToMany),
            _ => self.field(modifier),
        }
    }

    fn extensions(&mut self) -> Read<Part> {
        let help = "extensions are written `extensions 100 to max;`";
        let from = self.number("a number", help)?;
        if !self.is_keyword("to") {
            return self.fail("`to`", help);
        }
        self.next();
        let to = if self.is_keyword("max") {
            self.next();
            None
        } else {
            Some(self.number("a number or `max`", help)?)
        };
        self.expect(";", "after the extensions", help)?;
        Ok(Part::Extensions { from, to })
    }

    fn field(&mut self, modifier: Modifier) -> Read<Part> {
        let token = self.peek();
        let kind = match (token.kind, token.text) {
            (
                Kind::Keyword,
                "double" | "float" | "int32" | "int64" | "uint32" | "uint64" | "sint32" | "sint64"
                | "fixed32" | "fixed64" | "sfixed32" | "sfixed64" | "bool" | "string" | "bytes",
            ) => self.next().text.to_owned(),
            (Kind::Name, "onetomany") => {
                return self.fail(
                    "a type or a link",
                    "there is no onetomany: it is the other end of a manytoone link; write it there, with `:reverse`",
                );
            }
            (Kind::Name, _) => self.dotted("a type")?,
            _ => {
                return self.fail(
                    "the type of a field",
                    "the types are string, int32, uint32, float, bool, manytoone and manytomany",
                );
            }
        };
        let name = self.field_name("a field")?;
        let policy = self.policy_name()?;
        if self.is_sign("->") {
            return self.fail("`=` after the name of the field", LINK);
        }
        self.expect("=", "after the name of the field", FIELD)?;
        let tail = self.tail(false)?;
        Ok(Part::Field(Field {
            modifier,
            kind,
            name: name.text.to_owned(),
            policy,
            number: tail.number,
            options: tail.options,
            place: name.place,
        }))
    }

    fn link(&mut self, modifier: Modifier, kind: LinkKind) -> Read<Part> {
        self.next();
        let name = self.field_name("a link")?;
        let policy = self.policy_name()?;
        self.expect("->", "after the name of the link", LINK)?;
        let target = self.dotted("a model")?;
        let through = if self.take_sign("/") { Some(self.dotted("a table")?) } else { None };
        let reverse =
            if self.take_sign(":") { Some(self.field_name("the way back")?.text.to_owned()) } else { None };
        self.expect("=", "after the model that the link leads to", LINK)?;
        let tail = self.tail(true)?;
        Ok(Part::Link(Link {
            modifier,
            kind,
            name: name.text.to_owned(),
            policy,
            target,
            through,
            reverse,
            number: tail.number,
            reverse_number: tail.reverse_number,
            options: tail.options,
            place: name.place,
        }))
    }

    /// `1:1001 [..];`
    fn tail(&mut self, is_link: bool) -> Read<Tail> {
        let number = self.number("the number of the field", FIELD)?;
        let reverse_number = if is_link && self.take_sign(":") {
            Some(self.number("the number of the way back", LINK)?)
        } else {
            None
        };
        let mut options = Vec::new();
        if self.take_sign("[") && !self.take_sign("]") {
            loop {
                let name = self.name("an option")?;
                self.expect(
                    "=",
                    "after the name of the option",
                    "options are written `[name = value, name = value]`",
                )?;
                let value = self.value(name.text)?;
                options.push(Setting { name: name.text.to_owned(), value, place: name.place });
                if self.take_sign("]") {
                    break;
                }
                self.expect(
                    ",",
                    "or `]` after the option",
                    "options are written `[name = value, name = value]`",
                )?;
            }
        }
        let after = if options.is_empty() { ", or options in `[` and `]`" } else { "after the options" };
        self.expect(";", after, "every field ends with a semicolon")?;
        Ok(Tail { number, reverse_number, options })
    }
}
