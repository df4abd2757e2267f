//! A panic becomes an error of the other language. What is exported here, in tests alone, goes through the same
//! scaffolding as the rest.
#![allow(
    unsafe_code,
    reason = "the scaffolding is called as another language does"
)]

use uniffi::{RustCallStatus, RustCallStatusCode};

use crate::NibbleError;

/// Fails as no function of the library should.
#[uniffi::export]
fn panics(at: u32) -> Result<u32, NibbleError> {
    assert!(at > 9, "at {at}");
    Ok(at)
}

unsafe extern "C" {
    #[link_name = "uniffi_nibble_ffi_fn_func_panics"]
    fn scaffolding(at: u32, status: &mut RustCallStatus) -> u32;
}

/// Calls `panics` as another language does.
fn call(at: u32) -> (u32, RustCallStatus) {
    let mut status = RustCallStatus::default();
    // SAFETY: this is the function that `uniffi::export` made above, with the signature that it gives to
    // functions of one `u32`.
    let result = unsafe { scaffolding(at, &mut status) };
    (result, status)
}

#[test]
fn a_panic_comes_back_as_an_internal_error_and_the_process_goes_on() {
    let (result, status) = call(7);
    assert_eq!(status.code, RustCallStatusCode::UnexpectedError);
    assert_eq!(result, 0);
    let message = std::mem::ManuallyDrop::into_inner(status.error_buf);
    let message = String::from_utf8(message.destroy_into_vec()).unwrap();
    assert!(message.contains("at 7"), "{message}");

    let (result, status) = call(12);
    assert_eq!((result, status.code), (12, RustCallStatusCode::Success));
}
