//! Attention on pairs of vectors of 128 bits.

use std::arch::aarch64::*;
use std::arch::asm;
use std::array::from_fn;

use half::f16;

use super::blocks::widen;
use crate::attention_loops::{Q8_0, attention_loops};

type Vector = [float32x4_t; 2];
const LANES: usize = 8;
/// Vectors of an output that stay in registers, for each of three queries.
const WIDE: usize = 4;

impl Load for f32 {
    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn load(row: *const f32, i: usize) -> Vector {
        // SAFETY: promised by the caller.
        unsafe { load(row.add(i)) }
    }
}

impl Load for f16 {
    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn load(row: *const f16, i: usize) -> Vector {
        // SAFETY: promised by the caller; `f16` is its bits.
        let halves = unsafe { vld1q_u16(row.add(i).cast()) };
        [widen(vget_low_u16(halves)), widen(vget_high_u16(halves))]
    }
}

impl Load for Q8_0 {
    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn load(row: *const u8, i: usize) -> Vector {
        let (scale, codes) = Q8_0::places(i);
        // SAFETY: promised by the caller; eight codes that begin at a multiple of eight are of one block.
        let (scale, codes) = unsafe {
            (
                row.add(scale).cast::<u16>().read_unaligned(),
                vld1_s8(row.add(codes).cast()),
            )
        };
        let scale = widen(vdup_n_u16(scale));
        let codes = vmovl_s8(codes);
        let low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(codes)));
        let high = vcvtq_f32_s32(vmovl_high_s16(codes));
        [vmulq_f32(low, scale), vmulq_f32(high, scale)]
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn zero() -> Vector {
    [vdupq_n_f32(0.0); 2]
}

#[target_feature(enable = "neon")]
#[inline]
fn splat(x: f32) -> Vector {
    [vdupq_n_f32(x); 2]
}

#[target_feature(enable = "neon")]
#[inline]
fn multiply_add(a: Vector, b: Vector, sum: Vector) -> Vector {
    from_fn(|half| vfmaq_f32(sum[half], a[half], b[half]))
}

/// # Safety
/// [`LANES`] numbers can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: promised by the caller.
    unsafe { [vld1q_f32(p), vld1q_f32(p.add(4))] }
}

/// # Safety
/// [`LANES`] numbers can be written.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn store(p: *mut f32, [low, high]: Vector) {
    // SAFETY: promised by the caller.
    unsafe {
        vst1q_f32(p, low);
        vst1q_f32(p.add(4), high);
    }
}

/// The sum of the lanes of each vector.
#[target_feature(enable = "neon")]
#[inline]
fn sum_lanes_of_four(sums: &[Vector; 4]) -> [f32; 4] {
    sums.map(|[low, high]| vaddvq_f32(vaddq_f32(low, high)))
}

#[target_feature(enable = "neon")]
#[inline]
fn prefetch(p: *const u8) {
    // The intrinsic is not stable.
    // SAFETY: the instruction reads nothing, whatever the address.
    unsafe {
        asm!("prfm pldl1keep, [{p}]", p = in(reg) p, options(readonly, nostack, preserves_flags));
    }
}

attention_loops!("neon");
