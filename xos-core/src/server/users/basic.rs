//! The credentials in the metadata `authorization`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::Status;

use crate::passwords::hash::Secret;

/// An e-mail address and a password.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) email: String,
    pub(super) password: Secret,
}

impl Credentials {
    /// The credentials in the value of `authorization`; none when it is of another scheme than `Basic`.
    ///
    /// # Errors
    ///
    /// `UNKNOWN`, as from the core, when they cannot be taken apart.
    pub(super) fn parse(value: &str) -> Result<Option<Self>, Status> {
        let Some((scheme, encoded)) = value.split_once(' ') else { return Err(malformed()) };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        let decoded = decode(encoded).ok_or_else(malformed)?;
        // No e-mail address has a colon; a password may.
        let (email, password) = decoded.split_once(':').ok_or_else(malformed)?;
        Ok(Some(Credentials { email: email.to_owned(), password: Secret::from(password) }))
    }
}

fn malformed() -> Status {
    Status::unknown("Exception calling application: need more than 1 value to unpack")
}

/// Base64 as the core takes it: what is not of its alphabet is passed over, padding may be missing.
fn decode(encoded: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'+' || *byte == b'/';
    let encoded: Vec<u8> = encoded.bytes().filter(known).collect();
    String::from_utf8(engine.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Option<(String, String)>, String> {
        let parsed = Credentials::parse(value).map_err(|status| status.message().to_owned())?;
        Ok(parsed.map(|found| (found.email, String::from_utf8_lossy(found.password.bytes()).into_owned())))
    }

    #[test]
    fn credentials_are_taken_apart_at_the_first_colon() {
        let found = |email: &str, password: &str| Ok(Some((email.to_owned(), password.to_owned())));
        assert_eq!(parse("Basic YUBiOndvcmQ="), found("a@b", "word"));
        assert_eq!(parse("basic YUBiOndvcmQ"), found("a@b", "word"));
        assert_eq!(parse("BASIC YTpiOmM="), found("a", "b:c"));
        assert_eq!(parse("Basic YTo="), found("a", ""));
        assert_eq!(parse("Bearer abc"), Ok(None));
    }

    #[test]
    fn what_is_no_basic_is_told_as_the_core_does() {
        for bad in ["Basic", "", "Basic ***", "Basic YUBi", "Basic /////w=="] {
            let text = "Exception calling application: need more than 1 value to unpack";
            assert_eq!(parse(bad), Err(text.to_owned()), "{bad}");
        }
    }
}
