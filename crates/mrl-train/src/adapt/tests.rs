use mrl_embedding::EmbeddingSet;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const WIDTH: usize = 16;

/// Rows whose class lies in their last numbers, which vary least; with the classes as labels.
fn rows(n: usize, seed: u64) -> EmbeddingSet {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for row in 0..n {
        let class = row % 4;
        labels.push(class as i64);
        for place in 0..WIDTH {
            let spread = if place < 8 { 1.0 } else { 0.1 };
            let mean = if place == 12 + class { 0.5 } else { 0.0 };
            values.push(mean + spread * random.random_range(-1.0f32..1.0));
        }
    }
    EmbeddingSet::new(values, WIDTH).unwrap().with_labels(labels).unwrap()
}

fn options(form: AdapterForm, objective: AdaptObjective) -> AdaptOptions {
    AdaptOptions {
        form,
        objective,
        dims: vec![2, 4, 8],
        epochs: 20,
        batch_size: 64,
        lr: 0.01,
        device: DeviceChoice::Cpu,
        ..AdaptOptions::default()
    }
}

/// The share of rows whose nearest other row by the first `dims` numbers has their label.
fn nearest_agree(set: &EmbeddingSet, dims: usize) -> f64 {
    let labels = set.labels().unwrap();
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let agrees = |i: &usize| {
        let others = (0..set.len()).filter(|j| j != i);
        let near = |j: &usize| cosine(&set.row(*i)[..dims], &set.row(*j)[..dims]);
        let nearest = others.max_by(|a, b| near(a).total_cmp(&near(b))).unwrap();
        labels[nearest] == labels[*i]
    };
    (0..set.len()).filter(agrees).count() as f64 / set.len() as f64
}

#[test]
fn labels_bring_what_tells_classes_apart_to_the_front() {
    let (train, test) = (rows(1_024, 1), rows(400, 2));
    let before = nearest_agree(&Adapter::principal(&train, &[4]).unwrap().apply(&test).unwrap(), 4);
    for form in [AdapterForm::Rotation, AdapterForm::Residual] {
        let adapter = Adapter::fit(&train, &options(form, AdaptObjective::Labels), &mut |_| {}).unwrap();
        let after = nearest_agree(&adapter.apply(&test).unwrap(), 4);
        // Two standard errors of 400 rows.
        assert!(after > before + 0.05, "{form}: {before} {after}");
    }
}

/// Rows whose first 2 numbers have the largest squares and two values each, so that they say little of which rows are near, and whose next
/// 8 say most.
fn misleading_rows(n: usize, seed: u64) -> EmbeddingSet {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::new();
    for _ in 0..n {
        for place in 0..WIDTH {
            let value: f32 = random.random_range(-1.0..1.0);
            values.push(match place {
                0..2 => 0.5f32.copysign(value),
                2..10 => 0.7 * value,
                _ => 0.05 * value,
            });
        }
    }
    EmbeddingSet::new(values, WIDTH).unwrap()
}

