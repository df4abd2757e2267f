//! Small operations on vectors of `f32`, written so that the compiler vectorizes them.

/// `out[i] = x[i] / sqrt(mean(x²) + eps) * weight[i]` (Zhang & Sennrich, "Root Mean Square Layer
/// Normalization", 2019). The three slices have one length; a longer one's rest is left alone.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let (chunks, rest) = x.as_chunks::<8>();
    let mut lanes = [0.0_f64; 8];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*v) * f64::from(*v);
        }
    }
    let rest: f64 = rest.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    let mean = (lanes.iter().sum::<f64>() + rest) / x.len() as f64;
    let scale = (1.0 / (mean + f64::from(eps)).sqrt()) as f32;
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// `up[i] *= silu(gate[i])` with `silu(x) = x / (1 + exp(-x))` (Shazeer, "GLU Variants Improve
/// Transformer", 2020). The two slices have one length; a longer one's rest is left alone.
pub fn swiglu(gate: &[f32], up: &mut [f32]) {
    swiglu_inline(gate, up);
}

/// [`swiglu`], compiled anew for the instructions of each caller.
#[inline(always)]
pub(crate) fn swiglu_inline(gate: &[f32], up: &mut [f32]) {
    for (up, gate) in up.iter_mut().zip(gate) {
        *up *= gate / (1.0 + exp(-gate));
    }
}

/// `out[i] += x[i]`.
pub fn add_assign(out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

/// The largest of `x`; negative infinity for none. NaNs are passed over.
pub(crate) fn maximum(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<8>();
    let mut lanes = [f32::NEG_INFINITY; 8];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = if *v > *lane { *v } else { *lane };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |largest, v| largest.max(*v))
}

/// Replaces `x` by `exp(x - shift)` and returns the sum. Compiled anew for the instructions of each caller.
#[inline(always)]
pub(crate) fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
    let (chunks, rest) = x.as_chunks_mut::<8>();
    let mut lanes = [0.0_f32; 8];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *v = exp(*v - shift);
            *lane += *v;
        }
    }
    let mut total = lanes.iter().sum();
    for v in rest {
        *v = exp(*v - shift);
        total += *v;
    }
    total
}

/// `e^x` within 2 units in the last place, without branches: `x = n ln 2 + r` with `|r| <= ln 2 / 2`
/// (Cody & Waite, "Software Manual for the Elementary Functions", 1980), a Taylor polynomial in
/// `r`, and `2^n` put together from its bits. Below the smallest normal number the result is 0;
/// NaN gives NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// `ln 2` in two parts, the first so short that its product with `n` is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding it rounds to an integer, which then stands in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-88.0, 89.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let p = 1.0 / 120.0 + r * p;
    let p = 1.0 / 24.0 + r * p;
    let p = 1.0 / 6.0 + r * p;
    let p = 0.5 + r * p;
    let p = r * r * p + r + 1.0;
    // 2^n in two factors: n reaches 128, which one exponent cannot hold.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let y = p * power_of_two(half) * power_of_two(n.wrapping_sub(half));
    if x < -87.336_54 { 0.0 } else { y }
}

/// `2^n`, where that is a normal number.
#[inline(always)]
pub(crate) fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        // Every 1616th float from the least normal result to the largest.
        for sign in [1.0_f32, -1.0] {
            let end = if sign > 0.0 { 88.72 } else { 87.336 };
            let mut bits = 0;
            while f32::from_bits(bits) < end {
                let x = sign * f32::from_bits(bits);
                let expected = f64::from(x).exp();
                let unit = f64::from(f32::from_bits((expected as f32).to_bits() + 1))
                    - f64::from(expected as f32);
                worst = worst.max((f64::from(exp(x)) - expected).abs() / unit);
                bits += 1616;
            }
        }
        assert!(worst <= 2.0, "{worst}");
    }

    #[test]
    fn exp_of_extremes() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(-87.4), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn maximum_of_none_and_of_nan() {
        assert_eq!(maximum(&[]), f32::NEG_INFINITY);
        assert_eq!(maximum(&[f32::NAN; 9]), f32::NEG_INFINITY);
        assert_eq!(
            maximum(&[1.0, f32::NAN, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.5]),
            3.0
        );
    }
}
