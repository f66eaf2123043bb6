//! Protobuf on the wire: varints, tags, slices.
//!
//! A message is a list of fields, each a *tag* (number and wire type) and a value. The reader walks over a slice and
//! copies nothing; whatever the bytes are, it ends with a value or with a [`WireFault`], never with a panic.
//!
//! `prost::encoding` would do the same, but is hidden from its documentation and half as fast (DEPENDENCIES §4.1, P7).

use std::fmt;

mod write;

pub use write::{
    put_bool, put_bytes, put_double, put_float, put_int32, put_int32s, put_text, put_uint32, put_varint,
};

/// Deeper nested groups than this are no message of a core; other libraries have the same limit.
const DEEPEST: usize = 100;

/// How a value is written: the lower three bits of a tag.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum WireType {
    /// A number of 1 to 10 bytes.
    Varint,
    /// 8 bytes.
    Fixed64,
    /// A length and as many bytes.
    Bytes,
    /// The start of a group: proto2, which no core sends.
    StartGroup,
    /// The end of a group.
    EndGroup,
    /// 4 bytes.
    Fixed32,
}

impl WireType {
    fn of(bits: u32) -> Option<Self> {
        Some(match bits {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return None,
        })
    }

    /// In words for an error.
    pub const fn describe(self) -> &'static str {
        match self {
            WireType::Varint => "a varint",
            WireType::Fixed64 => "8 bytes",
            WireType::Bytes => "a length and bytes",
            WireType::StartGroup => "the start of a group",
            WireType::EndGroup => "the end of a group",
            WireType::Fixed32 => "4 bytes",
        }
    }
}

/// Bytes that are no protobuf.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct WireFault {
    /// Where, in bytes from the start of what was read.
    pub offset: usize,
    /// What was expected or found there.
    pub what: &'static str,
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no valid protobuf at byte {}: {}", self.offset, self.what)
    }
}

impl std::error::Error for WireFault {}

