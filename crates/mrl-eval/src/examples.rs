use mrl_embedding::EmbeddingSet;

use crate::{
    check::Checked,
    knn::{Among, Neighbours},
    measures::{Example, ExamplePrefix},
    rows::Rows,
};

/// Test rows that are shown, of as many classes.
const EXAMPLES: usize = 6;

/// Neighbours that are shown of each.
const NEIGHBOURS: usize = 8;

/// The first test row of each of the first classes, with its neighbours at the shortest, a middle and the longest dim:
/// chosen by order alone, so that nobody picks the good ones.
pub(crate) fn pick(train: &EmbeddingSet, test: &EmbeddingSet, checked: &Checked) -> Vec<Example> {
    let first = |class| checked.test.iter().position(|&of_row| of_row == Some(class));
    let rows: Vec<usize> = (0..checked.classes.len()).filter_map(first).take(EXAMPLES).collect();
    let values: Vec<f32> = rows.iter().flat_map(|&row| test.row(row)).copied().collect();
    let (database, queries) = (Rows::of(train), Rows::new(&values, test.width()));
    let dims = shown_dims(&checked.dims);
    let found = Neighbours::search(database, queries, &dims, NEIGHBOURS, Among::All);
    let label = |row: usize| checked.classes[checked.train[row]];
    let prefix = |index: usize, dim: usize, neighbours: &Neighbours| {
        let rows: Vec<usize> = neighbours.of(index).iter().map(|neighbour| neighbour.row).collect();
        ExamplePrefix { dim, labels: rows.iter().map(|&row| label(row)).collect(), rows }
    };
    let example = |(index, &row): (usize, &usize)| Example {
        row,
        label: checked.classes[checked.test[row].unwrap_or_default()],
        prefixes: dims.iter().zip(&found).map(|(&dim, neighbours)| prefix(index, dim, neighbours)).collect(),
    };
    rows.iter().enumerate().map(example).collect()
}

fn shown_dims(dims: &[usize]) -> Vec<usize> {
    let mut shown = vec![dims[0], dims[dims.len() / 2], dims[dims.len() - 1]];
    shown.dedup();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvalOptions, check::check};

    #[test]
    fn the_first_row_of_each_class_is_shown_with_its_neighbours() {
        let set = |values: &[f32], labels: &[i64]| {
            EmbeddingSet::new(values.to_vec(), 2).unwrap().with_labels(labels.to_vec()).unwrap()
        };
        let train = set(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[3, 5, 5]);
        let test = set(&[0.1, 1.0, 1.0, 2.0, 1.0, 0.1, 1.0, 1.0], &[5, 5, 3, 8]);
        let options = EvalOptions { dims: Some(vec![1, 2]), ..EvalOptions::default() };
        let shown = pick(&train, &test, &check(&train, &test, &options).unwrap());
        assert_eq!(
            shown.iter().map(|example| (example.row, example.label)).collect::<Vec<_>>(),
            [(2, 3), (0, 5)]
        );
        let full = &shown[1].prefixes[1];
        assert_eq!((full.dim, &full.rows[..], &full.labels[..]), (2, &[1, 2, 0][..], &[5, 5, 3][..]));
    }
}
