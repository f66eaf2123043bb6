//! Decisions taken from bytes: a fuzzer that changes a byte changes one decision.

/// The bytes that are left. When there are none, every decision is the first of its possibilities: generators put there
/// what ends.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl Choices<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let byte = usize::from(self.byte());
        let wide = if end > 256 { byte << 8 | usize::from(self.byte()) } else { byte };
        wide % end.max(1)
    }

    pub(crate) fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// Whether something happens that happens one time in so many.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// All that is left, as a text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(std::mem::take(&mut self.0)).into_owned()
    }
}

/// Words in any order.
pub(crate) fn words(choices: &mut Choices<'_>, words: &[&str]) -> String {
    let mut text = String::new();
    while !choices.is_over() {
        text.push_str(choices.pick(words));
        if !choices.one_in(4) {
            text.push(' ');
        }
    }
    text
}

/// The text with up to eight damages: parts taken out, put in, and copied to elsewhere.
pub(crate) fn damaged(choices: &mut Choices<'_>, text: &str, words: &[&str]) -> String {
    let mut text = text.to_owned();
    for _ in 0..8 {
        if choices.is_over() {
            break;
        }
        let start = border(&text, choices.below(text.len() + 1));
        let end = border(&text, start + [0, 0, 1, 1, 2, 5, 20, 80][choices.below(8)]);
        let added = match choices.below(4) {
            0 => String::new(),
            1 => char::from(choices.byte()).to_string(),
            2 => choices.pick(words).to_owned(),
            _ => {
                let from = border(&text, choices.below(text.len() + 1));
                text[from..border(&text, from + choices.below(80))].to_owned()
            }
        };
        text.replace_range(start..end, &added);
    }
    text
}

/// The last place up to this one at which a text can be cut.
fn border(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
