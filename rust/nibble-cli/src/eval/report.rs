//! `nibble eval report`: one page of tables and plots from the results of several runs.

use std::path::PathBuf;

use minijinja::{Environment, context};
use serde::Serialize;

use super::Outcome;
use super::autocorrect::AutocorrectMeasures;
use super::measures::Measures;
use super::plots;
use crate::failure::Failure;
use crate::output::Output;
use crate::typing::read_text;

/// Draw a report from results that `nibble --json eval` wrote.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files of results, one object a line.
    #[arg(required = true)]
    results: Vec<PathBuf>,

    /// Where the page goes.
    #[arg(long, value_name = "FILE")]
    html: PathBuf,

    /// Where the plot of keystrokes saved goes, by itself.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Figure {
    svg: String,
    caption: &'static str,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let mut typing: Vec<Measures> = Vec::new();
    let mut autocorrect: Vec<AutocorrectMeasures> = Vec::new();
    for file in &arguments.results {
        for (index, line) in read_text(file)?.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(Outcome::Typing(measures)) => typing.push(measures),
                Ok(Outcome::Autocorrect(measures)) => autocorrect.push(measures),
                Err(error) => {
                    let (file, line) = (file.display(), index + 1);
                    return Err(Failure::Input(format!("{file}, line {line}: {error}")));
                }
            }
        }
    }
    if typing.is_empty() && autocorrect.is_empty() {
        return Err(Failure::Input("there are no results to draw".to_owned()));
    }
    write(&arguments.html, &page(&typing, &autocorrect)?)?;
    if let Some(file) = &arguments.svg {
        write(file, &plots::keystrokes(&typing).map_err(undrawn)?)?;
    }
    output.remark(format_args!("{}", arguments.html.display()));
    Ok(())
}

fn page(typing: &[Measures], autocorrect: &[AutocorrectMeasures]) -> Result<String, Failure> {
    let mut typing_figures = Vec::new();
    let mut autocorrect_figures = Vec::new();
    if !typing.is_empty() {
        typing_figures.push(Figure {
            svg: plots::keystrokes(typing).map_err(undrawn)?,
            caption: "Keystrokes saved.",
        });
        typing_figures.push(Figure {
            svg: plots::after_letters(typing).map_err(undrawn)?,
            caption: "Words among the first three suggestions, by the letters typed of them (of longer words).",
        });
        typing_figures.push(Figure {
            svg: plots::passes(typing).map_err(undrawn)?,
            caption: "Forward passes for each typed character.",
        });
    }
    if !autocorrect.is_empty() {
        autocorrect_figures.push(Figure {
            svg: plots::trade_off(autocorrect).map_err(undrawn)?,
            caption: "What is repaired against what is changed wrongly, if corrections were made sooner or later.",
        });
    }
    // The name's ending makes the template escape what it is given.
    let mut environment = Environment::new();
    let name = "report.html";
    environment
        .add_template(name, include_str!("report.html"))
        .and_then(|()| environment.get_template(name))
        .and_then(|template| {
            template.render(context! {
                machine => machine(),
                version => env!("CARGO_PKG_VERSION"),
                typing,
                typing_figures,
                autocorrect,
                autocorrect_figures,
            })
        })
        .map_err(|error| undrawn(error.to_string()))
}

fn undrawn(reason: String) -> Failure {
    Failure::Input(format!("the report cannot be drawn: {reason}"))
}

fn write(file: &PathBuf, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|source| Failure::Io {
        what: file.display().to_string(),
        source,
    })
}

/// The processor, its kernels, and how many cores there are.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("a processor that does not tell its name", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernels = nibble_kernels::Kernels::detect().instruction_set().name();
    format!("{model}, {cores} cores, {kernels} kernels")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::perfect_user::Counts;
    use crate::eval::predictor::Costs;

    #[test]
    fn a_page_holds_every_result_and_escapes_what_it_is_given() {
        let counts = Counts {
            characters: 100,
            keys: 48,
            words: 20,
            after: [(10, 7); 6],
            ..Counts::default()
        };
        let measure = |name: &str| {
            Measures::of(
                name.to_owned(),
                "a text".into(),
                3,
                &counts,
                &Costs::default(),
            )
        };
        let page = page(&[measure("one"), measure("<b>two</b> & three")], &[]).unwrap();
        assert!(page.contains("52.0 %") && page.contains("<td>one</td>"));
        assert!(!page.contains("<b>two"));
        assert!(page.contains("&lt;b&gt;two"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(!page.contains("Autocorrection"));
    }
}
