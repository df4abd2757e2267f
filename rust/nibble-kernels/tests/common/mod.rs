//! Random numbers, and random and extreme weights.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part of this; tests fail by panicking"
)]

use nibble_kernels::{Format, Matrix, dequantize};

/// SplitMix64 (Steele, Lea & Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In -1..1.
    pub fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

/// What the bytes of a block are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Style {
    /// Random codes, scales of a real model's size.
    Usual,
    /// Random codes, random finite half-precision scales, denormal ones and -0 among them.
    AnyScale,
    /// All codes and packed scales this byte, the half-precision scales as in `AnyScale`.
    Codes(u8),
    /// Random codes, and one scale in eight not finite.
    NotFinite,
}

/// Where the half-precision numbers of a block are.
fn scale_offsets(format: Format) -> &'static [usize] {
    match format {
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 => &[0],
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
        _ => &[],
    }
}

/// `rows * cols` weights.
pub fn weights(
    format: Format,
    rows: usize,
    cols: usize,
    style: Style,
    random: &mut Random,
) -> Vec<u8> {
    let mut data = vec![0; rows * format.row_bytes(cols).unwrap()];
    for block in data.chunks_exact_mut(format.block_bytes()) {
        if !format.takes_q8() {
            nibble_kernels::quantize(format, &[random.float()], block).unwrap();
            continue;
        }
        for byte in &mut *block {
            *byte = match style {
                Style::Codes(code) => code,
                _ => random.bits() as u8,
            };
        }
        for &offset in scale_offsets(format) {
            let bits = random.bits();
            let sign = (bits as u16) & 0x8000;
            let magnitude = match style {
                Style::Usual => half::f16::from_f32(0.01 + 0.01 * random.float()).to_bits(),
                Style::NotFinite if bits >> 61 == 0 => 0x7c00 + (bits >> 32 & 1) as u16,
                _ => match bits >> 32 & 7 {
                    0 => 0,
                    1 => 1,
                    2 => 0x03ff,
                    3 => 0x7bff,
                    _ => (bits >> 16) as u16 % 0x7c00,
                },
            };
            block[offset..offset + 2].copy_from_slice(&(sign | magnitude).to_le_bytes());
        }
    }
    data
}

/// A row of weights as `f32`.
pub fn values(matrix: Matrix<'_>, row: usize) -> Vec<f32> {
    let mut values = vec![0.0; matrix.cols()];
    dequantize(
        matrix.format(),
        matrix.row(row, &mut Vec::new()).unwrap(),
        &mut values,
    )
    .unwrap();
    values
}

/// For each weight of a row, the largest magnitude that its block's scales allow it: rounding errors
/// are in proportion to it, since scaled codes and minimums are summed apart.
pub fn magnitudes(matrix: Matrix<'_>, row: usize) -> Vec<f32> {
    let format = matrix.format();
    let mut largest: Vec<f32> = values(matrix, row).iter().map(|v| v.abs()).collect();
    // Bytes that are codes; the packed scales of the K formats stay.
    let codes = match format {
        Format::Q4_0 => 2..18,
        Format::Q4_1 => 4..20,
        Format::Q5_0 => 2..22,
        Format::Q5_1 => 4..24,
        Format::Q8_0 => 2..34,
        Format::Q4K => 16..144,
        Format::Q5K => 16..176,
        Format::Q6K => 0..192,
        _ => return largest,
    };
    for code in [0x00, 0xff, 0x80] {
        let mut bytes = matrix.row(row, &mut Vec::new()).unwrap().to_vec();
        for block in bytes.chunks_exact_mut(format.block_bytes()) {
            block[codes.clone()].fill(code);
        }
        let extreme = Matrix::new(format, 1, matrix.cols(), &bytes).unwrap();
        for (largest, v) in largest.iter_mut().zip(values(extreme, 0)) {
            *largest = largest.max(v.abs());
        }
    }
    largest
}
