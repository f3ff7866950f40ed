//! Views against torchvision's on PIL images; the goldens are made by `goldens/views/make.py`.

use std::collections::HashMap;

use mrl_data::{Augmentation, ColourJitter, ColourOperator, CropBox, Image, Scratch, ViewParams, render};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../goldens/views/views.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The formula of the golden's images.
fn image(width: usize, height: usize) -> Image<'static> {
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let value = ((x * (3 + c) + y * (7 - 2 * c) + (x * y) / 5 + 40 * c) % 256) as u8;
                pixels.push(if (x + 2 * y) % 29 < 9 { 255 - value } else { value });
            }
        }
    }
    Image::new(width, height, pixels)
}

fn jitter(value: &Value) -> ColourJitter {
    let operator = |name: &Value| match name.as_str().unwrap() {
        "brightness" => ColourOperator::Brightness,
        "contrast" => ColourOperator::Contrast,
        "saturation" => ColourOperator::Saturation,
        "hue" => ColourOperator::Hue,
        other => panic!("no operator {other}"),
    };
    let order: Vec<_> = value["order"].as_array().unwrap().iter().map(operator).collect();
    let factor = |name: &str| value[name].as_f64().unwrap();
    ColourJitter {
        order: order.try_into().unwrap(),
        brightness: factor("brightness"),
        contrast: factor("contrast"),
        saturation: factor("saturation"),
        hue: Some(factor("hue")),
    }
}

