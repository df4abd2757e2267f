//! The typing engine: a text field in, suggestions out.

use std::collections::VecDeque;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nibble::Model;

use crate::boundary::BoundaryKey;
use crate::boundary_model::BoundaryText;
use crate::case;
use crate::controller::{EngineNotice, Request};
use crate::corrector::{self, Correction, Corrector, Thresholds};
use crate::emoji::EmojiTable;
use crate::field::FieldKind;
use crate::geometry::Layout;
use crate::ghost::PhraseStart;
use crate::lexicon::{LanguageWeights, Lexicons};
use crate::position::{Join, TextPosition, word_ranges, words};
use crate::primer::Primers;
use crate::scheduler::{Lookup, ModelState, Scheduler, Stats, Work};
use crate::scorer::{Completions, ModelEvidence, ScoredWord, Scorer, UserEvidence, Weights};
use crate::suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
use crate::text::fold;
use crate::user_model::{UserModel, UserModelError};
use crate::window::{newest_messages, window};
use crate::word_table::WordTable;

/// How a [`Completer`] works.
#[derive(Debug, Clone)]
pub struct CompleterOptions {
    /// Suggestions that an answer has; [`Completer::set_slots`] changes it.
    pub slots: usize,
    /// How model and lexicons are mixed.
    pub weights: Weights,
    /// What the model reads before the text of each kind of field.
    pub primers: Primers,
    /// Keys of the keyboard, for corrections; `None` for no corrections.
    pub layout: Option<Layout>,
    /// How sure a correction must be to be made without asking.
    pub thresholds: Thresholds,
    /// Emoji that words bring to mind; none by default.
    pub emoji: EmojiTable,
    /// Whether words are suggested that a lexicon marks as offensive. What is typed is never filtered.
    pub suggest_offensive: bool,
    /// Whether an idle model looks for words of several tokens inside a word, which costs batched passes.
    /// For languages whose words seldom are single tokens of the vocabulary.
    pub expand: bool,
    /// Whether an idle model reads the word on that is probably being typed. Hides most of the wait at the
    /// next boundary and costs passes.
    pub look_ahead: bool,
    /// Probability from which on a word is read ahead.
    pub look_ahead_threshold: f32,
    /// Probability that a phrase of ghost text has at least, all its words together.
    pub phrase_threshold: f32,
    /// Bytes that the boundaries visited last may take.
    pub cache_bytes: usize,
}

impl Default for CompleterOptions {
    fn default() -> Self {
        CompleterOptions {
            slots: 3,
            weights: Weights::default(),
            primers: Primers::default(),
            layout: Layout::builtin("qwerty"),
            thresholds: Thresholds::default(),
            emoji: EmojiTable::default(),
            suggest_offensive: false,
            expand: false,
            look_ahead: false,
            look_ahead_threshold: 0.5,
            phrase_threshold: 0.3,
            cache_bytes: 6 << 20,
        }
    }
}

/// Suggests words. Share it between threads as it is.
///
/// [`suggest`](Self::suggest) answers at once, from lexicons and user model alone (tier 0) until the model
/// has been heard on the present word boundary (tier 1), which costs one pass for each word and none inside
/// it. The platform pulls: after an answer that is not `fresh` it calls [`wait_fresh`](Self::wait_fresh) on a
/// thread of its own, or [`poll`](Self::poll) from its loop. Nothing calls back.
///
/// Typed text is in memory only while it is needed, never logged, and stored by the user model alone. It
/// deliberately is not `Debug`.
pub struct Completer {
    options: CompleterOptions,
    lexicons: Lexicons,
    table: Arc<WordTable>,
    corrector: Option<Corrector>,
    hasher: RandomState,
    scheduler: Scheduler,
    typing: Mutex<Typing>,
}

/// What the user is doing.
struct Typing {
    user: Option<UserModel>,
    /// Counts the fields, and what made their text be forgotten. Whatever began in an earlier generation must
    /// not bring its text back.
    generation: u64,
    /// Suggestions that an answer has.
    slots: usize,
    /// The kind of field that is typed into.
    field: FieldKind,
    conversation: Arc<str>,
    /// The question last asked.
    last: Option<Asked>,
    /// The words without typed letters at one boundary, which take longer to find than others.
    next: Option<(NextKey, Completions)>,
    /// Words that were learned when they were accepted, folded, until they are committed as well.
    accepted: VecDeque<String>,
    phrase: Option<ShownPhrase>,
    shown: ShownWords,
}

/// A question, and whether its answer had the model's distribution.
#[derive(Clone)]
struct Asked {
    context: EditorContext,
    taps: Option<Vec<(f32, f32)>>,
    casing: Casing,
    fresh: bool,
}

/// The words that were suggested at one boundary, folded, each with the letters that were typed then.
#[derive(Default)]
struct ShownWords {
    boundary: Option<BoundaryKey>,
    words: Vec<(usize, String)>,
}

#[derive(Clone, PartialEq)]
struct NextKey {
    boundary: Option<BoundaryKey>,
    fresh: bool,
    languages: LanguageWeights,
    count: usize,
}

