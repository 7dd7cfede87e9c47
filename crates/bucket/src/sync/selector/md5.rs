//! MD5 (RFC 1321), for `hashmod` alone: who shares a bucket with Thanos must share it alike.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The last eight bytes of the digest as a big-endian number.
pub(super) fn last_eight(text: &[u8]) -> u64 {
    let digest = digest(text);
    u64::from_be_bytes([8, 9, 10, 11, 12, 13, 14, 15].map(|i| digest[i]))
}

fn digest(text: &[u8]) -> [u8; 16] {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((text.len() as u64).wrapping_mul(8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for chunk in padded.as_chunks::<64>().0 {
        round(&mut state, chunk);
    }
    let mut digest = [0; 16];
    for (out, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *out = word.to_le_bytes();
    }
    digest
}

fn round(state: &mut [u32; 4], chunk: &[u8; 64]) {
    let words: Vec<u32> = chunk.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let [mut a, mut b, mut c, mut d] = *state;
    for i in 0..64 {
        let (mix, word) = match i / 16 {
            0 => ((b & c) | (!b & d), i),
            1 => ((d & b) | (!d & c), 5 * i + 1),
            2 => (b ^ c ^ d, 3 * i + 5),
            _ => (c ^ (b | !d), 7 * i),
        };
        // The integer part of the sine, as the RFC defines its table.
        let sine = (f64::sin((i + 1) as f64).abs() * 4_294_967_296.0) as u32;
        let sum = a.wrapping_add(mix).wrapping_add(sine).wrapping_add(words[word % 16]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rfcs_examples() {
        let check = |text: &str, expected: &str| {
            let hex: String = super::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected, "{text:?}");
        };
        check("", "d41d8cd98f00b204e9800998ecf8427e");
        check("a", "0cc175b9c0f1b6a831c399e269772661");
        check("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = "12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        check(digits, "57edf4a22be3c955ac49da2e2107b67a");
        // One byte short of, and at, the length that fits into one chunk.
        check(&"x".repeat(55), "04364420e25c512fd958a70738aa8f72");
        check(&"x".repeat(56), "668a72d5ba17f08e62dabcafad6db14b");
    }
}
