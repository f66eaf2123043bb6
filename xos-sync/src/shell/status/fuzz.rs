//! What may stand in `backend_register` and `backend_status`, by whomever it was written: it is read without a fault,
//! and what follows from it can be stored and read again.

use super::*;
use crate::choices::{Choices, damaged, words};
use crate::shell::clock::Clock;
use crate::shell::facts::{time_of, version_of};
use crate::shell::{failures, register_next_run};

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud800",
    "null",
    "true",
    "-",
    "1",
    "0.5",
    "1e400",
    "1e308",
    "-1e308",
    "5e-324",
    "99999999999999999999",
    "-0.0",
    "NaN",
    "Infinity",
    "next_run",
    "\"next_run\":",
    "\"exponent\":",
    "\"version\":",
    "\"kind\":",
    "\"deferred\"",
    "\"innocuous\"",
    "\"last_success\":",
    "\"last_failure\":",
    "\"failures\":",
    "\"1700000000.123457\"",
    "\"inf\"",
    "\"nan\"",
    "\u{0}",
    "é",
    " // ",
    "//",
    "OK",
    " ",
    "\n",
];

const SAMPLES: &[&str] = &[
    r#"{"next_run": 0, "last_failure": 1.5, "last_success": 1.0, "exponent": 2, "failures": 2}"#,
    r#"{"next_run":1700000005.5,"exponent":3,"last_failure":1700000000.5,"failures":3,"version":"1700000000.123457","kind":"deferred"}"#,
    "Provisioning in progress // Maybe later",
];

#[test]
fn backend_register() {
    let clock = Clock::new();
    bolero::check!().with_iterations(10_000).for_each(|bytes: &[u8]| {
        let mut choices = Choices(bytes);
        let text = match choices.below(4) {
            0 => choices.text(),
            1 => words(&mut choices, WORDS),
            2 => object(&mut choices),
            _ => {
                let sample = choices.below(SAMPLES.len());
                damaged(&mut choices, SAMPLES[sample], WORDS)
            }
        };
        check_register(&text, &clock);
        check_status(&text);
    });
}

/// JSON of the right keys, with values of any kind.
fn object(choices: &mut Choices<'_>) -> String {
    let keys =
        ["next_run", "exponent", "last_success", "last_failure", "failures", "version", "kind", "more"];
    let mut entries = Vec::new();
    while !choices.is_over() {
        let key = choices.pick(&keys);
        let mut double = || {
            let bits: Vec<u8> = (0..8).map(|_| choices.byte()).collect();
            f64::from_le_bytes(bits.try_into().unwrap_or_default())
        };
        let value = match (key, double()) {
            ("version", double) => format!("\"{double}\""),
            ("kind", _) => {
                choices.pick(&["\"deferred\"", "\"innocuous\"", "\"Deferred\"", "null"]).to_owned()
            }
            (_, double) if choices.one_in(2) => format!("{double:?}"),
            _ => choices
                .pick(&["0", "1", "3", "65535", "65536", "4294967295", "1.5", "-1", "null", "\"1\"", "[]"])
                .to_owned(),
        };
        entries.push(format!("\"{key}\": {value}"));
    }
    format!("{{{}}}", entries.join(", "))
}

fn check_register(text: &str, clock: &Clock) {
    let register = Register::read(text);
    let written = register.write();
    assert!(is_same(&Register::read(&written), &register), "{text:?} became {written:?}");
    // What the engine is told of it.
    let _ = clock.moment_of(register.next_run);
    if let Some(time) = register.last_success {
        assert!(time.is_finite());
        let _ = clock.moment_of(time + 60.0);
    }
    if let Some(version) = register.version() {
        let back = time_of(version_of(version));
        assert_eq!(back.seconds().to_bits(), version.seconds().to_bits());
    }
    // What people are shown of it.
    let told = failures(text);
    assert_eq!(told.count, register.exponent);
    for time in [told.next, told.last].into_iter().flatten() {
        assert!(!time.to_string().is_empty());
    }
    assert!(register_next_run(text).is_none_or(|next| next > 0.0 && next.is_finite()));
    // What is written after the next failure, and after a success.
    let (now, kind) = (Timestamp::from_seconds(1_700_000_000.5), register.failure_kind());
    let attempts = u16::try_from(register.exponent).unwrap_or(u16::MAX).saturating_add(1);
    let version = register.version().unwrap_or(now);
    let failed = register.failure(now, clock_time(register.next_run), attempts, version, kind);
    for next in [failed, Register::success(now)] {
        let written = next.write();
        assert!(is_same(&Register::read(&written), &next), "{next:?} became {written:?}");
        assert!(written.len() <= LONGEST && written.is_ascii(), "{} bytes: {written}", written.len());
    }
}

/// The last digits of a double may change when it is read: hence the version is a text. All else is exact.
fn is_same(one: &Register, other: &Register) -> bool {
    let exact = |register: &Register| Register {
        next_run: 0.0,
        last_success: register.last_success.map(|_| 0.0),
        last_failure: register.last_failure.map(|_| 0.0),
        ..register.clone()
    };
    let doubles =
        |register: &Register| [Some(register.next_run), register.last_success, register.last_failure];
    let near = |one: f64, other: f64| (one - other).abs() <= one.abs() * 1e-12 + f64::MIN_POSITIVE;
    let mut doubles = doubles(one).into_iter().zip(doubles(other));
    exact(one) == exact(other)
        && doubles.all(|(one, other)| near(one.unwrap_or_default(), other.unwrap_or_default()))
}

/// The engine gives no time that is not finite.
fn clock_time(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds } else { 0.0 }
}

fn check_status(text: &str) {
    let (status, news) =
        text.split_at(text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at));
    // Half a separator at the end of one message makes a whole one with what follows.
    let is_plain = !status.replace(SEPARATOR, "").contains('/') && !news.contains('/');
    let news = message(news);
    assert!(news.is_ascii() && news.len() <= LONGEST);
    let status = with_message(&message(status), &news);
    assert!(status.is_ascii() && status.len() <= LONGEST, "{} bytes", status.len());
    if is_plain {
        // The newest message shows, and saying it again changes nothing.
        assert!(status.contains(&news), "{news:?} is not in {status:?}");
        assert_eq!(with_message(&status, &news), status);
    }
}

#[test]
fn a_register_that_is_deep_or_long_is_read_all_the_same() {
    for text in
        ["[".repeat(100_000), "{\"a\":".repeat(100_000), "9".repeat(1_000_000), "\"".repeat(1_000_000)]
    {
        assert_eq!(Register::read(&text), Register::default());
    }
    let deep = format!("{{\"more\": {}1{}, \"exponent\": 2}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Register::read(&deep).exponent, 2, "what it does not know is skipped, however deep");
}