/// A phrase that was found for a text, and may be typed along.
struct ShownPhrase {
    field: FieldKind,
    /// The text before its first word.
    before: String,
    text: String,
    score: f32,
}

/// A context, taken apart.
struct Question<'a> {
    context: &'a EditorContext,
    position: TextPosition<'a>,
    boundary: Option<(BoundaryKey, BoundaryText)>,
    previous: Option<&'a str>,
    languages: LanguageWeights,
    taps: Option<&'a [(f32, f32)]>,
    casing: Casing,
}

/// In which case completions are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Casing {
    /// In the one that follows from what was typed and from where the sentence begins.
    Shown,
    /// As they are spelled. The controller cases them: it knows the shift key, the field and the settings.
    Spelled,
}

impl Completer {
    /// An engine over these lexicons. The model is prepared in the background.
    pub fn new(
        model: Option<Arc<Model>>,
        lexicons: Lexicons,
        user: Option<UserModel>,
        options: CompleterOptions,
    ) -> Completer {
        let table = Arc::new(WordTable::from_lexicons(&lexicons));
        lexicons.prepare_spelling();
        let scheduler = Scheduler::new(table.clone(), options.cache_bytes);
        let slots = options.slots;
        let completer = Completer {
            corrector: options
                .layout
                .as_ref()
                .map(|layout| Corrector::new(layout).with_thresholds(options.thresholds)),
            options,
            lexicons,
            table,
            hasher: RandomState::new(),
            scheduler,
            typing: Mutex::new(Typing {
                user,
                generation: 0,
                slots,
                field: FieldKind::default(),
                conversation: "".into(),
                last: None,
                next: None,
                accepted: VecDeque::new(),
                phrase: None,
                shown: ShownWords::default(),
            }),
        };
        if model.is_some() {
            completer.scheduler.set_model(model);
        }
        completer
    }

    /// Changes the model. `None` gives its memory back, under memory pressure for instance; suggestions
    /// then come from tier 0 until there is one again.
    pub fn set_model(&self, model: Option<Arc<Model>>) {
        self.typing().next = None;
        self.scheduler.set_model(model);
    }

    /// How the model is.
    pub fn model_state(&self) -> ModelState {
        self.scheduler.model_state()
    }

    /// Waits until the model is prepared, or has failed, and has nothing to do; at most `timeout`. For
    /// measurements and tests.
    pub fn wait_idle(&self, timeout: Duration) {
        self.scheduler.wait_idle(Instant::now() + timeout);
    }

    /// Messages before the field, oldest first, which the model reads before its text. The newest are kept,
    /// up to 2,048 Unicode scalar values, and forgotten on [`blur`](Self::blur).
    pub fn set_conversation(&self, messages: &[&str]) {
        let conversation = newest_messages(messages).into();
        self.typing().conversation = conversation;
    }

    /// Changes how many suggestions an answer has.
    pub fn set_slots(&self, slots: usize) {
        self.typing().slots = slots;
    }

    /// Suggestions for a text field, best first: up to [`slots`](CompleterOptions::slots) of them, and
    /// behind those an automatic correction that found no place. Never runs the model and never waits for
    /// it; asks for its pass where that is missing. In a secure field the answer is empty and all text is
    /// forgotten.
    pub fn suggest(&self, context: &EditorContext) -> Suggestions {
        self.suggest_tapped(context, None)
    }

    /// [`suggest`](Self::suggest) where it is known where the letters of the begun word were tapped: one
    /// point for each, in the coordinates of the layout.
    pub fn suggest_tapped(
        &self,
        context: &EditorContext,
        taps: Option<&[(f32, f32)]>,
    ) -> Suggestions {
        let generation = self.typing().generation;
        self.suggest_in(generation, context, taps, Casing::Shown)
            .unwrap_or_else(|| nothing(context))
    }

    /// [`suggest_tapped`](Self::suggest_tapped), unless `generation` is over.
    fn suggest_in(
        &self,
        generation: u64,
        context: &EditorContext,
        taps: Option<&[(f32, f32)]>,
        casing: Casing,
    ) -> Option<Suggestions> {
        let start = Instant::now();
        let generation = {
            let mut typing = self.in_generation(generation)?;
            if typing.field != context.field {
                typing.field = context.field;
                typing.generation += 1;
            }
            typing.generation
        };
        let suggestions = match self.question(context) {
            Some(question) => {
                let question = Question {
                    taps,
                    casing,
                    ..question
                };
                self.answer(generation, &question)?
            }
            None => {
                if context.field.is_secure() {
                    self.reset();
                }
                nothing(context)
            }
        };
        self.scheduler.count_suggest(start.elapsed());
        Some(suggestions)
    }

    /// [`suggest`](Self::suggest) once the model has been heard, or where `timeout` has passed or the
    /// model cannot answer. Blocks; another thread may call anything meanwhile, and the answer is empty where
    /// that was [`focus`](Self::focus), [`blur`](Self::blur) or [`reset`](Self::reset).
    pub fn wait_fresh(&self, context: &EditorContext, timeout: Duration) -> Suggestions {
        let deadline = Instant::now() + timeout;
        let generation = self.typing().generation;
        let question = self.question(context);
        if let Some((key, text)) = question.and_then(|question| question.boundary) {
            self.post_in(generation, Work::Boundary { key, text });
            self.scheduler.wait(key, deadline);
        }
        self.suggest_in(generation, context, None, Casing::Shown)
            .unwrap_or_else(|| nothing(context))
    }

