//! Messages with placeholders: `use a digest for {{ container.image }}`.

use crate::{
    bindings::Bindings,
    budget::{Arena, Budget},
    environment::Environment,
    eval::Scope,
    fault::Fault,
    problem::Problem,
    program::Program,
    value::{Value, write_value},
};

/// A text with expressions in it.
#[derive(Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Expression(Program),
}

impl Template {
    /// Reads a text. `{{` begins an expression, the next `}}` outside of quotes and braces ends it.
    ///
    /// # Errors
    /// A placeholder that is not closed, or an expression that does not compile; places are those of the whole text.
    pub fn compile(text: &str, environment: &Environment) -> Result<Self, Problem> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while let Some(found) = text[done..].find("{{") {
            let open = done + found;
            let start = open + 2;
            let Some(length) = closing(&text[start..]) else {
                return Err(Problem::at(text, open, "a placeholder that is not closed")
                    .or("{{ expression }}"));
            };
            if open > done {
                pieces.push(Piece::Text(text[done..open].to_owned()));
            }
            let inner = &text[start..start + length];
            let program = Program::compile(inner, environment).map_err(|problem| {
                // where the mistake is in the whole text
                let byte = inner
                    .split('\n')
                    .take(problem.line - 1)
                    .map(|line| line.len() + 1)
                    .sum::<usize>();
                let line = inner.get(byte..).unwrap_or("");
                let column: usize = line
                    .chars()
                    .take(problem.column - 1)
                    .map(char::len_utf8)
                    .sum();
                let moved = Problem::at(text, start + byte + column, problem.message);
                match problem.suggestion {
                    Some(suggestion) => moved.or(suggestion),
                    None => moved,
                }
            })?;
            pieces.push(Piece::Expression(program));
            done = start + length + 2;
        }
        if done < text.len() {
            pieces.push(Piece::Text(text[done..].to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The text with every placeholder filled in; one without an answer says why in its place.
    #[must_use]
    pub fn fill<'a>(
        &'a self,
        bindings: &Bindings<'a>,
        arena: &'a Arena,
        budget: &'a Budget,
    ) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Expression(program) => match program.evaluate(bindings, arena, budget) {
                    Ok(value) => match printed(&value, arena, budget) {
                        Some(printed) => text.push_str(&printed),
                        None => text.push('…'),
                    },
                    Err(fault) => {
                        let missing = matches!(fault, Fault::Missing { .. });
                        text.push_str(if missing { "(not known)" } else { "(no value)" });
                    }
                },
            }
        }
        text
    }

    /// Steps that filling it is estimated to take.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        self.pieces.iter().fold(0, |steps, piece| match piece {
            Piece::Text(_) => steps,
            Piece::Expression(program) => program.estimate().saturating_add(steps),
        })
    }

    /// The variables that its placeholders name.
    pub fn uses(&self) -> impl Iterator<Item = &str> {
        self.pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Text(_) => [].iter(),
                Piece::Expression(program) => program.uses().iter(),
            })
            .map(String::as_str)
    }
}

fn printed<'a>(value: &Value<'a>, arena: &'a Arena, budget: &'a Budget) -> Option<String> {
    let scope = Scope::new(arena, budget);
    let mut writer = scope.writer();
    write_value(&mut writer, value).ok()?;
    writer.finish().ok()?.as_str().map(str::to_owned)
}

/// Where the `}}` is that closes a placeholder.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut braces = 0usize;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => braces += 1,
            (None, '}') if braces > 0 => braces -= 1,
            (None, '}') if letters.peek().is_some_and(|(_, next)| *next == '}') => return Some(at),
            _ => {}
        }
    }
    None
}
