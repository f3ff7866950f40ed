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
    let (train, test) = (rows(512, 1), rows(200, 2));
    let before = nearest_agree(&Adapter::principal(&train, &[4]).unwrap().apply(&test).unwrap(), 4);
    for form in [AdapterForm::Rotation, AdapterForm::Residual] {
        let adapter = Adapter::fit(&train, &options(form, AdaptObjective::Labels), &mut |_| {}).unwrap();
        let after = nearest_agree(&adapter.apply(&test).unwrap(), 4);
        assert!(after > before + 0.1, "{form}: {before} {after}");
    }
}

#[test]
fn fitting_lowers_the_loss_of_similarity() {
    for form in [AdapterForm::Rotation, AdapterForm::Residual] {
        let mut losses = Vec::new();
        let options = options(form, AdaptObjective::Similarity);
        Adapter::fit(&rows(512, 3), &options, &mut |step| losses.push(step.loss)).unwrap();
        assert_eq!(losses.len(), 8 * 20);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..8]), mean(&losses[152..]));
        assert!(last < 0.97 * first, "{form}: {first} {last}");
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
        assert!(read.apply(&other).unwrap_err().to_string().contains("of other weights (def)"));
        (other.metadata.weights, other.metadata.encoder) = (None, Some("bert".to_owned()));
        assert!(read.apply(&other).unwrap_err().to_string().contains("of another encoder (bert)"));
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
    assert!(message(&set, &|options| options.lr = f64::NAN).starts_with("a learning rate of NaN"));
    assert!(message(&set, &|options| options.batch_size = 1).starts_with("a batch of fewer than two"));
    assert!(message(&set, &|options| options.epochs = 0).starts_with("no epoch"));
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
    assert_eq!(hidden, "a hidden layer of 1048576 numbers cannot be; use 1 to 65536");
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