/// Reads one message from its start to its end.
#[derive(Copy, Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// Where it is, in bytes from the start.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The number and wire type of the next field, `None` at the end.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn tag(&mut self) -> Result<Option<(u32, WireType)>, WireFault> {
        let Some(first) = self.bytes.get(self.at) else { return Ok(None) };
        let start = self.at;
        let key = if *first < 0x80 {
            self.at += 1;
            u32::from(*first)
        } else {
            match self.bytes.get(start + 1) {
                Some(second) if *second < 0x80 => {
                    self.at += 2;
                    u32::from(*first & 0x7f) | u32::from(*second) << 7
                }
                _ => {
                    let key = self.varint()?;
                    u32::try_from(key)
                        .map_err(|_| WireFault { offset: start, what: "the tag is larger than 32 bits" })?
                }
            }
        };
        let Some(wire_type) = WireType::of(key & 7) else {
            return Err(WireFault { offset: start, what: "the tag has a wire type that does not exist" });
        };
        if key < 8 {
            return Err(WireFault { offset: start, what: "the tag has the field number 0" });
        }
        Ok(Some((key >> 3, wire_type)))
    }

    /// A number of 1 to 10 bytes.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireFault> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireFault> {
        let start = self.at;
        let mut value = 0;
        for (place, byte) in self.bytes[start..].iter().take(10).enumerate() {
            if place == 9 && *byte > 1 {
                return Err(WireFault { offset: start, what: "the varint is larger than 64 bits" });
            }
            value |= u64::from(*byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.at = start + place + 1;
                return Ok(value);
            }
        }
        Err(WireFault { offset: start, what: "the message ends within a varint" })
    }

    /// A length and as many bytes.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], WireFault> {
        let start = self.at;
        let length = self.varint()?;
        let rest = &self.bytes[self.at..];
        let value = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let Some(value) = value else {
            return Err(WireFault { offset: start, what: "the length leads past the end of the message" });
        };
        self.at += value.len();
        Ok(value)
    }

    /// 4 bytes, little end first.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn fixed32(&mut self) -> Result<u32, WireFault> {
        self.fixed().map(u32::from_le_bytes)
    }

    /// 8 bytes, little end first.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn fixed64(&mut self) -> Result<u64, WireFault> {
        self.fixed().map(u64::from_le_bytes)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireFault> {
        let Some(value) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(WireFault { offset: self.at, what: "the message ends within a number" });
        };
        self.at += N;
        Ok(*value)
    }

    /// Leaves out the value of a field.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf.
    #[inline]
    pub fn skip(&mut self, number: u32, wire_type: WireType) -> Result<(), WireFault> {
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Bytes => self.bytes().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
            WireType::StartGroup => self.skip_group(number),
            WireType::EndGroup => {
                Err(WireFault { offset: self.at, what: "a group ends that was not started" })
            }
        }
    }

    /// Leaves out a group up to its end. The groups in it are counted, not recursed into.
    fn skip_group(&mut self, number: u32) -> Result<(), WireFault> {
        let mut open = [0; DEEPEST];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            let start = self.at;
            let Some((number, wire_type)) = self.tag()? else {
                return Err(WireFault { offset: start, what: "the message ends within a group" });
            };
            match wire_type {
                WireType::StartGroup => {
                    let Some(place) = open.get_mut(depth) else {
                        return Err(WireFault { offset: start, what: "groups are nested too deep" });
                    };
                    *place = number;
                    depth += 1;
                }
                WireType::EndGroup if open[depth - 1] == number => depth -= 1,
                WireType::EndGroup => {
                    return Err(WireFault { offset: start, what: "another group ends than was started" });
                }
                _ => self.skip(number, wire_type)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(bytes: &[u8]) -> WireFault {
        let mut reader = Reader::new(bytes);
        loop {
            match reader.tag() {
                Ok(Some((number, wire_type))) => {
                    if let Err(fault) = reader.skip(number, wire_type) {
                        return fault;
                    }
                }
                Ok(None) => panic!("{bytes:?} is a message"),
                Err(fault) => return fault,
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut out = Vec::new();
        put_int32(&mut out, 1, -1);
        put_uint32(&mut out, 2, u32::MAX);
        put_bool(&mut out, 3, true);
        put_float(&mut out, 15, 0.1);
        put_double(&mut out, 16, f64::from_bits(0x41D7_E9A3_1234_5678));
        put_text(&mut out, 2047, "größer");
        put_int32s(&mut out, 5, &[1, 300, -7]);
        put_int32s(&mut out, 6, &[]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.tag(), Ok(Some((1, WireType::Varint))));
        assert_eq!(reader.varint().map(|value| value as i32), Ok(-1));
        assert_eq!(reader.tag(), Ok(Some((2, WireType::Varint))));
        assert_eq!(reader.varint(), Ok(u64::from(u32::MAX)));
        assert_eq!(reader.tag(), Ok(Some((3, WireType::Varint))));
        assert_eq!(reader.varint(), Ok(1));
        assert_eq!(reader.tag(), Ok(Some((15, WireType::Fixed32))));
        assert_eq!(reader.fixed32(), Ok(0.1_f32.to_bits()));
        assert_eq!(reader.tag(), Ok(Some((16, WireType::Fixed64))));
        assert_eq!(reader.fixed64(), Ok(0x41D7_E9A3_1234_5678));
        assert_eq!(reader.tag(), Ok(Some((2047, WireType::Bytes))));
        assert_eq!(reader.bytes(), Ok("größer".as_bytes()));
        assert_eq!(reader.tag(), Ok(Some((5, WireType::Bytes))));
        let mut list = Reader::new(reader.bytes().unwrap());
        assert_eq!([list.varint(), list.varint()], [Ok(1), Ok(300)]);
        assert_eq!(list.varint().map(|value| value as i32), Ok(-7));
        // An empty list is not written at all.
        assert_eq!((list.offset(), reader.tag()), (13, Ok(None)));
    }

    #[test]
    fn the_largest_varint_is_read_and_a_larger_one_is_not() {
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&largest).varint(), Ok(u64::MAX));
        let larger = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader::new(&larger).varint().unwrap_err().what, "the varint is larger than 64 bits");
        assert_eq!(Reader::new(&[0x80; 20]).varint().unwrap_err().what, "the varint is larger than 64 bits");
    }

    #[test]
    fn a_group_is_skipped() {
        // Field 1: a group with a varint, a text and another group; then field 2.
        let bytes = [0x0b, 0x10, 0x05, 0x1a, 0x01, b'x', 0x23, 0x24, 0x0c, 0x10, 0x07];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.tag(), Ok(Some((1, WireType::StartGroup))));
        reader.skip(1, WireType::StartGroup).unwrap();
        assert_eq!(reader.tag(), Ok(Some((2, WireType::Varint))));
    }

    #[test]
    fn broken_bytes_say_where_and_what() {
        for (bytes, offset, what) in [
            (&[0x08][..], 1, "the message ends within a varint"),
            (&[0x08, 0x80], 1, "the message ends within a varint"),
            (&[0x80], 0, "the message ends within a varint"),
            (&[0x00, 0x00], 0, "the tag has the field number 0"),
            (&[0x0e], 0, "the tag has a wire type that does not exist"),
            (&[0x0a, 0x05, b'x'], 1, "the length leads past the end of the message"),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                1,
                "the length leads past the end of the message",
            ),
            (&[0x0d, 1, 2, 3], 1, "the message ends within a number"),
            (&[0x09, 1, 2, 3, 4, 5, 6, 7], 1, "the message ends within a number"),
            (&[0x0c], 1, "a group ends that was not started"),
            (&[0x0b, 0x14], 1, "another group ends than was started"),
            (&[0x0b], 1, "the message ends within a group"),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0, "the tag is larger than 32 bits"),
        ] {
            assert_eq!(fault(bytes), WireFault { offset, what }, "{bytes:?}");
        }
        assert_eq!(fault(&[0x0b; 200]).what, "groups are nested too deep");
        assert_eq!(
            fault(&[0x0d]).to_string(),
            "no valid protobuf at byte 1: the message ends within a number"
        );
    }
}