/// The share of the 10 nearest rows by whole vectors that each prefix of `dims` keeps.
fn kept(whole: &EmbeddingSet, shortened: &EmbeddingSet, dims: &[usize]) -> Vec<f64> {
    let nearest = |set: &EmbeddingSet, dim: usize, row: usize| -> Vec<usize> {
        let cosine = |other: usize| {
            let (a, b) = (&set.row(row)[..dim], &set.row(other)[..dim]);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let mut others: Vec<(f32, usize)> =
            (0..set.len()).filter(|&other| other != row).map(|other| (cosine(other), other)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        others[..10].iter().map(|&(_, other)| other).collect()
    };
    let of_dim = |&dim: &usize| {
        let found = |row: usize| {
            let truth = nearest(whole, whole.width(), row);
            nearest(shortened, dim, row).iter().filter(|other| truth.contains(other)).count()
        };
        (0..whole.len()).map(found).sum::<usize>() as f64 / (10 * whole.len()) as f64
    };
    dims.iter().map(of_dim).collect()
}

const DIMS: [usize; 3] = [2, 4, 8];

/// The first images of Fashion-MNIST's subset, `[n, 196]`: means of 2 × 2 pixels.
fn pixels(split: mrl_data::Split, n: usize) -> EmbeddingSet {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist-subset");
    let kind = mrl_data::DatasetKind::FashionMnist;
    let images = mrl_data::open(kind, &folder, split, &mrl_data::OpenOptions::default(), &|_| {}).unwrap();
    let mut values = Vec::new();
    for index in 0..n {
        let image = images.image(index).unwrap();
        let gray = |x: usize, y: usize| f32::from(image.pixels()[3 * (28 * y + x)]);
        for place in 0..14 * 14 {
            let (x, y) = (place % 14 * 2, place / 14 * 2);
            values.push(gray(x, y) + gray(x + 1, y) + gray(x, y + 1) + gray(x + 1, y + 1));
        }
    }
    EmbeddingSet::new(values, 14 * 14).unwrap()
}

#[test]
fn a_rotation_keeps_more_neighbours_than_principal_components() {
    keeps_more_than_principal_components(0);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn a_rotation_keeps_more_neighbours_whatever_the_seed() {
    [1, 2].into_iter().for_each(keeps_more_than_principal_components);
}

fn keeps_more_than_principal_components(seed: u64) {
    let dims = [8, 16, 32];
    let (train, test) = (pixels(mrl_data::Split::Train, 4_000), pixels(mrl_data::Split::Test, 500));
    let principal = Adapter::principal(&train, &dims).unwrap().apply(&test).unwrap();
    let before = kept(&test, &principal, &dims);
    let options = AdaptOptions {
        dims: dims.to_vec(),
        batch_size: 256,
        seed,
        device: DeviceChoice::Cpu,
        ..AdaptOptions::default()
    };
    let adapted = Adapter::fit(&train, &options, &mut |_| {}).unwrap().apply(&test).unwrap();
    let after = kept(&test, &adapted, &dims);
    assert!(after[0] > before[0] + 0.01, "{seed}: {before:?} {after:?}");
    for (before, after) in before.iter().zip(&after) {
        assert!(after > &(before - 0.01), "{seed}: {before} {after}");
    }
}

#[test]
fn a_rotation_is_not_below_principal_components_where_these_mislead() {
    for seed in 0..3 {
        let (train, test) = (misleading_rows(1_000, 10 + seed), misleading_rows(400, 20 + seed));
        let principal = Adapter::principal(&train, &DIMS).unwrap().apply(&test).unwrap();
        let options = AdaptOptions { seed, ..options(AdapterForm::Rotation, AdaptObjective::Similarity) };
        let adapted = Adapter::fit(&train, &options, &mut |_| {}).unwrap().apply(&test).unwrap();
        let (before, after) = (kept(&test, &principal, &DIMS), kept(&test, &adapted, &DIMS));
        for (before, after) in before.iter().zip(&after) {
            assert!(after > &(before - 0.01), "{seed}: {before} {after}");
        }
    }
}

/// Two numbers hold all of them, so that no rotation loses anything by the first two dims.
#[test]
fn rows_in_a_plane_are_no_error() {
    let values = (0..50 * 4).map(|number| number as f32 / 8.0 - 3.0).collect();
    let set = EmbeddingSet::new(values, 4).unwrap();
    for dims in [vec![1], vec![2], vec![3]] {
        let options = AdaptOptions {
            dims,
            batch_size: 8,
            epochs: 3,
            device: DeviceChoice::Cpu,
            ..AdaptOptions::default()
        };
        let adapted = Adapter::fit(&set, &options, &mut |_| {}).unwrap().apply(&set).unwrap();
        assert!(adapted.embeddings().iter().all(|value| value.is_finite()));
    }
}

/// Another processor rounds otherwise. Rows that are changed by as much as rounding in `f32` does must give an adapter that is worth the
/// same. What is left is what a few neighbours at nearly equal distances change.
#[test]
fn rounding_does_not_change_what_an_adapter_is_worth() {
    for (name, rows) in [("misleading", misleading_rows as fn(usize, u64) -> EmbeddingSet), ("equal", rows)] {
        let (train, test) = (rows(600, 30), rows(300, 31));
        let worth = |seed: u64| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut round = |value: f32| value * (1.0 + 1e-7 * random.random_range(-1.0f32..1.0));
            let values = train.embeddings().iter().map(|&value| round(value)).collect();
            let train = EmbeddingSet::new(values, WIDTH).unwrap();
            let options = options(AdapterForm::Rotation, AdaptObjective::Similarity);
            let adapter = Adapter::fit(&train, &options, &mut |_| {}).unwrap();
            kept(&test, &adapter.apply(&test).unwrap(), &DIMS)
        };
        let expected = worth(0);
        for seed in 1..4 {
            for (worth, expected) in worth(seed).iter().zip(&expected) {
                assert!((worth - expected).abs() < 0.01, "{name} {seed}: {worth} {expected}");
            }
        }
    }
}

/// Uniform in all directions: no map can help.
#[test]
fn nothing_is_fitted_where_principal_components_are_best() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let values = (0..300 * WIDTH).map(|_| random.random_range(-1.0f32..1.0)).collect();
    let set = EmbeddingSet::new(values, WIDTH).unwrap();
    let few = EmbeddingSet::new(set.row(0).iter().chain(set.row(1)).copied().collect(), WIDTH).unwrap();
    for set in [&set, &few] {
        let principal = Adapter::principal(set, &DIMS).unwrap();
        let options = options(AdapterForm::Residual, AdaptObjective::Similarity);
        let adapter = Adapter::fit(set, &AdaptOptions { lr: 1.0, ..options }, &mut |_| {}).unwrap();
        assert_eq!(adapter.apply(set).unwrap().embeddings(), principal.apply(set).unwrap().embeddings());
    }
}

#[test]
fn a_rotation_is_orthogonal_to_a_millionth() {
    let set = misleading_rows(1_000, 10);
    let options = options(AdapterForm::Rotation, AdaptObjective::Similarity);
    let axes = Adapter::fit(&set, &options, &mut |_| {}).unwrap().rotation().unwrap();
    let product = |i: usize, j: usize| -> f64 {
        (0..WIDTH).map(|place| f64::from(axes[place * WIDTH + i]) * f64::from(axes[place * WIDTH + j])).sum()
    };
    for i in 0..WIDTH {
        for j in 0..WIDTH {
            assert!((product(i, j) - f64::from(i == j)).abs() < 1e-6, "{i} {j}: {}", product(i, j));
        }
    }
}

#[test]
fn a_rotation_keeps_products_and_norms() {
    let set = rows(100, 4);
    let adapter =
        Adapter::fit(&set, &options(AdapterForm::Rotation, AdaptObjective::Similarity), &mut |_| {}).unwrap();
    let adapted = adapter.apply(&set).unwrap();
    let dot = |set: &EmbeddingSet, i: usize, j: usize| -> f32 {
        set.row(i).iter().zip(set.row(j)).map(|(a, b)| a * b).sum()
    };
    for (i, j) in [(0, 0), (3, 70), (99, 1)] {
        assert!((dot(&set, i, j) - dot(&adapted, i, j)).abs() < 1e-4);
    }
    assert_eq!(adapted.labels(), set.labels());
    assert_eq!(adapted.metadata.nesting.as_ref().map(mrl_embedding::Nesting::dims), Some(&[2, 4, 8, 16][..]));
}

#[test]
fn a_rotation_is_given_as_a_matrix_of_axes() {
    let set = rows(100, 4);
    let fit = |form| {
        let options = AdaptOptions { epochs: 1, ..options(form, AdaptObjective::Similarity) };
        Adapter::fit(&set, &options, &mut |_| {}).unwrap()
    };
    assert_eq!(fit(AdapterForm::Residual).rotation(), None);
    let adapter = fit(AdapterForm::Rotation);
    let (axes, adapted) = (adapter.rotation().unwrap(), adapter.apply(&set).unwrap());
    for i in [0, 7, WIDTH - 1] {
        let number: f32 = (0..WIDTH).map(|place| set.row(5)[place] * axes[place * WIDTH + i]).sum();
        assert!((number - adapted.row(5)[i]).abs() < 1e-5, "{i}: {number}");
    }
}

#[test]
fn an_adapter_is_what_it_was_after_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.safetensors");
    let mut set = rows(100, 5);
    set.metadata.weights = Some("abc".to_owned());
    set.metadata.encoder = Some("clip".to_owned());
    for form in [AdapterForm::Rotation, AdapterForm::Residual] {
        let options = AdaptOptions { epochs: 1, ..options(form, AdaptObjective::Similarity) };
        let adapter = Adapter::fit(&set, &options, &mut |_| {}).unwrap();
        let again = Adapter::fit(&set, &options, &mut |_| {}).unwrap();
        adapter.write(&path).unwrap();
        let read = Adapter::read(&path).unwrap();
        assert_eq!(read.form(), form);
        let adapted = adapter.apply(&set).unwrap();
        assert_eq!(read.apply(&set).unwrap(), adapted);
        assert_eq!(again.apply(&set).unwrap(), adapted, "the same seed fits the same adapter");
        let mut other = rows(3, 5);
        other.metadata.weights = Some("def".to_owned());
        assert!(read.apply(&other).unwrap_err().to_string().contains("an encoder with weights def"));
        (other.metadata.weights, other.metadata.encoder) = (None, Some("bert".to_owned()));
        assert!(read.apply(&other).unwrap_err().to_string().contains("from the encoder bert, but"));
        let narrow = EmbeddingSet::new(vec![1.0; 6], 3).unwrap();
        assert!(read.apply(&narrow).unwrap_err().to_string().contains("are 3 wide"));
    }
}

