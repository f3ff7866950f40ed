use proptest::prelude::*;

use super::*;
use crate::{search::Candidate, tests::rows};

const DIM: usize = 12;

/// The product of row `row` and `query` as plain numbers have it.
fn plain(values: &[f32], query: &[f32], row: usize) -> f64 {
    values[row * DIM..][..DIM].iter().zip(query).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The same as the graph has it.
fn product(built: &BuiltGraph, query: &[f32], row: usize) -> f64 {
    let query = built.view().query(query).unwrap();
    f64::from(built.view().levels.product(&query, row) + query.lacking)
}

/// The share of the ten best of all rows, as 8 bits tell them apart, that walks find.
fn recall(values: &[f32], queries: &[f32], width: usize) -> f64 {
    let built = BuiltGraph::build(values.to_vec(), DIM).unwrap();
    let mut visited = Visited::default();
    let mut found = 0;
    for query in queries.chunks_exact(DIM) {
        let graph = built.view();
        let query = graph.query(query).unwrap();
        let best = graph.nearest(&query, width, &mut visited).unwrap();
        let score = |row: usize| Candidate::new(graph.levels.product(&query, row) + query.lacking, row);
        let mut truth: Vec<Candidate> = (0..values.len() / DIM).map(score).collect();
        truth.sort_unstable_by(|a, b| b.cmp(a));
        found += best.iter().take(10).filter(|candidate| truth[..10].contains(candidate)).count();
    }
    found as f64 / (queries.len() / DIM * 10) as f64
}

#[test]
fn walks_find_the_nearest() {
    let (values, queries) = (unit(&rows(5_000, DIM, 1)), unit(&rows(100, DIM, 2)));
    let (narrow, wide) = (recall(&values, &queries, 12), recall(&values, &queries, 60));
    assert!(narrow > 0.85 && wide > 0.97, "{narrow} {wide}");
}

#[test]
fn walks_find_the_nearest_among_rows_in_heaps_that_come_sorted() {
    let centres = rows(40, DIM, 3);
    let noise = rows(4_000, DIM, 4);
    let row = |index: usize| {
        let (centre, noise) = (&centres[index / 100 * DIM..][..DIM], &noise[index * DIM..][..DIM]);
        centre.iter().zip(noise).map(|(&centre, &noise)| centre + 0.05 * noise).collect::<Vec<f32>>()
    };
    let values: Vec<f32> = unit(&(0..4_000).flat_map(row).collect::<Vec<f32>>());
    let queries: Vec<f32> = values.chunks_exact(DIM).step_by(37).flatten().copied().collect();
    let found = recall(&values, &queries, 60);
    assert!(found > 0.9, "{found}");
}

fn unit(values: &[f32]) -> Vec<f32> {
    let length = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.chunks_exact(DIM).flat_map(|row| row.iter().map(move |value| value / length(row))).collect()
}

#[test]
fn the_graph_does_not_depend_on_the_number_of_threads() {
    let values = rows(1_500, DIM, 5);
    let [one, three] = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| BuiltGraph::build(values.clone(), DIM).unwrap())
    });
    assert_eq!(one, three);
}

#[test]
fn rows_lead_to_others_and_nearly_all_are_reached() {
    let built = BuiltGraph::build(rows(3_000, DIM, 6), DIM).unwrap();
    let graph = built.view();
    for row in 0..3_000 {
        let mut links: Vec<usize> = graph.links(row).collect();
        assert!(!links.is_empty() && !links.contains(&row), "{row}: {links:?}");
        links.sort_unstable();
        assert!(links.windows(2).all(|pair| pair[0] < pair[1]), "{row}: {links:?}");
    }
    let (mut reached, mut next): (Vec<bool>, Vec<usize>) = (vec![false; 3_000], starts(3_000).collect());
    while let Some(row) = next.pop() {
        if !std::mem::replace(&mut reached[row], true) {
            next.extend(graph.links(row));
        }
    }
    assert!(reached.iter().filter(|reached| **reached).count() > 2_970);
}

#[test]
fn what_all_rows_share_and_a_wide_axis_cost_the_others_no_bits() {
    let mut values = rows(500, DIM, 9);
    for row in values.chunks_exact_mut(DIM) {
        row[0] = 100.0 * row[0] + 1000.0;
        row[1] += 1000.0;
        row[2] = 7.0;
    }
    let built = BuiltGraph::build(values.clone(), DIM).unwrap();
    let mut query = vec![0.0; DIM];
    query[1] = 0.2;
    query[3..].copy_from_slice(&rows(1, DIM, 10)[3..]);
    for row in 0..500 {
        let plain = plain(&values, &query, row);
        // All numbers but the first, which the query does not ask for, lie between -1 and 1 from where they are centred.
        let off = (product(&built, &query, row) - plain).abs();
        assert!(off < 0.1, "row {row} is off by {off} of {plain}");
    }
}

#[test]
fn the_links_do_not_depend_on_the_size_of_rows() {
    let links = |size: f32| {
        let values: Vec<f32> = rows(800, DIM, 11).into_iter().map(|value| value * size).collect();
        BuiltGraph::build(values, DIM).unwrap().links
    };
    // Powers of two change no digit.
    let plain = links(1.0);
    assert!(links(2f32.powi(110)) == plain && links(2f32.powi(-90)) == plain);
}

proptest! {
    #[test]
    fn small_graphs_are_walked_whole(n in 1usize..40, width in 1usize..50, seed: u64) {
        let values = rows(n, DIM, seed);
        let built = BuiltGraph::build(values.clone(), DIM).unwrap();
        let mut visited = Visited::default();
        let query = built.view().query(&rows(1, DIM, seed ^ 1)).unwrap();
        let best = built.view().nearest(&query, width, &mut visited).unwrap();
        prop_assert!(best.len() <= width.min(n) && !best.is_empty());
        prop_assert!(best.windows(2).all(|pair| pair[0] > pair[1]));
        prop_assert!(best.len() <= visited.count() && visited.count() <= n);
    }

    #[test]
    fn products_of_whole_numbers_are_near_those_of_numbers(seed: u64, scale in -18i32..18) {
        let scaled = |values: Vec<f32>| values.into_iter().map(|value| value * 10f32.powi(scale)).collect::<Vec<f32>>();
        let (values, query) = (scaled(rows(4, DIM, seed)), rows(1, DIM, seed ^ 1));
        let built = BuiltGraph::build(values.clone(), DIM).unwrap();
        for row in 0..4 {
            let norm = |values: &[f32]| values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let bound = 0.02 * norm(&query) * norm(&values[row * DIM..][..DIM]);
            let product = product(&built, &query, row);
            prop_assert!((product - plain(&values, &query, row)).abs() <= bound + 1e-40);
        }
    }

    #[test]
    fn links_that_are_made_to_harm_lead_nowhere(
        links in proptest::collection::vec(any::<[u32; DEGREE]>(), 20),
        near in proptest::collection::vec(0u32..25, 20),
    ) {
        let mut built = BuiltGraph::build(rows(20, DIM, 7), DIM).unwrap();
        built.links = links;
        built.links.iter_mut().zip(near).for_each(|(links, row)| links[0] = row);
        let best = built.view().nearest(&built.view().query(&rows(1, DIM, 8)).unwrap(), 9, &mut Visited::default()).unwrap();
        let found: Vec<usize> = best.iter().map(|candidate: &Candidate| candidate.row()).collect();
        prop_assert!(found.iter().all(|&row| row < 20));
    }
}