    /// A better answer for the context that [`suggest`](Self::suggest) was last asked about, if its
    /// answer was not fresh and the model has been heard since.
    pub fn poll(&self) -> Option<Suggestions> {
        let (generation, asked) = {
            let typing = self.typing();
            (typing.generation, typing.last.clone())
        };
        let asked = asked.filter(|asked| !asked.fresh)?;
        let (key, _) = self.question(&asked.context)?.boundary?;
        if !self.scheduler.knows(key) {
            return None;
        }
        let taps = asked.taps.as_deref();
        self.suggest_in(generation, &asked.context, taps, asked.casing)
    }

    /// Whether [`poll`](Self::poll) is going to give something: the last answer was not fresh, and a model that is ready works
    /// on what was asked, or has been heard since.
    pub fn awaits_model(&self) -> bool {
        if self.model_state() != ModelState::Ready {
            return false;
        }
        let asked = self.typing().last.clone().filter(|asked| !asked.fresh);
        asked
            .and_then(|asked| self.question(&asked.context)?.boundary)
            .is_some_and(|(key, _)| self.scheduler.expects(key))
    }

    /// How the text goes on for several words, where the model is sure enough; the suggestion replaces the
    /// begun word. Asks for it, and gives it on a later call: call it when nothing is typed for a moment.
    /// What is typed along a known phrase shortens it without a pass.
    pub fn ghost(&self, context: &EditorContext) -> Option<Suggestion> {
        // A phrase has no place in the middle of a line.
        if !(context.after.is_empty() || context.after.starts_with('\n')) {
            return None;
        }
        let generation = self.typing().generation;
        let question = self.question(context)?;
        let (key, text) = question.boundary.clone()?;
        let typed = question.position.typed;
        if let Some(phrase) = self.typed_along(context, &question) {
            return Some(phrase);
        }
        let lookup = self.scheduler.look_up(Some(key));
        let completions =
            self.completions(&question, &lookup, &mut *self.in_generation(generation)?);
        lookup.distribution.as_ref()?;
        let best = completions.words.first()?;
        let probability = best.probability / completions.mass;
        if probability < self.options.phrase_threshold || best.offensive {
            return None;
        }
        let word = case::shown(&best.text, typed, self.capital(&question));
        let start = PhraseStart {
            text,
            word,
            probability,
            threshold: self.options.phrase_threshold,
        };
        let phrase_key = BoundaryKey(key.0 ^ self.hash(&start.word).rotate_left(1));
        match self.scheduler.phrase(phrase_key) {
            None => {
                let key = phrase_key;
                self.post_in(generation, Work::Phrase { key, start });
                None
            }
            Some(None) => None,
            Some(Some(phrase)) if self.offends(&phrase.text, &question) => None,
            Some(Some(phrase)) => {
                let head = context.before.len() - typed.len();
                self.in_generation(generation)?.phrase = Some(ShownPhrase {
                    field: context.field,
                    before: context.before.get(..head).unwrap_or_default().to_owned(),
                    text: phrase.text,
                    score: phrase.probability.ln(),
                });
                self.typed_along(context, &question)
            }
        }
    }

    /// Whether a word of `text` is one that is not to be suggested.
    fn offends(&self, text: &str, question: &Question<'_>) -> bool {
        let is_offensive = |word: &str| self.lexicons.is_offensive(word, &question.languages);
        !self.options.suggest_offensive && words(text).any(is_offensive)
    }

    /// The rest of the phrase shown last, if the text has gone on along it.
    fn typed_along(&self, context: &EditorContext, question: &Question<'_>) -> Option<Suggestion> {
        let typing = self.typing();
        let phrase = typing
            .phrase
            .as_ref()
            .filter(|phrase| phrase.field == context.field)?;
        let typed = context.before.strip_prefix(phrase.before.as_str())?;
        let rest = phrase
            .text
            .strip_prefix(typed)
            .filter(|rest| !rest.trim().is_empty())?;
        let word = question.position.typed;
        Some(Suggestion {
            text: format!("{word}{rest}"),
            kind: SuggestionKind::Phrase,
            score: phrase.score,
            replace: word.chars().count(),
            automatic: false,
        })
    }

    /// The user took a suggestion of the last answer: its words are learned, where the field learns.
    ///
    /// # Errors
    /// Those of [`UserModel::observe`]; nothing is learned then, and all else works on.
    pub fn accept(&self, suggestion: &Suggestion) -> Result<(), UserModelError> {
        let Some(Asked { context, .. }) = self.typing().last.clone() else {
            return Ok(());
        };
        if suggestion.kind == SuggestionKind::Emoji {
            return Ok(());
        }
        let kept = context
            .before
            .chars()
            .count()
            .saturating_sub(suggestion.replace);
        let before: String = context.before.chars().take(kept).collect();
        self.learn(context.field, &before, &suggestion.text, Occasion::Accept)
    }

