//! What goes wrong, how often, and until when.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::random::Random;

/// Makes the enum, the list of all and their names from one list.
macro_rules! troubles {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal; )+) => {
        /// One kind of what goes wrong in a simulation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Trouble {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl Trouble {
            /// All of them.
            pub const ALL: &'static [Trouble] = &[$( Trouble::$name, )+];

            fn text(self) -> &'static str {
                match self {
                    $( Trouble::$name => $text, )+
                }
            }
        }
    };
}

troubles! {
    /// The program dies at an await of a handler, or before or after a call of the core or the backend, and is started
    /// again later.
    Crash = "program dies";
    /// The program is told to stop, and is started again later.
    Stop = "program is stopped";
    /// When the program is started again, its clock was set forwards or back, up to a day.
    ProgramClock = "program's clock is set";
    /// The core is away for a while: each call fails, and the feed says so.
    CoreAway = "core is away";
    /// The core is started again: what is under way gets no answer, and the feed has lost its place.
    CoreRestart = "core restarts";
    /// The core's clock is set forwards or back, up to a day.
    CoreClock = "core's clock is set";
    /// A call does not reach the core.
    CallLost = "call is lost";
    /// A call takes effect, and its answer is lost.
    AnswerLost = "answer is lost";
    /// A call reaches the core late.
    CallLate = "call is late";
    /// What was read comes late: meanwhile it is old.
    StaleRead = "read is stale";
    /// A change is not told: the next scan finds it.
    ChangeLost = "change is not told";
    /// A change is told twice.
    ChangeTwice = "change is told twice";
    /// A change is told late, after later ones.
    ChangeLate = "change is told late";
    /// The feed loses its place.
    FeedGap = "feed has a gap";
    /// The backend takes its time.
    BackendSlow = "backend is slow";
    /// The backend fails before it did anything.
    BackendFails = "backend fails";
    /// The backend does it, and its answer is lost.
    BackendAnswerLost = "backend's answer is lost";
    /// The backend never answers: the step's deadline ends that.
    BackendHangs = "backend hangs";
    /// The backend is down for a while.
    BackendDown = "backend is down";
    /// What a client or step does wrong at random with [`Backend::one_in`](super::Backend::one_in).
    Own = "trouble of the test's own";
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How many kinds there are.
pub(super) const KINDS: usize = Trouble::ALL.len();

/// What goes wrong in one world.
pub(super) struct Weather {
    random: Random,
    /// Once in so many chances; 0 for never.
    rates: [u64; KINDS],
    calm: AtomicBool,
    counts: [AtomicU64; KINDS],
}

impl Weather {
    /// Nothing goes wrong.
    pub(super) fn calm(random: Random) -> Self {
        Weather {
            random,
            rates: [0; KINDS],
            calm: AtomicBool::new(true),
            counts: [const { AtomicU64::new(0) }; KINDS],
        }
    }

    /// Some of these go wrong: a world has its own mixture, so that some see much of a few, others a little of all.
    pub(super) fn rough(random: Random, kinds: &[Trouble]) -> Self {
        let mut weather = Weather::calm(random);
        weather.calm = AtomicBool::new(false);
        for kind in kinds {
            let rate = weather.random.pick(&[0, 8, 16, 32, 64, 128]).copied().unwrap_or_default();
            if let Some(place) = weather.rates.get_mut(*kind as usize) {
                // A handler that hangs costs a deadline: a world full of them comes to nothing.
                *place = if *kind == Trouble::BackendHangs { rate * 4 } else { rate };
            }
        }
        // There is always somebody who dies, and always something else.
        for kind in [Trouble::Crash, Trouble::CallLost] {
            if kinds.contains(&kind)
                && let Some(place) = weather.rates.get_mut(kind as usize)
            {
                *place = (*place).max(32);
            }
        }
        weather
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    fn rate(&self, kind: Trouble) -> u64 {
        self.rates.get(kind as usize).copied().unwrap_or_default()
    }

    /// Whether this kind goes wrong in this world at all.
    pub(super) fn has(&self, kind: Trouble) -> bool {
        !self.is_calm() && self.rate(kind) > 0
    }

    /// Whether it goes wrong now. It is counted.
    pub(super) fn strikes(&self, kind: Trouble) -> bool {
        self.has(kind) && self.strikes_once_in(kind, self.rate(kind))
    }

    /// The same, once in so many chances.
    pub(super) fn strikes_once_in(&self, kind: Trouble, bound: u64) -> bool {
        let strikes = !self.is_calm() && self.random.one_in(bound);
        if strikes {
            self.count(kind);
        }
        strikes
    }

    /// It went wrong.
    pub(super) fn count(&self, kind: Trouble) {
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often this kind went wrong.
    pub(super) fn count_of(&self, kind: Trouble) -> u64 {
        self.counts.get(kind as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How often each kind went wrong.
    pub(super) fn counts(&self) -> [u64; KINDS] {
        self.counts.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}
