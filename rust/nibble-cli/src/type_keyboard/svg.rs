//! A screen as a picture, for documents: SVG that follows the reader's light or dark background.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use ratatui::text::Span;

/// Size of a cell, and the space around the screen, in pixels.
const CELL_WIDTH: f32 = 8.5;
const CELL_HEIGHT: f32 = 19.0;
const MARGIN: f32 = 10.0;
/// Where the letters stand in a cell.
const BASELINE: f32 = 14.0;

const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\
.page{fill:#fff;stroke:#d0d7de}.line{fill:none;stroke:#b1bac4}.accent{fill:#0969da}.dim{fill:#6e7781}\
.inverse{fill:#fff}.bold{font-weight:bold}.underlined{text-decoration:underline}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117;stroke:#30363d}.line{stroke:#484f58}\
.accent{fill:#4ea1ff}.dim{fill:#8b949e}.inverse{fill:#0d1117}}";

/// The screen's text, line by line, without spaces at the ends of lines.
pub(crate) fn text(buffer: &Buffer) -> String {
    let lines = rows(buffer).map(|row| {
        let line: String = row.iter().map(|(_, cell)| cell.symbol()).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The screen as an SVG document.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let width = f32::from(buffer.area.width) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f32::from(buffer.area.height) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut shapes = String::new();
    let mut lines = String::new();
    for (index, row) in rows(buffer).enumerate() {
        let y = MARGIN + index as f32 * CELL_HEIGHT;
        for word in words(&row) {
            draw_word(&word, y, &mut shapes);
        }
        for (column, cell) in row {
            let x = MARGIN + f32::from(column) * CELL_WIDTH;
            lines.push_str(&strokes(cell.symbol(), x, y));
        }
    }
    let (page_width, page_height) = (width - 1.0, height - 1.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{page_width}\" height=\"{page_height}\" rx=\"8\"/>\n\
         <path class=\"line\" d=\"{lines}\"/>\n{shapes}</svg>\n"
    )
}

/// The cells of each row with their columns; what a wide character covers is left out.
fn rows(buffer: &Buffer) -> impl Iterator<Item = Vec<(u16, &Cell)>> {
    let area = buffer.area;
    (area.top()..area.bottom()).map(move |y| {
        let mut row = Vec::new();
        let mut free = area.left();
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell((x, y)).filter(|_| x >= free) {
                free = x.saturating_add(columns(cell.symbol()).max(1));
                row.push((x, cell));
            }
        }
        row
    })
}

fn columns(symbol: &str) -> u16 {
    u16::try_from(Span::raw(symbol).width()).unwrap_or(u16::MAX)
}

/// Neighbouring cells of one style without a space in them.
struct Word<'a> {
    column: u16,
    columns: u16,
    text: String,
    cell: &'a Cell,
}

fn words<'a>(row: &[(u16, &'a Cell)]) -> Vec<Word<'a>> {
    let mut words: Vec<Word<'a>> = Vec::new();
    for &(column, cell) in row {
        let reversed = cell.modifier.contains(Modifier::REVERSED);
        if (cell.symbol() == " " && !reversed) || is_stroke(cell.symbol()) {
            continue;
        }
        let columns = columns(cell.symbol());
        match words.last_mut() {
            Some(word)
                if word.column + word.columns == column && word.cell.style() == cell.style() =>
            {
                word.text.push_str(cell.symbol());
                word.columns += columns;
            }
            _ => words.push(Word {
                column,
                columns,
                text: cell.symbol().to_owned(),
                cell,
            }),
        }
    }
    words
}

fn draw_word(word: &Word<'_>, y: f32, shapes: &mut String) {
    let x = MARGIN + f32::from(word.column) * CELL_WIDTH;
    let width = f32::from(word.columns) * CELL_WIDTH;
    let modifier = word.cell.modifier;
    let reversed = modifier.contains(Modifier::REVERSED);
    let accent = word.cell.fg != Color::Reset;
    let classes = [
        (reversed, "inverse"),
        (accent && !reversed, "accent"),
        (modifier.contains(Modifier::DIM), "dim"),
        (modifier.contains(Modifier::BOLD), "bold"),
        (modifier.contains(Modifier::UNDERLINED), "underlined"),
    ];
    let classes = classes.iter().filter(|class| class.0).map(|class| class.1);
    let classes = classes.collect::<Vec<_>>().join(" ");
    let class = match classes.as_str() {
        "" => String::new(),
        classes => format!(" class=\"{classes}\""),
    };
    if reversed {
        shapes.push_str(&format!(
            "<rect class=\"accent\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{CELL_HEIGHT}\" rx=\"3\"/>\n"
        ));
    }
    let baseline = y + BASELINE;
    // The length keeps columns in line, whatever font the reader has.
    shapes.push_str(&format!(
        "<text{class} x=\"{x}\" y=\"{baseline}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
        escaped(&word.text)
    ));
}

/// Whether a character is drawn as lines, which join from cell to cell as those of a font seldom do.
fn is_stroke(symbol: &str) -> bool {
    !strokes(symbol, 0.0, 0.0).is_empty()
}

/// The lines of a frame's or the cursor's character in the cell at `x` and `y`, as path data.
fn strokes(symbol: &str, x: f32, y: f32) -> String {
    let (middle, centre) = (x + CELL_WIDTH / 2.0, y + CELL_HEIGHT / 2.0);
    let (right, bottom) = (x + CELL_WIDTH, y + CELL_HEIGHT);
    match symbol {
        "─" => format!("M{x} {centre}H{right}"),
        "│" => format!("M{middle} {y}V{bottom}"),
        "┌" => format!("M{middle} {bottom}V{centre}H{right}"),
        "┐" => format!("M{middle} {bottom}V{centre}H{x}"),
        "└" => format!("M{middle} {y}V{centre}H{right}"),
        "┘" => format!("M{middle} {y}V{centre}H{x}"),
        _ => String::new(),
    }
}

/// Text as it stands in an XML document. Characters that XML has no place for are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            character if character.is_control() => {}
            character if character.is_ascii() => escaped.push(character),
            // Writing to a string does not fail.
            character => drop(write!(escaped, "{character}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn screen() -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "a<b & ☂😀x", Style::new());
        buffer.set_string(0, 1, "┌word", Style::new().bold());
        buffer.set_string(7, 1, "[hi]", Style::new().reversed());
        buffer
    }

    #[test]
    fn a_wide_character_takes_one_place_in_the_text() {
        assert_eq!(text(&screen()), "a<b & ☂😀x\n┌word  [hi]");
    }

    #[test]
    fn what_xml_reserves_is_escaped_and_words_keep_their_columns() {
        let picture = svg(&screen());
        assert!(picture.contains(">a&lt;b</text>"), "{picture}");
        assert!(picture.contains(">&amp;</text>"), "{picture}");
        // Behind a character of two columns.
        let x = MARGIN + 6.0 * CELL_WIDTH;
        assert!(
            picture.contains(&format!("x=\"{x}\" y=\"24\" textLength=\"34\"")),
            "{picture}"
        );
        assert!(picture.contains("<rect class=\"accent\""), "{picture}");
        assert!(
            !picture.contains('┌'),
            "frames are drawn as lines: {picture}"
        );
        assert_eq!(escaped("a\u{1b}\u{ffff}b"), "ab");
    }
}
