//! A loser tree: the least of `k` sorted streams with about log2 `k` comparisons a step.

/// Knuth's tournament of losers over the numbers `0..k`; the order is the caller's.
#[derive(Debug)]
pub(super) struct LoserTree {
    /// `nodes[0]` is the winner, `nodes[1..k]` the losers of the matches; leaf `i` stands below node
    /// `(i + k) / 2`.
    nodes: Vec<usize>,
}

impl LoserTree {
    /// Plays all matches. `before` must be a total order without ties.
    pub(super) fn new(k: usize, before: impl Fn(usize, usize) -> bool) -> Self {
        let mut nodes = vec![0; k];
        // Winners of all subtrees, leaves included, from the bottom up.
        let mut winners = vec![0; 2 * k];
        for (i, leaf) in winners.iter_mut().skip(k).enumerate() {
            *leaf = i;
        }
        for node in (1..k).rev() {
            let (a, b) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if before(a, b) { (a, b) } else { (b, a) };
            winners[node] = winner;
            nodes[node] = loser;
        }
        if k > 0 {
            nodes[0] = winners[1];
        }
        Self { nodes }
    }

    /// The least; `None` of no streams.
    pub(super) fn winner(&self) -> Option<usize> {
        self.nodes.first().copied()
    }

    /// Plays the winner's matches again, after its stream went on.
    pub(super) fn replay(&mut self, before: impl Fn(usize, usize) -> bool) {
        let Some(mut winner) = self.winner() else { return };
        let mut node = usize::midpoint(winner, self.nodes.len());
        while node > 0 {
            if before(self.nodes[node], winner) {
                std::mem::swap(&mut self.nodes[node], &mut winner);
            }
            node /= 2;
        }
        self.nodes[0] = winner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_any_number_of_streams() {
        for k in 0..20_usize {
            let streams: Vec<Vec<u64>> = (0..k as u64)
                .map(|s| {
                    let mut values: Vec<u64> = (0..s % 7).map(|i| (i * 7919 + s * 104_729) % 101).collect();
                    values.sort_unstable();
                    values
                })
                .collect();
            let at = std::cell::RefCell::new(vec![0; k]);
            let before = |a: usize, b: usize| {
                let key = |s: usize| (streams[s].get(at.borrow()[s]).map_or((true, 0), |v| (false, *v)), s);
                key(a) < key(b)
            };
            let mut tree = LoserTree::new(k, before);
            let mut out = Vec::new();
            while let Some(w) = tree.winner() {
                let Some(value) = streams[w].get(at.borrow()[w]).copied() else { break };
                out.push(value);
                at.borrow_mut()[w] += 1;
                tree.replay(before);
            }
            let mut expected: Vec<u64> = streams.concat();
            expected.sort_unstable();
            assert_eq!(out, expected, "{k} streams");
        }
    }
}
