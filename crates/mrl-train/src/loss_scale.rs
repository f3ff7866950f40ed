use tch::Kind;

/// Halving and doubling as torch's `GradScaler` does by default.
const INITIAL: f64 = 65536.0;
const GROWTH_INTERVAL: u32 = 2000;

/// Dynamic loss scaling (arXiv 1710.03740): keeps small gradients of half precision above its smallest number. With
/// any other precision the factor is 1 and stays so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossScale {
    dynamic: bool,
    /// What to multiply the loss by, and divide the gradient by.
    pub(crate) factor: f64,
    pub(crate) good_steps: u32,
}

impl LossScale {
    pub(crate) fn new(kind: Kind) -> Self {
        let dynamic = kind == Kind::Half;
        Self { dynamic, factor: if dynamic { INITIAL } else { 1.0 }, good_steps: 0 }
    }

    /// Whether a gradient of this norm may be used, adapting the factor; `None` when it is not finite for another
    /// reason than a factor that is too large.
    pub(crate) fn accept(&mut self, grad_norm: f64) -> Option<bool> {
        if grad_norm.is_finite() {
            self.good_steps += 1;
            if self.dynamic && self.good_steps == GROWTH_INTERVAL {
                self.factor *= 2.0;
                self.good_steps = 0;
            }
            return Some(true);
        }
        if !self.dynamic || self.factor <= 1.0 {
            return None;
        }
        self.factor /= 2.0;
        self.good_steps = 0;
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_halves_on_overflow_and_doubles_after_a_while() {
        let mut scale = LossScale::new(Kind::Half);
        assert_eq!(scale.accept(f64::INFINITY), Some(false));
        assert_eq!(scale.factor, INITIAL / 2.0);
        for _ in 0..GROWTH_INTERVAL {
            assert_eq!(scale.accept(1.0), Some(true));
        }
        assert_eq!(scale.factor, INITIAL);
    }

    #[test]
    fn overflow_without_scaling_is_an_error() {
        assert_eq!(LossScale::new(Kind::BFloat16).accept(f64::NAN), None);
        let mut scale = LossScale::new(Kind::Half);
        scale.factor = 1.0;
        assert_eq!(scale.accept(f64::NAN), None);
    }
}
