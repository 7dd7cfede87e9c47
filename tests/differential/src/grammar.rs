//! Random valid queries, made from the table of functions, all operators and all modifiers.

mod calls;
mod operators;
mod selectors;
mod times;

use promql::{Function, ValueType};

use crate::query::{Query, When};
use crate::random::Random;

/// What a query may be made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The longest text in bytes.
    pub length_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { length_max: 400 }
    }
}

/// The `number`th query of `seed`: it parses, whatever it evaluates to.
#[must_use]
pub fn query(seed: u64, number: u64, options: &Options) -> Query {
    let mut random = Random::new(seed, number);
    loop {
        let when = times::when(&mut random);
        let instant = matches!(when, When::At(_));
        let mut grammar = Grammar { random };
        let depth = *grammar.random.pick(&[1, 1, 2, 2, 3]);
        let text = match grammar.random.below(100) {
            0..92 => grammar.vector(depth),
            92..97 => grammar.scalar(depth),
            97 if instant => grammar.string(),
            97.. if instant => grammar.range(1),
            _ => grammar.vector(1),
        };
        random = grammar.random;
        if text.len() <= options.length_max && promql::parse(&text, &promql::Options::default()).is_ok() {
            return Query { text, when };
        }
    }
}

struct Grammar {
    random: Random,
}

impl Grammar {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        self.random.pick::<&str>(of)
    }

    fn one_of(&mut self, depth: usize, of: &[fn(&mut Self, usize) -> String]) -> String {
        let make = *self.random.pick(of);
        make(self, depth)
    }

    /// An instant vector.
    fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.instant_selector();
        }
        let depth = depth - 1;
        match self.random.below(100) {
            0..8 => self.instant_selector(),
            8..30 => self.range_function(depth),
            30..48 => self.vector_function(depth),
            48..66 => self.aggregation(depth),
            66..76 => self.with_scalar(depth),
            76..93 => self.one_of(depth, &[Self::between_vectors, Self::between_vectors, Self::between_sets]),
            93..95 => format!("-{}", self.operand(depth)),
            95 => format!("+{}", self.operand(depth)),
            96 => format!("vector({})", self.scalar(depth)),
            _ => self.operand(depth),
        }
    }

    /// A vector in parentheses.
    fn operand(&mut self, depth: usize) -> String {
        format!("({})", self.vector(depth))
    }

    fn number(&mut self) -> &'static str {
        const NUMBERS: &[&str] = &[
            "0", "1", "2", "0.5", "-1", "3", "1e3", "NaN", "Inf", "-Inf", "10", "100", "7", "0.9", "0x1F", ".25", "-0",
            "1.5e-3", "1e10", "5m", "1_000", "-2.5",
        ];
        self.random.pick::<&str>(NUMBERS)
    }

    fn scalar(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.chance(45) {
            return match self.random.below(10) {
                0 => "time()".to_owned(),
                1 => self.pick(&["pi()", "start()", "end()", "step()", "range()"]).to_owned(),
                _ => self.number().to_owned(),
            };
        }
        let depth = depth - 1;
        match self.random.below(10) {
            0..4 => format!("scalar({})", self.vector(depth)),
            4 => format!("{}({}, {})", self.pick(&["max_of", "min_of"]), self.scalar(depth), self.scalar(depth)),
            5 => format!("{}({})", self.pick(&["-", "+", ""]), self.scalar(depth)),
            _ => {
                let op = self.pick(&["+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool", "<= bool", "!= bool"]);
                format!("({} {op} {})", self.scalar(depth), self.scalar(depth))
            }
        }
    }

    fn string(&mut self) -> String {
        self.pick(&["\"text\"", "'it''s'", "`raw\\n`", "\"\\u00e9 \\x41 \\\"\"", "\"\""]).to_owned()
    }

    /// Functions that give `value_type` and take a range or do not.
    fn functions(takes_range: bool) -> impl Iterator<Item = &'static Function> {
        Function::all().iter().filter(move |f| {
            f.return_type == ValueType::Vector && f.arg_types.contains(&ValueType::Matrix) == takes_range
        })
    }
}