    /// The user finished words: `text` stands after `before` and was gone on from. They are learned, where
    /// the field (that of the last [`focus`](Self::focus) or [`suggest`](Self::suggest)) learns; words that
    /// were learned when they were accepted are not learned twice.
    ///
    /// # Errors
    /// Those of [`UserModel::observe`]; what comes after the word that failed is not learned.
    pub fn commit(&self, before: &str, text: &str) -> Result<(), UserModelError> {
        let field = self.typing().field;
        self.learn(field, before, text, Occasion::Commit)
    }

    fn learn(
        &self,
        field: FieldKind,
        before: &str,
        text: &str,
        occasion: Occasion,
    ) -> Result<(), UserModelError> {
        let mut typing = self.typing();
        let Typing { user, accepted, .. } = &mut *typing;
        let Some(user) = user.as_mut().filter(|_| field.learns()) else {
            return Ok(());
        };
        let time = now();
        let whole = format!("{before}{text}");
        for range in word_ranges(text) {
            let start = before.len() + range.start;
            let word = text.get(range).unwrap_or_default();
            if occasion == Occasion::Commit
                && let Some(known) = accepted.iter().position(|other| *other == fold(word))
            {
                accepted.remove(known);
                continue;
            }
            let context = sentence_words(whole.get(..start).unwrap_or_default());
            user.observe(field, &context, word, time)?;
            if occasion == Occasion::Accept {
                if accepted.len() == UNCOMMITTED_WORDS {
                    accepted.pop_front();
                }
                accepted.push_back(fold(word));
            }
        }
        typing.next = None;
        Ok(())
    }

    /// The user took a correction back: `typed` stands again, and is not corrected from now on.
    ///
    /// # Errors
    /// Those of [`UserModel::revert`].
    pub fn revert(&self, typed: &str) -> Result<(), UserModelError> {
        let mut typing = self.typing();
        let field = typing.field;
        if let Some(user) = typing.user.as_mut().filter(|_| field.learns()) {
            user.revert(field, typed, now())?;
        }
        Ok(())
    }

    /// Typing begins in a field: a secure one forgets all text; any other has its primer read ahead.
    pub fn focus(&self, field: FieldKind) {
        let generation = {
            let mut typing = self.typing();
            typing.generation += 1;
            typing.field = field;
            typing.last = None;
            typing.accepted.clear();
            typing.phrase = None;
            typing.generation
        };
        if field.is_secure() {
            self.reset();
            return;
        }
        if let Some((key, text)) = self.boundary_behind(String::new(), field) {
            self.post_in(generation, Work::Boundary { key, text });
        }
    }

    /// Typing ended: work stops, the text and the conversation are forgotten. Boundaries stay, which hold no
    /// text.
    pub fn blur(&self) {
        self.typing().forget();
        self.scheduler.pause();
    }

    /// Takes what a [`KeyboardController`](crate::KeyboardController) has to tell the engine. Words are learned
    /// from [`EngineNotice::Commit`] alone, once they stand.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit) and [`revert`](Self::revert).
    pub fn notify(&self, notice: &EngineNotice) -> Result<(), UserModelError> {
        match notice {
            EngineNotice::Focus { field } => self.focus(*field),
            EngineNotice::Blur => self.blur(),
            EngineNotice::Revert { typed, .. } => return self.revert(typed),
            EngineNotice::Commit { before, text } => return self.commit(before, text),
            EngineNotice::Accept { .. } => {}
        }
        Ok(())
    }

    /// Answers a request of a [`KeyboardController`](crate::KeyboardController). Completions are spelled as the
    /// lexicon or the model does: their case is the controller's.
    pub fn answer_request(&self, request: &Request) -> Suggestions {
        // One point for each letter, or none.
        let points: Option<Vec<(f32, f32)>> = request
            .taps
            .iter()
            .map(|tap| tap.map(|tap| (tap.x, tap.y)))
            .collect();
        let points = points.filter(|points| !points.is_empty());
        let context = &request.context;
        let generation = self.typing().generation;
        self.suggest_in(generation, context, points.as_deref(), Casing::Spelled)
            .unwrap_or_else(|| nothing(context))
    }

    /// Forgets all text and everything derived from it: context, conversation, boundaries, mailbox and the
    /// KV cache. The model and what the user taught stay.
    pub fn reset(&self) {
        self.typing().forget();
        self.scheduler.wipe();
    }

    /// Counts and times so far.
    pub fn stats(&self) -> Stats {
        let mut stats = self.scheduler.stats();
        stats.memory_bytes += self.table.size_bytes();
        stats
    }

    /// Calls `use_it` with the user model, to list, change or export it; `None` where there is none.
    pub fn with_user_model<T>(&self, use_it: impl FnOnce(&mut UserModel) -> T) -> Option<T> {
        let mut typing = self.typing();
        typing.next = None;
        typing.user.as_mut().map(use_it)
    }

