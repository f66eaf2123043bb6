//! The answer of `GetSchema`: each file with its text and its compressed descriptors.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::fault;
use crate::error::Result;
use crate::grpc::wire::{Reader, WireFault, WireType, put_bytes};

/// More than this no core says of its models: the recorded one takes 0.3 MiB, so that a thousand services have room.
const MOST_BYTES: u64 = 64 << 20;

/// The file with the models.
const XOS_PROTO: &[u8] = b"xos.proto";

/// One file of the answer.
struct ProtoFile<'a> {
    name: &'a [u8],
    compressed: &'a [u8],
}

/// The descriptor sets of an answer of `GetSchema`, that of `xos.proto` first; each is inflated when it is asked for.
pub(super) fn descriptor_sets(answer: &[u8]) -> Result<impl Iterator<Item = Result<Vec<u8>>>> {
    let mut files = files(answer).map_err(|found| fault(format!("the answer of GetSchema is {found}")))?;
    files.sort_by_key(|file| file.name != XOS_PROTO);
    Ok(files.into_iter().map(|file| inflate(&file)))
}

/// The set that plain descriptors of single files make, each file once.
pub(super) fn set_of(files: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut set = Vec::with_capacity(files.iter().map(|file| file.len() + 8).sum());
    for file in files {
        let name = field(file, 1).map_err(|found| fault(format!("the descriptor of a file is {found}")))?;
        if !names.contains(&name) {
            names.push(name);
            put_bytes(&mut set, 1, file);
        }
    }
    Ok(set)
}

fn files(answer: &[u8]) -> Result<Vec<ProtoFile<'_>>, WireFault> {
    let mut files = Vec::new();
    let mut reader = Reader::new(answer);
    while let Some((number, wire_type)) = reader.tag()? {
        if (number, wire_type) != (1, WireType::Bytes) {
            reader.skip(number, wire_type)?;
            continue;
        }
        let file = reader.bytes()?;
        files.push(ProtoFile { name: field(file, 1)?, compressed: field(file, 3)? });
    }
    Ok(files)
}

/// The bytes of one field of a message, none when it is absent.
fn field(message: &[u8], wanted: u32) -> Result<&[u8], WireFault> {
    let mut found: &[u8] = &[];
    let mut reader = Reader::new(message);
    while let Some((number, wire_type)) = reader.tag()? {
        if (number, wire_type) == (wanted, WireType::Bytes) {
            found = reader.bytes()?;
        } else {
            reader.skip(number, wire_type)?;
        }
    }
    Ok(found)
}

fn inflate(file: &ProtoFile<'_>) -> Result<Vec<u8>> {
    let name = String::from_utf8_lossy(file.name);
    let mut set = Vec::new();
    // One byte more than permitted is enough to know that there is more.
    let mut decoder = ZlibDecoder::new(file.compressed).take(MOST_BYTES + 1);
    decoder
        .read_to_end(&mut set)
        .map_err(|error| fault(format!("the descriptor of {name} cannot be inflated: {error}")))?;
    if set.len() as u64 > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(fault(format!("the descriptor of {name} inflates to more than {most} MiB")));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn answer(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut answer = Vec::new();
        for (name, compressed) in files {
            let mut file = Vec::new();
            put_bytes(&mut file, 1, name.as_bytes());
            put_bytes(&mut file, 3, compressed);
            put_bytes(&mut answer, 1, &file);
        }
        answer
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_file_with_the_models_comes_first() {
        let answer = answer(&[("common.proto", &zlib(b"c")), ("xos.proto", &zlib(b"x"))]);
        let sets: Vec<Vec<u8>> = descriptor_sets(&answer).unwrap().map(Result::unwrap).collect();
        assert_eq!(sets, [b"x", b"c"]);
    }

    #[test]
    fn a_bomb_is_an_error() {
        // 70 MiB of zeros fit into 70 KiB.
        let bomb = zlib(&vec![0; 70 << 20]);
        assert!(bomb.len() < 100_000);
        let answer = answer(&[("xos.proto", &bomb)]);
        let error = descriptor_sets(&answer).unwrap().next().unwrap().unwrap_err();
        assert!(
            error.to_string().contains("the descriptor of xos.proto inflates to more than 64 MiB"),
            "{error}"
        );
    }

    #[test]
    fn broken_bytes_are_an_error_that_names_the_file() {
        let cut = zlib(b"a descriptor of some length");
        let answer = answer(&[("xos.proto", &cut[..cut.len() / 2])]);
        let error = descriptor_sets(&answer).unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().contains("xos.proto cannot be inflated"), "{error}");
        let Err(error) = descriptor_sets(&[0x0a, 0x50]) else { panic!("no error") };
        assert!(error.to_string().contains("no valid protobuf at byte 1"), "{error}");
    }
}
