//! Files written by llama.cpp and by the `gguf` package of Python. Expected values come from
//! `gen_fixtures.py`, which made the models, and from that package's reader.

use std::collections::BTreeMap;

use nibble::gguf::{Format, Gguf};
use nibble_testkit::fixture;
use sha2::{Digest, Sha256};

struct Expected {
    file: &'static str,
    keys: usize,
    /// Tensors of each type.
    types: &'static [(&'static str, usize)],
    last_tensor: &'static str,
    last_offset: u64,
    /// SHA-256 of the data of all tensors in order, without padding; the first 16 bytes.
    sha256: &'static str,
}

const EXPECTED: [Expected; 10] = [
    Expected {
        file: "llama-tiny/model-f16.gguf",
        keys: 28,
        types: &[("F16", 16), ("F32", 6)],
        last_tensor: "output.weight",
        last_offset: 2_786_752,
        sha256: "274ceaffc1062ba7e444f670b58be86a",
    },
    Expected {
        file: "llama-tiny/model-q4_0.gguf",
        keys: 28,
        types: &[("F32", 6), ("Q4_0", 15), ("Q6_K", 1)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 949_696,
        sha256: "f162240e8349362aed33c60baee4bcf7",
    },
    Expected {
        file: "llama-tiny/model-q4_k_m.gguf",
        keys: 28,
        types: &[("F32", 6), ("Q4_K", 13), ("Q6_K", 3)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 987_712,
        sha256: "966dbc493fbcd0d1b57a71963880b8be",
    },
    Expected {
        file: "llama-tiny/model-q5_k_m.gguf",
        keys: 28,
        types: &[("F32", 6), ("Q5_K", 13), ("Q6_K", 3)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 1_124_928,
        sha256: "0e835ae2f6f86da7ee40822b5b280227",
    },
    Expected {
        file: "llama-tiny/model-q8_0.gguf",
        keys: 28,
        types: &[("F32", 6), ("Q8_0", 16)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 1_635_776,
        sha256: "61a424a7166ebad79d21fd024040d00a",
    },
    Expected {
        file: "phi3-tiny/model-f16.gguf",
        keys: 31,
        types: &[("F16", 9), ("F32", 7)],
        last_tensor: "output_norm.weight",
        last_offset: 2_785_760,
        sha256: "865decae76ad29146bd4eae5fceb5e70",
    },
    Expected {
        file: "phi3-tiny/model-q4_0.gguf",
        keys: 31,
        types: &[("F32", 7), ("Q4_0", 8), ("Q6_K", 1)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 728_544,
        sha256: "dd3f493b1b0d56e19e337be044d8887f",
    },
    Expected {
        file: "phi3-tiny/model-q4_k_m.gguf",
        keys: 31,
        types: &[("F32", 7), ("Q4_K", 6), ("Q6_K", 3)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 787_680,
        sha256: "1cc18ab33b3585311c44f11c8a091979",
    },
    Expected {
        file: "phi3-tiny/model-q5_k_m.gguf",
        keys: 31,
        types: &[("F32", 7), ("Q5_K", 6), ("Q6_K", 3)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 865_504,
        sha256: "a288bbfe45b890acd19752c9993ee8f4",
    },
    Expected {
        file: "phi3-tiny/model-q8_0.gguf",
        keys: 31,
        types: &[("F32", 7), ("Q8_0", 9)],
        last_tensor: "blk.1.ffn_up.weight",
        last_offset: 1_218_016,
        sha256: "dfdcd0de11e33a71329e45567849da01",
    },
];

#[test]
fn directories_and_data_are_those_of_the_reference_reader() {
    for expected in EXPECTED {
        let model = Gguf::open(fixture(expected.file)).unwrap();
        assert_eq!(model.version(), 3);
        assert_eq!(model.alignment(), 32);
        assert_eq!(model.metadata().len(), expected.keys, "{}", expected.file);

        let mut types: BTreeMap<String, usize> = BTreeMap::new();
        let mut hash = Sha256::new();
        for info in model.tensors() {
            *types.entry(info.kind_name()).or_default() += 1;
            hash.update(&*model.tensor(&info.name).unwrap().bytes);
        }
        let types: Vec<_> = types.iter().map(|(k, &n)| (k.as_str(), n)).collect();
        assert_eq!(types, expected.types, "{}", expected.file);

        let last = model.tensors().last().unwrap();
        assert_eq!(last.name, expected.last_tensor, "{}", expected.file);
        assert_eq!(last.offset, expected.last_offset, "{}", expected.file);

        let hash: String = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, expected.sha256, "{}", expected.file);
    }
}

#[test]
fn phi3_metadata_is_what_was_written() {
    let model = Gguf::open(fixture("phi3-tiny/model-q4_k_m.gguf")).unwrap();
    let metadata = model.metadata();
    assert_eq!(metadata.string("general.architecture").unwrap(), "phi3");
    assert_eq!(metadata.string("general.license").unwrap(), "apache-2.0");
    assert_eq!(metadata.u32("phi3.context_length").unwrap(), 8192);
    assert_eq!(metadata.u32("phi3.embedding_length").unwrap(), 256);
    assert_eq!(metadata.u32("phi3.block_count").unwrap(), 2);
    assert_eq!(metadata.u32("phi3.rope.dimension_count").unwrap(), 24);
    assert_eq!(
        metadata
            .u64("phi3.rope.scaling.original_context_length")
            .unwrap(),
        256
    );
    assert_eq!(
        metadata
            .f32("phi3.attention.layer_norm_rms_epsilon")
            .unwrap(),
        1e-5
    );
    let factor = (1.0f64 + 32f64.ln() / 256f64.ln()).sqrt();
    assert_eq!(
        metadata.f32("phi3.rope.scaling.attn_factor").unwrap(),
        factor as f32
    );
    assert_eq!(metadata.string("tokenizer.ggml.pre").unwrap(), "gpt-4o");
    assert!(!metadata.bool("tokenizer.ggml.add_bos_token").unwrap());
    assert!(
        metadata
            .string("tokenizer.chat_template")
            .unwrap()
            .ends_with("{{ eos_token }}{% endif %}")
    );

    let tokens: Vec<&str> = metadata
        .strings("tokenizer.ggml.tokens")
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(tokens.len(), 1024);
    assert_eq!(tokens[256..260], ["th", "Ġth", "Ġthe", "nd"]);
    assert_eq!(tokens[1000], "<|endoftext|>");
    assert_eq!(tokens[1023], "[PAD1023]");
    let types = metadata.i32s("tokenizer.ggml.token_type").unwrap();
    assert_eq!(types.len(), 1024);
    assert_eq!(types[998..1002], [1, 1, 3, 3]);
    assert_eq!(types[1011..1013], [3, 5]);
    assert_eq!(
        metadata.strings("tokenizer.ggml.merges").unwrap().len(),
        744
    );
}

#[test]
fn llama_metadata_is_what_was_written() {
    let model = Gguf::open(fixture("llama-tiny/model-f16.gguf")).unwrap();
    let metadata = model.metadata();
    assert_eq!(metadata.string("general.architecture").unwrap(), "llama");
    assert_eq!(metadata.f32("llama.rope.freq_base").unwrap(), 500_000.0);
    assert_eq!(metadata.u32("llama.attention.head_count_kv").unwrap(), 2);
    assert!(metadata.bool("tokenizer.ggml.add_bos_token").unwrap());
    assert_eq!(metadata.u32("tokenizer.ggml.bos_token_id").unwrap(), 1000);
    let query = model.tensor("blk.0.attn_q.weight").unwrap();
    assert_eq!((query.rows(), query.columns()), (256, 256));
    let key = model.tensor("blk.0.attn_k.weight").unwrap();
    assert_eq!((key.rows(), key.columns()), (64, 256));
}

#[test]
fn rope_factors_are_those_of_the_generator() {
    let model = Gguf::open(fixture("phi3-tiny/model-q4_0.gguf")).unwrap();
    let read = |name| -> Vec<f32> {
        let tensor = model.tensor(name).unwrap();
        assert_eq!(tensor.format, Format::F32);
        assert_eq!((tensor.rows(), tensor.columns()), (1, 12));
        let values = tensor.bytes.chunks_exact(4);
        values
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    assert_eq!(
        read("rope_factors_short.weight"),
        [
            1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.35, 1.4, 1.45, 1.5, 1.6
        ]
    );
    let long = read("rope_factors_long.weight");
    assert_eq!(long[0], 1.0);
    assert_eq!(long[8..], [30.0, 32.6, 33.5, 47.77]);
}
