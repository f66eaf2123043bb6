//! The xproto texts in the recordings, which lie beside the repository.

use std::io::Write as _;
use std::path::Path;

use serde_json::Value as Json;

/// Notes a skipped test where `.ci/run` finds it, and says so past the capture of the test harness.
fn skip(why: &str) {
    let line = format!("skipped: xos-model-client/tests/xproto: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(target.join("skipped.txt")).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// A file of those beside the repository; `None` where it is absent.
pub fn shared(file: &str) -> Option<String> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        skip(&format!("{} is not there", path.display()));
    }
    text
}

/// All xproto of a running core, as it was recorded.
pub fn core_xproto() -> Option<String> {
    let calls = shared("wire/calls.jsonl")?;
    let call = lines(&calls).find(|call| call["method"].as_str().unwrap().ends_with("/GetXproto")).unwrap();
    let message = base64(call["response_b64"].as_str().unwrap());
    let (_, text) = fields(&message).into_iter().find(|(number, _)| *number == 1).unwrap();
    Some(String::from_utf8(text.to_vec()).unwrap())
}

/// The xproto of the hello-world models, as the Python synchronizer sent it.
pub fn sent_xproto() -> Option<String> {
    let calls = shared("wire/load-calls.jsonl")?;
    let call = lines(&calls).find(|call| call["name"] == "load.final_success").unwrap();
    let request = base64(call["request_b64"].as_str().unwrap());
    let (_, file) = fields(&request).into_iter().find(|(number, _)| *number == 3).unwrap();
    let (_, text) = fields(file).into_iter().find(|(number, _)| *number == 2).unwrap();
    Some(String::from_utf8(text.to_vec()).unwrap())
}

fn lines(file: &str) -> impl Iterator<Item = Json> {
    file.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("no base64: {other}"),
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 6 | u32::from(digit(*byte)));
        let bits = bits << (8 + 6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[..group.len() * 3 / 4]);
    }
    bytes
}

/// The fields of a protobuf message that has texts and messages only.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let varint = |message: &mut &[u8]| {
        let mut value = 0;
        for at in 0.. {
            let byte = message[at];
            value |= u64::from(byte & 127) << (7 * at);
            if byte < 128 {
                *message = &message[at + 1..];
                break;
            }
        }
        value
    };
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        assert_eq!(key & 7, 2, "a field of another kind");
        let length = varint(&mut message) as usize;
        let (value, rest) = message.split_at(length);
        fields.push((key >> 3, value));
        message = rest;
    }
    fields
}
