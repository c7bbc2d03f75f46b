//! "Did you mean": the nearest known word.

/// The candidate that the given word is most likely a slip of, if one is near enough.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = given.to_lowercase();
    // A third of the letters may be wrong; two-letter words are never suggested for two wrong letters.
    let limit = (lowered.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&lowered, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The nearest word as a hint, if one is near enough.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, candidates).map(|word| format!("did you mean `{word}`?"))
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    // Long input is never a slip of a key, and the work grows with the product of the lengths.
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (at(&last, j + 1) + 1).min(at(&row, j) + 1).min(at(&last, j) + usize::from(x != y));
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let keys = ["primaryKey", "primaryKeyPosition", "required", "unique"];
        assert_eq!(nearest("primaryKye", keys), Some("primaryKey"));
        assert_eq!(nearest("PrimaryKey", keys), Some("primaryKey"));
        assert_eq!(nearest("uniqe", keys), Some("unique"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("locall", ["local", "s3"]), Some("local"));
        assert_eq!(nearest("", keys), None);
    }
}
