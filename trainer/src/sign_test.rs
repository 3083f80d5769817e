//! The exact sign test for two heads on the same pictures (the exact form of McNemar's test).

/// Computes the two-sided p-value, the probability that two equally good heads differ as much or more: `only_a` pictures
/// are classified correctly by the first head only, `only_b` by the second only. From 0 to 1; 1 where both are 0.
pub(crate) fn two_sided(only_a: usize, only_b: usize) -> f64 {
    let n = only_a + only_b;
    // Logarithm of C(n, k) / 2^n, from k = 0 on: the terms themselves may be too small for a float.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=only_a.min(only_b) {
        tail += log_term.exp();
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_binomial_test_at_one_half() {
        // min(1, 2 * sum(comb(n, k) for k in range(min(a, b) + 1)) / 2**n) in Python
        for (a, b, expected) in
            [(0, 0, 1.0), (1, 1, 1.0), (2, 8, 0.109_375), (0, 6, 0.031_25), (30, 14, 0.022_629)]
        {
            let found = two_sided(a, b);
            assert!((found - expected).abs() < 1e-5, "{a}, {b}: {found}");
            assert_eq!(found, two_sided(b, a));
        }
        assert!(two_sided(2000, 4000) < 1e-100);
    }
}