    fn typing(&self) -> MutexGuard<'_, Typing> {
        self.typing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user's typing, unless `generation` is over.
    fn in_generation(&self, generation: u64) -> Option<MutexGuard<'_, Typing>> {
        Some(self.typing()).filter(|typing| typing.generation == generation)
    }

    /// Posts work over a text, unless `generation` is over. It cannot end in between, so that what ends it
    /// also takes the work away.
    fn post_in(&self, generation: u64, work: Work) {
        if let Some(_typing) = self.in_generation(generation) {
            self.scheduler.post(work);
        }
    }

    fn hash(&self, text: &str) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one(text)
    }

    /// Takes a context apart; `None` in fields without suggestions.
    fn question<'a>(&self, context: &'a EditorContext) -> Option<Question<'a>> {
        if !context.field.suggests() {
            return None;
        }
        let position = TextPosition::of(&context.before);
        let asks_model = position.join != Join::Unusual && context.field != FieldKind::Url;
        let boundary = asks_model.then(|| {
            let text = BoundaryText {
                primer: self.options.primers.of(context.field).clone(),
                conversation: self.typing().conversation.clone(),
                window: window(position.context).to_owned(),
                join: position.join,
            };
            (text.key(&self.hasher), text)
        });
        let sentence = sentence_words(position.context);
        let previous = sentence
            .last()
            .copied()
            .filter(|_| !position.begins_sentence);
        let languages = match self.lexicons.as_slice() {
            [] | [_] => LanguageWeights::default(),
            _ => self.lexicons.weights(&sentence),
        };
        Some(Question {
            context,
            position,
            boundary,
            previous,
            languages,
            taps: None,
            casing: Casing::Shown,
        })
    }

    /// Whether a next word is offered with a capital.
    fn capital(&self, question: &Question<'_>) -> bool {
        question.position.begins_sentence && question.context.field.capitalizes()
    }

    fn answer(&self, generation: u64, question: &Question<'_>) -> Option<Suggestions> {
        let context = question.context;
        let key = question.boundary.as_ref().map(|(key, _)| *key);
        let lookup = self.scheduler.look_up(key);
        let fresh = lookup.distribution.is_some();
        let boundary = question.boundary.clone().filter(|_| !fresh);
        if let Some((key, text)) = boundary.or_else(|| self.boundary_after_comma(question)) {
            self.post_in(generation, Work::Boundary { key, text });
        }

        let mut typing = self.in_generation(generation)?;
        typing.last = Some(Asked {
            context: context.clone(),
            taps: question.taps.map(<[_]>::to_vec),
            casing: question.casing,
            fresh,
        });
        if !continues_word(&question.position) {
            return Some(Suggestions {
                epoch: context.epoch,
                items: Vec::new(),
                fresh,
            });
        }
        let mut completions = self.completions(question, &lookup, &mut typing);
        if self.options.expand {
            self.add_expansion(question, &lookup, &mut completions);
        }
        let slots = typing.slots;
        let mut items = self.completion_items(question, &completions, slots);
        if context.field.corrects() && !question.position.typed.is_empty() {
            self.add_corrections(question, &lookup, &completions, &typing, &mut items);
        }
        drop(typing);
        let automatic = items
            .iter()
            .skip(slots)
            .find(|item| item.automatic)
            .cloned();
        items.truncate(slots);
        self.add_emoji(question, slots, &mut items);
        items.extend(automatic);

        if fresh && self.options.look_ahead {
            self.look_ahead(generation, question, &completions, &items);
        }
        Some(Suggestions {
            epoch: context.epoch,
            items,
            fresh,
        })
    }

    /// Behind a comma a space follows, so the boundary is asked for before that is typed.
    fn boundary_after_comma(&self, question: &Question<'_>) -> Option<(BoundaryKey, BoundaryText)> {
        let before = question.context.before.strip_suffix(',')?;
        let is_prose = before.ends_with(char::is_alphabetic) && question.context.field.corrects();
        if !is_prose {
            return None;
        }
        self.boundary_behind(format!("{before}, "), question.context.field)
    }

    /// The boundary at the end of `before`, where the model is asked there.
    fn boundary_behind(
        &self,
        before: String,
        field: FieldKind,
    ) -> Option<(BoundaryKey, BoundaryText)> {
        let context = EditorContext {
            before,
            field,
            ..EditorContext::default()
        };
        self.question(&context)?.boundary
    }

    fn completions(
        &self,
        question: &Question<'_>,
        lookup: &Lookup,
        typing: &mut Typing,
    ) -> Completions {
        // Some are taken out again: offensive ones, and words that differ in case alone.
        let count = 2 * typing.slots + 4;
        let typed = question.position.typed;
        if !typed.is_empty() {
            return self.with_scorer(question, lookup, typing.user.as_ref(), |scorer| {
                scorer.completions(typed, count)
            });
        }
        let key = NextKey {
            boundary: question.boundary.as_ref().map(|(key, _)| *key),
            fresh: lookup.distribution.is_some(),
            languages: question.languages.clone(),
            count,
        };
        match &typing.next {
            Some((known, completions)) if *known == key => completions.clone(),
            _ => {
                let found = self.with_scorer(question, lookup, typing.user.as_ref(), |scorer| {
                    scorer.completions("", count)
                });
                typing.next = Some((key, found.clone()));
                found
            }
        }
    }

    fn with_scorer<T>(
        &self,
        question: &Question<'_>,
        lookup: &Lookup,
        user: Option<&UserModel>,
        score: impl FnOnce(&Scorer<'_>) -> T,
    ) -> T {
        let model = match (&lookup.view, &lookup.distribution) {
            (Some(view), Some(distribution)) => Some(ModelEvidence {
                index: &view.index,
                words: &view.words,
                distribution,
                join: question.position.join,
                inside_sentence: !question.position.begins_sentence,
            }),
            _ => None,
        };
        let languages = match question.languages.as_slice() {
            [] => &[1.0],
            several => several,
        };
        score(&Scorer {
            table: &self.table,
            model,
            user: user.map(|model| UserEvidence::new(model, question.previous)),
            languages,
            weights: &self.options.weights,
        })
    }

    /// Adds the words of several tokens that are known here, and asks for them where they are not.
    fn add_expansion(
        &self,
        question: &Question<'_>,
        lookup: &Lookup,
        completions: &mut Completions,
    ) {
        let typed = question.position.typed;
        let (Some((key, text)), Some(distribution)) = (&question.boundary, &lookup.distribution)
        else {
            return;
        };
        let key = BoundaryKey(key.0 ^ self.hash(typed).rotate_left(2));
        let Some(expansion) = self.scheduler.expansion(key) else {
            self.scheduler.post(Work::Expansion {
                key,
                text: text.clone(),
                typed: typed.to_owned(),
                distribution: distribution.clone(),
            });
            return;
        };
        let by_model = 1.0 - self.options.weights.lexicon;
        for word in expansion
            .words
            .iter()
            .filter(|word| fold(&word.text) != fold(typed))
        {
            let probability = word.probability * by_model;
            let folded = fold(&word.text);
            match completions
                .words
                .iter_mut()
                .find(|known| fold(&known.text) == folded)
            {
                Some(known) => known.probability = known.probability.max(probability),
                None => completions.words.push(ScoredWord {
                    text: word.text.clone(),
                    probability,
                    learned: false,
                    offensive: self.lexicons.is_offensive(&folded, &question.languages),
                }),
            }
        }
        completions
            .words
            .sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let sum: f32 = completions.words.iter().map(|word| word.probability).sum();
        completions.mass = completions.mass.max(sum + completions.typed);
    }

    fn completion_items(
        &self,
        question: &Question<'_>,
        completions: &Completions,
        slots: usize,
    ) -> Vec<Suggestion> {
        let typed = question.position.typed;
        let replace = typed.chars().count();
        let kind = match typed {
            "" => SuggestionKind::Next,
            _ => SuggestionKind::Completion,
        };
        let capital = self.capital(question);
        let shown = |word: &ScoredWord| !word.offensive || self.options.suggest_offensive;
        let mut words: Vec<&ScoredWord> = Vec::new();
        for word in completions.words.iter().filter(|word| shown(word)) {
            let folded = fold(&word.text);
            if words.len() < slots && words.iter().all(|other| fold(&other.text) != folded) {
                words.push(word);
            }
        }
        // What the user has typed repeatedly has the last slot, once two letters of it stand there.
        let learned = completions.words.iter().filter(|word| shown(word));
        let mut learned = learned.filter(|word| word.learned && replace >= LEARNED_FROM);
        if words.len() == slots
            && !words.iter().any(|word| word.learned)
            && let (Some(last), Some(word)) = (words.last_mut(), learned.next())
        {
            *last = word;
        }
        let items = words.into_iter().map(|word| Suggestion {
            text: match question.casing {
                Casing::Shown => case::shown(&word.text, typed, capital),
                Casing::Spelled => case::with_apostrophe_of(typed, word.text.clone()),
            },
            kind,
            score: (word.probability / completions.mass).ln(),
            replace,
            automatic: false,
        });
        items.collect()
    }

    /// What may have been meant by the word before the cursor, likeliest first, by all that is known now; for
    /// measurements. [`suggest`](Self::suggest) shows it among the completions.
    pub fn corrections(
        &self,
        context: &EditorContext,
        taps: Option<&[(f32, f32)]>,
    ) -> Vec<Correction> {
        let Some(question) = self.question(context) else {
            return Vec::new();
        };
        let question = Question { taps, ..question };
        let key = question.boundary.as_ref().map(|(key, _)| *key);
        let lookup = self.scheduler.look_up(key);
        self.corrections_of(&question, &lookup, &self.typing())
    }

    fn corrections_of(
        &self,
        question: &Question<'_>,
        lookup: &Lookup,
        typing: &Typing,
    ) -> Vec<Correction> {
        let Some(corrector) = &self.corrector else {
            return Vec::new();
        };
        let user = typing.user.as_ref();
        self.with_scorer(question, lookup, user, |scorer| {
            corrector.correct(
                &corrector::Request {
                    typed: question.position.typed,
                    taps: question.taps,
                    is_sentence_start: question.position.begins_sentence,
                    prior: &|word| scorer.probability_of(word).max(f32::MIN_POSITIVE).ln(),
                    knows_context: lookup.distribution.is_some(),
                    is_protected: &|word| user.is_some_and(|user| user.is_protected(word)),
                },
                &self.lexicons,
                &question.languages,
            )
        })
    }

    /// Adds corrections among the completions, by probability: that a longer word is meant so far, or that
    /// the word is complete and mistyped, are two explanations of the same letters.
    fn add_corrections(
        &self,
        question: &Question<'_>,
        lookup: &Lookup,
        completions: &Completions,
        typing: &Typing,
        items: &mut Vec<Suggestion>,
    ) {
        let typed = question.position.typed;
        let corrections = self.corrections_of(question, lookup, typing);
        // Completions and corrections are all that may be meant.
        let sum: f32 = corrections
            .iter()
            .map(|correction| correction.log_probability.exp())
            .sum();
        let mass = completions.mass + sum;
        let normalizer = mass.ln() - completions.mass.ln();
        items.iter_mut().for_each(|item| item.score -= normalizer);
        let mut same_letters = None;
        for correction in corrections {
            if correction.offensive && !self.options.suggest_offensive {
                continue;
            }
            let item = Suggestion {
                score: correction.log_probability - mass.ln(),
                text: case::with_apostrophe_of(typed, correction.word),
                kind: SuggestionKind::Correction,
                replace: typed.chars().count(),
                automatic: correction.automatic,
            };
            let folded = fold(&item.text);
            if folded == fold(typed) {
                // Only its capitals differ: not worth a slot, but worth doing.
                same_letters = Some(item).filter(|item| item.automatic);
                continue;
            }
            match items.iter_mut().find(|other| fold(&other.text) == folded) {
                Some(other) if item.automatic => {
                    *other = Suggestion {
                        score: item.score.max(other.score),
                        ..item
                    };
                }
                Some(_) => {}
                None => items.push(item),
            }
        }
        items.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(item) = same_letters {
            items.truncate(typing.slots);
            items.push(item);
        }
    }

    /// Adds an emoji that the complete word before the cursor brings to mind. It takes a free slot, or the
    /// last one from a word that is hardly meant.
    fn add_emoji(&self, question: &Question<'_>, slots: usize, items: &mut Vec<Suggestion>) {
        let typed = question.position.typed;
        let word = match (typed, question.position.join) {
            ("", Join::Space) => words(question.position.context).last().filter(|word| {
                // Not after a comma or the end of a sentence.
                question.position.context.ends_with(word)
            }),
            _ => Some(typed),
        };
        let Some(symbol) = word.and_then(|word| self.options.emoji.of(word).first()) else {
            return;
        };
        let is_hardly_meant = |item: &Suggestion| item.score < LEAST_BESIDE_EMOJI.ln();
        if items.len() >= slots
            && items
                .pop_if(|item| !typed.is_empty() && is_hardly_meant(item))
                .is_none()
        {
            return;
        }
        let least = LEAST_BESIDE_EMOJI.ln();
        items.push(Suggestion {
            text: symbol.clone(),
            kind: SuggestionKind::Emoji,
            score: items.last().map_or(least, |last| last.score.min(least)),
            replace: 0,
            automatic: false,
        });
    }

    /// Reads on after the words that one of which is probably being typed, all in one pass. Words that were
    /// shown before and passed over are not it.
    fn look_ahead(
        &self,
        generation: u64,
        question: &Question<'_>,
        completions: &Completions,
        items: &[Suggestion],
    ) {
        let typed = question.position.typed;
        let letters = typed.chars().count();
        let boundary = question.boundary.as_ref().map(|(key, _)| *key);
        let capital = self.capital(question);
        let mut words: Vec<String> = Vec::new();
        let (mut passed_over, mut probability) = (0.0, 0.0);
        {
            let Some(mut typing) = self.in_generation(generation) else {
                return;
            };
            let shown = &mut typing.shown;
            if shown.boundary != boundary {
                shown.boundary = boundary;
                shown.words.clear();
            }
            shown.words.retain(|(typed, _)| *typed <= letters);
            let is_earlier = |word: &str| {
                let word = fold(word);
                let mut shown = shown.words.iter();
                shown.any(|(typed, other)| *typed < letters && *other == word)
            };
            for word in &completions.words {
                if is_earlier(&word.text) {
                    passed_over += word.probability / completions.mass;
                }
            }
            for item in items.iter().filter(|item| item.replace == letters) {
                if !is_earlier(&item.text) {
                    probability += item.score.exp();
                    words.push(case::shown(&item.text, typed, capital));
                }
            }
            let new = items.iter().map(|item| (letters, fold(&item.text)));
            shown.words.extend(new);
        }
        if !typed.is_empty() {
            probability += completions.typed / completions.mass;
            words.push(typed.to_owned());
        }
        if probability / (1.0 - passed_over).max(0.05) < self.options.look_ahead_threshold {
            return;
        }
        let before = &question.context.before;
        let head = before.get(..before.len() - typed.len()).unwrap_or_default();
        let boundaries = words.into_iter().filter_map(|word| {
            let ahead = format!("{head}{word} ");
            let boundary = self.boundary_behind(ahead, question.context.field)?;
            (!self.scheduler.knows(boundary.0)).then_some(boundary)
        });
        let boundaries: Vec<_> = boundaries.collect();
        if !boundaries.is_empty() {
            self.post_in(generation, Work::LookAhead { boundaries });
        }
    }
}

