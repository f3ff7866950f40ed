//! Which tests failed, from what `cargo test` and pytest print.

use std::fmt;

use anyhow::Result;

/// Tests that failed.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    names: Vec<String>,
    /// Those that the test program listed which Cargo has not named yet.
    listed: Vec<String>,
    is_in_list: bool,
}

impl Failures {
    /// Those of these tests.
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Takes the next line of `cargo test --no-fail-fast`. A test is named by what Cargo says runs its program again, and its name there;
    /// a program that ends without a list, as one that crashes does, by the former alone.
    pub(crate) fn read_cargo(&mut self, line: &str) {
        if line == "failures:" {
            // The last of these lists has the names; those before it lie in what the tests have printed.
            self.listed.clear();
            self.is_in_list = true;
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.is_in_list) {
            self.listed.push(name.to_owned());
        } else {
            self.is_in_list = false;
            if let Some(program) = rerun(line) {
                let listed = self.listed.drain(..);
                let before = self.names.len();
                self.names.extend(listed.map(|name| format!("{program} {name}")));
                if self.names.len() == before {
                    self.names.push(format!("{program} (it ended before it listed failures)"));
                }
            }
        }
    }

    /// Takes the next line of pytest, whose summary has a line for each test, with what went wrong.
    pub(crate) fn read_pytest(&mut self, line: &str) {
        if line.contains("= short test summary info =") {
            self.is_in_list = true;
        }
        let failed = ["FAILED ", "ERROR "].into_iter().find_map(|word| line.strip_prefix(word));
        self.names.extend(failed.filter(|_| self.is_in_list).map(str::to_owned));
    }

    /// The result of a test stage whose program ended with `outcome`.
    ///
    /// # Errors
    /// Tests failed, which the error names, or `outcome` is one.
    pub(crate) fn or(self, outcome: Result<()>) -> Result<()> {
        if self.names.is_empty() { outcome } else { Err(anyhow::Error::msg(self.to_string())) }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed:", self.names.len())?;
        self.names.iter().try_for_each(|name| write!(f, "\n    {name}"))
    }
}

/// The arguments in Cargo's ``error: test failed, to rerun pass `-p mrl-eval --lib` ``, which may follow what a program that crashed
/// had begun to print.
fn rerun(line: &str) -> Option<&str> {
    let (kind, rest) = line.split_once(" failed, to rerun pass `")?;
    let is_cargos = kind.ends_with("error: test") || kind.ends_with("error: doctest");
    rest.strip_suffix('`').filter(|_| is_cargos)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn read(output: &str, line: fn(&mut Failures, &str)) -> Failures {
        let mut failures = Failures::default();
        output.lines().for_each(|text| line(&mut failures, text));
        failures
    }

    #[test]
    fn failed_tests_and_doctests_are_named_and_so_is_a_program_that_aborts() {
        let failures = read(include_str!("../tests/samples/cargo_test.txt"), Failures::read_cargo);
        let expected = [
            "-p links --test walks ends",
            "-p rows --lib tests::fails",
            "-p rows --lib tests::prints_a_list",
            "-p rows --test whole (it ended before it listed failures)",
            "-p rows --doc rows/src/lib.rs - (line 1)",
        ];
        assert_eq!(failures.names, expected);
    }

    #[test]
    fn an_abort_in_the_middle_of_a_line_is_seen() {
        let line = "test index::tests::walks ... error: test failed, to rerun pass `-p mrl-retrieve --lib`";
        assert_eq!(read(line, Failures::read_cargo).names.len(), 1);
    }

    #[test]
    fn failures_and_errors_of_pytest_are_named() {
        let failures = read(include_str!("../tests/samples/pytest.txt"), Failures::read_pytest);
        let expected = [
            "tests/test_rows.py::test_fails - assert 2 == 3",
            "tests/test_rows.py::test_each[cosine - scaled] - AssertionError: asser...",
            "tests/test_import.py",
            "tests/test_rows.py::test_lacks - OSError: no rows - none",
        ];
        assert_eq!(failures.names, expected);
    }

    #[test]
    fn failed_tests_say_more_than_the_program_that_ran_them() {
        let failures = Failures { names: vec!["a".into(), "b".into()], ..Failures::default() };
        let error = failures.or(Err(anyhow!("it failed"))).unwrap_err();
        assert_eq!(error.to_string(), "2 failed:\n    a\n    b");
        assert_eq!(Failures::default().or(Err(anyhow!("it failed"))).unwrap_err().to_string(), "it failed");
        Failures::default().or(Ok(())).unwrap();
    }
}
