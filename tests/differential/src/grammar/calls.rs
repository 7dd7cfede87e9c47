//! Calls of functions, with arguments that make sense to them most of the time.

use promql::{Function, FunctionId, ValueType};

use super::Grammar;

impl Grammar {
    pub(super) fn range_function(&mut self, depth: usize) -> String {
        if self.random.chance(12) {
            let (function, smoothed) = *self.random.pick(&[
                ("rate", true),
                ("increase", true),
                ("delta", true),
                ("resets", false),
                ("changes", false),
            ]);
            return format!("{function}({})", self.extended_range(smoothed));
        }
        if self.random.chance(25) {
            let function =
                self.pick(&["rate", "increase", "delta", "sum_over_time", "avg_over_time", "irate", "last_over_time"]);
            return format!("{function}({})", self.range(depth));
        }
        let all: Vec<&Function> = Self::functions(true).collect();
        let function = *self.random.pick(&all);
        self.call(function, depth)
    }

    pub(super) fn vector_function(&mut self, depth: usize) -> String {
        // Those with more to go wrong come more often.
        match self.random.below(100) {
            0..12 => {
                let (q, buckets) = (self.quantile(), self.buckets(depth));
                format!("histogram_quantile({q}, {buckets})")
            }
            12..15 => {
                let (low, high, buckets) = (self.number(), self.number(), self.buckets(depth));
                format!("histogram_fraction({low}, {high}, {buckets})")
            }
            15..18 => {
                let buckets = self.buckets(depth);
                format!("histogram_quantiles({buckets}, \"q\", {}, {})", self.quantile(), self.quantile())
            }
            18..25 => {
                let native = self.pick(&["histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev"]);
                format!("{native}({})", self.buckets(depth))
            }
            25..30 => self.info(depth),
            _ => {
                let all: Vec<&Function> = Self::functions(false).filter(|f| f.id != FunctionId::Info).collect();
                let function = *self.random.pick(&all);
                self.call(function, depth)
            }
        }
    }

    fn quantile(&mut self) -> &'static str {
        self.pick(&["0.5", "0.9", "0.99", "0", "1", "-0.5", "1.5", "NaN", "0.1"])
    }

    fn buckets(&mut self, depth: usize) -> String {
        const USUAL: &[&str] = &[
            "lat_bucket",
            "odd_bucket",
            "rate(lat_bucket[5m])",
            "sum by (le) (lat_bucket)",
            "sum by (le, job) (rate(lat_bucket[3m]))",
            "sum by (le) (rate(odd_bucket[4m]))",
            "nh",
            "nhcb",
            "nh_gauge",
            "rate(nh[5m])",
            "sum(rate(nh[4m]))",
            "sum by (job) (nh_float)",
            "increase(nhcb[5m])",
            "mixed",
            "{__name__=~\"nh|lat_bucket\"}",
            "histogram_quantile(0.5, nh)",
        ];
        if self.random.chance(80) { self.pick(USUAL).to_owned() } else { self.vector(depth) }
    }

    fn info(&mut self, depth: usize) -> String {
        let vector = self.vector(depth);
        let selector = self.pick(&[
            "",
            "",
            ", {version=~\".+\"}",
            ", {version=\"1\"}",
            ", {zone!=\"\"}",
            ", {__name__=\"build_info\"}",
            ", {__name__=~\".+_info\"}",
            ", {__name__=~\"target_info|build_info\",build=~\".*\"}",
            ", {nope=\"x\"}",
            ", {build=\"\"}",
        ]);
        format!("info({vector}{selector})")
    }

    fn call(&mut self, function: &Function, depth: usize) -> String {
        let name = function.name;
        match function.id {
            FunctionId::LabelReplace => {
                let (target, replacement) = (self.label(), self.pick(&["$1-x", "", "${1}", "fixed", "$2$1", "$name"]));
                let source = self.label();
                let pattern = self.pick(&["(.*)", "a|b", "(?P<name>.)(.*)", "", "([0-9]+)", "(.).*"]);
                format!("{name}({}, \"{target}\", \"{replacement}\", \"{source}\", \"{pattern}\")", self.vector(depth))
            }
            FunctionId::LabelJoin => {
                let (target, first, second) = (self.label(), self.label(), self.label());
                format!("{name}({}, \"{target}\", \"-\", \"{first}\", \"{second}\")", self.vector(depth))
            }
            FunctionId::SortByLabel | FunctionId::SortByLabelDesc => {
                format!("{name}({}, \"{}\", \"{}\")", self.vector(depth), self.label(), self.label())
            }
            FunctionId::HistogramQuantiles => {
                format!("{name}({}, \"q\", {}, {})", self.vector(depth), self.quantile(), self.quantile())
            }
            FunctionId::DoubleExponentialSmoothing => {
                let factor = if self.random.chance(95) { "0.3" } else { "1.5" };
                format!("{name}({}, {factor}, 0.6)", self.range(depth))
            }
            FunctionId::QuantileOverTime => format!("{name}({}, {})", self.quantile(), self.range(depth)),
            _ => {
                let mut args: Vec<String> = function.arg_types.iter().map(|t| self.argument(*t, depth)).collect();
                if function.variadic > 0 && self.random.chance(30) {
                    args.pop();
                }
                format!("{name}({})", args.join(", "))
            }
        }
    }

    fn argument(&mut self, value_type: ValueType, depth: usize) -> String {
        match value_type {
            ValueType::Matrix => self.range(depth),
            ValueType::Scalar => self.scalar(depth.min(1)),
            ValueType::String => self.string(),
            _ => self.vector(depth),
        }
    }
}