#[test]
fn rows_of_any_size_have_their_direction() {
    let set = rows(50, 8);
    let directions = |scale: f32| {
        let scaled = set.embeddings().iter().map(|value| value * scale).collect();
        fit::unit_rows(&EmbeddingSet::new(scaled, WIDTH).unwrap()).unwrap()
    };
    for scale in [1e36, 1e-36] {
        let off = (directions(scale) - directions(1.0)).abs().max().double_value(&[]);
        assert!(off < 1e-6, "{scale}: {off}");
    }
}

#[test]
fn a_longer_row_is_adapted_to_a_longer_one() {
    let set = rows(50, 8);
    for form in [AdapterForm::Rotation, AdapterForm::Residual] {
        let options = AdaptOptions { epochs: 1, ..options(form, AdaptObjective::Similarity) };
        let adapter = Adapter::fit(&set, &options, &mut |_| {}).unwrap();
        let adapted = adapter.apply(&set).unwrap();
        for scale in [0.0, 1e-30, 1e20, 1e36] {
            let scaled = set.embeddings().iter().map(|value| value * scale).collect();
            let scaled = adapter.apply(&EmbeddingSet::new(scaled, WIDTH).unwrap()).unwrap();
            for (value, scaled) in adapted.embeddings().iter().zip(scaled.embeddings()) {
                assert!((value * scale - scaled).abs() <= 1e-5 * scale, "{form} {scale}: {value} {scaled}");
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_not_adapted() {
    let set = rows(50, 6);
    let adapter =
        Adapter::fit(&set, &options(AdapterForm::Rotation, AdaptObjective::Similarity), &mut |_| {}).unwrap();
    let mut values = set.embeddings().to_vec();
    values[3 * WIDTH + 1] = f32::INFINITY;
    let error = adapter.apply(&EmbeddingSet::new(values, WIDTH).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "row 3 is not finite; leave it out");
}

#[test]
fn each_mistake_has_its_own_sentence() {
    let message = |set: &EmbeddingSet, change: &dyn Fn(&mut AdaptOptions)| {
        let mut options = options(AdapterForm::Rotation, AdaptObjective::Similarity);
        change(&mut options);
        Adapter::fit(set, &options, &mut |_| {}).unwrap_err().to_string()
    };
    let set = rows(50, 6);
    let unlabelled = EmbeddingSet::new(set.embeddings().to_vec(), WIDTH).unwrap();
    let labels = message(&unlabelled, &|options| options.objective = AdaptObjective::Labels);
    assert_eq!(labels, "the vectors have no labels; use the objective similarity, or give labels");
    assert!(message(&set, &|options| options.lr = f64::NAN).starts_with("lr must be finite"));
    assert!(message(&set, &|options| options.batch_size = 1).starts_with("batch-size must be 2 or more"));
    assert!(message(&set, &|options| options.epochs = 0).starts_with("epochs must be 1 or more"));
    assert!(message(&set, &|options| options.hidden = Some(4)).starts_with("a rotation has no hidden layer"));
    assert!(message(&set, &|options| options.dims = vec![40]).contains("40"));
    let mut values = set.embeddings().to_vec();
    values[3 * WIDTH..4 * WIDTH].fill(0.0);
    let zero = EmbeddingSet::new(values.clone(), WIDTH).unwrap();
    assert_eq!(message(&zero, &|_| {}), "row 3 is zero, and has no direction to keep; leave it out");
    values[3 * WIDTH] = 2e37;
    let long = EmbeddingSet::new(values.clone(), WIDTH).unwrap();
    assert!(message(&long, &|_| {}).starts_with("row 3 has norm "));
    values[7] = f32::NAN;
    let not_finite = EmbeddingSet::new(values, WIDTH).unwrap();
    assert!(message(&not_finite, &|_| {}).starts_with("row 0 is not finite"));
    let hidden = message(&set, &|options| {
        (options.form, options.hidden) = (AdapterForm::Residual, Some(1 << 20));
    });
    assert_eq!(hidden, "hidden must be between 1 and 65536, got 1048576");
    let labelled = |labels: Vec<i64>| {
        let set = EmbeddingSet::new(set.embeddings().to_vec(), WIDTH).unwrap().with_labels(labels).unwrap();
        message(&set, &|options| options.objective = AdaptObjective::Labels)
    };
    assert!(labelled(vec![4; 50]).starts_with("all labels are 4"));
    assert!(labelled((0..50).collect()).starts_with("no two vectors have the same label"));
    assert!(labelled((-1..49).collect()).starts_with("row 0 has label -1"));
    let one = EmbeddingSet::new(vec![1.0; WIDTH], WIDTH).unwrap();
    assert!(message(&one, &|_| {}).starts_with("1 vectors cannot be compared"));
}

proptest! {
    #[test]
    fn damaged_adapters_are_an_error_or_whole(at in 0usize..2_000, value: u8, cut in 0usize..300) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter.safetensors");
        Adapter::principal(&rows(40, 7), &[4]).unwrap().write(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len().saturating_sub(cut));
        std::fs::write(&path, bytes).unwrap();
        if let Ok(adapter) = Adapter::read(&path) {
            let _ = adapter.apply(&rows(3, 8));
        }
    }
}
