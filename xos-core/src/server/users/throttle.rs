//! Who guesses passwords has to wait.
//!
//! Wrong credentials are counted four ways, each within a minute:
//!
//! - the same wrong credentials from one address: after 5, they are refused without being looked at. A program with a
//!   wrong password in its configuration harms nobody else;
//! - different passwords for one user from one address: after 5, all for that user from that address are refused, the
//!   right one too. Other users, and other addresses, do not notice;
//! - one user from all addresses, and one address for all users: after 20, all of the user, or from the address, are
//!   refused, except for those who logged in from there within the last day: nobody can lock them out from elsewhere.
//!
//! The first time for 15 s, then for twice as long each time, up to 5 minutes; ten quiet minutes later it begins anew.
//! An address is an IPv4 address, or the network (/64) of an IPv6 one. Whoever is on the Unix socket may do everything
//! anyway, and is not counted. Sessions cannot be guessed, and are not counted either.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::recent::Recent;
use crate::server::call::Peer;

/// Within how many seconds wrong ones are counted.
const WINDOW: f64 = 60.0;

/// How many wrong ones there may be.
const FEW: u32 = 5;
const MANY: u32 = 20;

/// For how many seconds one waits the first time, and at most.
const FIRST_WAIT: f64 = 15.0;
const LONGEST_WAIT: f64 = 300.0;

/// So many seconds after a wait has ended the next one is a first one.
const FORGIVEN: f64 = 600.0;

/// For how many seconds it counts that somebody logged in from an address: a day.
const TRUST: f64 = 24.0 * 3600.0;

/// How many counters of each way are held: about 2 MiB in all.
const MOST: usize = 8192;

/// Something that cannot be read back, or made without the key of this process.
pub(super) type Digested = [u8; 32];

/// A secret of this process.
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    /// What these parts are counted, or compared, by.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> Digested {
        let mut digest = Sha256::new_with_prefix(self.0);
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// What one attempt is counted by; nothing on the Unix socket.
#[derive(Copy, Clone)]
pub(super) struct Attempt(Option<Counted>);

#[derive(Copy, Clone)]
struct Counted {
    credentials: Digested,
    pair: Digested,
    user: Digested,
    address: Digested,
}

impl Attempt {
    /// An attempt of these credentials, of which only a digest is needed.
    pub(super) fn new(key: &Key, email: &str, credentials: &Digested, peer: Peer) -> Self {
        let Peer::Network(address) = peer else { return Attempt(None) };
        let (user, address) = (email.as_bytes(), network(address.ip()));
        Attempt(Some(Counted {
            credentials: key.digest(&[b"credentials", credentials, &address]),
            pair: key.digest(&[b"pair", user, &address]),
            user: key.digest(&[b"user", user]),
            address: key.digest(&[b"address", &address]),
        }))
    }
}

