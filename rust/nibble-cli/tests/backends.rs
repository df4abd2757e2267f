//! What can run a network: the choice, the list, and the CPU for what is not there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use serde_json::json;
use support::*;

#[test]
fn every_backend_is_listed_with_the_reason_why_it_cannot_be_used() {
    let report = object(&mut nibble("backends --json"));
    let backends = report["backends"].as_array().unwrap();
    let names: Vec<_> = backends
        .iter()
        .map(|found| {
            (
                found["backend"].as_str().unwrap(),
                found["device"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("cpu", "cpu"),
        ("candle", "cpu"),
        ("candle", "metal"),
        ("candle", "cuda"),
    ];
    assert_eq!(names, expected);
    let shown = succeed(&nibble("backends").output().unwrap());
    for found in backends {
        assert_eq!(keys(found), ["backend", "device", "remark", "usable"]);
        let remark = found["remark"].as_str();
        assert!(
            remark.is_some() || found["usable"] == json!(true),
            "{found}"
        );
        assert!(shown.contains(remark.unwrap_or_default()), "{shown}");
    }
    assert_eq!(backends[0]["usable"], json!(true));
    if !cfg!(feature = "candle") {
        assert!(
            backends[1..]
                .iter()
                .all(|found| found["usable"] == json!(false))
        );
    }
}

#[test]
fn candle_generates_or_says_how_it_is_built() {
    let options = "--max-tokens 4 --kv f32 --activations f32 --json";
    let run = |more: &str| {
        let command = on("generate", tiny(), &format!("{options} {more}"));
        arg(command, "--prompt=In the beginning")
    };
    let cpu = object(&mut run(""));
    assert_eq!(cpu["stats"].get("backend"), None);
    let mut candle = run("--backend candle");
    if cfg!(feature = "candle") {
        let candle = object(&mut candle);
        assert_eq!(candle["stats"]["backend"], "candle");
        assert_eq!(candle["stats"].get("fallback"), None);
        assert_eq!(candle["ids"], cpu["ids"]);
    } else {
        let output = candle.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let (kind, message) = json_error(&output);
        assert_eq!(kind, "backend");
        assert!(message.contains("cargo feature `candle`"), "{message}");
    }
    // No graphics processor that this build knows: our own kernels, and nothing to warn of.
    if !cfg!(any(feature = "candle-metal", feature = "candle-cuda")) {
        let auto = object(&mut run("--backend auto"));
        assert_eq!(auto["stats"]["backend"], "cpu");
        assert_eq!(auto["ids"], cpu["ids"]);
    }
}

#[test]
fn a_device_needs_a_backend_that_has_it() {
    let mut command = on("generate", tiny(), "--device metal --json --prompt x");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let (kind, message) = json_error(&output);
    assert_eq!(kind, "invalid_argument");
    assert!(message.contains("--backend candle"), "{message}");
}

/// Candle's library ends the process where it gets no memory; so what it needs is asked for before.
#[cfg(all(feature = "candle", target_os = "linux"))]
#[test]
fn where_candle_gets_no_memory_the_cpu_runs() {
    let model = nibble_testkit::smollm2();
    let limited = |kibibytes: u32| {
        let script = format!(r#"ulimit -v {kibibytes}; exec "$@""#);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_nibble")]);
        command.arg("generate").arg(&model).args([
            "--backend=candle",
            "--prompt=Hello",
            "--max-tokens=2",
            "--threads=1",
            "--json",
        ]);
        command.output().unwrap()
    };
    let output = limited(400_000);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("out of memory"), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["stats"]["backend"], "cpu");
    assert_eq!(report["stats"]["fallback"], "not_loaded");
    assert_eq!(report["ids"].as_array().unwrap().len(), 2);
}
