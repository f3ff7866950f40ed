//! The first images of each class.

use std::collections::BTreeMap;

use crate::DataError;

/// The labels, when every image has one and `count` is not 0.
pub(super) fn checked_labels<'a>(
    name: &str,
    labels: Option<&'a [i64]>,
    count: usize,
) -> Result<&'a [i64], DataError> {
    if count == 0 {
        return Err(DataError::Subset(
            "a subset of 0 images of each class is empty; ask for at least 1".into(),
        ));
    }
    labels.filter(|labels| labels.iter().all(|&label| label >= 0)).ok_or_else(|| {
        DataError::Subset(format!(
            "{name} has images without labels, so no number of each class can be taken; leave the subset out"
        ))
    })
}

/// The indices of the first `count` images of each class, increasing.
pub(super) fn first_of_each_class(labels: &[i64], count: usize) -> Vec<usize> {
    let mut seen = BTreeMap::<i64, usize>::new();
    let mut is_among_the_first = |label: i64| {
        let seen = seen.entry(label).or_default();
        *seen += 1;
        *seen <= count
    };
    (0..labels.len()).filter(|&index| is_among_the_first(labels[index])).collect()
}

/// Checks that `labels` has `count` of each of the `classes`.
pub(super) fn check_counts(
    name: &str,
    labels: &[i64],
    classes: Option<usize>,
    names: Option<&[String]>,
    count: usize,
) -> Result<(), DataError> {
    let classes = classes.unwrap_or_else(|| labels.iter().max().map_or(0, |&label| label as usize + 1));
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let Some((class, &found)) =
        counts.iter().enumerate().filter(|&(_, &found)| found < count).min_by_key(|&(_, &found)| found)
    else {
        return Ok(());
    };
    let class_name =
        names.and_then(|names| names.get(class)).map(|name| format!(" ({name})")).unwrap_or_default();
    let cure = if found == 0 {
        "put images there, or remove the class".to_owned()
    } else {
        format!("ask for at most {found}")
    };
    Err(DataError::Subset(format!(
        "{name} has {found} images of class {class}{class_name}, fewer than the {count} of each class that were asked \
         for; {cure}"
    )))
}