/// The part of an address that one guesser cannot change at will.
fn network(address: IpAddr) -> [u8; 16] {
    let mut octets = match address.to_canonical() {
        IpAddr::V4(address) => return address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    octets[8..].fill(0);
    octets
}

/// Counts wrong credentials.
pub(super) struct Throttle {
    counts: Mutex<Counts>,
}

struct Counts {
    credentials: Recent<Digested, Count>,
    pairs: Recent<Digested, Count>,
    users: Recent<Digested, Count>,
    addresses: Recent<Digested, Count>,
    /// When a user last logged in from an address.
    known: Recent<Digested, f64>,
}

#[derive(Copy, Clone, Default)]
struct Count {
    wrong: u32,
    since: f64,
    waits: u32,
    until: f64,
}

impl Throttle {
    pub(super) fn new() -> Self {
        let counts = Counts {
            credentials: Recent::new(MOST),
            pairs: Recent::new(MOST),
            users: Recent::new(MOST),
            addresses: Recent::new(MOST),
            known: Recent::new(MOST),
        };
        Throttle { counts: Mutex::new(counts) }
    }

    /// Whether an attempt may be looked at.
    ///
    /// # Errors
    ///
    /// How many seconds it has to wait.
    pub(super) fn admit(&self, attempt: &Attempt, now: f64) -> Result<(), f64> {
        let Some(by) = attempt.0 else { return Ok(()) };
        let mut counts = self.counts();
        let known = counts.known.get(&by.pair).is_some_and(|at| (0.0..TRUST).contains(&(now - *at)));
        let mut wait = counts.credentials.get(&by.credentials).map_or(0.0, |count| count.wait(now));
        wait = wait.max(counts.pairs.get(&by.pair).map_or(0.0, |count| count.wait(now)));
        if !known {
            wait = wait.max(counts.users.get(&by.user).map_or(0.0, |count| count.wait(now)));
            wait = wait.max(counts.addresses.get(&by.address).map_or(0.0, |count| count.wait(now)));
        }
        if wait > 0.0 { Err(wait) } else { Ok(()) }
    }

    /// It was wrong.
    pub(super) fn wrong(&self, attempt: &Attempt, now: f64) {
        let Some(by) = attempt.0 else { return };
        let mut counts = self.counts();
        if !add(&mut counts.credentials, by.credentials, FEW, now) {
            return;
        }
        add(&mut counts.pairs, by.pair, FEW, now);
        add(&mut counts.users, by.user, MANY, now);
        add(&mut counts.addresses, by.address, MANY, now);
    }

    /// It was right.
    pub(super) fn right(&self, attempt: &Attempt, now: f64) {
        let Some(by) = attempt.0 else { return };
        let mut counts = self.counts();
        counts.pairs.remove(&by.pair);
        counts.known.insert(by.pair, now);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more, and tells whether it was the first within the window.
fn add(counts: &mut Recent<Digested, Count>, key: Digested, most: u32, now: f64) -> bool {
    let mut count = counts.get(&key).copied().unwrap_or_default();
    let first = count.wrong == 0 || !(0.0..WINDOW).contains(&(now - count.since));
    if first {
        (count.wrong, count.since) = (0, now);
    }
    if !(0.0..FORGIVEN).contains(&(now - count.until)) {
        count.waits = 0;
    }
    count.wrong += 1;
    if count.wrong >= most {
        count.until = now + (FIRST_WAIT * f64::from(2_u32.saturating_pow(count.waits))).min(LONGEST_WAIT);
        count.waits = count.waits.saturating_add(1);
        count.wrong = 0;
    }
    counts.insert(key, count);
    first
}

impl Count {
    /// How many seconds are left; none when the clock was set back meanwhile.
    fn wait(&self, now: f64) -> f64 {
        let left = self.until - now;
        if left > LONGEST_WAIT { 0.0 } else { left.max(0.0) }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the clock of these tests counts whole seconds")]
mod tests {
    use super::*;

    struct World {
        throttle: Throttle,
        key: Key,
        now: f64,
    }

    impl World {
        fn new() -> Self {
            World { throttle: Throttle::new(), key: Key([7; 32]), now: 1_000_000.0 }
        }

        fn attempt(&self, email: &str, password: &str, address: &str) -> Attempt {
            let credentials = self.key.digest(&[email.as_bytes(), password.as_bytes()]);
            let peer = Peer::Network(format!("{address}:1").parse().unwrap());
            Attempt::new(&self.key, email, &credentials, peer)
        }

        /// How long an attempt has to wait; if not at all, it is wrong.
        fn guess(&self, email: &str, password: &str, address: &str) -> f64 {
            let attempt = self.attempt(email, password, address);
            match self.throttle.admit(&attempt, self.now) {
                Ok(()) => {
                    self.throttle.wrong(&attempt, self.now);
                    0.0
                }
                Err(wait) => wait,
            }
        }

        fn admits(&self, email: &str, password: &str, address: &str) -> bool {
            self.throttle.admit(&self.attempt(email, password, address), self.now).is_ok()
        }

        fn logs_in(&self, email: &str, address: &str) {
            self.throttle.right(&self.attempt(email, "right", address), self.now);
        }
    }

    #[test]
    fn a_guesser_of_one_user_waits_and_nobody_else_does() {
        let world = World::new();
        for at in 0..5 {
            assert_eq!(world.guess("joe", &at.to_string(), "10.0.0.1"), 0.0, "{at}");
        }
        assert_eq!(world.guess("joe", "5", "10.0.0.1"), 15.0);
        assert!(!world.admits("joe", "right", "10.0.0.1"));
        assert!(world.admits("joe", "right", "10.0.0.2"));
        assert!(world.admits("ann", "right", "10.0.0.1"));
    }

    #[test]
    fn the_same_wrong_password_again_and_again_harms_nobody_else() {
        let world = World::new();
        for _ in 0..5 {
            assert_eq!(world.guess("joe", "old", "10.0.0.1"), 0.0);
        }
        assert_eq!(world.guess("joe", "old", "10.0.0.1"), 15.0);
        assert!(world.admits("joe", "right", "10.0.0.1"));
    }

    #[test]
    fn each_wait_is_twice_as_long_up_to_five_minutes_and_is_forgiven() {
        let mut world = World::new();
        let mut waits = Vec::new();
        for round in 0..7 {
            for at in 0..5 {
                assert_eq!(world.guess("joe", &format!("{round} {at}"), "10.0.0.1"), 0.0);
            }
            let wait = world.guess("joe", "x", "10.0.0.1");
            waits.push(wait);
            world.now += wait - 1.0;
            assert_eq!(world.guess("joe", "x", "10.0.0.1"), 1.0);
            world.now += 1.0;
        }
        assert_eq!(waits, [15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0]);
        world.now += FORGIVEN;
        for at in 0..5 {
            assert_eq!(world.guess("joe", &format!("z {at}"), "10.0.0.1"), 0.0);
        }
        assert_eq!(world.guess("joe", "x", "10.0.0.1"), 15.0);
    }

    #[test]
    fn wrong_ones_a_minute_apart_are_mistakes() {
        let mut world = World::new();
        for at in 0..100 {
            assert_eq!(world.guess("joe", &at.to_string(), "10.0.0.1"), 0.0, "{at}");
            world.now += 16.0;
        }
    }

    #[test]
    fn one_address_cannot_try_all_users_and_who_is_known_there_may_go_on() {
        let world = World::new();
        world.logs_in("ann", "10.0.0.1");
        for at in 0..20 {
            assert_eq!(world.guess(&at.to_string(), "summer", "10.0.0.1"), 0.0, "{at}");
        }
        assert!(!world.admits("joe", "right", "10.0.0.1"));
        assert!(world.admits("ann", "right", "10.0.0.1"));
        assert!(world.admits("joe", "right", "10.0.0.2"));
    }

    #[test]
    fn one_user_cannot_be_tried_from_everywhere_and_is_not_locked_out_at_home() {
        let mut world = World::new();
        world.logs_in("joe", "10.0.0.1");
        for at in 0..20 {
            assert_eq!(world.guess("joe", &at.to_string(), &format!("10.0.1.{at}")), 0.0, "{at}");
        }
        assert!(!world.admits("joe", "right", "10.0.2.1"));
        assert!(world.admits("joe", "right", "10.0.0.1"));
        world.now += 15.0;
        assert!(world.admits("joe", "right", "10.0.2.1"));
    }

    #[test]
    fn an_address_of_version_6_is_its_network_and_the_socket_is_not_counted() {
        let world = World::new();
        for at in 0..5 {
            assert_eq!(world.guess("joe", &at.to_string(), &format!("[2001:db8::{at}]")), 0.0);
        }
        assert!(!world.admits("joe", "right", "[2001:db8::ffff]"));
        assert!(world.admits("joe", "right", "[2001:db8:0:1::1]"));
        let local = Attempt::new(&world.key, "joe", &[0; 32], Peer::Local);
        for _ in 0..100 {
            world.throttle.wrong(&local, world.now);
        }
        assert!(world.throttle.admit(&local, world.now).is_ok());
    }

    #[test]
    fn counters_do_not_grow_without_bound() {
        let world = World::new();
        for at in 0..3 * MOST {
            let address = format!("10.{}.{}.{}", at >> 16, (at >> 8) & 255, at & 255);
            world.guess(&at.to_string(), "x", &address);
        }
        let counts = world.throttle.counts();
        for count in [&counts.credentials, &counts.pairs, &counts.users, &counts.addresses] {
            assert!(count.len() <= MOST, "{}", count.len());
        }
    }
}
