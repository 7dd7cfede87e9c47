//! Selectors of the data's series, and ranges over them.

use super::Grammar;

const FLOATS: &[&str] = &[
    "req_total",
    "req_total",
    "gauge",
    "load",
    "up",
    "solo",
    "single",
    "huge",
    "tiny",
    "unix_seconds",
    "lat_sum",
    "lat_count",
    "lat_bucket",
    "odd_bucket",
    "target_info",
    "nope",
];
const NATIVES: &[&str] = &["nh", "nh", "nh_float", "nh_gauge", "nhcb", "mixed", "mixed"];
const MATCHERS: &[&str] = &[
    "job=\"a\"",
    "job=\"b\"",
    "job=~\"a|b\"",
    "job!=\"a\"",
    "job!~\"a|c\"",
    "instance=\"1\"",
    "instance!=\"2\"",
    "instance=~\"1|2\"",
    "instance=~\"[23]\"",
    "code=~\"2..\"",
    "code!=\"500\"",
    "code=\"\"",
    "code=~\".*\"",
    "code=~\".+\"",
    "le=\"1\"",
    "x=\"y\"",
    "nope=\"\"",
    "job=~\"(a|b)?\"",
    "version!~\"1\"",
];
const WHOLE: &[&str] = &[
    "{job=\"a\",instance=\"1\"}",
    "{__name__=~\"gauge|load\"}",
    "{__name__=~\"gauge|load\",job=\"a\"}",
    "{__name__=~\"nh.*\",job=\"a\"}",
    "{__name__=~\".+_total\",code=\"200\"}",
    "{\"a.b c\"}",
    "{\"a.b c\",\"label.dot\"=\"x\"}",
    "{__name__!~\"req_total|lat.*|nh.*|target_info|build_info\",instance=\"2\"}",
    "{__name__=~\"mixed|solo\"}",
];

impl Grammar {
    /// A selector without modifiers.
    fn selector(&mut self) -> String {
        let name = match self.random.below(100) {
            0..10 => return self.pick(WHOLE).to_owned(),
            10..72 => self.pick(FLOATS),
            _ => self.pick(NATIVES),
        };
        match self.random.below(10) {
            0..6 => name.to_owned(),
            6..9 => format!("{name}{{{}}}", self.pick(MATCHERS)),
            _ => format!("{name}{{{},{}}}", self.pick(MATCHERS), self.pick(MATCHERS)),
        }
    }

    pub(super) fn instant_selector(&mut self) -> String {
        let smoothed = if self.random.chance(4) { " smoothed" } else { "" };
        format!("{}{smoothed}{}", self.selector(), self.modifiers())
    }

    /// A range vector.
    pub(super) fn range(&mut self, depth: usize) -> String {
        if depth > 0 && self.random.chance(25) {
            return format!("({}){}", self.vector(depth - 1), self.subquery_range());
        }
        let extended = match self.random.below(100) {
            0..3 => " anchored",
            3..6 => " smoothed",
            _ => "",
        };
        format!("{}[{}]{extended}{}", self.selector(), self.duration(), self.modifiers())
    }

    /// A range that functions of `anchored` and `smoothed` ranges know.
    pub(super) fn extended_range(&mut self, smoothed: bool) -> String {
        let kind = if smoothed && self.random.chance(50) { "smoothed" } else { "anchored" };
        format!("{}[{}] {kind}{}", self.selector(), self.duration(), self.modifiers())
    }

    pub(super) fn label(&mut self) -> &'static str {
        self.pick(&["job", "job", "instance", "instance", "code", "x", "le", "nope", "version", "__name__", "zone"])
    }

    /// Up to three labels with commas.
    pub(super) fn labels(&mut self) -> String {
        let mut labels: Vec<&str> = (0..self.random.below(4)).map(|_| self.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        if self.random.chance(3) {
            labels.push("\"label.dot\"");
        }
        labels.join(", ")
    }
}