/// Why words are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Accept,
    Commit,
}

/// Accepted words that are remembered until they are committed.
const UNCOMMITTED_WORDS: usize = 64;
/// Typed letters from which on a word of the user's has a slot.
const LEARNED_FROM: usize = 2;
/// Probability from which on a word in the last slot does not make way for an emoji.
const LEAST_BESIDE_EMOJI: f32 = 0.02;

impl Typing {
    fn forget(&mut self) {
        self.generation += 1;
        self.conversation = "".into();
        self.last = None;
        self.next = None;
        self.accepted.clear();
        self.phrase = None;
        self.shown = ShownWords::default();
    }
}

fn nothing(context: &EditorContext) -> Suggestions {
    Suggestions {
        epoch: context.epoch,
        ..Suggestions::default()
    }
}

/// Whether there is something to suggest: at a boundary, in a word, or in one whose space was forgotten.
fn continues_word(position: &TextPosition<'_>) -> bool {
    match position.join {
        Join::Space | Join::Direct => true,
        Join::Unusual => {
            !position.typed.is_empty() && position.context.ends_with([',', ';', '!', '?', '…'])
        }
    }
}

/// The last words of the sentence that `text` ends in, oldest first.
fn sentence_words(text: &str) -> Vec<&str> {
    const WORDS: usize = 8;
    const CHARACTERS: usize = 160;
    let from = text
        .char_indices()
        .rev()
        .take(CHARACTERS)
        .last()
        .map_or(0, |(index, _)| index);
    let tail = text.get(from..).unwrap_or_default();
    let sentence = tail
        .rsplit(['.', '!', '?', '\n', '…'])
        .next()
        .unwrap_or_default();
    let mut found: Vec<&str> = words(sentence).collect();
    found.split_off(found.len().saturating_sub(WORDS))
}

