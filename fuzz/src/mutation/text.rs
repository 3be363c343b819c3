//! Mutations of texts: tokens, numbers, lines and what stands between brackets.

use crate::random::Random;

/// Numbers at which something ends.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "7",
    "59",
    "60",
    "100",
    "127",
    "128",
    "255",
    "256",
    "1000",
    "1024",
    "65535",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "1e-400",
    "0.1",
    "1e999999999",
    "00",
    "007",
    "0x7f",
    "1_000",
];

/// Letters on which readers stumble.
const LETTERS: &[&str] = &[
    "\0",
    "\t",
    "\r",
    "\n",
    "\r\n",
    " ",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "ß",
    "🚦",
    "e\u{301}",
    "\u{663}",
    "\\",
    "'",
    "\"",
    "`",
    "%",
    "#",
    "&",
    "*",
    "!",
    "|",
    ">",
    "@",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    "?",
    ".",
    "-",
    "+",
    "/",
    "$",
    "~",
    "<",
    "=",
    "\u{1b}[2J",
    "\u{7f}",
];

/// A mutated text; `donor` is another one to take parts of.
pub(super) fn mutated(text: &str, donor: &str, words: &[String], random: &mut Random) -> String {
    match random.below(14) {
        0 => put_token(text, pick(words, random), random),
        1 => in_place_of_token(text, pick(words, random), random),
        2 => {
            let other = token(donor, random);
            in_place_of_token(text, &donor[other.0..other.1], random)
        }
        3 => {
            let (from, to) = token(text, random);
            splice(text, from, to, "")
        }
        4 => {
            let (from, to) = token(text, random);
            let times = if random.once_in(32) {
                300
            } else {
                1 + random.below(3)
            };
            splice(text, to, to, &text[from..to].repeat(times))
        }
        5 => number(text, random),
        6 => {
            let at = boundary(text, random);
            let letter = random.pick(LETTERS).copied().unwrap_or_default();
            splice(text, at, at, letter)
        }
        7 => {
            let (from, mut to) = (boundary(text, random), boundary(text, random));
            // mostly little goes
            if !random.once_in(4) {
                to = next_boundary(text, from, 1 + random.below(6));
            }
            splice(text, from.min(to), from.max(to), "")
        }
        8 => line_moved(text, donor, random),
        9 => indented(text, random),
        10 => group(text, donor, random),
        11 => wrapped(text, random),
        12 => {
            // the first part of one and the last of the other
            let (at, other) = (token(text, random).0, token(donor, random).0);
            format!("{}{}", &text[..at], &donor[other..])
        }
        _ => {
            let (from, to) = token(text, random);
            let changed: String = text[from..to]
                .chars()
                .map(|c| {
                    if c.is_lowercase() {
                        c.to_ascii_uppercase()
                    } else {
                        c.to_ascii_lowercase()
                    }
                })
                .collect();
            splice(text, from, to, &changed)
        }
    }
}

fn pick<'w>(words: &'w [String], random: &mut Random) -> &'w str {
    random.pick(words).map_or("", String::as_str)
}

fn splice(text: &str, from: usize, to: usize, by: &str) -> String {
    let mut changed = String::with_capacity(text.len() + by.len());
    changed.push_str(&text[..from]);
    changed.push_str(by);
    changed.push_str(&text[to..]);
    changed
}

