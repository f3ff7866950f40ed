/// A number as people write it: with an exponent where it would have a row of zeros.
pub(crate) fn number(value: f64) -> String {
    let is_plain = value == 0.0 || (1e-5..1e7).contains(&value.abs());
    if is_plain { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_zeros_become_exponents() {
        let texts = [0.0, 0.0001, 1e6, -2.5, 1e-300, 1e300, f64::INFINITY, f64::NAN].map(number);
        assert_eq!(texts, ["0", "0.0001", "1000000", "-2.5", "1e-300", "1e300", "inf", "NaN"]);
    }
}
