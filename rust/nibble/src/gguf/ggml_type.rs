//! The numbers that stand for block formats in a file.

use nibble_kernels::Format;

/// The highest number that ggml has given out.
const LAST_KIND: u32 = 41;

/// What is known of a type number.
pub(super) struct GgmlType {
    /// The name that ggml gives it.
    pub(super) name: &'static str,
    /// Elements and bytes of a block; `None` where ggml has removed the type.
    pub(super) block: Option<(u64, u64)>,
    /// The format, where this engine computes with it.
    pub(super) format: Option<Format>,
}

/// The type with number `kind`. Source: `enum ggml_type` and the block structures of ggml.
pub(super) fn ggml_type(kind: u32) -> Option<GgmlType> {
    let supported = |format: Format| GgmlType {
        name: format.name(),
        block: Some((format.block_len() as u64, format.block_bytes() as u64)),
        format: Some(format),
    };
    let foreign = |name, elements, bytes| GgmlType {
        name,
        block: Some((elements, bytes)),
        format: None,
    };
    let removed = |name| GgmlType {
        name,
        block: None,
        format: None,
    };
    Some(match kind {
        0 => supported(Format::F32),
        1 => supported(Format::F16),
        2 => supported(Format::Q4_0),
        3 => supported(Format::Q4_1),
        4 => removed("Q4_2"),
        5 => removed("Q4_3"),
        6 => supported(Format::Q5_0),
        7 => supported(Format::Q5_1),
        8 => supported(Format::Q8_0),
        9 => foreign("Q8_1", 32, 36),
        10 => foreign("Q2_K", 256, 84),
        11 => foreign("Q3_K", 256, 110),
        12 => supported(Format::Q4K),
        13 => supported(Format::Q5K),
        14 => supported(Format::Q6K),
        15 => foreign("Q8_K", 256, 292),
        16 => foreign("IQ2_XXS", 256, 66),
        17 => foreign("IQ2_XS", 256, 74),
        18 => foreign("IQ3_XXS", 256, 98),
        19 => foreign("IQ1_S", 256, 50),
        20 => foreign("IQ4_NL", 32, 18),
        21 => foreign("IQ3_S", 256, 110),
        22 => foreign("IQ2_S", 256, 82),
        23 => foreign("IQ4_XS", 256, 136),
        24 => foreign("I8", 1, 1),
        25 => foreign("I16", 1, 2),
        26 => foreign("I32", 1, 4),
        27 => foreign("I64", 1, 8),
        28 => foreign("F64", 1, 8),
        29 => foreign("IQ1_M", 256, 56),
        30 => supported(Format::BF16),
        31 => removed("Q4_0_4_4"),
        32 => removed("Q4_0_4_8"),
        33 => removed("Q4_0_8_8"),
        34 => foreign("TQ1_0", 256, 54),
        35 => foreign("TQ2_0", 256, 66),
        36 => removed("IQ4_NL_4_4"),
        37 => removed("IQ4_NL_4_8"),
        38 => removed("IQ4_NL_8_8"),
        39 => foreign("MXFP4", 32, 17),
        40 => foreign("NVFP4", 64, 36),
        41 => foreign("Q1_0", 128, 18),
        _ => return None,
    })
}

/// The number of `format` in a file, if GGUF has it.
pub(super) fn kind_of(format: Format) -> Option<u32> {
    (0..=LAST_KIND).find(|&kind| ggml_type(kind).is_some_and(|known| known.format == Some(format)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_number() {
        for format in Format::ALL {
            assert!(kind_of(format).is_some(), "{format}");
        }
    }

    #[test]
    fn the_last_number_is_the_last() {
        assert!(ggml_type(LAST_KIND).is_some());
        assert!((LAST_KIND + 1..LAST_KIND + 100).all(|kind| ggml_type(kind).is_none()));
    }
}
