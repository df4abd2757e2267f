//! `nibble backends`: what can run a network here, and what cannot.

use nibble::backend::{Availability, available};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Output, Table};

/// List what can run a model on this machine, and why the rest cannot.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

#[derive(Debug, Serialize)]
struct Report {
    backends: Vec<BackendReport>,
}

#[derive(Debug, Serialize)]
struct BackendReport {
    backend: &'static str,
    device: &'static str,
    usable: bool,
    /// Why it cannot be used, or in what it is limited.
    remark: Option<String>,
}

impl From<Availability> for BackendReport {
    fn from(found: Availability) -> BackendReport {
        BackendReport {
            backend: found.backend.name(),
            device: found.device.name(),
            usable: found.usable,
            remark: found.remark,
        }
    }
}

pub(crate) fn run(_: &Arguments, output: &Output) -> Result<(), Failure> {
    let backends: Vec<BackendReport> = available().into_iter().map(Into::into).collect();
    if output.is_json() {
        return output.object(&Report { backends });
    }
    let mut table = Table::default();
    table.row([&"BACKEND", &"DEVICE", &"USABLE", &""]);
    for found in &backends {
        let usable = if found.usable { "yes" } else { "no" };
        let remark = found.remark.as_deref().unwrap_or_default();
        table.row([&found.backend, &found.device, &usable, &remark]);
    }
    output.line(table)
}
