//! Damage, replayable from a seed.

/// xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Truncated,
    Extended,
    /// A part of the file put in place of another.
    Spliced,
    /// One to eight bits.
    Flipped,
}

/// Puts a damaged `file` into `out`, which is not the same as it.
pub fn mutate(file: &[u8], random: &mut Random, out: &mut Vec<u8>) -> Damage {
    loop {
        out.clear();
        let damage = match random.below(6) {
            0 => {
                out.extend_from_slice(&file[..random.below(file.len())]);
                Damage::Truncated
            }
            1 => {
                out.extend_from_slice(file);
                out.extend((0..=random.below(64)).map(|i| i as u8));
                Damage::Extended
            }
            2 => {
                let (from, to, len) = (random.below(file.len()), random.below(file.len()), random.below(256));
                let behind = file.len().min(to + random.below(256));
                out.extend_from_slice(&file[..to]);
                out.extend_from_slice(&file[from..file.len().min(from + len)]);
                out.extend_from_slice(&file[behind..]);
                Damage::Spliced
            }
            _ => {
                out.extend_from_slice(file);
                for _ in 0..=random.below(8) {
                    let at = random.below(file.len());
                    out[at] ^= 1 << random.below(8);
                }
                Damage::Flipped
            }
        };
        if out != file {
            return damage;
        }
    }
}
