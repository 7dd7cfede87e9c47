//! PromQL: syntax tree, lexer, parser, type check, printer and prettifier, exact to Prometheus' own.
//!
//! Place: L1, pure; above `model` only.
//!
//! Invariants: a tree is an arena ([`Ast`]) whose children lie before their parents, so that dropping,
//! walking and typing it need no recursion, however deep it is. Every node carries the byte range of
//! the input it came from. Everything that is accepted prints as text that parses to the same tree.

pub mod ast;
pub mod error;
pub mod functions;
mod lex;
mod parse;
mod print;

pub use ast::{Ast, Kind, Node, NodeId, Span, ValueType};
pub use error::{ParseError, ParseErrorKind, Position};
pub use functions::{Function, FunctionId};
pub use parse::{Options, parse, parse_metric, parse_selector};
