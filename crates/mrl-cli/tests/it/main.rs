//! The programs as a user runs them: one binary for all tests, with a small vocabulary in `common`.

mod browser;
mod common;
mod docs;
mod errors;
mod evaluation;
mod held_out;
mod index;
mod pipeline;
#[cfg(unix)]
mod postgres;
mod recipe;
mod reference;
mod resume;
mod steps;
