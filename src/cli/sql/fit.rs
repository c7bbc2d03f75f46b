//! Which columns fit beside each other, and how wide each may be.

/// One place in a table row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Column {
        index: usize,
        width: usize,
    },
    /// Stands for the columns that do not fit, one `…` wide.
    Gap,
}

/// What a column would like and what it cannot do without, in terminal columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) natural: usize,
    pub(super) least: usize,
}

/// Border and padding: `│ ` before each cell, one space after it, and the last `│`.
const PER_COLUMN: usize = 3;
const LAST_BORDER: usize = 1;

/// All columns where they fit, if need be with shortened cells; else the first and the last ones.
pub(super) fn fit(needs: &[Need], terminal: Option<usize>) -> Vec<Slot> {
    let all: Vec<usize> = (0..needs.len()).collect();
    let Some(terminal) = terminal else {
        return needs.iter().enumerate().map(|(index, need)| Slot::Column { index, width: need.natural }).collect();
    };
    let room = |columns: usize| terminal.saturating_sub(LAST_BORDER + PER_COLUMN * columns);
    let least = |columns: &[usize]| columns.iter().filter_map(|i| needs.get(*i)).map(|need| need.least).sum::<usize>();

    if least(&all) <= room(all.len()) {
        return share(needs, &all, room(all.len())).collect();
    }
    // From both ends inwards, as long as they fit beside the gap.
    let mut front: Vec<usize> = Vec::new();
    let mut back: Vec<usize> = Vec::new();
    let (mut left, mut right) = (0, needs.len());
    while left < right {
        let from_front = front.len() <= back.len();
        let next = if from_front { left } else { right - 1 };
        let kept: Vec<usize> = front.iter().chain(&back).chain([&next]).copied().collect();
        // The first column always shows, however narrow the terminal.
        if !front.is_empty() && least(&kept) + 1 > room(kept.len() + 1) {
            break;
        }
        if from_front {
            front.push(next);
            left += 1;
        } else {
            back.push(next);
            right -= 1;
        }
    }
    back.reverse();
    let kept: Vec<usize> = front.iter().chain(&back).copied().collect();
    let gap = kept.len() < needs.len();
    let available = if gap { room(kept.len() + 1).saturating_sub(1) } else { room(kept.len()) };
    let mut slots: Vec<Slot> = share(needs, &kept, available).collect();
    if gap {
        slots.insert(front.len(), Slot::Gap);
    }
    slots
}

/// Widths under one common cap, the largest that fits; what is left over goes to cut columns from the left.
fn share<'a>(needs: &'a [Need], columns: &'a [usize], room: usize) -> impl Iterator<Item = Slot> + 'a {
    let of = |index: &usize| needs.get(*index).copied().unwrap_or(Need { natural: 0, least: 0 });
    let under = move |cap: usize, need: Need| need.natural.min(cap).max(need.least);
    let total = |cap: usize| columns.iter().map(|index| under(cap, of(index))).sum::<usize>();
    let (mut low, mut high) = (0, columns.iter().map(|index| of(index).natural).max().unwrap_or(0));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if total(middle) <= room { low = middle } else { high = middle - 1 }
    }
    let mut spare = room.saturating_sub(total(low));
    columns.iter().map(move |index| {
        let need = of(index);
        let mut width = under(low, need);
        if width < need.natural && spare > 0 {
            width += 1;
            spare -= 1;
        }
        // One column that is wider than the whole terminal still has to end inside it.
        Slot::Column { index: *index, width: width.min(room.max(1)) }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_never_leaves_the_terminal(
            needs in prop::collection::vec((1_usize..60, 1_usize..20), 1..12),
            terminal in 12_usize..200,
        ) {
            let needs: Vec<Need> =
                needs.into_iter().map(|(natural, least)| Need { natural, least: least.min(natural) }).collect();
            let slots = fit(&needs, Some(terminal));
            let width = |slot: &Slot| PER_COLUMN + if let Slot::Column { width, .. } = slot { *width } else { 1 };
            prop_assert!(LAST_BORDER + slots.iter().map(width).sum::<usize>() <= terminal, "{slots:?}");
            let first = slots.first().is_some_and(|slot| matches!(slot, Slot::Column { index: 0, .. }));
            prop_assert!(first, "the first column always shows");
        }
    }

    fn check(needs: &[(usize, usize)], terminal: usize, expect: &str) {
        let needs: Vec<Need> = needs.iter().map(|&(natural, least)| Need { natural, least }).collect();
        let slots = fit(&needs, Some(terminal));
        let total: usize = LAST_BORDER
            + slots
                .iter()
                .map(|s| PER_COLUMN + if let Slot::Column { width, .. } = s { *width } else { 1 })
                .sum::<usize>();
        let got: Vec<String> = slots
            .iter()
            .map(|slot| match slot {
                Slot::Column { index, width } => format!("{index}:{width}"),
                Slot::Gap => "…".to_owned(),
            })
            .collect();
        assert_eq!(got.join(" "), expect);
        assert!(total <= terminal || slots.len() <= 2, "{total} > {terminal}");
    }

    #[test]
    fn columns_that_fit_keep_their_width() {
        check(&[(5, 5), (3, 3)], 15, "0:5 1:3");
    }

    #[test]
    fn wide_text_gives_way_before_columns_hide() {
        check(&[(10, 10), (100, 8)], 40, "0:10 1:23");
        check(&[(100, 8), (100, 8), (5, 5)], 40, "0:13 1:12 2:5");
    }

    #[test]
    fn middle_columns_hide() {
        check(&[(10, 10); 8], 50, "0:10 1:10 … 7:10");
        check(&[(10, 10); 3], 17, "0:9 …");
    }

    #[test]
    fn one_column_wider_than_the_terminal_is_cut() {
        check(&[(100, 8)], 20, "0:16");
        check(&[(30, 30)], 20, "0:16");
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let slots = fit(&[Need { natural: 900, least: 8 }], None);
        assert_eq!(slots, [Slot::Column { index: 0, width: 900 }]);
    }
}
