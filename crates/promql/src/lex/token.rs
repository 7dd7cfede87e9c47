//! Tokens and how messages name them.

use model::quote::go_quote;

use crate::Span;
use crate::ast::{AggregateOp, BinaryOp};

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tok {
    Eof,
    Identifier,
    /// An identifier with a colon in it.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Eql,
    EqlRegex,
    NeqRegex,
    At,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    EqlC,
    Neq,
    Lte,
    Lss,
    Gte,
    Gtr,
    TrimUpper,
    TrimLower,
    And,
    Or,
    Unless,
    Atan2,
    Aggregate(AggregateOp),
    Bool,
    By,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Ignoring,
    Offset,
    Smoothed,
    Anchored,
    On,
    Without,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

impl Tok {
    /// The keyword that `word` is, in any case; `inf` and `nan` are numbers.
    pub(crate) fn keyword(word: &str) -> Option<Self> {
        const LONGEST: usize = "count_values".len();
        let mut lower = [0_u8; LONGEST];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"and" => Self::And,
            b"or" => Self::Or,
            b"unless" => Self::Unless,
            b"atan2" => Self::Atan2,
            b"sum" => Self::Aggregate(AggregateOp::Sum),
            b"avg" => Self::Aggregate(AggregateOp::Avg),
            b"count" => Self::Aggregate(AggregateOp::Count),
            b"min" => Self::Aggregate(AggregateOp::Min),
            b"max" => Self::Aggregate(AggregateOp::Max),
            b"group" => Self::Aggregate(AggregateOp::Group),
            b"stddev" => Self::Aggregate(AggregateOp::Stddev),
            b"stdvar" => Self::Aggregate(AggregateOp::Stdvar),
            b"topk" => Self::Aggregate(AggregateOp::TopK),
            b"bottomk" => Self::Aggregate(AggregateOp::BottomK),
            b"count_values" => Self::Aggregate(AggregateOp::CountValues),
            b"quantile" => Self::Aggregate(AggregateOp::Quantile),
            b"limitk" => Self::Aggregate(AggregateOp::LimitK),
            b"limit_ratio" => Self::Aggregate(AggregateOp::LimitRatio),
            b"offset" => Self::Offset,
            b"smoothed" => Self::Smoothed,
            b"anchored" => Self::Anchored,
            b"by" => Self::By,
            b"without" => Self::Without,
            b"on" => Self::On,
            b"ignoring" => Self::Ignoring,
            b"group_left" => Self::GroupLeft,
            b"group_right" => Self::GroupRight,
            b"fill" => Self::Fill,
            b"fill_left" => Self::FillLeft,
            b"fill_right" => Self::FillRight,
            b"bool" => Self::Bool,
            b"start" => Self::Start,
            b"end" => Self::End,
            b"step" => Self::Step,
            b"range" => Self::Range,
            b"max_of" => Self::MaxOf,
            b"min_of" => Self::MinOf,
            b"inf" | b"nan" => Self::Number,
            _ => return None,
        })
    }

    /// A word that can name a metric where an expression starts.
    pub(crate) fn is_metric_name(self) -> bool {
        self.is_word()
            && !matches!(self, Self::Atan2 | Self::Bool | Self::GroupLeft | Self::GroupRight)
            && !matches!(self, Self::Ignoring | Self::On)
    }

    /// A word that can be a label in a grouping.
    pub(crate) fn is_label(self) -> bool {
        self.is_word() && self != Self::Without
    }

    fn is_word(self) -> bool {
        matches!(self, Self::Identifier | Self::MetricIdentifier | Self::And | Self::Or | Self::Unless | Self::Atan2)
            || matches!(self, Self::Start | Self::End | Self::Step | Self::Range | Self::MaxOf | Self::MinOf)
            || matches!(self, Self::Aggregate(_))
            || self.is_modifier()
    }

    fn is_modifier(self) -> bool {
        matches!(
            self,
            Self::Bool
                | Self::By
                | Self::GroupLeft
                | Self::GroupRight
                | Self::Fill
                | Self::FillLeft
                | Self::FillRight
                | Self::Ignoring
                | Self::Offset
                | Self::Smoothed
                | Self::Anchored
                | Self::On
                | Self::Without
        )
    }

    pub(crate) fn binary_op(self) -> Option<BinaryOp> {
        Some(match self {
            Self::Add => BinaryOp::Add,
            Self::Sub => BinaryOp::Sub,
            Self::Mul => BinaryOp::Mul,
            Self::Div => BinaryOp::Div,
            Self::Mod => BinaryOp::Mod,
            Self::Pow => BinaryOp::Pow,
            Self::Atan2 => BinaryOp::Atan2,
            Self::EqlC => BinaryOp::Eq,
            Self::Neq => BinaryOp::Ne,
            Self::Gtr => BinaryOp::Gt,
            Self::Lss => BinaryOp::Lt,
            Self::Gte => BinaryOp::Ge,
            Self::Lte => BinaryOp::Le,
            Self::TrimUpper => BinaryOp::TrimUpper,
            Self::TrimLower => BinaryOp::TrimLower,
            Self::And => BinaryOp::And,
            Self::Or => BinaryOp::Or,
            Self::Unless => BinaryOp::Unless,
            _ => return None,
        })
    }

    /// How a message names the token whose text is `text`.
    pub(crate) fn describe(self, text: &str) -> String {
        match self {
            Self::Eof => "end of input".to_owned(),
            Self::Identifier => format!("identifier {}", go_quote(text.as_bytes())),
            Self::MetricIdentifier => format!("metric identifier {}", go_quote(text.as_bytes())),
            Self::Number => format!("number {}", quote_short(text)),
            Self::Duration => format!("duration {}", quote_short(text)),
            Self::String => format!("string {}", quote_short(text)),
            Self::Aggregate(_) => format!("<aggr:{text}>"),
            Self::At | Self::EqlRegex | Self::NeqRegex => format!("<op:{text}>"),
            tok if tok.binary_op().is_some() => format!("<op:{text}>"),
            tok if tok.is_modifier() => format!("<{text}>"),
            _ => quote_short(text),
        }
    }
}

/// Quoted, at most ten characters of it.
fn quote_short(text: &str) -> String {
    match text.char_indices().nth(10) {
        Some((end, _)) if text.len() > 10 => format!("{}...", go_quote(&text.as_bytes()[..end])),
        _ if text.len() > 10 => format!("{}...", go_quote(text.as_bytes())),
        _ => go_quote(text.as_bytes()),
    }
}
