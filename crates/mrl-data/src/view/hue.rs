//! Turning the hue as PIL does, through 8-bit HSV.
//!
//! libImaging computes nearly all of it in double and branches by sector. Here the same bytes come from `f32`, but for one
//! product, and without branches, which vectors need. That they are the same is tested for every pixel.

use super::{
    level::{cut, cut_double},
    planes::Planes,
};

/// torchvision's `adjust_hue` on PIL images: the hue's byte wraps around.
pub(super) fn turn_hue(planes: &mut Planes, share: f64) {
    let shift = (share * 255.0) as i32 as u8;
    planes.map_pixels(
        #[inline(always)]
        move |pixel| {
            let [hue, saturation, value] = to_hsv(pixel);
            from_hsv([hue.wrapping_add(shift), saturation, value])
        },
    );
}

/// libImaging's `rgb2hsv_row`, but for the hue of grays, which is any.
#[inline(always)]
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let middle = r.min(g).max(r.max(g).min(b));
    let range = f32::from(max - min);
    // How far the middle level is from the largest, by which the hue is off the sextant's corner at `from`.
    let off = f32::from(max - middle) / range.max(1.0);
    let (from, rising) = if r == max {
        if g > b { (1.0, false) } else { (-1.0, true) }
    } else if g == max {
        if r > b { (1.0, true) } else { (3.0, false) }
    } else if r > g {
        (5.0, false)
    } else {
        (3.0, true)
    };
    let sixths = if rising { from + off } else { from - off } / 6.0;
    let hue = if sixths < 0.0 { sixths + 1.0 } else { sixths };
    let saturation = range / f32::from(max).max(1.0);
    [cut(hue * 255.0), cut(saturation * 255.0), max]
}

/// libImaging's `hsv2rgb_row`.
#[inline(always)]
fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    let sixths = f32::from(hue) * 6.0 / 255.0;
    let sector = cut(sixths);
    let rest = sixths - sixths.floor();
    let middle_share = if sector.is_multiple_of(2) { 1.0 - rest } else { rest };
    let drop = f32::from(value) * f32::from(saturation);
    let least = value - cut(drop * (1.0 / 255.0) + 0.5);
    // In `f32` four of all colours would round the other way.
    let middle = value - cut_double(f64::from(drop) * f64::from(middle_share) * (1.0 / 255.0) + 0.5);
    // Sector 6 is the last hue, red again.
    let sector = if sector == 6 { 0 } else { sector };
    let pick = |largest: [u8; 2], second: [u8; 2]| {
        if sector == largest[0] || sector == largest[1] {
            value
        } else if sector == second[0] || sector == second[1] {
            middle
        } else {
            least
        }
    };
    [pick([5, 0], [1, 4]), pick([1, 2], [0, 3]), pick([3, 4], [2, 5])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::plain;

    #[test]
    fn every_colour_has_libimagings_hue_saturation_and_value() {
        for colour in plain::every_colour() {
            let [hue, saturation, value] = to_hsv(colour);
            let is_gray = saturation == 0 && colour == [value; 3];
            let hue = if is_gray { 0 } else { hue };
            assert_eq!([hue, saturation, value], plain::to_hsv(colour), "{colour:?}");
        }
    }

    #[test]
    fn every_hue_saturation_and_value_has_libimagings_colour() {
        for hsv in plain::every_colour() {
            assert_eq!(from_hsv(hsv), plain::from_hsv(hsv), "{hsv:?}");
        }
    }
}
