//! Random weights in the block formats: numbers with a mean of zero and a given deviation.

use half::f16;
use nibble::gguf::Format;

/// The generator SplitMix64 (Steele, Lea, Flood 2014): the same bytes for a seed on every machine, a
/// gigabyte a second.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator that `seed` begins.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            eight.copy_from_slice(&self.next().to_le_bytes()[..eight.len()]);
        }
    }

    /// A number from -1 to 1.
    fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Fills `bytes`, whole blocks of `format`, with weights that deviate from zero by `deviation`
/// (root mean square). All are finite.
///
/// # Panics
/// For a format that no synthetic model has.
pub fn fill(format: Format, deviation: f32, random: &mut Random, bytes: &mut [u8]) {
    random.fill(bytes);
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        match format {
            // weight = d * scale * q - dmin * minimum, q from 0 to 15; the deviation of q is 4.61
            Format::Q4K => {
                let d = deviation / (MEAN_SCALE * 4.61);
                put(block, 0, d);
                put(block, 2, d * 7.5);
                scales_equal_to_minimums(&mut block[4..16]);
            }
            // The same with q from 0 to 31.
            Format::Q5K => {
                let d = deviation / (MEAN_SCALE * 9.23);
                put(block, 0, d);
                put(block, 2, d * 15.5);
                scales_equal_to_minimums(&mut block[4..16]);
            }
            // weight = d * scale * (q - 32), q from 0 to 63; the scale is a signed byte of 40 to 55
            Format::Q6K => {
                for scale in &mut block[192..208] {
                    let size = 40 + (*scale & 15) as i8;
                    *scale = if *scale & 16 == 0 { size } else { -size } as u8;
                }
                put(block, 208, deviation / (47.5 * 18.5));
            }
            // weight = d * (q - 8), q from 0 to 15, d of either sign
            Format::Q4_0 => {
                let sign = if block[0] & 1 == 0 { 1.0 } else { -1.0 };
                put(block, 0, sign * deviation / 4.64);
            }
            other => panic!("no random weights in {other}"),
        }
    }
}

/// `count` floats around 1, as the gains of a norm are.
pub fn gains(count: usize, random: &mut Random) -> Vec<f32> {
    (0..count).map(|_| 1.0 + 0.09 * random.signed()).collect()
}

fn put(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
}

/// The mean of the scales that [`scales_equal_to_minimums`] makes.
const MEAN_SCALE: f32 = 40.5;

/// Turns 12 random bytes into the 8 pairs of 6-bit scale and minimum of `Q4_K` and `Q5_K`, both the same
/// number of 33 to 48.
fn scales_equal_to_minimums(packed: &mut [u8]) {
    let mut scales = [0; 8];
    for (scale, byte) in scales.iter_mut().zip(&*packed) {
        *scale = 33 + (byte & 15);
    }
    for i in 0..4 {
        let (low, high) = (scales[i], scales[i + 4]);
        packed[i] = low | (high >> 4) << 6;
        packed[i + 4] = packed[i];
        packed[i + 8] = (high & 15) | (high & 15) << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_those_of_splitmix64() {
        // The first outputs that its authors' C code gives for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        let mut bytes = [0; 11];
        Random::new(1_234_567).fill(&mut bytes);
        assert_eq!(bytes[..8], 6_457_827_717_110_365_317_u64.to_le_bytes());
        assert_eq!(bytes[8..], 3_203_168_211_198_807_973_u64.to_le_bytes()[..3]);
    }

    #[test]
    fn weights_have_the_deviation_asked_for() {
        for format in [Format::Q4K, Format::Q5K, Format::Q6K, Format::Q4_0] {
            let count = 100 * 256;
            let mut bytes = vec![0; format.row_bytes(count).unwrap()];
            fill(format, 0.02, &mut Random::new(1), &mut bytes);
            let mut weights = vec![0.0; count];
            nibble_kernels::dequantize(format, &bytes, &mut weights).unwrap();
            let mean = weights.iter().sum::<f32>() / count as f32;
            let square = weights.iter().map(|weight| weight * weight).sum::<f32>() / count as f32;
            assert!(mean.abs() < 0.001, "{format}: mean {mean}");
            assert!(
                (square.sqrt() / 0.02 - 1.0).abs() < 0.03,
                "{format}: {}",
                square.sqrt()
            );
        }
    }
}
