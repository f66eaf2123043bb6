//! A document as xproto text.

use std::fmt::{self, Formatter, Result};

use super::document::{
    Document, Enum, Extend, Field, File, Item, Lambda, Link, Message, Part, Policy, Service, Setting,
};

/// The widest line of a comment, in characters.
const WIDTH: usize = 100;

impl fmt::Display for Document {
    /// All files, one after the other.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, file) in self.files.iter().enumerate() {
            if at > 0 && !file.items.is_empty() {
                f.write_str("\n")?;
            }
            file.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut before: Option<&Item> = None;
        for item in &self.items {
            // Options stand together, everything else apart.
            let together = matches!((before, item), (Some(Item::Option(_)), Item::Option(_)));
            if before.is_some() && !together {
                f.write_str("\n")?;
            }
            item.fmt(f)?;
            before = Some(item);
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Item::Option(option) => write_option(f, option, 0),
            Item::Message(message) => message.write(f, 0),
            Item::Enum(values) => values.write(f, 0),
            Item::Policy(policy) => policy.fmt(f),
            Item::Map(lambda) => write_lambda(f, "map", lambda),
            Item::Reduce(lambda) => write_lambda(f, "reduce", lambda),
            Item::Service(service) => service.fmt(f),
            Item::Extend(extend) => extend.write(f, 0),
            Item::Import(path) => writeln!(f, "import {path};"),
            Item::Package(name) => writeln!(f, "package {name};"),
        }
    }
}

fn write_lambda(f: &mut Formatter<'_>, word: &str, lambda: &Lambda) -> Result {
    writeln!(f, "{word} {} <{}>", lambda.name, lambda.body)
}

fn write_option(f: &mut Formatter<'_>, option: &Setting, depth: usize) -> Result {
    writeln!(f, "{:indent$}option {} = {};", "", option.name, option.value, indent = depth * 4)
}

/// `[a = 1, b = 2]`, with a space before it; nothing when there are none.
fn write_options(f: &mut Formatter<'_>, options: &[Setting]) -> Result {
    for (at, Setting { name, value, .. }) in options.iter().enumerate() {
        write!(f, "{}{name} = {value}", if at == 0 { " [" } else { ", " })?;
    }
    f.write_str(if options.is_empty() { "" } else { "]" })
}

fn write_parts(f: &mut Formatter<'_>, parts: &[Part], depth: usize) -> Result {
    f.write_str(" {\n")?;
    for part in parts {
        match part {
            Part::Option(option) => write_option(f, option, depth + 1)?,
            Part::Field(field) => field.write(f, depth + 1)?,
            Part::Link(link) => link.write(f, depth + 1)?,
            Part::Enum(values) => values.write(f, depth + 1)?,
            Part::Message(message) => message.write(f, depth + 1)?,
            Part::Extend(extend) => extend.write(f, depth + 1)?,
            Part::Extensions { from, to } => {
                write!(f, "{:indent$}extensions {from} to ", "", indent = (depth + 1) * 4)?;
                match to {
                    Some(to) => writeln!(f, "{to};")?,
                    None => f.write_str("max;\n")?,
                }
            }
        }
    }
    writeln!(f, "{:indent$}}}", "", indent = depth * 4)
}

impl Message {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> Result {
        let indent = depth * 4;
        let mut width = usize::MAX;
        for word in self.comment.split_whitespace() {
            if width > WIDTH.saturating_sub(word.len()) {
                if width != usize::MAX {
                    f.write_str("\n")?;
                }
                write!(f, "{:indent$}//", "")?;
                width = indent + 2;
            }
            write!(f, " {word}")?;
            width += 1 + word.len();
        }
        if width != usize::MAX {
            f.write_str("\n")?;
        }
        write!(f, "{:indent$}message {}", "", self.name)?;
        write_policy(f, self.policy.as_deref())?;
        if !self.bases.is_empty() {
            write!(f, " ({})", self.bases.join(", "))?;
        }
        write_parts(f, &self.parts, depth)
    }
}

fn write_policy(f: &mut Formatter<'_>, policy: Option<&str>) -> Result {
    match policy {
        Some(policy) => write!(f, "::{policy}"),
        None => Ok(()),
    }
}

impl Field {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> Result {
        let modifier = self.modifier.as_str();
        write!(f, "{:indent$}{modifier} {} {}", "", self.kind, self.name, indent = depth * 4)?;
        write_policy(f, self.policy.as_deref())?;
        write!(f, " = {}", self.number)?;
        write_options(f, &self.options)?;
        f.write_str(";\n")
    }
}

impl Link {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> Result {
        let (modifier, kind) = (self.modifier.as_str(), self.kind.as_str());
        write!(f, "{:indent$}{modifier} {kind} {}", "", self.name, indent = depth * 4)?;
        write_policy(f, self.policy.as_deref())?;
        write!(f, "->{}", self.target)?;
        if let Some(through) = &self.through {
            write!(f, "/{through}")?;
        }
        if let Some(reverse) = &self.reverse {
            write!(f, ":{reverse}")?;
        }
        write!(f, " = {}", self.number)?;
        if let Some(number) = &self.reverse_number {
            write!(f, ":{number}")?;
        }
        write_options(f, &self.options)?;
        f.write_str(";\n")
    }
}

impl Enum {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> Result {
        let indent = depth * 4;
        writeln!(f, "{:indent$}enum {} {{", "", self.name)?;
        for option in &self.options {
            write_option(f, option, depth + 1)?;
        }
        for (name, number) in &self.values {
            writeln!(f, "{:indent$}    {name} = {number};", "")?;
        }
        writeln!(f, "{:indent$}}}", "")
    }
}

impl Extend {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> Result {
        write!(f, "{:indent$}extend {}", "", self.name, indent = depth * 4)?;
        write_parts(f, &self.parts, depth)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "policy {} < {} >", self.name, self.formula)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "_service {} {{", self.name)?;
        for [name, request, answer] in &self.methods {
            writeln!(f, "    rpc {name} ({request}) returns ({answer})")?;
        }
        f.write_str("}\n")
    }
}
