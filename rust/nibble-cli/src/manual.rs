//! `nibble manual`: the manual pages, for whoever packs Nibble.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::Cli;
use crate::failure::Failure;

/// Write the manual pages of this command, one for each subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An existing directory; pages of the same names are replaced.
    directory: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), &arguments.directory).map_err(|source| Failure::Io {
        what: arguments.directory.display().to_string(),
        source,
    })
}
