//! What tests of the controller share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod scenario;
