//! Presets of views and what a file says of them.

use mrl_data::{Augmentation, AugmentationPreset, Augmentations, ViewParams};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use strum::VariantNames;

const DRAWS: usize = 2_000;

fn draws(augmentation: &Augmentation, seed: u64) -> Vec<ViewParams> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..DRAWS).map(|_| augmentation.sample(&mut rng, 32, 32)).collect()
}

/// Whether an event of probability `p` may have happened `count` times: within six standard deviations, and always or never
/// where it is certain.
fn fits(count: usize, p: f64) -> bool {
    let (expected, draws) = (p * DRAWS as f64, DRAWS as f64);
    (count as f64 - expected).abs() <= 6.0 * (draws * p * (1.0 - p)).sqrt()
}

fn probability() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(mrl_testing::scaled(40)))]

    #[test]
    fn what_is_probable_happens_as_often(
        [flip_p, jitter_p, grayscale_p, blur_p, solarize_p] in prop::array::uniform5(probability()),
        [brightness, contrast, saturation] in prop::array::uniform3(prop_oneof![Just(0.0), 0.0..=2.0]),
        hue in prop_oneof![Just(0.0), Just(0.5), 0.0..=0.5],
        seed: u64,
    ) {
        let augmentation = Augmentation {
            flip_p, jitter_p, grayscale_p, blur_p, solarize_p, brightness, contrast, saturation, hue,
            ..Augmentation::default()
        };
        augmentation.validate("augmentation").unwrap();
        let draws = draws(&augmentation, seed);
        let count = |what: fn(&ViewParams) -> bool| draws.iter().filter(|params| what(params)).count();
        for (name, count, p) in [
            ("flip", count(|params| params.flip), flip_p),
            ("jitter", count(|params| params.jitter.is_some()), jitter_p),
            ("grayscale", count(|params| params.grayscale), grayscale_p),
            ("blur", count(|params| params.blur_sigma.is_some()), blur_p),
            ("solarize", count(|params| params.solarize.is_some()), solarize_p),
        ] {
            prop_assert!(fits(count, p), "{name}: {count} of {DRAWS} at {p}");
        }
        for jitter in draws.iter().filter_map(|params| params.jitter) {
            for (factor, strength) in
                [(jitter.brightness, brightness), (jitter.contrast, contrast), (jitter.saturation, saturation)]
            {
                // A strength of 0 changes nothing at all.
                let range = (1.0 - strength).max(0.0)..=1.0 + strength;
                prop_assert!(range.contains(&factor), "{factor} at {strength}");
            }
            prop_assert_eq!(jitter.hue.is_some(), hue > 0.0);
            prop_assert!(jitter.hue.is_none_or(|turn| turn.abs() <= hue));
        }
    }
}

fn read(text: &str) -> Result<Augmentations, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = read(text).unwrap_err();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

/// The papers' numbers, one row for each view.
#[test]
fn presets_are_those_of_their_papers() {
    type Row = ([f64; 4], f64, f64, f64, u8);
    let row = |view: &Augmentation| -> Row {
        let Augmentation { brightness, contrast, saturation, hue, .. } = *view;
        assert_eq!((view.crop_scale, view.flip_p), ([0.08, 1.0], 0.5));
        assert_eq!((view.jitter_p, view.grayscale_p, view.blur_sigma), (0.8, 0.2, [0.1, 2.0]));
        let jitter = [brightness, contrast, saturation, hue];
        (jitter, view.blur_p, view.solarize_p, view.crop_ratio[0], view.solarize_threshold)
    };
    let both = |preset: AugmentationPreset| preset.augmentations().both().map(row);
    let strong = [0.8, 0.8, 0.8, 0.2];
    assert_eq!(both(AugmentationPreset::Reference), [(strong, 1.0, 0.5, 0.75, 127); 2]);
    assert_eq!(both(AugmentationPreset::SimclrCifar), [([0.4, 0.4, 0.4, 0.1], 0.0, 0.0, 0.75, 127); 2]);
    assert_eq!(both(AugmentationPreset::Imagenet), [(strong, 0.5, 0.0, 0.75, 127); 2]);
    let weak = [0.4, 0.4, 0.2, 0.1];
    assert_eq!(both(AugmentationPreset::Byol), [(weak, 1.0, 0.0, 0.75, 128), (weak, 0.1, 0.2, 0.75, 128)]);
    assert_eq!(AugmentationPreset::VARIANTS, ["reference", "simclr-cifar", "byol", "imagenet"]);
}

#[test]
fn settings_go_over_the_preset_and_a_views_own_over_both() {
    assert_eq!(read("").unwrap(), Augmentations::default());
    assert_eq!(read("preset = 'byol'").unwrap(), AugmentationPreset::Byol.augmentations());
    let text = "preset = 'byol'\nblur_p = 0.3\nhue = 0.0\n[second]\nblur_p = 0.6\ncrop_scale = [0.5, 0.5]";
    let mut expected = AugmentationPreset::Byol.augmentations();
    (expected.first.blur_p, expected.first.hue) = (0.3, 0.0);
    (expected.second.blur_p, expected.second.hue, expected.second.crop_scale) = (0.6, 0.0, [0.5, 0.5]);
    assert_eq!(read(text).unwrap(), expected);
    let mixed = read("preset = 'simclr-cifar'\n[second]\npreset = 'byol'").unwrap();
    assert_eq!(mixed.first, AugmentationPreset::SimclrCifar.augmentations().first);
    assert_eq!(mixed.second, AugmentationPreset::Byol.augmentations().second);
}

#[test]
fn what_is_written_is_read_again_unchanged() {
    for name in AugmentationPreset::VARIANTS {
        let augmentations = name.parse::<AugmentationPreset>().unwrap().augmentations();
        let text = toml::to_string(&augmentations).unwrap();
        assert_eq!(read(&text).unwrap(), augmentations, "{text}");
        assert_eq!(text.contains("[second]"), *name == "byol", "{text}");
    }
}

#[test]
fn what_is_unknown_or_out_of_range_is_named_with_what_may_be() {
    refused("blur = 1.0", &["unknown field `blur`", "`blur_p`", "line 1"]);
    refused("[second]\nblur = 1.0", &["unknown field `blur`", "`blur_p`", "line 2"]);
    refused("preset = 'moco'", &["moco", "simclr-cifar", "byol"]);
    refused("blur_p = 1.5", &["augmentation.blur_p is 1.5; it must be a probability from 0 to 1"]);
    refused("[second]\nflip_p = -0.1", &["augmentation.second.flip_p is -0.1; it must be a probability"]);
    refused(
        "[first]\nhue = 0.6",
        &["augmentation.first.hue is 0.6; it must be a share of the circle from 0 to 0.5"],
    );
    refused("contrast = nan", &["augmentation.contrast is NaN; it must be a strength from 0 to 10"]);
    refused(
        "crop_scale = [0.5, 0.2]",
        &["augmentation.crop_scale is [0.5, 0.2]; it must be two increasing shares"],
    );
    refused("crop_ratio = [0.0, 1.0]", &["augmentation.crop_ratio is [0.0, 1.0]", "from 0.01 to 100"]);
    refused("blur_sigma = [0.1, inf]", &["augmentation.blur_sigma is [0.1, inf]", "pixels"]);
    refused("solarize_threshold = 256", &["solarize_threshold = 256", "u8"]);
    refused("[second.first]\nblur_p = 0.5", &["augmentation.second has views of its own"]);
}
