use crate::knn::Neighbour;

/// The class with the largest sum of `exp(cosine / temperature)` over the neighbours (Wu et al. 2018, arXiv 1805.01978);
/// of equals the lower.
pub(crate) fn vote(neighbours: &[Neighbour], targets: &[usize], classes: usize, temperature: f64) -> usize {
    let mut votes = vec![0.0; classes];
    // Relative to the nearest, so that a low temperature overflows nothing.
    let nearest = neighbours.first().map_or(0.0, |neighbour| neighbour.cosine);
    for neighbour in neighbours {
        votes[targets[neighbour.row]] += ((neighbour.cosine - nearest) / temperature).exp();
    }
    (1..classes).fold(0, |best, class| if votes[class] > votes[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_rows_outvote_many_far_ones() {
        let neighbours =
            [(0.9, 0), (0.5, 1), (0.5, 2), (0.5, 3)].map(|(cosine, row)| Neighbour { cosine, row });
        let targets = [1, 0, 0, 0];
        assert_eq!(vote(&neighbours, &targets, 2, 0.1), 1);
        assert_eq!(vote(&neighbours, &targets, 2, 10.0), 0);
        assert_eq!(vote(&neighbours, &targets, 2, 1e-9), 1);
    }

    #[test]
    fn equal_votes_go_to_the_lower_class() {
        let neighbours = [(0.5, 0), (0.5, 1)].map(|(cosine, row)| Neighbour { cosine, row });
        assert_eq!(vote(&neighbours, &[2, 1], 3, 0.1), 1);
    }
}
