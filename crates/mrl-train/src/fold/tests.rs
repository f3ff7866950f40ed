use mrl_embedding::Nesting;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const WIDTH: usize = 16;

/// Features that, as those after a `ReLU`, are not negative; the last ones vary most.
fn features(n: usize, seed: u64) -> EmbeddingSet {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut row = || {
        let hidden: Vec<f32> = (0..WIDTH).map(|_| random.random_range(-1.0f32..1.0)).collect();
        let feature = move |place: usize| {
            let spread = 0.1 + (place as f32 / WIDTH as f32).powi(2) * 3.0;
            (spread * (hidden[place] + 0.5 * hidden[place / 2])).max(0.0) + 0.01
        };
        (0..WIDTH).map(feature).collect::<Vec<f32>>()
    };
    EmbeddingSet::new((0..n).flat_map(|_| row()).collect(), WIDTH).unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The share of the ten nearest rows of `whole` that prefixes of `shortened` find.
#[expect(clippy::unnecessary_wraps, reason = "`judge` hears of errors")]
fn kept(
    whole: [&EmbeddingSet; 2],
    shortened: [&EmbeddingSet; 2],
    dims: &[usize],
) -> Result<Vec<f64>, TrainError> {
    let nearest = |[rows, queries]: [&EmbeddingSet; 2], query: usize, dim: usize| {
        let near = |row: usize| cosine(&rows.row(row)[..dim], &queries.row(query)[..dim]);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| near(b).total_cmp(&near(a)));
        order.truncate(10);
        order
    };
    let of_dim = |&dim: &usize| {
        let queries = whole[1].len();
        let found = |query: usize| {
            let truth = nearest(whole, query, WIDTH);
            nearest(shortened, query, dim).iter().filter(|row| truth.contains(row)).count()
        };
        (0..queries).map(found).sum::<usize>() as f64 / (10 * queries) as f64
    };
    Ok(dims.iter().map(of_dim).collect())
}

fn trial(choice: FoldChoice, features: &EmbeddingSet) -> Result<FoldTrial, TrainError> {
    let nesting = Nesting::new([2, 4, 8, WIDTH], WIDTH).unwrap();
    Ok(FoldTrial::new(choice, features, &nesting)?.expect("a rotation to try"))
}

#[test]
fn whole_vectors_keep_their_cosines() {
    let (set, others) = (features(200, 1), features(50, 2));
    let learned = Fold::learned(&set, &[2, 4, 8]).unwrap();
    for fold in
        [Fold::principal(&set, &[]).unwrap(), learned.after(Some(&Fold::principal(&others, &[]).unwrap()))]
    {
        let folded = fold.applied(&others).unwrap();
        for (a, b) in (0..50).flat_map(|a| (0..50).map(move |b| (a, b))) {
            let (before, after) =
                (cosine(others.row(a), others.row(b)), cosine(folded.row(a), folded.row(b)));
            assert!((before - after).abs() < 1e-6, "{} {a} {b}: {before} {after}", fold.choice());
        }
        assert!(others.row(0)[0] != folded.row(0)[0]);
    }
}

/// No other orthonormal axes hold more of the squared norm, and each number holds what is left of it.
#[test]
fn prefixes_are_uncentred_principal_components() {
    let set = features(300, 3);
    let folded = Fold::principal(&set, &[]).unwrap().applied(&set).unwrap();
    let column = |set: &EmbeddingSet, place: usize| (0..set.len()).map(|row| set.row(row)[place]).collect();
    let columns: Vec<Vec<f32>> = (0..WIDTH).map(|place| column(&folded, place)).collect();
    let squares: Vec<f64> = columns.iter().map(|column| dot(column, column)).collect();
    assert!(squares.is_sorted_by(|a, b| a >= b), "{squares:?}");
    for (i, j) in (0..WIDTH).flat_map(|i| (0..i).map(move |j| (i, j))) {
        let product = dot(&columns[i], &columns[j]);
        assert!(product.abs() < 1e-5 * squares[0], "numbers {i} and {j}: {product}");
    }
    // The singular values of the features, which another algorithm finds, are the norms of the numbers.
    let rows = Tensor::from_slice(set.embeddings()).view([-1, WIDTH as i64]).to_kind(Kind::Double);
    let (_, singular, _) = rows.svd(true, false);
    for (place, square) in squares.iter().enumerate() {
        let expected = singular.double_value(&[place as i64]).powi(2);
        assert!((square - expected).abs() < 1e-5 * expected, "number {place}: {square} {expected}");
    }
}

