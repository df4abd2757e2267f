//! The words that are close to what was typed: best-first search over the lexicons.

use super::channel::{Evidence, KeyCosts, SECOND_SLIP, TRANSPOSITION, is_mark};
use crate::lexicon::{Letters, Lexicon, Place, Way};

/// A word close to what was typed.
pub(super) struct Close {
    pub(super) word: String,
    /// Cost of the slips that turn it into what was typed.
    pub(super) channel_cost: f32,
}

/// Bounds of a search.
pub(super) struct Limits {
    pub(super) max_edits: u8,
    /// Words whose costs together exceed this are of no interest.
    pub(super) max_cost: f32,
    /// Nor are those that much worse than the best.
    pub(super) slack: f32,
    pub(super) max_words: usize,
    /// Most states that may be opened: bounds the time.
    pub(super) max_states: usize,
}

/// A half-read word: the first `position` typed letters account for the letters of `way`.
#[derive(Clone, Copy)]
struct State {
    place: Place,
    channel_cost: f32,
    way: Way,
    /// Last letter of the way.
    last: Option<char>,
    lexicon: u8,
    position: u8,
    edits: u8,
    is_word: bool,
}

/// Steps of the queue in nats, and how many there are.
const BUCKET: f32 = 0.125;
const BUCKETS: usize = 320;

/// States in the order of their cost, to within one step.
struct Queue {
    buckets: Vec<Vec<State>>,
    first: usize,
}

impl Queue {
    fn new() -> Queue {
        Queue {
            buckets: vec![Vec::new(); BUCKETS],
            first: 0,
        }
    }

    fn push(&mut self, cost: f32, state: State) {
        let bucket = ((cost / BUCKET) as usize).max(self.first);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.push(state);
        }
    }

    /// The next state, and a lower bound of its cost and of all that follow.
    fn pop(&mut self) -> Option<(f32, State)> {
        loop {
            let bucket = self.buckets.get_mut(self.first)?;
            if let Some(state) = bucket.pop() {
                return Some((self.first as f32 * BUCKET, state));
            }
            self.first += 1;
        }
    }
}

/// The words within `limits` of `typed` (folded), roughly in the order of their total cost.
/// `lexicons` come with the logarithms of their weights.
pub(super) fn close_words(
    typed: &[char],
    evidence: &Evidence<'_>,
    keys: &KeyCosts,
    lexicons: &[(&Lexicon, f32)],
    limits: &Limits,
) -> Vec<Close> {
    let mut search = Search {
        typed,
        evidence,
        keys,
        lexicons,
        max_edits: limits.max_edits,
        max_cost: limits.max_cost,
        queue: Queue::new(),
        letters: Letters::default(),
    };
    for (index, (lexicon, _)) in lexicons.iter().enumerate() {
        let Ok(index) = u8::try_from(index) else {
            break;
        };
        let root = State {
            place: lexicon.root(),
            channel_cost: 0.0,
            way: Way::START,
            last: None,
            lexicon: index,
            position: 0,
            edits: 0,
            is_word: false,
        };
        search.push(root);
    }

    let mut found: Vec<Close> = Vec::new();
    let mut opened = 0;
    while let Some((cost, state)) = search.queue.pop() {
        if cost > search.max_cost || opened >= limits.max_states {
            break;
        }
        opened += 1;
        if !state.is_word {
            search.open(state);
            continue;
        }
        let folded = search.letters.read(state.way);
        let Some(&(lexicon, weight)) = lexicons.get(usize::from(state.lexicon)) else {
            continue;
        };
        let Some((word, _)) = lexicon.describe(state.place, &folded) else {
            continue;
        };
        if found.iter().any(|earlier| earlier.word == word) {
            continue;
        }
        let word_cost = lexicon.cost_of_word(state.place).unwrap_or_default() - weight;
        let channel_cost = state.channel_cost;
        search.max_cost = search.max_cost.min(channel_cost + word_cost + limits.slack);
        found.push(Close { word, channel_cost });
        if found.len() >= limits.max_words {
            break;
        }
    }
    found
}