fn params(case: &Value) -> ViewParams {
    let side = |at: usize| case["crop"][at].as_u64().unwrap() as usize;
    ViewParams {
        crop: CropBox { left: side(0), top: side(1), width: side(2), height: side(3) },
        flip: case["flip"].as_bool().unwrap(),
        jitter: case["jitter"].is_object().then(|| jitter(&case["jitter"])),
        grayscale: case["grayscale"].as_bool().unwrap(),
        blur_sigma: case["blur_sigma"].as_f64(),
        solarize: case["solarize"].as_u64().map(|threshold| threshold as u8),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn views_are_torchvisions() {
    let mut scratch = Scratch::default();
    let mut failures = Vec::new();
    for case in golden()["views"].as_array().unwrap() {
        let side = |name: &str| case[name].as_u64().unwrap() as usize;
        let expected = bytes(case["pixels"].as_str().unwrap());
        let mut view = vec![0.0; side("size").pow(2) * 3];
        render(&params(case), &image(side("width"), side("height")), side("size"), &mut scratch, &mut view);

        let difference = |(value, &level): (&f32, &u8)| (value * 255.0 - f32::from(level)).abs();
        let differences: Vec<f32> = view.iter().zip(&expected).map(difference).collect();
        let most = differences.iter().copied().fold(0.0, f32::max);
        let mean = differences.iter().sum::<f32>() / differences.len() as f32;
        // Resizing may round the other way by a level; hue and solarising can turn a level into many, for few pixels.
        let name = case["name"].as_str().unwrap();
        let resized = ["shrink", "grow"].iter().any(|word| name.contains(word));
        let allowed = if name.contains("all") {
            (255.5, 0.6)
        } else if resized {
            (1.01, 0.2)
        } else {
            (0.01, 0.001)
        };
        if most > allowed.0 || mean > allowed.1 {
            failures.push(format!("{name}: off by {most} levels at most, {mean} on average"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn jitter_without_strength_leaves_the_image_as_it_is() {
    let still = Augmentation {
        jitter_p: 1.0,
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
        ..Augmentation::default()
    };
    let params = still.sample(&mut ChaCha8Rng::seed_from_u64(1), 40, 30);
    let params = ViewParams { grayscale: false, blur_sigma: None, solarize: None, ..params };
    let view = |params: &ViewParams| {
        let mut view = vec![0.0; 32 * 32 * 3];
        render(params, &image(40, 30), 32, &mut Scratch::default(), &mut view);
        view
    };
    assert!(params.jitter.is_some());
    assert_eq!(view(&params), view(&ViewParams { jitter: None, ..params.clone() }));
}

/// Draws of one property of a crop, as the golden names it, in increasing order.
fn crop_column(name: &str, crops: &[CropBox]) -> Vec<f64> {
    let value = |crop: &CropBox| match name {
        "top" => crop.top as f64,
        "left" => crop.left as f64,
        "height" => crop.height as f64,
        "width" => crop.width as f64,
        "area" => (crop.width * crop.height) as f64,
        "ratio" => crop.width as f64 / crop.height as f64,
        other => panic!("no column {other}"),
    };
    let mut column: Vec<f64> = crops.iter().map(value).collect();
    column.sort_by(f64::total_cmp);
    column
}

/// Two samples of 100,000 draws agree in distribution: the share below each of torchvision's quantiles is that
/// quantile's, but for sampling noise of about 0.003 and for ties, which put it between two shares.
#[test]
fn crops_are_distributed_as_torchvisions() {
    for expected in golden()["crops"].as_array().unwrap() {
        let side = |name: &str| expected[name].as_u64().unwrap() as usize;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let augmentation = Augmentation::default();
        let crops: Vec<CropBox> =
            (0..100_000).map(|_| augmentation.sample(&mut rng, side("width"), side("height")).crop).collect();
        for (name, quantiles) in expected["quantiles"].as_object().unwrap() {
            let column = crop_column(name, &crops);
            for (index, quantile) in quantiles.as_array().unwrap().iter().enumerate() {
                let (share, at) = (0.05 * (index + 1) as f64, quantile.as_f64().unwrap());
                let below = column.partition_point(|&value| value < at - 1e-6) as f64 / column.len() as f64;
                let up_to = column.partition_point(|&value| value <= at + 1e-6) as f64 / column.len() as f64;
                assert!(
                    below - 0.008 <= share && share <= up_to + 0.008,
                    "{name} at {share}: {below}..{up_to}"
                );
            }
        }
    }
}

#[test]
fn other_parameters_are_distributed_as_torchvisions() {
    const DRAWS: usize = 60_000;
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let augmentation = Augmentation { blur_p: 0.7, ..Augmentation::default() };
    let draws: Vec<ViewParams> = (0..DRAWS).map(|_| augmentation.sample(&mut rng, 32, 32)).collect();
    let share =
        |what: &dyn Fn(&ViewParams) -> bool| draws.iter().filter(|p| what(p)).count() as f64 / DRAWS as f64;
    let near = |actual: f64, expected: f64, name: &str| {
        assert!((actual - expected).abs() < 0.01, "{name}: {actual} instead of {expected}");
    };
    near(share(&|p| p.flip), 0.5, "flips");
    near(share(&|p| p.jitter.is_some()), 0.8, "colour jitter");
    near(share(&|p| p.grayscale), 0.2, "grayscale");
    near(share(&|p| p.blur_sigma.is_some()), 0.7, "blur");
    near(share(&|p| p.solarize == Some(127)), 0.5, "solarise");

    let jitters: Vec<ColourJitter> = draws.iter().filter_map(|p| p.jitter).collect();
    let uniform = |values: Vec<f64>, low: f64, high: f64, name: &str| {
        assert!(values.iter().all(|value| (low..=high).contains(value)), "{name} leaves its range");
        for quarter in [0.25, 0.5, 0.75] {
            let below = values.iter().filter(|&&value| value < low + quarter * (high - low)).count();
            near(below as f64 / values.len() as f64, quarter, name);
        }
    };
    uniform(jitters.iter().map(|j| j.brightness).collect(), 0.2, 1.8, "brightness");
    uniform(jitters.iter().map(|j| j.contrast).collect(), 0.2, 1.8, "contrast");
    uniform(jitters.iter().map(|j| j.saturation).collect(), 0.2, 1.8, "saturation");
    uniform(jitters.iter().filter_map(|j| j.hue).collect(), -0.2, 0.2, "hue");
    uniform(draws.iter().filter_map(|p| p.blur_sigma).collect(), 0.1, 2.0, "sigma");

    let mut orders = HashMap::new();
    for jitter in &jitters {
        *orders.entry(jitter.order.map(|operator| operator as u8)).or_insert(0usize) += 1;
    }
    assert_eq!(orders.len(), 24, "every order of the operators occurs");
    for (order, count) in orders {
        near(count as f64 / jitters.len() as f64, 1.0 / 24.0, &format!("order {order:?}"));
    }
}
