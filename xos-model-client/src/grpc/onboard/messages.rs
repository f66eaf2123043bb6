//! The messages of `xos.dynamicload`, as the core 4.0.4 has them.

use crate::accessor::{Cleanup, LoadState, ModelsStatus, ServiceFile, ServiceFiles};
use crate::grpc::wire::{Reader, WireFault, WireType, put_bytes, put_int32, put_text};

/// What a load or an unload came to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum LoadStatus {
    /// It is done when the core has restarted.
    Success,
    /// There was nothing to do; a restart may be due from an earlier call.
    NothingChanged,
    /// Objects are being deleted: ask again.
    TryAgain,
    /// Another number, which should have come with an error.
    Other(i32),
}

/// `LoadModelsRequest`.
pub(super) fn load_models(name: &str, version: &str, files: &ServiceFiles, core_version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, 1, name);
    put_text(&mut out, 2, version);
    for (number, files) in [
        (3, &files.xprotos),
        (4, &files.decls),
        (5, &files.attics),
        (6, &files.convenience_methods),
        (7, &files.migrations),
    ] {
        for file in files {
            put_bytes(&mut out, number, &file_message(file));
        }
    }
    if !core_version.is_empty() {
        put_text(&mut out, 8, core_version);
    }
    out
}

fn file_message(file: &ServiceFile) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.contents.len() + file.name.len() + 12);
    put_text(&mut out, 1, &file.name);
    put_text(&mut out, 2, &file.contents);
    out
}

/// `UnloadModelsRequest`.
pub(super) fn unload_models(name: &str, version: &str, cleanup: Cleanup) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, 1, name);
    put_text(&mut out, 2, version);
    let cleanup = match cleanup {
        Cleanup::RequireClean => 0,
        Cleanup::AutomaticallyClean => 1,
        Cleanup::Purge => 2,
    };
    if cleanup != 0 {
        put_int32(&mut out, 3, cleanup);
    }
    out
}

/// `LoadModelsReply` and `UnloadModelsReply`.
pub(super) fn load_status(bytes: &[u8]) -> Result<LoadStatus, WireFault> {
    let mut status = 0;
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        match (number, wire_type) {
            (1, WireType::Varint) => status = reader.varint()? as i32,
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(match status {
        0 => LoadStatus::Success,
        1 => LoadStatus::NothingChanged,
        201 => LoadStatus::TryAgain,
        other => LoadStatus::Other(other),
    })
}

/// The core's version in a `VersionInfo`.
pub(super) fn version(bytes: &[u8]) -> Result<String, WireFault> {
    let mut version = String::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        match (number, wire_type) {
            (1, WireType::Bytes) => version = text(reader.bytes()?),
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(version)
}

/// `LoadStatusReply`: how the core's last start went, and what is loaded.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Exit status of the core's start; 0 is fine.
    pub(super) model_status: i32,
    /// What the start printed.
    pub(super) model_output: String,
    /// The services whose models it knows; one is `core`.
    pub(super) services: Vec<ModelsStatus>,
}

/// Reads a `LoadStatusReply`.
pub(super) fn loaded(bytes: &[u8]) -> Result<Loaded, WireFault> {
    let mut loaded = Loaded::default();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        match (number, wire_type) {
            (1, WireType::Varint) => loaded.model_status = reader.varint()? as i32,
            (2, WireType::Bytes) => loaded.model_output = text(reader.bytes()?),
            (3, WireType::Bytes) => loaded.services.push(service(reader.bytes()?)?),
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(loaded)
}

fn service(bytes: &[u8]) -> Result<ModelsStatus, WireFault> {
    let (mut name, mut version, mut state) = (String::new(), String::new(), LoadState::Present);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        match (number, wire_type) {
            (1, WireType::Bytes) => name = text(reader.bytes()?),
            (2, WireType::Bytes) => version = text(reader.bytes()?),
            (3, WireType::Bytes) => {
                state = match reader.bytes()? {
                    b"load" => LoadState::Load,
                    b"unload" => LoadState::Unload,
                    _ => LoadState::Present,
                }
            }
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(ModelsStatus { name, version, state })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_has_its_files_in_their_places() {
        let file = |name: &str| vec![ServiceFile { name: name.into(), contents: "x".into() }];
        let files = ServiceFiles {
            xprotos: file("a"),
            decls: file("b"),
            attics: file("c"),
            convenience_methods: file("d"),
            migrations: file("e"),
        };
        let message = load_models("n", "v", &files, ">=4.0.0");
        let expected = b"\x0a\x01n\x12\x01v\x1a\x06\x0a\x01a\x12\x01x\x22\x06\x0a\x01b\x12\x01x\x2a\x06\x0a\x01c\x12\x01x2\x06\x0a\x01d\x12\x01x:\x06\x0a\x01e\x12\x01xB\x07>=4.0.0";
        assert_eq!(message, expected);
        // An empty version of the core is left out: the core has a default of its own.
        assert_eq!(load_models("n", "v", &ServiceFiles::default(), ""), b"\x0a\x01n\x12\x01v");
    }

    #[test]
    fn an_unload_says_what_happens_to_objects() {
        assert_eq!(unload_models("n", "v", Cleanup::RequireClean), b"\x0a\x01n\x12\x01v");
        assert_eq!(unload_models("n", "v", Cleanup::AutomaticallyClean), b"\x0a\x01n\x12\x01v\x18\x01");
        assert_eq!(unload_models("n", "v", Cleanup::Purge), b"\x0a\x01n\x12\x01v\x18\x02");
    }

    #[test]
    fn what_a_load_came_to_is_read() {
        let check = |bytes: &[u8], expected| assert_eq!(load_status(bytes), Ok(expected));
        check(b"", LoadStatus::Success);
        check(b"\x08\x01", LoadStatus::NothingChanged);
        check(b"\x08\xc9\x01", LoadStatus::TryAgain);
        check(b"\x08\x65", LoadStatus::Other(101));
        // A field that this version does not know.
        check(b"\x12\x01x\x08\x01", LoadStatus::NothingChanged);
        assert!(load_status(b"\x08").is_err());
    }

    #[test]
    fn the_version_of_the_core_is_read() {
        assert_eq!(version(b"\x0a\x054.0.4\x12\x062.7.18").unwrap(), "4.0.4");
        assert_eq!(version(b"").unwrap(), "");
    }

    #[test]
    fn what_is_loaded_is_read() {
        let loaded = loaded(b"\x08\x01\x12\x03bad\x1a\x11\x0a\x04mine\x12\x031.0\x1a\x04load").unwrap();
        assert_eq!((loaded.model_status, loaded.model_output.as_str()), (1, "bad"));
        let expected = ModelsStatus { name: "mine".into(), version: "1.0".into(), state: LoadState::Load };
        assert_eq!(loaded.services, [expected]);
    }
}
