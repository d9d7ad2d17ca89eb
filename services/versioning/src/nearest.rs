//! The names that may have been meant.

/// Names that are offered at most.
const OFFERED: usize = 3;

/// How alike a name must be to be offered, from 0 to 1: the share of characters that both have in the same order (Ratcliff and
/// Obershelp).
const ALIKE: f32 = 0.6;

/// The names that are most like one that does not exist, the best first; none when nothing is like it.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let known: Vec<&str> = known.collect();
    similar::get_close_matches(name, &known, OFFERED, ALIKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name() {
        let known = ["backend_dev", "frontend_dev", "qa_engineer"];
        assert_eq!(nearest("backend_def", known.into_iter()).first(), Some(&"backend_dev"));
        assert_eq!(nearest("frontend", known.into_iter()), ["frontend_dev"]);
        assert!(nearest("zzz", known.into_iter()).is_empty());
        assert!(nearest("", std::iter::empty()).is_empty());
    }
}
