//! The programs as a user runs them: one binary for all tests, with a small vocabulary in `common`.

mod common;
mod docs;
mod errors;
mod pipeline;
mod reference;
mod resume;
