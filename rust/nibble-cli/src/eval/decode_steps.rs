//! How long a decode step takes, measured again and again beside what is told in steps: the speed of a machine
//! that others use too changes within seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble::{CancelHandle, Model, Session, SessionOptions, SpecialTokens};

use super::measures::{Quantiles, milliseconds};
use crate::failure::Failure;

/// Tokens before the step: as many as a keyboard's model has before it.
const DEPTH: usize = 192;
/// Steps of one measurement, without the first, which reads more than one token.
const STEPS: usize = 8;

/// Decode steps of one model, and times told in them.
pub(crate) struct DecodeSteps {
    session: Session,
    tokens: Vec<u32>,
    /// Median of each measurement, in milliseconds.
    medians: Vec<f64>,
    told: Vec<f64>,
    /// All steps, each in medians of its measurement: how steady the machine is.
    spread: Vec<f64>,
}

impl DecodeSteps {
    pub(crate) fn new(model: &Arc<Model>) -> Result<DecodeSteps, Failure> {
        let text = "some words that stand before the cursor ".repeat(DEPTH);
        let mut tokens = model.tokenizer().encode(&text, SpecialTokens::AsText)?;
        tokens.truncate(DEPTH + STEPS);
        let options = SessionOptions {
            context: tokens.len() + 1,
            precision: Some(nibble_keyboard::PRECISION),
            ..SessionOptions::default()
        };
        Ok(DecodeSteps {
            session: Session::new(model.clone(), options)?,
            tokens,
            medians: Vec::new(),
            told: Vec::new(),
            spread: Vec::new(),
        })
    }

    /// Measures, and tells in steps those of `times` that were not told yet.
    pub(crate) fn tell(&mut self, times: &[Duration]) -> Result<(), Failure> {
        let mut steps = Vec::with_capacity(STEPS + 1);
        for end in DEPTH - 1..self.tokens.len() {
            let text = self.tokens.get(..end).unwrap_or_default();
            let start = Instant::now();
            self.session.prefill(text, &CancelHandle::new())?;
            steps.push(milliseconds(&start.elapsed()));
        }
        let steps = steps.split_off(1);
        let step = Quantiles::of(steps.iter().copied()).p50;
        self.spread.extend(steps.iter().map(|time| time / step));
        let new = times.get(self.told.len()..).unwrap_or_default();
        self.told
            .extend(new.iter().map(|time| milliseconds(time) / step));
        self.medians.push(step);
        Ok(())
    }

    /// A step in milliseconds.
    pub(crate) fn step_ms(&self) -> f64 {
        Quantiles::of(self.medians.iter().copied()).p50
    }

    /// All that was told, in steps.
    pub(crate) fn told(&self) -> &[f64] {
        &self.told
    }

    /// The steps themselves, in steps.
    pub(crate) fn spread(&self) -> &[f64] {
        &self.spread
    }
}
