//! The programs as a user runs them: one binary for all tests, with a small vocabulary in `common`.

mod adapt;
#[cfg(unix)]
mod at_once;
mod browser;
mod common;
mod data;
mod docs;
mod earlier;
mod errors;
mod evaluation;
mod fold;
#[cfg(target_os = "linux")]
mod full_disk;
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
#[cfg(unix)]
mod writers;
