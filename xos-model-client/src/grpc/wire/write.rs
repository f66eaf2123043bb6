//! Values as bytes.

/// A varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
fn put_tag(out: &mut Vec<u8>, number: u16, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// An `int32`: a negative one is sign-extended to 64 bits.
#[inline]
pub fn put_int32(out: &mut Vec<u8>, number: u16, value: i32) {
    put_tag(out, number, 0);
    put_varint(out, i64::from(value) as u64);
}

/// A `uint32`.
#[inline]
pub fn put_uint32(out: &mut Vec<u8>, number: u16, value: u32) {
    put_tag(out, number, 0);
    put_varint(out, u64::from(value));
}

/// A `bool`.
#[inline]
pub fn put_bool(out: &mut Vec<u8>, number: u16, value: bool) {
    put_tag(out, number, 0);
    out.push(u8::from(value));
}

/// A `float`.
#[inline]
pub fn put_float(out: &mut Vec<u8>, number: u16, value: f32) {
    put_tag(out, number, 5);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// A `double`, bit for bit.
#[inline]
pub fn put_double(out: &mut Vec<u8>, number: u16, value: f64) {
    put_tag(out, number, 1);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// A length and as many bytes: a message.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u16, value: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A `string`.
#[inline]
pub fn put_text(out: &mut Vec<u8>, number: u16, value: &str) {
    put_bytes(out, number, value.as_bytes());
}

/// A `repeated int32`, packed. An empty list leaves no trace: it cannot be told from an absent one.
pub fn put_int32s(out: &mut Vec<u8>, number: u16, values: &[i32]) {
    if values.is_empty() {
        return;
    }
    let length: usize = values.iter().map(|value| varint_length(i64::from(*value) as u64)).sum();
    put_tag(out, number, 2);
    put_varint(out, length as u64);
    for value in values {
        put_varint(out, i64::from(*value) as u64);
    }
}

/// How many bytes a varint takes.
const fn varint_length(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_varint_is_known_before_it_is_written() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_length(value), "{value}");
            }
        }
    }
}
