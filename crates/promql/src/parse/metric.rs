//! Metrics as label sets, as samples and tests write them: `name{label="value"}`.

use model::{Labels, METRIC_NAME};

use super::{Options, Parser};
use crate::error::ParseError;
use crate::lex::Tok;

/// Parses the metric that `input` begins with; gives its labels and where it ends.
///
/// # Errors
/// When no metric stands there.
pub fn parse_metric(input: &str) -> Result<(Labels, usize), ParseError> {
    let options = Options::default();
    let mut parser = Parser::new(input, &options)?;
    let mut pairs = Vec::new();
    let mut first = parser.next()?;
    let mut end = first.span.end;
    if first.tok.is_metric_name() {
        pairs.push((METRIC_NAME.to_owned(), parser.text(first).to_owned()));
        if !input[end as usize..].starts_with('{') {
            return Ok((Labels::from_pairs(pairs), end as usize));
        }
        first = parser.next()?;
    }
    if first.tok != Tok::LeftBrace {
        return Err(parser.unexpected(first));
    }
    loop {
        let token = parser.next()?;
        let name = match token.tok {
            Tok::RightBrace => {
                end = token.span.end;
                break;
            }
            Tok::Identifier => parser.text(token).to_owned(),
            Tok::String => parser.utf8(token)?,
            _ => return Err(parser.unexpected_in(token, Some(("label set", "identifier or \"}\"")))),
        };
        let mut separator = parser.next()?;
        if separator.tok == Tok::Eql {
            let value = parser.expect(Tok::String, Some(("label set", "string")))?;
            pairs.push((name, parser.utf8(value)?));
            separator = parser.next()?;
        } else if token.tok == Tok::String {
            pairs.push((METRIC_NAME.to_owned(), name));
        } else {
            return Err(parser.unexpected_in(separator, Some(("label set", "\"=\""))));
        }
        match separator.tok {
            Tok::Comma => {}
            Tok::RightBrace => {
                end = separator.span.end;
                break;
            }
            _ => return Err(parser.unexpected_in(separator, Some(("label set", "\",\" or \"}\"")))),
        }
    }
    Ok((Labels::from_pairs(pairs), end as usize))
}
