//! New cases from old ones.
//!
//! Two ways: [`text`] works on tokens, lines and brackets and makes texts that can hardly be read; [`tree`] works on the values of JSON and YAML and makes
//! texts that can be read and say what nobody would. Cases whose answers were new join the seeds, up to a bound.

mod text;
mod tree;

use serde_json::Value;

use crate::{
    random::Random,
    target::{Form, Target},
};

/// How many cases with new answers are kept to be mutated again; beyond that they take the places of others.
const KEPT: usize = 4096;
/// How many mutations a case has at most, mostly.
const FEW: usize = 4;

/// Makes cases.
pub struct Mutator {
    form: Form,
    longest: usize,
    words: Vec<String>,
    texts: Vec<String>,
    trees: Vec<Value>,
    seeds: (usize, usize),
}

impl Mutator {
    /// Cases of a target, from its seeds and what was kept for it.
    #[must_use]
    pub fn new(target: &dyn Target, kept: Vec<Vec<u8>>) -> Self {
        let mut texts: Vec<String> = target.seeds();
        texts.extend(
            kept.into_iter()
                .filter_map(|bytes| String::from_utf8(bytes).ok()),
        );
        texts.retain(|text| text.len() <= target.longest());
        let trees: Vec<Value> = match target.form() {
            Form::Line => Vec::new(),
            _ => texts.iter().filter_map(|text| tree::parse(text)).collect(),
        };
        Self {
            form: target.form(),
            longest: target.longest(),
            words: target.words(),
            seeds: (texts.len(), trees.len()),
            texts,
            trees,
        }
    }

    /// The next case.
    #[must_use]
    pub fn next(&self, target: &dyn Target, random: &mut Random) -> Vec<u8> {
        if random.once_in(4)
            && let Some(text) = target.generate(random)
        {
            return text.into_bytes();
        }
        let most = if random.once_in(16) { 4 * FEW } else { FEW };
        let times = 1 + random.below(most);
        let mut text = match self.form {
            Form::Line => self.of_text(random, times),
            Form::Yaml if random.once_in(3) => self.of_text(random, times),
            // JSON is less patient
            Form::Json if random.once_in(8) => self.of_text(random, times),
            _ => self.of_tree(random, times),
        };
        if text.len() > self.longest {
            let end = (0..=self.longest)
                .rev()
                .find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or_default());
        }
        let mut bytes = text.into_bytes();
        // not UTF-8 any more, most likely
        if random.once_in(64) && !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        bytes
    }

    fn of_text(&self, random: &mut Random, times: usize) -> String {
        let mut text = random.pick(&self.texts).cloned().unwrap_or_default();
        for _ in 0..times {
            let donor = random.pick(&self.texts).map_or("", String::as_str);
            text = text::mutated(&text, donor, &self.words, random);
            if text.len() > 2 * self.longest {
                break;
            }
        }
        text
    }

    fn of_tree(&self, random: &mut Random, times: usize) -> String {
        let Some(tree) = random.pick(&self.trees) else {
            return self.of_text(random, times);
        };
        let mut tree = tree.clone();
        for _ in 0..times {
            let donor = random.pick(&self.trees).unwrap_or(&Value::Null);
            tree::mutate(&mut tree, donor, &self.words, random);
        }
        // in lines, so that places differ and indentation counts
        if self.form == Form::Yaml
            && random.once_in(2)
            && let Ok(text) = serde_saphyr::to_string(&tree)
        {
            return text;
        }
        tree.to_string()
    }

    /// Keeps a case whose answer was new.
    pub fn keep(&mut self, case: &[u8], random: &mut Random) {
        let Ok(text) = String::from_utf8(case.to_vec()) else {
            return;
        };
        if self.form != Form::Line
            && let Some(tree) = tree::parse(&text)
        {
            put(&mut self.trees, self.seeds.1, tree, random);
        }
        put(&mut self.texts, self.seeds.0, text, random);
    }
}

/// Adds to a list, or takes the place of one that came later than the seeds.
fn put<T>(list: &mut Vec<T>, seeds: usize, item: T, random: &mut Random) {
    if list.len() < seeds + KEPT {
        list.push(item);
    } else if let Some(place) = list.get_mut(seeds + random.below(KEPT)) {
        *place = item;
    }
}
