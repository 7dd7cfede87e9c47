use super::Findings;

/// The parts of a file that are accounted for.
#[derive(Debug, Default)]
pub(super) struct Cover {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    start: u64,
    end: u64,
    what: &'static str,
}

impl Cover {
    /// Adds the bytes from `start` to before `end`.
    pub(super) fn add(&mut self, start: u64, end: u64, what: &'static str) {
        self.parts.push(Part { start, end, what });
    }

    /// Adds another one's parts of the same file.
    pub(super) fn append(&mut self, mut other: Self) {
        self.parts.append(&mut other.parts);
    }

    /// Notes bytes that belong to two parts or to none. Between parts, fewer than `align` zeros may lie.
    pub(super) fn finish(mut self, file: &str, bytes: &[u8], align: u64, findings: &mut Findings) {
        self.parts.sort_unstable_by_key(|p| (p.start, p.end));
        let mut last = Part { start: 0, end: 0, what: "the begin" };
        let end = Part { start: bytes.len() as u64, end: bytes.len() as u64, what: "the end" };
        for part in self.parts.into_iter().chain([end]) {
            if part.start < last.end {
                findings.note(file, part.start, format!("{} lies within {} before it", part.what, last.what));
            } else if part.start > last.end {
                let gap = bytes.get(last.end as usize..part.start as usize).unwrap_or_default();
                let padding = part.start - last.end < align && gap.iter().all(|&b| b == 0);
                if !padding {
                    let what = format!("{} bytes between {} and {} belong to nothing", gap.len(), last.what, part.what);
                    findings.note(file, last.end, what);
                }
            }
            if part.end > last.end {
                last = part;
            }
        }
    }
}
