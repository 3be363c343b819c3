//! From a spot in a text that stands at a field to the spot in the file, where the file has the text as it is: in quotes with escapes it has not.

use super::Position;

/// Where the caret of `excerpt` points to in the file: its first line is a part of what is written at the field that begins at `field`, its second has the
/// caret. `None` where the file does not have that part there.
#[must_use]
pub fn of_excerpt(text: &str, field: Position, excerpt: &str) -> Option<Position> {
    let (part, caret) = excerpt.split_once('\n')?;
    let mut column = caret.chars().position(|c| c == '^')?;
    // the beginning of a long line is cut
    let part = match part.strip_prefix('…') {
        Some(rest) => {
            column = column.checked_sub(1)?;
            rest
        }
        None => part,
    };
    if part.is_empty() {
        return None;
    }
    let first = usize::try_from(field.line).ok()?.checked_sub(1)?;
    let indentation = usize::try_from(field.column).ok()?.checked_sub(1)?;
    for (number, line) in text.lines().enumerate().skip(first) {
        let from = if number == first {
            line.char_indices()
                .nth(indentation)
                .map_or(line.len(), |(at, _)| at)
        } else {
            let indented = line.chars().take_while(|c| *c == ' ').count();
            // what is not further in than the field is none of it
            if indented <= indentation && !line.trim().is_empty() {
                return None;
            }
            0
        };
        if let Some(at) = line[from..].find(part) {
            let before = line[..from + at].chars().count();
            return Some(Position {
                line: u64::try_from(number + 1).ok()?,
                column: u64::try_from(before + column + 1).ok()?,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_found_where_the_file_has_the_text() {
        let text = "spec:\n  validations:\n  - expression: a <= 5 &&& b\n    message: b\n  - expression: |\n      ä == 'x' &&\n      objct.b\n  - expression: \"a == \\\"b\\\" &&& c\"\n  - {expression: a == \"b\" &&& c}\n";
        for (line, column, excerpt, spot) in [
            (3, 5, "a <= 5 &&& b\n         ^", Some((3, 26))),
            (5, 5, "objct.b\n^", Some((7, 7))),
            (5, 5, "ä == 'x' &&\n  ^", Some((6, 9))),
            // the beginning is cut
            (3, 5, "…5 &&& b\n     ^", Some((3, 26))),
            // the next field has the same, which is not meant
            (8, 5, "a == \"b\" &&& c\n           ^", None),
            (9, 6, "a == \"b\" &&& c\n           ^", Some((9, 29))),
            (5, 5, "a <= 5 &&& b\n         ^", None),
            (5, 5, "\n^", None),
            (99, 5, "a\n^", None),
        ] {
            let field = Position { line, column };
            let found = of_excerpt(text, field, excerpt).map(|at| (at.line, at.column));
            assert_eq!(found, spot, "{excerpt}");
        }
    }
}
