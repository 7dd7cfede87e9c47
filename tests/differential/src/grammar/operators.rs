//! Binary operators and aggregations.

use super::Grammar;

const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARISON: &[&str] = &["==", "!=", ">", "<", ">=", "<="];

impl Grammar {
    fn operator(&mut self) -> String {
        match self.random.below(100) {
            0..55 => self.pick(ARITHMETIC).to_owned(),
            55..80 => self.pick(COMPARISON).to_owned(),
            80..95 => format!("{} bool", self.pick(COMPARISON)),
            _ => self.pick(&["</", ">/"]).to_owned(),
        }
    }

    /// A vector and a scalar, on either side.
    pub(super) fn with_scalar(&mut self, depth: usize) -> String {
        let (vector, scalar) = (self.operand(depth), self.scalar(depth));
        let op = self.operator();
        if self.random.chance(40) { format!("{scalar} {op} {vector}") } else { format!("{vector} {op} {scalar}") }
    }

    pub(super) fn between_vectors(&mut self, depth: usize) -> String {
        let op = self.operator();
        let mut matching = String::new();
        if self.random.chance(65) {
            matching = format!(" {}({})", self.pick(&["on", "ignoring"]), self.labels());
            if self.random.chance(35) {
                let side = self.pick(&["group_left", "group_right"]);
                let include = self.pick(&["", "()", "(code)", "(x, version)", "(le)", "(job)"]);
                matching = format!("{matching} {side}{include}");
            }
        }
        if self.random.chance(12) {
            let fill = match self.random.below(4) {
                0 => format!("fill ({})", self.fill()),
                1 => format!("fill_left ({})", self.fill()),
                2 => format!("fill_right ({})", self.fill()),
                _ => format!("fill_left ({}) fill_right ({})", self.fill(), self.fill()),
            };
            matching = format!("{matching} {fill}");
        }
        let lhs = self.operand(depth);
        // The same series on both sides match, mostly.
        let rhs = if self.random.chance(25) { lhs.clone() } else { self.operand(depth) };
        format!("{lhs} {op}{matching} {rhs}")
    }

    fn fill(&mut self) -> &'static str {
        self.pick(&["0", "1", "-2", "NaN", "Inf", "0.5"])
    }

    pub(super) fn between_sets(&mut self, depth: usize) -> String {
        let matching = match self.random.below(10) {
            0..4 => String::new(),
            4..8 => format!(" on({})", self.labels()),
            _ => format!(" ignoring({})", self.labels()),
        };
        let op = self.pick(&["and", "or", "unless", "or"]);
        format!("{} {op}{matching} {}", self.operand(depth), self.operand(depth))
    }

    pub(super) fn aggregation(&mut self, depth: usize) -> String {
        let grouping = match self.random.below(10) {
            0..4 => String::new(),
            4..8 => format!(" by ({})", self.labels()),
            _ => format!(" without ({})", self.labels()),
        };
        let (op, param) = match self.random.below(100) {
            0..68 => {
                const PLAIN: &[&str] =
                    &["sum", "sum", "avg", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
                (self.pick(PLAIN), None)
            }
            68..80 => (
                self.pick(&["topk", "bottomk", "limitk"]),
                Some(self.parameter(depth, &["1", "2", "3", "0", "100", "2.7"])),
            ),
            80..85 => ("limit_ratio", Some(self.parameter(depth, &["0.5", "-0.3", "0", "1", "-1", "0.7", "2"]))),
            85..94 => {
                ("quantile", Some(self.parameter(depth, &["0.5", "0", "1", "0.9", "-0.1", "1.1", "NaN", "0.25"])))
            }
            _ => ("count_values", Some(self.pick(&["\"v\"", "\"job\"", "\"a b\""]).to_owned())),
        };
        let vector = self.vector(depth);
        let inner = param.map_or_else(|| vector.clone(), |param| format!("{param}, {vector}"));
        if self.random.chance(50) { format!("{op}{grouping} ({inner})") } else { format!("{op}({inner}){grouping}") }
    }

    fn parameter(&mut self, depth: usize, usual: &[&str]) -> String {
        if self.random.chance(12) { self.scalar(depth) } else { self.pick(usual).to_owned() }
    }
}
