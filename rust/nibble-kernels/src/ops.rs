//! Small operations on vectors of `f32`, written so that the compiler vectorizes them, and compiled anew for each instruction
//! set. All of them give the same bits.

/// Lanes that sums and maxima run in, whatever the width of a vector: they decide the order of operations.
const LANES: usize = 16;

/// The operations, compiled for one instruction set.
pub(crate) struct OpsTable {
    pub(crate) rms_norm: unsafe fn(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]),
    pub(crate) swiglu: unsafe fn(gate: &[f32], up: &mut [f32]),
    pub(crate) add_assign: unsafe fn(out: &mut [f32], x: &[f32]),
    pub(crate) axpby: unsafe fn(a: f32, x: &[f32], b: f32, out: &mut [f32]),
    pub(crate) divide: unsafe fn(x: &mut [f32], by: f32),
    pub(crate) maximum: unsafe fn(x: &[f32]) -> f32,
    pub(crate) exp_shifted: unsafe fn(x: &mut [f32], shift: f32) -> f32,
    pub(crate) softmax_step: unsafe fn(&mut [f32], f32, &mut SoftmaxState, &mut [f32]),
}

/// The [`OpsTable`] of code that needs the instructions `$features`, or none that the target does not have.
macro_rules! ops_table {
    ($($features:literal)?) => {{
        use $crate::ops;

        $(#[target_feature(enable = $features)])?
        fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
            ops::rms_norm(x, weight, eps, out);
        }
        $(#[target_feature(enable = $features)])?
        fn swiglu(gate: &[f32], up: &mut [f32]) {
            ops::swiglu(gate, up);
        }
        $(#[target_feature(enable = $features)])?
        fn add_assign(out: &mut [f32], x: &[f32]) {
            ops::add_assign(out, x);
        }
        $(#[target_feature(enable = $features)])?
        fn axpby(a: f32, x: &[f32], b: f32, out: &mut [f32]) {
            ops::axpby(a, x, b, out);
        }
        $(#[target_feature(enable = $features)])?
        fn divide(x: &mut [f32], by: f32) {
            ops::divide(x, by);
        }
        $(#[target_feature(enable = $features)])?
        fn maximum(x: &[f32]) -> f32 {
            ops::maximum(x)
        }
        $(#[target_feature(enable = $features)])?
        fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
            ops::exp_shifted(x, shift)
        }
        $(#[target_feature(enable = $features)])?
        fn softmax_step(
            scores: &mut [f32],
            scale: f32,
            state: &mut ops::SoftmaxState,
            out: &mut [f32],
        ) {
            ops::softmax_step(scores, scale, state, out);
        }
        ops::OpsTable {
            rms_norm,
            swiglu,
            add_assign,
            axpby,
            divide,
            maximum,
            exp_shifted,
            softmax_step,
        }
    }};
}
pub(crate) use ops_table;

/// `out[i] = x[i] / sqrt(mean(x²) + eps) * weight[i]` (Zhang & Sennrich, "Root Mean Square Layer
/// Normalization", 2019).
#[inline(always)]
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
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
/// Transformer", 2020).
#[inline(always)]
pub(crate) fn swiglu(gate: &[f32], up: &mut [f32]) {
    for (up, gate) in up.iter_mut().zip(gate) {
        *up *= gate / (1.0 + exp(-gate));
    }
}

/// `out[i] += x[i]`.
#[inline(always)]
pub(crate) fn add_assign(out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

/// `out[i] = a * x[i] + b * out[i]`.
#[inline(always)]
pub(crate) fn axpby(a: f32, x: &[f32], b: f32, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = *out * b + x * a;
    }
}

/// `x[i] /= by`.
#[inline(always)]
pub(crate) fn divide(x: &mut [f32], by: f32) {
    for x in x {
        *x /= by;
    }
}

/// The largest of `x`; negative infinity for none. NaNs are passed over.
#[inline(always)]
pub(crate) fn maximum(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = if *v > *lane { *v } else { *lane };
        }
    }
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let rest = rest.iter().copied().fold(f32::NEG_INFINITY, larger);
    larger(fold_lanes(lanes, larger), rest)
}

/// Replaces `x` by `exp(x - shift)` and returns the sum.
#[inline(always)]
pub(crate) fn exp_shifted(x: &mut [f32], shift: f32) -> f32 {
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *v = exp(*v - shift);
            *lane += *v;
        }
    }
    let mut total = fold_lanes(lanes, |a, b| a + b);
    for v in rest {
        *v = exp(*v - shift);
        total += *v;
    }
    total
}

/// One number of all lanes, by halves: a chain of four steps where one after the other would take fifteen.
#[inline(always)]
fn fold_lanes(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low = f(*low, *high);
        }
        half /= 2;
    }
    let [folded, ..] = lanes;
    folded
}

/// What is kept of the scores of a query that were seen so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftmaxState {
    /// The largest score.
    pub(crate) largest: f32,
    /// `Σ exp(score - largest)`
    pub(crate) total: f32,
}

impl SoftmaxState {
    /// Of no scores.
    pub(crate) const EMPTY: SoftmaxState = SoftmaxState {
        largest: f32::NEG_INFINITY,
        total: 0.0,
    };
}

/// A step of the online softmax: replaces more `scores`, which `scale` makes final, by `exp(score - largest)`, and shrinks
/// `out`, the sum of values by now, where there is a new largest score.
#[inline(always)]
pub(crate) fn softmax_step(
    scores: &mut [f32],
    scale: f32,
    state: &mut SoftmaxState,
    out: &mut [f32],
) {
    for score in &mut *scores {
        *score *= scale;
    }
    let largest = maximum(scores);
    if largest > state.largest {
        let shrink = exp(state.largest - largest);
        state.total *= shrink;
        for out in out {
            *out *= shrink;
        }
        state.largest = largest;
    }
    state.total += exp_shifted(scores, state.largest);
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
