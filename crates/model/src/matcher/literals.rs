//! Distinct strings, and the patterns that are nothing but an alternation of them.

/// Distinct strings in order, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literals {
    text: String,
    /// String `i` ends here in `text`; the next one begins here.
    ends: Vec<usize>,
}

impl Literals {
    /// Of strings in any order, some perhaps twice.
    pub(super) fn new<S: AsRef<str>>(strings: &[S]) -> Self {
        // Most comparisons are decided by the first eight bytes.
        let mut order: Vec<(u64, &str)> = strings.iter().map(|s| (first_bytes(s.as_ref()), s.as_ref())).collect();
        if !order.is_sorted() {
            order.sort_unstable();
        }
        order.dedup();
        let mut literals = Self {
            text: String::with_capacity(order.iter().map(|(_, s)| s.len()).sum()),
            ends: Vec::with_capacity(order.len()),
        };
        for (_, string) in order {
            literals.text.push_str(string);
            literals.ends.push(literals.text.len());
        }
        literals
    }

    /// The strings of `pattern` where it is an alternation of plain ones, perhaps in a group that takes it
    /// all, perhaps between anchors. Spares the parser, which takes microseconds for each alternative.
    pub(super) fn of_pattern(pattern: &str) -> Option<Self> {
        let body = pattern.strip_prefix('^').unwrap_or(pattern);
        let body = body.strip_suffix('$').unwrap_or(body);
        let inner = body.strip_prefix("(?:").or_else(|| body.strip_prefix('(')).and_then(|b| b.strip_suffix(')'));
        // Without a group an anchor belongs to one alternative only.
        let body = match inner {
            Some(inner) => inner,
            None if body.len() == pattern.len() || !body.contains('|') => body,
            None => return None,
        };
        if !body.bytes().any(is_meta) {
            return Some(Self::new(&body.split('|').collect::<Vec<_>>()));
        }
        let mut strings = vec![String::new()];
        let mut rest = body;
        while let Some(at) = rest.bytes().position(|b| b == b'|' || is_meta(b)) {
            let last = strings.last_mut()?;
            last.push_str(&rest[..at]);
            let mut behind = rest[at..].chars();
            match behind.next()? {
                '|' => strings.push(String::new()),
                // Punctuation that is escaped stands for itself; other escapes mean something.
                '\\' => last.push(behind.next().filter(char::is_ascii_punctuation)?),
                _ => return None,
            }
            rest = behind.as_str();
        }
        strings.last_mut()?.push_str(rest);
        Some(Self::new(&strings))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.at(i))
    }

    #[must_use]
    pub fn contains(&self, string: &str) -> bool {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.at(middle) < string {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low < self.len() && self.at(low) == string
    }

    fn at(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }
}

/// Compares as the strings do, where it differs.
fn first_bytes(string: &str) -> u64 {
    let mut first = [0; 8];
    let len = string.len().min(8);
    first[..len].copy_from_slice(&string.as_bytes()[..len]);
    u64::from_be_bytes(first)
}

/// Whether a byte may mean more than itself in a pattern; `|` left aside.
fn is_meta(byte: u8) -> bool {
    matches!(byte, b'\\' | b'.' | b'+' | b'*' | b'?' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'^' | b'$')
}

#[cfg(test)]
mod tests;