/// A place between two letters.
fn boundary(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The place some letters further on.
fn next_boundary(text: &str, from: usize, letters: usize) -> usize {
    text[from..]
        .char_indices()
        .nth(letters)
        .map_or(text.len(), |(at, _)| from + at)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A token around a place: a word, or one letter that is none.
fn token(text: &str, random: &mut Random) -> (usize, usize) {
    let at = boundary(text, random);
    let Some(first) = text[at..].chars().next() else {
        return (text.len(), text.len());
    };
    if !is_word(first) {
        return (at, at + first.len_utf8());
    }
    let from = text[..at]
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_word(*c))
        .last()
        .map_or(at, |(place, _)| place);
    let to = text[at..]
        .find(|c| !is_word(c))
        .map_or(text.len(), |length| at + length);
    (from, to)
}

fn put_token(text: &str, word: &str, random: &mut Random) -> String {
    let (from, to) = token(text, random);
    let at = if random.once_in(2) { from } else { to };
    splice(text, at, at, word)
}

fn in_place_of_token(text: &str, word: &str, random: &mut Random) -> String {
    let (from, to) = token(text, random);
    splice(text, from, to, word)
}

/// Another number in the place of one.
fn number(text: &str, random: &mut Random) -> String {
    let digit = |c: char| c.is_ascii_digit();
    let start = boundary(text, random);
    let Some(from) = text[start..]
        .find(digit)
        .map(|at| start + at)
        .or_else(|| text.find(digit))
    else {
        return put_token(
            text,
            random.pick(NUMBERS).copied().unwrap_or_default(),
            random,
        );
    };
    let to = text[from..]
        .find(|c| !digit(c))
        .map_or(text.len(), |length| from + length);
    match (random.below(4), text[from..to].parse::<u64>()) {
        (0, Ok(number)) => splice(text, from, to, &number.wrapping_add(1).to_string()),
        (1, Ok(number)) => splice(text, from, to, &number.saturating_sub(1).to_string()),
        _ => splice(
            text,
            from,
            to,
            random.pick(NUMBERS).copied().unwrap_or_default(),
        ),
    }
}

/// Where a line begins and ends, its end included.
fn line(text: &str, random: &mut Random) -> (usize, usize) {
    let at = boundary(text, random);
    let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let to = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    (from, to)
}

/// A line more, a line less, or a line in the place of another.
fn line_moved(text: &str, donor: &str, random: &mut Random) -> String {
    let (from, to) = line(text, random);
    match random.below(4) {
        0 => splice(text, from, to, ""),
        1 => splice(text, to, to, &text[from..to]),
        2 => {
            let other = line(text, random);
            splice(text, from, from, &text[other.0..other.1])
        }
        _ => {
            let other = line(donor, random);
            splice(text, from, to, &donor[other.0..other.1])
        }
    }
}

fn indented(text: &str, random: &mut Random) -> String {
    let (from, to) = line(text, random);
    let line = &text[from..to];
    let spaces = line.len() - line.trim_start_matches(' ').len();
    match random.below(3) {
        0 => splice(text, from, from, "  "),
        1 => splice(text, from, from + spaces.min(2), ""),
        _ => splice(text, from + spaces, from + spaces, "- "),
    }
}

/// What stands between two brackets that belong together, the brackets included.
fn brackets(text: &str, random: &mut Random) -> Option<(usize, usize)> {
    let start = boundary(text, random);
    let opens = |c: char| matches!(c, '(' | '[' | '{');
    let from = text[start..]
        .find(opens)
        .map(|at| start + at)
        .or_else(|| text.find(opens))?;
    let mut depth = 0_usize;
    for (at, c) in text[from..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((from, from + at + c.len_utf8()));
        }
    }
    None
}

fn group(text: &str, donor: &str, random: &mut Random) -> String {
    match (brackets(text, random), brackets(donor, random)) {
        (Some((from, to)), Some(other)) => splice(text, from, to, &donor[other.0..other.1]),
        (_, Some(other)) => {
            let at = token(text, random).0;
            splice(text, at, at, &donor[other.0..other.1])
        }
        _ => text.to_owned(),
    }
}

/// Brackets or quotes around a part, sometimes many of them.
fn wrapped(text: &str, random: &mut Random) -> String {
    let (from, to) = match random.below(3) {
        0 => (0, text.len()),
        1 => brackets(text, random).unwrap_or((0, text.len())),
        _ => token(text, random),
    };
    let (open, close) = match random.below(7) {
        0 => ("(", ")"),
        1 => ("[", "]"),
        2 => ("{a: ", "}"),
        3 => ("'", "'"),
        4 => ("\"", "\""),
        5 => ("!", ""),
        _ => ("- ", ""),
    };
    let times = if random.once_in(16) { 200 } else { 1 };
    format!(
        "{}{}{}{}{}",
        &text[..from],
        open.repeat(times),
        &text[from..to],
        close.repeat(times),
        &text[to..]
    )
}