/// Features of a large mean: it is the first principal component, and nearly the same for all rows.
#[test]
fn the_mean_comes_after_the_prefix_that_keeps_more_neighbours_without_it() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut row = || -> Vec<f32> {
        let spread = |place: usize| 2.0 / (1 << (place / 2)) as f32;
        (0..WIDTH).map(|place| 6.0 + spread(place) * random.random_range(-1.0f32..1.0)).collect()
    };
    let [set, others] =
        [800, 100].map(|n| EmbeddingSet::new((0..n).flat_map(|_| row()).collect(), WIDTH).unwrap());
    let folded = |dims: &[usize]| Fold::principal(&set, dims).unwrap();
    let (pure, placed) = (folded(&[]), folded(&[2, 4, 8]));
    let mapped = |fold: &Fold| [&set, &others].map(|set| fold.applied(set).unwrap());
    let (before, after) = (mapped(&pure), mapped(&placed));
    let whole = [&set, &others];
    let worth = |rows: &[EmbeddingSet; 2]| kept(whole, [&rows[0], &rows[1]], &[2, 4, 8]).unwrap();
    let (principal, moved) = (worth(&before), worth(&after));
    assert!(moved[0] > principal[0] + 0.02, "{principal:?} {moved:?}");
    let mean = |number: usize| (0..100).map(|row| after[1].row(row)[number]).sum::<f32>() / 100.0;
    let place = (0..WIDTH).find(|&number| mean(number).abs() > 20.0).expect("the mean is somewhere");
    assert!([2, 4, 8].contains(&place), "{place}");
    // Prefixes beyond the next dim span the same space as before.
    let dim = 2 * place;
    for (a, b) in (0..100).flat_map(|a| (0..a).map(move |b| (a, b))) {
        let of = |rows: &EmbeddingSet| cosine(&rows.row(a)[..dim], &rows.row(b)[..dim]);
        assert!((of(&before[1]) - of(&after[1])).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn the_sign_of_an_axis_follows_from_its_largest_entry() {
    let fold = Fold::principal(&features(100, 4), &[]).unwrap();
    for axis in fold.weight.chunks_exact(WIDTH) {
        let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        assert!(largest > 0.0, "{axis:?}");
    }
    let mut axis = [0.5, -0.5, 0.1];
    point_upwards(&mut axis);
    assert_eq!(axis, [0.5, -0.5, 0.1], "the first of equals decides");
    point_upwards(&mut [0.0; 3]);
}

#[test]
fn two_maps_are_composed_into_one() {
    let set = features(120, 5);
    let first = Fold::learned(&set, &[2, 4, 8]).unwrap();
    let once = first.applied(&set).unwrap();
    let second = Fold::principal(&once, &[]).unwrap();
    let [twice, composed] =
        [second.applied(&once).unwrap(), second.after(Some(&first)).applied(&set).unwrap()];
    for (a, b) in twice.embeddings().iter().zip(composed.embeddings()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert_eq!(second.after(None), second);
    assert_eq!(second.after(Some(&first)).choice(), FoldChoice::Principal);
    // Principal components do not depend on what was folded in before.
    let direct = Fold::principal(&set, &[]).unwrap().applied(&set).unwrap();
    for row in 0..set.len() {
        let difference = dot(direct.row(row), direct.row(row)) - dot(composed.row(row), composed.row(row));
        assert!(difference.abs() < 1e-4, "{difference}");
        let shorter = |set: &EmbeddingSet| dot(&set.row(row)[..4], &set.row(row)[..4]);
        assert!((shorter(&direct) - shorter(&composed)).abs() < 1e-4);
    }
}

#[test]
fn a_row_alone_is_mapped_as_among_others() {
    let set = features(40, 6);
    let fold = Fold::principal(&set, &[]).unwrap();
    let all = fold.applied(&set).unwrap();
    for row in [0, 17, 39] {
        let mut alone = set.row(row).to_vec();
        fold.apply(&mut alone);
        assert_eq!(alone, all.row(row));
    }
}

#[test]
fn images_kept_out_of_the_fit_say_whether_it_helps() {
    let set = features(440, 7);
    for choice in [FoldChoice::Principal, FoldChoice::Learned] {
        let trial = trial(choice, &set).unwrap();
        let record = trial.judge(kept).unwrap();
        assert_eq!((record.fitted, record.kept_out, record.choice), (400, 40, choice));
        assert_eq!(record.dims, [2, 4, 8], "the whole width is the same with and without");
        assert!(record.helps(), "{record:?}");
        assert_eq!(trial.fold().choice(), choice);
    }
    // Prefixes that are principal components already do not get better.
    let principal = trial(FoldChoice::Principal, &set).unwrap().fold().applied(&set).unwrap();
    let record = trial(FoldChoice::Principal, &principal).unwrap().judge(kept).unwrap();
    assert!(!record.helps(), "{record:?}");
    let nesting = Nesting::new([2, WIDTH], WIDTH).unwrap();
    assert!(FoldTrial::new(FoldChoice::None, &set, &nesting).unwrap().is_none());
}

#[test]
fn where_no_shorter_prefix_is_trained_powers_of_two_are_judged() {
    let nesting = Nesting::new([WIDTH], WIDTH).unwrap();
    let trial = FoldTrial::new(FoldChoice::Principal, &features(22, 8), &nesting).unwrap().unwrap();
    assert_eq!(trial.dims, [8]);
}

#[test]
fn features_that_no_rotation_fits_are_refused() {
    let refused = |choice, set: &EmbeddingSet| match trial(choice, set) {
        Err(TrainError::Vectors(problem)) => problem,
        other => panic!("{:?}", other.map(|trial| trial.dims)),
    };
    let few = refused(FoldChoice::Principal, &features(21, 9));
    assert_eq!(few, "21 images are too few to fit a rotation and to judge it; use 22 or more");
    let mut values = features(30, 9).embeddings().to_vec();
    values[3] = f32::NAN;
    let damaged = EmbeddingSet::new(values, WIDTH).unwrap();
    assert_eq!(refused(FoldChoice::Principal, &damaged), "row 0 of the features is not finite");
    let zeros = EmbeddingSet::new(vec![0.0; 30 * WIDTH], WIDTH).unwrap();
    assert!(refused(FoldChoice::Learned, &zeros).contains("give at least two"));
    // Principal components of nothing are some axes, which change no cosine.
    trial(FoldChoice::Principal, &zeros).unwrap();
}

#[test]
fn a_stored_map_must_be_a_rotation() {
    let fold = Fold::principal(&features(60, 10), &[]).unwrap();
    assert_eq!(Fold::stored(&fold.tensor(), FoldChoice::Principal).unwrap(), fold);
    let away = Fold::stored(&(fold.tensor() * 1.001), FoldChoice::Principal).unwrap_err();
    assert!(away.starts_with("is not orthogonal: products of its rows are off by 2.0e-3"), "{away}");
    let infinite = fold.tensor() / 0.0;
    assert_eq!(
        Fold::stored(&infinite, FoldChoice::Learned).unwrap_err(),
        "holds a number that is not finite"
    );
}