/// Seconds since 1970.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::{Entry, Lexicon, build};
    use crate::user_model::Bounds;

    #[test]
    fn of_a_conversation_the_newest_messages_are_kept() {
        let lexicons = Lexicons::new(Vec::new());
        let completer = Completer::new(None, lexicons, None, CompleterOptions::default());
        let messages: Vec<String> = (1000..2000).map(|number| format!("no {number}")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        completer.set_conversation(&messages);
        let question = EditorContext::default();
        let question = completer.question(&question).unwrap();
        let (_, text) = question.boundary.unwrap();
        let first = 2000 - 2048 / "no 1000\n".len();
        assert!(text.conversation.starts_with(&format!("no {first}\n")));
        assert!(text.conversation.ends_with("\nno 1999"));
    }

    #[test]
    fn what_began_before_a_field_lost_the_focus_brings_nothing_of_it_back() {
        let user = UserModel::in_memory(Bounds::default());
        let completer = Completer::new(
            None,
            Lexicons::new(Vec::new()),
            Some(user),
            CompleterOptions::default(),
        );
        let message = EditorContext {
            before: "my pin is ".to_owned(),
            ..EditorContext::default()
        };
        let ends: [fn(&Completer); 4] = [
            |completer| completer.focus(FieldKind::Password),
            |completer| completer.focus(FieldKind::NoLearning),
            Completer::blur,
            Completer::reset,
        ];
        for end in ends {
            completer.suggest(&message);
            let generation = completer.typing().generation;
            end(&completer);
            let field = completer.typing().field;
            assert_eq!(
                completer.suggest_in(generation, &message, None, Casing::Shown),
                None
            );
            let question = completer.question(&message).unwrap();
            assert_eq!(completer.answer(generation, &question), None);
            let typing = completer.typing();
            assert_eq!(typing.field, field);
            assert!(typing.last.is_none());
        }
        completer.focus(FieldKind::Password);
        completer.commit("", "zerubbabel").unwrap();
        completer.revert("zerubbabel").unwrap();
        assert_eq!(
            completer.with_user_model(|user| user.is_empty()),
            Some(true)
        );
    }

    #[test]
    fn a_phrase_offends_by_any_of_its_words() {
        let entry = |word: &str, offensive| Entry {
            word: word.to_owned(),
            count: 1,
            offensive,
        };
        let mut file = Vec::new();
        let words = [entry("the", false), entry("damn", true)];
        build("en", words, &mut file).unwrap();
        let lexicon = Arc::new(Lexicon::from_bytes(file).unwrap());
        for suggest_offensive in [false, true] {
            let options = CompleterOptions {
                suggest_offensive,
                ..CompleterOptions::default()
            };
            let lexicons = Lexicons::new(vec![lexicon.clone()]);
            let completer = Completer::new(None, lexicons, None, options);
            let context = EditorContext::default();
            let question = completer.question(&context).unwrap();
            assert_eq!(
                completer.offends("the whole Damn", &question),
                !suggest_offensive
            );
            assert!(!completer.offends("the whole", &question));
        }
    }
}
