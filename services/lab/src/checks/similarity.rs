//! How alike two texts are.

/// Steps that a comparison may take: about a tenth of a second.
const MAX_STEPS: usize = 64_000_000;

/// What is known of how alike two texts are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Similarity {
    /// So alike, from 0 to 1.
    Exactly(f64),
    /// Less than the threshold.
    Below,
    /// It would take too long to say.
    TooLong,
}

/// One minus the edit distance of two texts over the length of the longer one, in Unicode scalar values.
///
/// The distance is Levenshtein's (Soviet Physics Doklady 10, 1966). When a whole table would take too many steps, only the band
/// of it is filled that decides whether the threshold is met (Ukkonen, Information and Control 64, 1985).
pub(super) fn similarity(one: &str, other: &str, threshold: f64) -> Similarity {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    let longest = one.len().max(other.len());
    if longest == 0 {
        return Similarity::Exactly(1.0);
    }
    let prefix = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[prefix..], &other[prefix..]);
    let suffix = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[..one.len() - suffix], &other[..other.len() - suffix]);
    let share = |distance: usize| Similarity::Exactly(1.0 - ratio(distance, longest));
    if one.len().saturating_mul(other.len()) <= MAX_STEPS {
        return share(distance(one, other, longest).unwrap_or(longest));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length below 2^52"
    )]
    let band = ((1.0 - threshold).clamp(0.0, 1.0) * longest as f64).floor() as usize;
    if one.len().min(other.len()).saturating_mul(2 * band + 1) > MAX_STEPS {
        // Texts of very different lengths are told apart without a table.
        return if one.len().abs_diff(other.len()) > band { Similarity::Below } else { Similarity::TooLong };
    }
    distance(one, other, band).map_or(Similarity::Below, share)
}

#[expect(clippy::cast_precision_loss, reason = "lengths below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The edit distance, when it is at most `band`.
fn distance(one: &[char], other: &[char], band: usize) -> Option<usize> {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if long.len() - short.len() > band {
        return None;
    }
    let far = band + 1;
    // The row of the table for the characters of `short` seen so far; beyond the band, everything is far.
    let mut row: Vec<usize> = (0..=long.len()).map(|column| if column <= band { column } else { far }).collect();
    for (index, a) in short.iter().enumerate() {
        let line = index + 1;
        let first = line.saturating_sub(band).max(1);
        let last = line.saturating_add(band).min(long.len());
        let mut diagonal = row[first - 1];
        row[first - 1] = if first == 1 && line <= band { line } else { far };
        for column in first..=last {
            let cost = diagonal + usize::from(*a != long[column - 1]);
            diagonal = row[column];
            row[column] = cost.min(diagonal + 1).min(row[column - 1] + 1).min(far);
        }
        if last < long.len() {
            row[last + 1] = far;
        }
    }
    Some(row[long.len()]).filter(|distance| *distance <= band)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the definition, with the whole table.
    fn naive(one: &[char], other: &[char]) -> usize {
        let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
        for i in 0..=one.len() {
            for j in 0..=other.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    (table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]))
                        .min(table[i - 1][j] + 1)
                        .min(table[i][j - 1] + 1)
                };
            }
        }
        table[one.len()][other.len()]
    }

    #[test]
    fn known_pairs_are_as_alike_as_known() {
        let of = |one, other| match similarity(one, other, 0.5) {
            Similarity::Exactly(share) => share,
            other => panic!("{other:?}"),
        };
        assert!((of("kitten", "sitting") - (1.0 - 3.0 / 7.0)).abs() < 1e-12);
        assert!((of("", "") - 1.0).abs() < 1e-12);
        assert!(of("abc", "").abs() < 1e-12);
        assert!((of("größe", "große") - 0.8).abs() < 1e-12);
    }

    #[test]
    fn long_texts_take_a_bounded_number_of_steps() {
        let long = "lorem ipsum ".repeat(90_000);
        let other = format!("x{}y", "lorem ipsum ".repeat(90_000));
        assert_eq!(similarity(&long, &"z".repeat(10), 0.9), Similarity::Exactly(0.0));
        assert!(matches!(similarity(&long, &other, 0.999_99), Similarity::Exactly(share) if share > 0.999));
        let noise: String =
            (0..1_000_000_u32).map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
        assert_eq!(similarity(&long, &noise, 0.5), Similarity::TooLong);
        assert_eq!(similarity(&long, &noise, 0.999_99), Similarity::Below);
    }

    proptest! {
        #[test]
        fn the_band_holds_the_distance(one in "[ab]{0,12}", other in "[abc]{0,12}", band in 0_usize..14) {
            let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
            let whole = naive(&one, &other);
            prop_assert_eq!(distance(&one, &other, band), (whole <= band).then_some(whole));
        }
    }
}
