//! The plots of a report, as SVG.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::autocorrect::AutocorrectMeasures;
use super::measures::Measures;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Colours that stay apart for people who confuse some (Okabe and Ito).
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(140, 140, 60),
    RGBColor(90, 90, 90),
];
const TEXT: RGBColor = RGBColor(90, 107, 124);
const WIDTH: u32 = 860;

fn color(index: usize) -> RGBColor {
    COLORS.get(index % COLORS.len()).copied().unwrap_or(TEXT)
}

/// Bars of keystrokes saved.
pub(crate) fn keystrokes(results: &[Measures]) -> Result<String, String> {
    let bars: Vec<(String, f64)> = results.iter().map(|r| (label(r), r.kss)).collect();
    draw(bar_height(&bars), |area| bars_of(area, &bars, 1, " %"))
}

/// Bars of passes for each typed character.
pub(crate) fn passes(results: &[Measures]) -> Result<String, String> {
    let bars: Vec<(String, f64)> = results
        .iter()
        .map(|result| (label(result), result.passes_per_character))
        .collect();
    draw(bar_height(&bars), |area| bars_of(area, &bars, 3, ""))
}

/// Lines over the number of typed letters.
pub(crate) fn after_letters(results: &[Measures]) -> Result<String, String> {
    let lines: Vec<(String, Vec<(f64, f64)>)> = results
        .iter()
        .filter(|result| result.top3_after_letters.iter().any(|share| *share > 0.0))
        .map(|result| {
            let after = (1..).zip(&result.top3_after_letters);
            let after = after.map(|(letters, share)| (f64::from(letters), *share));
            let points = std::iter::once((0.0, result.top3)).chain(after).collect();
            (label(result), points)
        })
        .collect();
    let axes = ("letters typed", "among the first three, %");
    draw(420, |area| lines_of(area, &lines, axes, (6.0, 100.0)))
}

/// Lines of what is repaired against what is changed.
pub(crate) fn trade_off(results: &[AutocorrectMeasures]) -> Result<String, String> {
    let lines: Vec<(String, Vec<(f64, f64)>)> = results
        .iter()
        .map(|result| {
            let points = result.trade_off.iter().map(|at| (at.changed, at.repaired));
            (
                format!("{}: {}", result.name, result.text),
                points.collect(),
            )
        })
        .collect();
    let axes = ("right words changed, %", "slips repaired, %");
    draw(420, |area| lines_of(area, &lines, axes, (1.0, 100.0)))
}

fn label(result: &Measures) -> String {
    format!("{}: {}", result.name, result.text)
}

fn bar_height(bars: &[(String, f64)]) -> u32 {
    20 + 26 * u32::try_from(bars.len()).unwrap_or(1)
}

fn draw(
    height: u32,
    picture: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn Error>>,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        picture(&area).map_err(|error| error.to_string())?;
        area.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

/// Horizontal bars, each with its name on the left and its value at its end.
fn bars_of(
    area: &Area<'_>,
    bars: &[(String, f64)],
    decimals: usize,
    unit: &str,
) -> Result<(), Box<dyn Error>> {
    const LEFT: i32 = 420;
    const RIGHT: i32 = WIDTH as i32 - 80;
    let largest = bars
        .iter()
        .map(|bar| bar.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let font = ("sans-serif", 13).into_font().color(&TEXT);
    let mut y = 10;
    for (index, (name, value)) in bars.iter().enumerate() {
        let length = (f64::from(RIGHT - LEFT) * value.max(0.0) / largest).round() as i32;
        let bar = [(LEFT, y), (LEFT + length, y + 18)];
        area.draw(&Rectangle::new(bar, color(index).filled()))?;
        area.draw(&Text::new(name.clone(), (4, y + 3), font.clone()))?;
        let value = format!("{value:.decimals$}{unit}");
        area.draw(&Text::new(value, (LEFT + length + 6, y + 3), font.clone()))?;
        y += 26;
    }
    Ok(())
}

fn lines_of(
    area: &Area<'_>,
    lines: &[(String, Vec<(f64, f64)>)],
    axes: (&str, &str),
    largest: (f64, f64),
) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..largest.0, 0.0..largest.1)?;
    chart
        .configure_mesh()
        .x_desc(axes.0)
        .y_desc(axes.1)
        .label_style(("sans-serif", 13).into_font().color(&TEXT))
        .axis_style(TEXT)
        .light_line_style(TRANSPARENT)
        .bold_line_style(TEXT.mix(0.2))
        .draw()?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let style = color(index).stroke_width(2);
        let inside = points.iter().filter(|point| point.0 <= largest.0).copied();
        chart
            .draw_series(LineSeries::new(inside, style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .label_font(("sans-serif", 13).into_font().color(&TEXT))
        .border_style(TRANSPARENT)
        .draw()?;
    Ok(())
}
