//! The codes with which a call can end.

use std::fmt;

/// A gRPC status code.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code(u8);

/// The names in the order of their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    /// The call was given up.
    pub const CANCELLED: Code = Code(1);
    /// Whatever the core had no code for.
    pub const UNKNOWN: Code = Code(2);
    /// Something in the request is wrong.
    pub const INVALID_ARGUMENT: Code = Code(3);
    /// It took too long.
    pub const DEADLINE_EXCEEDED: Code = Code(4);
    /// There is no such object.
    pub const NOT_FOUND: Code = Code(5);
    /// There is such an object.
    pub const ALREADY_EXISTS: Code = Code(6);
    /// Not allowed.
    pub const PERMISSION_DENIED: Code = Code(7);
    /// Something is too large or too much.
    pub const RESOURCE_EXHAUSTED: Code = Code(8);
    /// Something else has to come first.
    pub const FAILED_PRECONDITION: Code = Code(9);
    /// Given up because of another call.
    pub const ABORTED: Code = Code(10);
    /// There is no such method.
    pub const UNIMPLEMENTED: Code = Code(12);
    /// A fault in the core.
    pub const INTERNAL: Code = Code(13);
    /// The core cannot be reached.
    pub const UNAVAILABLE: Code = Code(14);
    /// Not with these credentials.
    pub const UNAUTHENTICATED: Code = Code(16);

    /// The code with this number; an unknown one is `UNKNOWN`.
    pub fn from_number(number: i32) -> Self {
        u8::try_from(number).ok().filter(|n| usize::from(*n) < NAMES.len()).map_or(Code::UNKNOWN, Code)
    }

    /// The code with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(|number| Code(number as u8))
    }

    /// Its name, such as `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_number_and_its_name() {
        for (number, name) in NAMES.iter().enumerate() {
            let code = Code::from_number(number as i32);
            assert_eq!(code.name(), *name);
            assert_eq!(Code::from_name(name), Some(code));
        }
        assert_eq!(Code::UNAUTHENTICATED.name(), "UNAUTHENTICATED");
        assert_eq!(Code::UNAVAILABLE.name(), "UNAVAILABLE");
        assert_eq!(Code::RESOURCE_EXHAUSTED.name(), "RESOURCE_EXHAUSTED");
        for number in [17, 300, -1] {
            assert_eq!(Code::from_number(number), Code::UNKNOWN);
        }
    }
}
