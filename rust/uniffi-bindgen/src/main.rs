//! The generator of foreign-language code, in the version that `nibble-ffi` is built with.

fn main() {
    uniffi::uniffi_bindgen_main();
}
