//! Blocks that were cut in one place and put back in another.

use std::collections::HashMap;

use super::lines::{Keys, Run};

/// A block is called moved from this many letters and digits on, as `git diff --color-moved` has it: a lone brace or a
/// blank line is found everywhere.
const MIN_LETTERS: usize = 20;

/// How many places a line is looked for in. A line that stands in more of them says little, and hostile texts repeat one.
const MAX_PLACES: usize = 16;

/// For each removed line the line it went to, and for each added line the line it came from.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub to: HashMap<u32, u32>,
    pub from: HashMap<u32, u32>,
}

/// Finds the longest blocks of removed lines that were added elsewhere, from the top.
pub(super) fn find_moved(keys: &Keys, base_lines: &[&str], runs: &[Run]) -> Moved {
    let mut is_added = vec![false; keys.head.len()];
    let mut places: HashMap<u32, Vec<u32>> = HashMap::new();
    for run in runs {
        if let Run::Changed { head, .. } = run {
            for line in head.clone() {
                is_added[line as usize] = true;
                let found = places.entry(keys.head[line as usize]).or_default();
                if found.len() < MAX_PLACES {
                    found.push(line);
                }
            }
        }
    }
    let mut moved = Moved::default();
    for run in runs {
        let Run::Changed { base, .. } = run else { continue };
        let mut line = base.start;
        while line < base.end {
            let block = places
                .get(&keys.base[line as usize])
                .into_iter()
                .flatten()
                .map(|&place| (length_of_block(keys, &is_added, line, base.end, place), place))
                .max_by_key(|&(length, place)| (length, std::cmp::Reverse(place)));
            match block {
                Some((length, place)) if length > 0 && has_letters(base_lines, line, length) => {
                    for offset in 0..length {
                        moved.to.insert(line + offset, place + offset);
                        moved.from.insert(place + offset, line + offset);
                        // A place is taken once.
                        is_added[(place + offset) as usize] = false;
                    }
                    line += length;
                }
                // What is too short here is too short further down in the same block.
                Some((length, _)) => line += length.max(1),
                None => line += 1,
            }
        }
    }
    moved
}

fn length_of_block(keys: &Keys, is_added: &[bool], line: u32, end: u32, place: u32) -> u32 {
    (line..end)
        .zip(place..)
        .take_while(|&(line, place)| {
            is_added.get(place as usize).copied().unwrap_or(false)
                && keys.base[line as usize] == keys.head[place as usize]
        })
        .map(|_| 1)
        .sum()
}

fn has_letters(lines: &[&str], start: u32, length: u32) -> bool {
    let block = lines[start as usize..(start + length) as usize].iter();
    block.flat_map(|line| line.chars()).filter(|c| c.is_alphanumeric()).take(MIN_LETTERS).count() == MIN_LETTERS
}
