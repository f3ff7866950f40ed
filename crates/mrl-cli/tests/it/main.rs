//! The programs as a user runs them: one binary for all tests, with a small vocabulary in `common`.

mod adapt;
mod browser;
mod common;
mod data;
mod docs;
mod earlier;
mod errors;
mod evaluation;
mod fold;
mod held_out;
mod index;
#[cfg(unix)]
mod kills;
mod measured;
mod objectives;
mod outputs;
mod pipeline;
mod places;
#[cfg(unix)]
mod postgres;
mod programs;
mod recipe;
mod reference;
mod resume;
mod steps;
mod vectors;
