//! What the nodes hold.

use model::{METRIC_NAME, Matcher};

use super::NodeId;
use crate::Function;

/// A number, or a duration written where a number stands (`5m` is 300).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The value; seconds for a duration.
    pub value: f64,
    /// Written as a duration, and printed as one.
    pub duration: bool,
}

/// The time an `@` modifier pins a selector to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Unix milliseconds.
    Timestamp(i64),
    /// `start()`: the first step of the query.
    Start,
    /// `end()`: the last step of the query.
    End,
}

/// `@` and `offset`, as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeModifiers {
    /// Milliseconds; may be negative. 0 where `offset_expr` is set or there is none.
    pub offset_ms: i64,
    /// A [`super::Kind::Duration`] node: an offset known only with the query's step and range.
    pub offset_expr: Option<NodeId>,
    pub at: Option<At>,
}

/// `name{matchers}`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The metric name before the braces; empty where there is none.
    pub name: String,
    /// All matchers in the order written; where `name` is set, its equality matcher comes last.
    pub matchers: Vec<Matcher>,
    pub modifiers: TimeModifiers,
    /// `anchored`: samples at the window's edges are taken from before it.
    pub anchored: bool,
    /// `smoothed`: values at the window's edges are interpolated.
    pub smoothed: bool,
}

impl VectorSelector {
    /// The metric name this selector pins: before the braces, or by an equality matcher within them.
    #[must_use]
    pub fn metric_name(&self) -> Option<&str> {
        let pinned = |m: &&Matcher| &*m.name == METRIC_NAME && m.op == model::MatchOp::Equal && !m.value.is_empty();
        self.matchers.iter().find(pinned).map(|m| &*m.value)
    }
}

/// `selector[range]`; `@`, `offset`, `anchored` and `smoothed` stand at the selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixSelector {
    /// A [`super::Kind::Vector`] node.
    pub selector: NodeId,
    /// Milliseconds; 0 where `range_expr` is set.
    pub range_ms: i64,
    /// A [`super::Kind::Duration`] node.
    pub range_expr: Option<NodeId>,
}

/// `expr[range:step]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subquery {
    pub expr: NodeId,
    /// Milliseconds; 0 where `range_expr` is set.
    pub range_ms: i64,
    /// A [`super::Kind::Duration`] node.
    pub range_expr: Option<NodeId>,
    /// Milliseconds; 0 for the default, or where `step_expr` is set.
    pub step_ms: i64,
    /// A [`super::Kind::Duration`] node.
    pub step_expr: Option<NodeId>,
    pub modifiers: TimeModifiers,
}

/// `function(args…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub func: &'static Function,
    pub args: Vec<NodeId>,
}

/// `op by (labels) (param, expr)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub expr: NodeId,
    /// The first argument of those that take two; see [`AggregateOp::takes_param`].
    pub param: Option<NodeId>,
    pub grouping: Vec<String>,
    /// `without` instead of `by`.
    pub without: bool,
}

macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// As written in PromQL.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

spelled!(
    /// The aggregations.
    AggregateOp {
        Avg = "avg",
        BottomK = "bottomk",
        Count = "count",
        CountValues = "count_values",
        Group = "group",
        LimitK = "limitk",
        LimitRatio = "limit_ratio",
        Max = "max",
        Min = "min",
        Quantile = "quantile",
        Stddev = "stddev",
        Stdvar = "stdvar",
        Sum = "sum",
        TopK = "topk",
    }
);

impl AggregateOp {
    /// Whether there are two arguments, the first being a scalar (a string for `count_values`).
    #[must_use]
    pub const fn takes_param(self) -> bool {
        matches!(
            self,
            Self::BottomK | Self::CountValues | Self::LimitK | Self::LimitRatio | Self::Quantile | Self::TopK
        )
    }

    #[must_use]
    pub const fn is_experimental(self) -> bool {
        matches!(self, Self::LimitK | Self::LimitRatio)
    }
}

spelled!(
    /// The binary operators.
    BinaryOp {
        Add = "+",
        Sub = "-",
        Mul = "*",
        Div = "/",
        Mod = "%",
        Pow = "^",
        Atan2 = "atan2",
        Eq = "==",
        Ne = "!=",
        Gt = ">",
        Lt = "<",
        Ge = ">=",
        Le = "<=",
        /// `</`: keeps a histogram's observations below a value.
        TrimUpper = "</",
        /// `>/`: keeps a histogram's observations above a value.
        TrimLower = ">/",
        And = "and",
        Or = "or",
        Unless = "unless",
    }
);

impl BinaryOp {
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le)
    }

    /// `and`, `or`, `unless`.
    #[must_use]
    pub const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// `lhs op rhs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: NodeId,
    pub rhs: NodeId,
    /// How series pair up; `None` where an operand is a scalar.
    pub matching: Option<VectorMatching>,
    /// A comparison that gives 0 or 1 instead of filtering.
    pub return_bool: bool,
}

/// How the series of two vectors pair up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    pub card: Cardinality,
    pub labels: Vec<String>,
    /// `on (labels)`; else `ignoring (labels)`.
    pub on: bool,
    /// Labels that `group_left` or `group_right` carries over from the one side.
    pub include: Vec<String>,
    pub fill: Fill,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

impl Cardinality {
    /// As in messages and the API: `one-to-one`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// Values that stand in for a missing partner (`fill`, `fill_left`, `fill_right`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    pub lhs: Option<f64>,
    pub rhs: Option<f64>,
}

spelled!(
    /// The signs.
    UnaryOp {
        Plus = "+",
        Minus = "-",
    }
);

/// `-expr` or `+expr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unary {
    pub op: UnaryOp,
    pub expr: NodeId,
}

spelled!(
    /// Operators of duration expressions.
    DurationOp {
        Add = "+",
        Sub = "-",
        Mul = "*",
        Div = "/",
        Mod = "%",
        Pow = "^",
        Step = "step",
        Range = "range",
        MaxOf = "max_of",
        MinOf = "min_of",
    }
);

/// A duration expression, in seconds. `step()` and `range()` have no operands; `Add` and `Sub` without
/// `lhs` are signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    pub op: DurationOp,
    pub lhs: Option<NodeId>,
    pub rhs: Option<NodeId>,
    /// Written in parentheses.
    pub wrapped: bool,
}
