use std::sync::Arc;

use kuva::render::layout::TickFormat;

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// By their logarithm; whole powers of 2 have ticks.
    Log2,
    /// By their logarithm; 1, 2 and 5 times the powers of 10 have ticks, or these powers alone where they are many.
    Log10,
    /// As they are, from the smallest to the largest.
    Linear,
    /// As they are, with room beyond the smallest and the largest, so that their markers are whole.
    Roomy,
    /// As they are, over this range.
    Within(f64, f64),
}

/// What an axis shows, in the numbers that [`Scale::place`] makes of values.
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Between ticks; none where they are not evenly spaced.
    pub(crate) step: Option<f64>,
    /// The ends, with room beyond what is shown.
    pub(crate) ends: [f64; 2],
}

/// Room beyond both ends, of a scale of powers of 2.
const MARGIN_LOG2: f64 = 0.15;

/// How much of the range is left as room beyond both ends, of a scale of powers of 10.
const ROOM_LOG10: f64 = 0.06;

impl Scale {
    /// Where the axis has `value`. Axes of powers of 10 take the logarithm themselves.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self {
            Self::Log2 => value.max(f64::MIN_POSITIVE).log2(),
            Self::Log10 => value.max(f64::MIN_POSITIVE),
            Self::Linear | Self::Roomy | Self::Within(..) => value,
        }
    }

    pub(crate) fn range(self, values: impl Iterator<Item = f64>) -> Range {
        if let Self::Within(low, high) = self {
            return Range { low, high, step: Some(tick_step(high - low)), ends: [low, high] };
        }
        let (low, high) = values
            .map(|value| self.place(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        match self {
            Self::Log10 => decades(low, high),
            _ if !low.is_finite() => self.evenly(0.0, 1.0),
            _ => self.evenly(low, high),
        }
    }

    fn evenly(self, low: f64, high: f64) -> Range {
        if self == Self::Log2 {
            let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
            return Range { low, high, step: Some(1.0), ends: [low - MARGIN_LOG2, high + MARGIN_LOG2] };
        }
        let range = high - low;
        let differ = range > 1e-9 * low.abs().max(high.abs());
        let step = tick_step(if differ { range } else { 0.0 });
        let low = (low / step).floor() * step;
        let high = ((high / step).ceil() * step).max(low + step);
        let room = if self == Self::Roomy { 0.4 * step } else { 0.0 };
        Range { low, high, step: Some(step), ends: [low - room, high + room] }
    }

    pub(crate) fn format(self, step: Option<f64>) -> TickFormat {
        match self {
            Self::Log2 => TickFormat::Custom(Arc::new(|log: f64| shortest(log.exp2()))),
            Self::Log10 => TickFormat::Custom(Arc::new(prefixed)),
            Self::Linear | Self::Roomy | Self::Within(..) => {
                let decimals = (-step.unwrap_or(1.0).log10()).ceil().clamp(0.0, 6.0) as usize;
                TickFormat::Custom(Arc::new(move |value: f64| format!("{value:.decimals$}")))
            }
        }
    }
}

/// From `low` to `high` with room, and wide enough for two ticks.
fn decades(low: f64, high: f64) -> Range {
    let (low, high) = if low.is_finite() { (low, high) } else { (1.0, 10.0) };
    let room = (high / low).powf(ROOM_LOG10).max(1.1);
    let (mut from, mut to) = (low / room, high * room);
    if to / from < 5.0 {
        let middle = (from * to).sqrt();
        (from, to) = (middle / 5f64.sqrt(), middle * 5f64.sqrt());
    }
    Range { low, high, step: None, ends: [from, to] }
}

/// A power of two as people write it.
fn shortest(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// With k, M and G for thousands, millions and billions.
fn prefixed(value: f64) -> String {
    let (unit, prefix) = match value {
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        1e3.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    // Ticks are powers of ten times whole numbers, up to rounding.
    let digits = (value / unit * 1e6).round() / 1e6;
    format!("{digits}{prefix}")
}

/// A round step that gives four to ten ticks; 1 for values that are all the same.
fn tick_step(range: f64) -> f64 {
    if range <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((range / 9.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| range / step <= 9.0)
        .unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (range, step) in [(0.9, 0.1), (1.0, 0.2), (37.0, 5.0), (80.0, 10.0), (0.0, 1.0), (4e6, 5e5)] {
            assert!((tick_step(range) / step - 1.0).abs() < 1e-9, "{range}: {}", tick_step(range));
        }
    }

    #[test]
    fn an_axis_has_room_for_its_values() {
        let range = Scale::Linear.range([33.1, 48.9].into_iter());
        assert_eq!((range.low, range.high, range.step), (32.0, 50.0, Some(2.0)));
        let [low, high] = Scale::Roomy.range([0.8, 1.0].into_iter()).ends;
        assert!(low < 0.795 && 1.005 < high && low > 0.7 && high < 1.1, "{low} to {high}");
        let range = Scale::Log2.range([8.0, 500.0].into_iter());
        assert_eq!((range.low, range.high), (3.0, 9.0));
        let rounded = Scale::Linear.range([70.0, 70.000_000_000_000_01].into_iter());
        assert_eq!((rounded.low, rounded.high), (70.0, 71.0));
        let range = Scale::Linear.range(std::iter::empty());
        assert!(range.low < range.high);
    }

    #[test]
    fn powers_of_ten_have_room_beyond_all_values() {
        for values in [&[700.0, 90_000.0][..], &[5e6], &[3.0, 3.1], &[]] {
            let [from, to] = Scale::Log10.range(values.iter().copied()).ends;
            assert!(values.iter().all(|&value| from * 1.05 < value && value < to / 1.05), "{values:?}");
            assert!(to / from >= 4.99, "{values:?} on {from} to {to} might have no ticks");
        }
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.5, 1.0, 200.0, 5e3, 2e4, 1e6, 5e8, 2e9];
        assert_eq!(numbers.map(prefixed), ["0.5", "1", "200", "5k", "20k", "1M", "500M", "2G"]);
    }
}