struct Search<'a> {
    typed: &'a [char],
    evidence: &'a Evidence<'a>,
    keys: &'a KeyCosts,
    lexicons: &'a [(&'a Lexicon, f32)],
    max_edits: u8,
    max_cost: f32,
    queue: Queue,
    letters: Letters,
}

impl Search<'_> {
    fn push(&mut self, state: State) {
        let Some(&(lexicon, weight)) = self.lexicons.get(usize::from(state.lexicon)) else {
            return;
        };
        let cost = state.channel_cost + lexicon.least_cost(state.place) - weight;
        if cost <= self.max_cost {
            self.queue.push(cost, state);
        }
    }

    /// Whether a state with these costs is worth the letter it would store.
    fn is_of_interest(&self, lexicon: &Lexicon, weight: f32, place: Place, channel: f32) -> bool {
        channel + lexicon.least_cost(place) - weight <= self.max_cost
    }

    /// Pushes everything that one more letter, typed or meant, can lead to.
    fn open(&mut self, state: State) {
        let Some(&(lexicon, weight)) = self.lexicons.get(usize::from(state.lexicon)) else {
            return;
        };
        let position = usize::from(state.position);
        let next = self.typed.get(position).copied();
        let may_edit = state.edits < self.max_edits;
        let second = if state.edits > 0 { SECOND_SLIP } else { 0.0 };
        let (keys, evidence) = (self.keys, self.evidence);

        if next.is_none()
            && let Some(cost) = lexicon.cost_of_word(state.place)
        {
            let total = state.channel_cost + cost - weight;
            if total <= self.max_cost {
                self.queue.push(
                    total,
                    State {
                        is_word: true,
                        ..state
                    },
                );
            }
        }
        lexicon.for_each_letter(state.place, |letter, place| {
            let mut follow = |cost: f32, typed: u8, edits: u8| {
                let slip = if edits > 0 { second } else { 0.0 };
                let channel_cost = state.channel_cost + cost + slip;
                if self.is_of_interest(lexicon, weight, place, channel_cost) {
                    let way = self.letters.push(state.way, letter);
                    self.push(State {
                        place,
                        channel_cost,
                        way,
                        last: Some(letter),
                        position: state.position + typed,
                        edits: state.edits + edits,
                        ..state
                    });
                }
            };
            match next {
                Some(typed) if typed == letter => follow(0.0, 1, 0),
                Some(typed) => {
                    let edits = u8::from(!is_mark(letter, typed));
                    if edits == 0 || may_edit {
                        let cost = keys.substitution(letter, typed, position, evidence);
                        follow(cost, 1, edits);
                    }
                }
                None => {}
            }
            let is_mark = matches!(letter, '\'' | '-') && state.last.is_some();
            if is_mark || may_edit {
                follow(KeyCosts::omitted(letter, state.last), 0, u8::from(!is_mark));
            }
        });
        if !may_edit {
            return;
        }
        let Some(typed) = next else { return };
        let after = self.typed.get(position + 1).copied();
        let before = position
            .checked_sub(1)
            .and_then(|at| self.typed.get(at))
            .copied();
        self.push(State {
            channel_cost: state.channel_cost + second + keys.extra(typed, before, after),
            position: state.position + 1,
            edits: state.edits + 1,
            ..state
        });
        if let Some(after) = after.filter(|&after| after != typed)
            && let Some(place) = lexicon
                .step(state.place, after)
                .and_then(|place| lexicon.step(place, typed))
        {
            let channel_cost = state.channel_cost + second + TRANSPOSITION;
            if self.is_of_interest(lexicon, weight, place, channel_cost) {
                let way = self.letters.push(state.way, after);
                let way = self.letters.push(way, typed);
                self.push(State {
                    place,
                    channel_cost,
                    way,
                    last: Some(typed),
                    position: state.position + 2,
                    edits: state.edits + 1,
                    ..state
                });
            }
        }
    }
}
