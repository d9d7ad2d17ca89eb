//! Several p-values of one experiment.

/// The adjusted p-values, in the order given: each may be compared with the level that all of them together are to
/// keep.
///
/// Whoever looks at twenty metrics finds one below 0.05 by chance. Holm's step-down method (Scandinavian Journal of
/// Statistics 6, 1979) keeps the probability of any false finding below the level whatever the metrics have to do with
/// each other.
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (step, index) in order.into_iter().enumerate() {
        largest = largest.max((p_values.len() - step) as f64 * p_values[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}
