//! Draws the keyboard: title, text field, strip, counters, keys.

use std::time::Duration;

use nibble_keyboard::ModelState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use super::keyboard::TypingShell;
use crate::output::bytes;

/// The colour of everything that stands out.
const ACCENT: Color = Color::Cyan;
/// Stands where the cursor is, between two characters.
const CURSOR: &str = "▏";
/// Stands for each character of a secret text.
const SECRET: &str = "•";

const HELP: [&str; 2] = [
    "F1 F2 F3 or Alt-1 Alt-2 Alt-3 take a word   Tab takes a foreseen word",
    "Shift-Tab or → takes all that is foreseen   ← → move   Esc leaves",
];

/// Draws `shell` on the whole of `frame`; `model` is what the model is called, if there is one.
pub(crate) fn draw(frame: &mut Frame<'_>, shell: &TypingShell, model: Option<&str>) {
    let rows = [
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(1),
        Constraint::Length(2),
    ];
    let [title, field, strip, _, counters, _, help] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(title_line(shell, model), title);
    let block = Block::bordered().border_style(dim());
    let inside = block.inner(field);
    let lines = field_lines(shell, inside.width.into(), inside.height.into());
    frame.render_widget(Paragraph::new(lines).block(block), field);
    frame.render_widget(strip_line(shell, strip.width.into()), strip);
    frame.render_widget(
        Paragraph::new(counter_lines(shell).map(Line::raw).to_vec()),
        counters,
    );
    let keys = HELP.map(|line| Line::styled(format!(" {line}"), dim()));
    frame.render_widget(Paragraph::new(keys.to_vec()), help);
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn title_line(shell: &TypingShell, model: Option<&str>) -> Line<'static> {
    let state = match shell.completer().model_state() {
        ModelState::Loading => " (loading)".to_owned(),
        ModelState::Failed(kind) => format!(" (failed: {})", kind.name()),
        _ => String::new(),
    };
    let kind = field_name(shell);
    let model = model.unwrap_or("lexicon only");
    Line::from(vec![
        Span::styled(" nibble type", Style::new().fg(ACCENT).bold()),
        Span::raw(format!("   {model}{state}   {kind}")),
    ])
}

fn field_name(shell: &TypingShell) -> String {
    let name = serde_json::to_value(shell.kind()).ok();
    let name = name.and_then(|name| name.as_str().map(str::to_owned));
    name.unwrap_or_default().replace('_', " ")
}

/// The text as it may be shown.
pub(crate) fn shown(shell: &TypingShell, text: &str) -> String {
    match shell.kind().is_secure() {
        true => SECRET.repeat(text.chars().count()),
        false => text.to_owned(),
    }
}

/// The text, broken into lines, as many as there is room for around the cursor.
fn field_lines(shell: &TypingShell, width: usize, height: usize) -> Vec<Line<'static>> {
    let field = shell.field();
    let before = shown(shell, &field.before());
    let composing = shown(shell, &field.composing());
    // Text that is being composed stands directly before the cursor.
    let rest = before.strip_suffix(composing.as_str());
    let (rest, composing) = match rest {
        Some(rest) => (rest, composing.as_str()),
        None => (before.as_str(), ""),
    };
    let underlined = Style::new().add_modifier(Modifier::UNDERLINED);
    let after = shown(shell, &format!("{}{}", field.selected(), field.after()));
    let pieces = [
        (rest, Style::new()),
        (composing, underlined),
        (CURSOR, Style::new().fg(ACCENT)),
        (shell.ghost(), dim()),
        (after.as_str(), Style::new()),
    ];
    let (lines, cursor) = break_lines(&pieces, width);
    let first = (cursor + 1).saturating_sub(height);
    lines.into_iter().skip(first).take(height).collect()
}

/// One user-perceived character and its width.
type Cell = (Span<'static>, usize);

/// Breaks styled text into lines of at most `width` columns, behind a space where there is one, and gives the
/// index of the line that ends the third piece.
fn break_lines(pieces: &[(&str, Style)], width: usize) -> (Vec<Line<'static>>, usize) {
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    let mut line: Vec<Cell> = Vec::new();
    let mut cursor = 0;
    for (index, (text, style)) in pieces.iter().enumerate() {
        for (number, part) in text.split('\n').enumerate() {
            if number > 0 {
                lines.push(std::mem::take(&mut line));
            }
            let span = Span::raw(part);
            for grapheme in span.styled_graphemes(*style) {
                let cell = Span::styled(grapheme.symbol.to_owned(), grapheme.style);
                let columns = cell.width();
                let used: usize = line.iter().map(|(_, columns)| columns).sum();
                if used + columns > width && !line.is_empty() {
                    let space = line.iter().rposition(|(cell, _)| cell.content == " ");
                    let next = line.split_off(space.map_or(line.len(), |space| space + 1));
                    lines.push(std::mem::replace(&mut line, next));
                }
                line.push((cell, columns));
            }
        }
        if index == 2 {
            cursor = lines.len();
        }
    }
    lines.push(line);
    // The cursor may have moved to the next line together with its word.
    let holds_cursor = |line: &Vec<Cell>| line.iter().any(|(cell, _)| cell.content == CURSOR);
    let cursor = lines
        .iter()
        .skip(cursor)
        .position(holds_cursor)
        .map_or(cursor, |more| cursor + more);
    let lines = lines
        .into_iter()
        .map(|line| line.into_iter().map(|(cell, _)| cell).collect());
    (lines.collect(), cursor)
}

/// The strip: each slot with its number; in brackets the one that replaces the word when it ends.
fn strip_line(shell: &TypingShell, width: usize) -> Line<'static> {
    let strip = shell.strip();
    let room = width / strip.slots.len().max(1);
    let mut spans = vec![Span::raw(" ")];
    for (index, slot) in strip.slots.iter().enumerate() {
        spans.push(Span::styled(format!("{} ", index + 1), dim()));
        let text = shortened(&slot.text, room.saturating_sub(7));
        spans.push(if strip.highlighted == Some(index) {
            Span::styled(
                format!("[{text}]"),
                Style::new().fg(ACCENT).bold().reversed(),
            )
        } else {
            Span::styled(text, Style::new().bold())
        });
        spans.push(Span::raw("   "));
    }
    Line::from(spans)
}

/// `text` in at most `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn counter_lines(shell: &TypingShell) -> [String; 3] {
    let counters = shell.counters();
    let saved = counters
        .saved()
        .map_or_else(|| "–".to_owned(), |saved| format!("{:.1} %", 100.0 * saved));
    let per = counters
        .passes_per_character()
        .map_or_else(|| "–".to_owned(), |passes| format!("{passes:.3}"));
    let heard = match counters.heard {
        None => String::new(),
        Some((last, p95)) => format!(
            "   model heard after {} ms, p95 {} ms",
            milliseconds(last),
            milliseconds(p95)
        ),
    };
    let suggest = match counters.suggest {
        None => "–".to_owned(),
        Some((last, p95)) => format!("{} µs, p95 {} µs", last.as_micros(), p95.as_micros()),
    };
    let pass = counters
        .pass
        .map(|p95| format!("   p95 {} ms", milliseconds(p95)));
    [
        format!(
            " keystrokes saved {saved}   {} keys, {} characters",
            counters.keys, counters.characters
        ),
        format!(
            " passes {}   {per} a character{}   tables {}",
            counters.passes,
            pass.unwrap_or_default(),
            bytes(counters.memory_bytes as u64)
        ),
        format!(" suggestions {suggest}{heard}"),
    ]
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}
