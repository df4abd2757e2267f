//! GGUF reader and writer.

use nibble::gguf::{Format, Gguf};

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../nibble-testkit/fixtures")
        .join(name)
}

#[test]
fn every_fixture_opens() {
    for family in ["phi3-tiny", "llama-tiny"] {
        for kind in ["f16", "q4_0", "q4_k_m", "q5_k_m", "q8_0"] {
            let model = Gguf::open(fixture(&format!("{family}/model-{kind}.gguf"))).unwrap();
            let embedding = model.tensor("token_embd.weight").unwrap();
            assert_eq!(embedding.shape, [256, 1024]);
            assert_eq!(
                embedding.bytes.len(),
                1024 * embedding.format.row_bytes(256).unwrap()
            );
            if kind == "f16" {
                assert_eq!(embedding.format, Format::F16);
            }
            assert_eq!(
                model
                    .metadata()
                    .strings("tokenizer.ggml.tokens")
                    .unwrap()
                    .len(),
                1024
            );
        }
    }
}
