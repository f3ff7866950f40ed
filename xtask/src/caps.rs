//! The numerical tests with fewer vector instructions than the processor has. Rounding differs with them, and no number that a test
//! compares may depend on it.

use crate::stages::Stages;
use crate::workspace::Workspace;

/// A level of vector instructions, and how each library that computes is told to keep to it.
struct Cap {
    name: &'static str,
    environment: [(&'static str, &'static str); 4],
    is_available: fn() -> bool,
}

/// Without a cap, all tests run anyway. MKL disregards `MKL_ENABLE_INSTRUCTIONS` on processors of AMD, where it takes `MKL_CBWR=AVX2` as
/// `AUTO`: the order of sums is fixed, the instructions are not (`MKL_VERBOSE=1` shows it). `faer`, by which mrl-eval and mrl-retrieve
/// multiply and decompose matrices, cannot be limited.
const CAPS: [Cap; 2] = [
    Cap {
        name: "scalar",
        environment: [
            ("ATEN_CPU_CAPABILITY", "default"),
            ("MKL_CBWR", "COMPATIBLE"),
            ("ONEDNN_MAX_CPU_ISA", "SSE41"),
            ("MRL_SIMD", "scalar"),
        ],
        is_available: || true,
    },
    Cap {
        name: "avx2",
        environment: [
            ("ATEN_CPU_CAPABILITY", "avx2"),
            ("MKL_CBWR", "AVX2"),
            ("ONEDNN_MAX_CPU_ISA", "AVX2"),
            ("MRL_SIMD", "avx2"),
        ],
        is_available: has_avx2,
    },
];

/// Unit tests of the libraries, and one program that compares views with a golden.
const TARGETS: [&str; 3] = ["--lib", "--test", "views"];

/// Modules of each crate whose tests compute, and single tests.
const NUMERICAL: [(&str, &[&str]); 4] = [
    ("mrl-data", &["view::", "views_are_torchvisions"]),
    (
        "mrl-eval",
        &[
            "calibration::",
            "cascade::",
            "golden::",
            "knn::",
            "pca::",
            "probe::",
            "projection::",
            "retrieval::",
            "standardise::",
            "vector::",
            "vote::",
        ],
    ),
    ("mrl-retrieve", &["graph::", "quantise::", "rotation::", "search::", "vector::"]),
    ("mrl-train", &["adapt::", "fold::", "loss_scale::", "model::", "optimiser::", "parity::", "trainer::"]),
];

/// Cases of a property, where its test does not say how many; and one thread for each test, as in other stages.
const SHORT_FORM: [(&str, &str); 2] = [("PROPTEST_CASES", "32"), ("OMP_NUM_THREADS", "1")];

/// Runs the numerical tests at each level that the processor has.
pub(crate) fn run_tests(workspace: &Workspace, stages: &mut Stages) {
    let filters = NUMERICAL.iter().flat_map(|(_, filters)| filters.iter().copied());
    let args: Vec<&str> = TARGETS.into_iter().chain(["--"]).chain(filters).collect();
    for cap in CAPS {
        if (cap.is_available)() {
            let environment = [&cap.environment[..], &SHORT_FORM].concat();
            stages.run(&format!("tests at {}", cap.name), || workspace.cargo_test(&args, &environment));
        } else {
            println!("skipped: tests at {}, which this processor lacks", cap.name);
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Else a module that is renamed would no longer be tested.
    #[test]
    fn every_filter_names_tests() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("crates");
        let is_file_with =
            |path: &Path, text: &str| fs::read_to_string(path).is_ok_and(|source| source.contains(text));
        for (name, filters) in NUMERICAL {
            for filter in filters {
                let found = match filter.strip_suffix("::") {
                    Some(module) => {
                        let module = crates.join(name).join("src").join(module);
                        module.is_dir() || is_file_with(&module.with_extension("rs"), "#[test]")
                    }
                    None => is_file_with(&crates.join(name).join("tests/views.rs"), &format!("fn {filter}(")),
                };
                assert!(found, "{name} has no tests {filter}; change NUMERICAL in xtask/src/caps.rs");
            }
        }
    }
}
