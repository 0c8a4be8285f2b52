//! Compares every number and structure of `los_abi` with those of Linux's own headers, for both machines.
//!
//! The headers come as the sources of the crate `linux-raw-sys`, which a build for one machine compiles
//! for that machine alone: [`headers`] reads the other's text as well, so each host checks both.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod headers;
mod layouts;
mod numbers;
