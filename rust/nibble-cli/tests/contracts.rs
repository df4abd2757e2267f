//! The forms that other programs script: exact keys, and values equal to the reference implementation's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::process::Command;

use nibble_testkit::{fixture, reference::read, smollm2};
use serde_json::{Value, json};
use support::*;

#[test]
fn inspect_describes_the_file() {
    let report = object(&mut on("inspect", tiny(), "--json"));
    let network = json!({
        "layers": 2, "hidden": 256, "ffn": 512, "heads": 8, "kv_heads": 2, "head_dim": 32,
        "vocabulary": 1024, "context_length": 8192, "rope_dimensions": 24, "rope_theta": 10000.0,
        "rope_scaling": "longrope", "original_context_length": 256,
    });
    assert_eq!(report["network"], network);
    assert_eq!(report["architecture"], "phi3");
    assert_eq!(
        (&report["runs"], &report["reason"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(report["tokenizer"]["pre_tokenizer"], "gpt-4o");
    // 2 layers of 2 heads of 32 keys and 32 values.
    assert_eq!(report["kv_cache_bytes_per_token"]["F16"], 512);
    assert_eq!(report["metadata"]["phi3.block_count"], 2);
    assert_eq!(report["metadata"]["tokenizer.ggml.tokens"]["length"], 1024);
    assert_eq!(report["bytes"], std::fs::metadata(tiny()).unwrap().len());
    let tensors = report["tensors"].as_array().unwrap();
    assert_eq!(
        keys(&tensors[0]),
        ["bytes", "name", "offset", "shape", "type"]
    );
    let embedding = tensors
        .iter()
        .find(|tensor| tensor["name"] == "token_embd.weight")
        .unwrap();
    assert_eq!(embedding["shape"], json!([256, 1024]));
}

#[test]
fn inspect_shows_a_file_that_the_engine_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.gguf");
    let mut bytes = std::fs::read(tiny()).unwrap();
    let key = b"general.architecture";
    let at = bytes
        .windows(key.len())
        .position(|window| window == key)
        .unwrap()
        + key.len()
        + 12;
    assert_eq!(&bytes[at..at + 4], b"phi3");
    bytes[at..at + 4].copy_from_slice(b"none");
    std::fs::write(&file, bytes).unwrap();

    let report = object(&mut on("inspect", &file, "--json"));
    assert_eq!(
        (&report["runs"], &report["network"]),
        (&json!(false), &Value::Null)
    );
    assert!(
        report["reason"]
            .as_str()
            .unwrap()
            .contains("architecture \"none\"")
    );
    let shown = succeed(&on("inspect", &file, "--tensors").output().unwrap());
    assert!(
        shown.contains("runs") && shown.contains("token_embd.weight"),
        "{shown}"
    );
}

#[test]
fn tokenize_gives_ids_and_nothing_else() {
    for case in reference("llama-tiny/tokenizer_cases.json")
        .as_array()
        .unwrap()
    {
        let text = case["text"].as_str().unwrap();
        if text.contains('\0') {
            continue; // no argument can hold it
        }
        let model = fixture("llama-tiny/model-q4_0.gguf");
        let command = on("tokenize", model, "--json");
        let found = object(&mut arg(command, format!("--text={text}")));
        // llama-tiny's file asks for BOS, which this command never adds.
        assert_eq!(found, json!({ "ids": case["ids"] }), "{text:?}");
    }
}

#[test]
fn tokenize_reads_special_tokens_unless_told_otherwise() {
    let run = |more| {
        let command = on("tokenize", smollm2(), more);
        ids(&object(&mut arg(command, "--text=<|im_start|>user"))["ids"])
    };
    assert_eq!(run("--json"), [1, 4093]);
    let plain = run("--json --no-special");
    assert!(plain.len() > 2 && !plain.contains(&1), "{plain:?}");
}

#[test]
fn generate_continues_like_the_reference() {
    for (_, case) in reference("smollm2-ref/ref.json").as_object().unwrap() {
        let options = "--max-tokens 6 --temperature 0 --seed 1 --threads 2 --context 64 \
                       --kv f32 --activations f32 --json";
        let command = on("generate", smollm2(), options);
        let prompt = case["text"].as_str().unwrap();
        let report = object(&mut arg(command, format!("--prompt={prompt}")));
        assert_eq!(keys(&report), ["ids", "prompt_ids", "stats", "text"]);
        assert_eq!(report["prompt_ids"], case["ids"]);
        let found = ids(&report["ids"]);
        assert_eq!(found, ids(&case["greedy12"])[..found.len()]);
        let expected = case["greedy_text"].as_str().unwrap();
        assert!(
            expected.contains(report["text"].as_str().unwrap()),
            "{report}"
        );

        let stats = &report["stats"];
        let expected_keys = [
            "decode_tokens_per_second",
            "first_token_ms",
            "generated_tokens",
            "peak_rss_bytes",
            "prefill_tokens_per_second",
            "prompt_tokens",
            "reused_tokens",
        ];
        assert_eq!(keys(stats), expected_keys);
        assert_eq!(
            stats["prompt_tokens"],
            report["prompt_ids"].as_array().unwrap().len()
        );
        assert_eq!(stats["generated_tokens"], found.len());
        assert_eq!(stats["reused_tokens"], 0);
        for rate in [
            "decode_tokens_per_second",
            "first_token_ms",
            "prefill_tokens_per_second",
        ] {
            assert!(stats[rate].as_f64().unwrap() > 0.0, "{stats}");
        }
    }
}

#[test]
fn generate_puts_bos_where_the_file_asks_for_it() {
    let bos = |file: &str, prompt: &str| {
        let command = on("generate", fixture(file), "--max-tokens 1 --json");
        let report = object(&mut arg(command, format!("--prompt={prompt}")));
        let prompt = ids(&report["prompt_ids"]);
        prompt.iter().filter(|&&id| id == 1000).count()
    };
    assert_eq!(bos("llama-tiny/model-q4_0.gguf", "In the beginning"), 1);
    assert_eq!(
        bos(
            "llama-tiny/model-q4_0.gguf",
            "<|begin_of_text|>In the beginning"
        ),
        1
    );
    assert_eq!(bos("phi3-tiny/model-q4_0.gguf", "In the beginning"), 0);
}

#[test]
fn every_cache_and_activation_format_generates() {
    for kv in ["f16", "f32", "q8_0"] {
        for activations in ["q8", "q16", "f32"] {
            let options = format!("--max-tokens 4 --kv {kv} --activations {activations} --json");
            let command = on("generate", tiny(), &options);
            let report = object(&mut arg(command, "--prompt=In the beginning"));
            assert_eq!(
                report["ids"].as_array().unwrap().len(),
                4,
                "{kv} {activations}"
            );
        }
    }
}

#[test]
fn the_seed_decides_and_stop_strings_end() {
    let run = |options: &str| {
        let command = on(
            "generate",
            smollm2(),
            &format!("--max-tokens 12 --json {options}"),
        );
        object(&mut arg(command, "--prompt=Once upon a time"))["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        run("--temperature 1 --seed 1"),
        run("--temperature 1 --seed 1")
    );
    assert_ne!(
        run("--temperature 1 --seed 1"),
        run("--temperature 1 --seed 2")
    );
    let whole = run("");
    let stop = whole.split_whitespace().nth(2).unwrap();
    assert_eq!(
        run(&format!("--stop {stop}")),
        whole[..whole.find(stop).unwrap()]
    );
}

#[test]
fn candidates_are_the_references_best_ten() {
    let reference = reference("smollm2-ref/ref.json");
    let tensors = read(&fixture("smollm2-ref/ref.safetensors"));
    let command = on(
        "candidates",
        smollm2(),
        "--top 10 --kv f32 --activations f32 --json",
    );
    let mut input = String::new();
    for (_, case) in reference.as_object().unwrap() {
        input += &format!(
            "{}\n{}\n",
            json!({ "text": case["text"] }),
            json!({ "ids": case["ids"] })
        );
    }
    let answers = succeed(&with_input(command, input));
    let mut answers = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    for (name, _) in reference.as_object().unwrap() {
        let logits = &tensors[&format!("{name}.last_logits")].data;
        let mut best: Vec<u64> = (0..logits.len() as u64).collect();
        best.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();

        let (from_text, from_ids) = (answers.next().unwrap(), answers.next().unwrap());
        assert_eq!(from_text, from_ids);
        assert_eq!(keys(&from_text), ["top"]);
        let top = from_text["top"].as_array().unwrap();
        assert_eq!(top.len(), 10);
        for (token, expected) in top.iter().zip(best) {
            assert_eq!(keys(token), ["id", "logprob", "text"]);
            assert_eq!(token["id"], expected);
            let logprob = f64::from(logits[expected as usize]) - total.ln();
            assert!(
                (token["logprob"].as_f64().unwrap() - logprob).abs() < 1e-3,
                "{token}"
            );
        }
    }
    assert!(answers.next().is_none());
}

#[test]
fn perplexity_scores_the_second_half_of_each_window() {
    const WINDOW: usize = 6;
    let reference = reference("phi3-tiny/ref.json");
    let tensors = read(&fixture("phi3-tiny/ref.safetensors"));
    let text = reference["prompts"]["short"]["text"].as_str().unwrap();
    // The first window is the beginning of the prompt, so that the reference's logits hold for it.
    let (ids, logits) = (tensors["short.ids"].ids(), &tensors["short.logits"]);
    let scored = WINDOW / 2..WINDOW - 1;
    let loss: f64 = scored
        .clone()
        .map(|position| {
            let row = logits.row(position);
            let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            total.ln() - f64::from(row[ids[position + 1] as usize])
        })
        .sum();

    let model = nibble::gguf::Gguf::open(fixture("phi3-tiny/model-f16.gguf")).unwrap();
    let tokenizer = nibble::Tokenizer::from_gguf(&model).unwrap();
    let first_window = tokenizer.decode(&ids[..WINDOW]).unwrap();
    assert!(text.starts_with(&first_window));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text");
    std::fs::write(&file, &first_window).unwrap();

    let options = format!("--context {WINDOW} --kv f32 --activations f32 --json --file");
    let command = on("perplexity", fixture("phi3-tiny/model-f16.gguf"), &options);
    let report = object(&mut arg(command, &file));
    assert_eq!(keys(&report), ["perplexity", "tokens"]);
    assert_eq!(report["tokens"], scored.len());
    let expected = (loss / scored.len() as f64).exp();
    let found = report["perplexity"].as_f64().unwrap();
    assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");

    // Whole windows count, what is left over does not.
    std::fs::write(&file, text).unwrap();
    let command = on("perplexity", fixture("phi3-tiny/model-f16.gguf"), &options);
    let report = object(&mut arg(command, &file));
    assert_eq!(report["tokens"], ids.len() / WINDOW * scored.len());
}

#[test]
fn bench_measures_what_was_asked() {
    let options = "--pp 32 --tg 4 --depth 8 --threads 2 --repetitions 2 --json";
    let report = object(&mut on("bench", tiny(), options));
    let asked = ["pp", "tg", "depth", "threads"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(asked, [32, 4, 8, 2]);
    for (median, samples) in [
        ("prefill_tokens_per_second", "prefill_samples"),
        ("decode_tokens_per_second", "decode_samples"),
    ] {
        assert!(report[median].as_f64().unwrap() > 0.0);
        assert_eq!(report[samples].as_array().unwrap().len(), 2);
    }
    // Across LongRoPE's border, and without a prefill.
    let report = object(&mut on("bench", tiny(), "--pp 0 --tg 4 --depth 255 --json"));
    assert_eq!(report["prefill_tokens_per_second"], Value::Null);
    assert!(report["decode_tokens_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn selftest_passes_on_every_format() {
    for model in ["f16", "q4_0", "q4_k_m", "q5_k_m", "q8_0"] {
        let model = fixture(&format!("phi3-tiny/model-{model}.gguf"));
        let report = object(&mut on("selftest", model, "--json"));
        assert_eq!(
            (&report["ok"], &report["tokens"]),
            (&json!(true), &json!(64))
        );
        let checks = report["checks"].as_array().unwrap();
        let activations: Vec<_> = checks.iter().map(|check| &check["activations"]).collect();
        assert_eq!(activations, ["f32", "q16", "q8"]);
        // The embedding and two layers.
        assert!(
            checks
                .iter()
                .all(|check| check["layer_errors"].as_array().unwrap().len() == 3)
        );
    }
}

#[test]
fn demo_suggests_words_that_begin_as_typed() {
    let report = object(&mut nibble("demo --json"));
    let sentences = report["sentences"].as_array().unwrap();
    assert!(sentences.len() >= 6);
    let mut suggested = Vec::new();
    for sentence in sentences {
        let typed = sentence["typed"].as_str().unwrap();
        let (finished, begun) = typed.rsplit_once(' ').unwrap();
        let words = sentence["words"].as_array().unwrap();
        for word in words {
            let word = word["text"].as_str().unwrap();
            assert!(
                word.to_lowercase().starts_with(&begun.to_lowercase()),
                "{typed}: {word}"
            );
        }
        let probabilities = words
            .iter()
            .map(|word| word["probability"].as_f64().unwrap());
        assert!(
            probabilities.clone().is_sorted_by(|a, b| a >= b)
                && probabilities.sum::<f64>() <= 1.001
        );
        let first = words[0]["text"].as_str().unwrap();
        let continued = sentence["continued"].as_str().unwrap();
        assert!(
            continued.starts_with(&format!("{finished} {first}")),
            "{continued}"
        );
        suggested.push(first);
    }
    for word in [
        "yesterday",
        "delayed",
        "wonderful",
        "coffee",
        "Saturday",
        "eggs",
    ] {
        assert!(suggested.contains(&word), "{suggested:?}");
    }
}

#[test]
fn people_get_text() {
    let shown = |command: &mut std::process::Command| succeed(&command.output().unwrap());
    let text = shown(&mut arg(
        on("generate", smollm2(), "--max-tokens 2"),
        "--prompt=See you",
    ));
    assert!(text.ends_with('\n') && !text.contains('{'), "{text}");
    let table = shown(&mut arg(
        on("candidates", smollm2(), "--top 3"),
        "--text=See you",
    ));
    assert!(table.lines().count() == 3 && table.contains('%'), "{table}");
    assert!(shown(&mut on("bench", tiny(), "--pp 4 --tg 2")).contains("tokens/s"));
    assert!(shown(&mut on("selftest", tiny(), "--tokens 8")).contains("ok"));
    assert!(shown(&mut on("inspect", tiny(), "")).contains("Q4_K"));
}

/// The subcommands that `nibble help` lists.
fn subcommands() -> Vec<String> {
    let help = succeed(&nibble("help").output().unwrap());
    let listed = help.split_once("Commands:\n").unwrap().1;
    let names = listed.lines().take_while(|line| !line.is_empty());
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn the_shell_completes_subcommands_and_options() {
    let script = succeed(&nibble("completions bash").output().unwrap());
    let complete = |words: &str| {
        let last = words.split(' ').count() - 1;
        let program = format!(
            "{script}\nCOMP_WORDS=({words}) COMP_CWORD={last}\n\
             _nibble nibble \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &program]).output();
        succeed(&output.unwrap())
    };
    assert_eq!(complete("nibble sug"), "suggest\n");
    assert_eq!(complete("nibble suggest --stdi"), "--stdio\n");
    for subcommand in subcommands() {
        assert_eq!(complete(&format!("nibble {subcommand}")), subcommand + "\n");
    }
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    let written = arg(nibble("manual"), directory.path()).output().unwrap();
    assert_eq!(succeed(&written), "");
    let page = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(page("nibble.1").contains(".SH SUBCOMMANDS"));
    assert!(page("nibble-lexicon-build.1").starts_with(".ie"));
    for subcommand in subcommands() {
        let page = page(&format!("nibble-{subcommand}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{subcommand}: {page}");
    }

    let absent = directory.path().join("absent");
    let refused = arg(nibble("manual --json"), &absent).output().unwrap();
    let (kind, message) = json_error(&refused);
    assert_eq!(kind, "io");
    assert!(
        message.starts_with(&absent.display().to_string()),
        "{message}"
    );
}
