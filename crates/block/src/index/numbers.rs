use ::bytes::Bytes;

/// Numbers of four bytes, big-endian, in memory or in a mapped file.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    bytes: Bytes,
}

impl Numbers {
    /// `bytes` is a multiple of four long.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    /// Number `i`; zero past the end.
    #[inline]
    pub(super) fn get(&self, i: usize) -> u32 {
        let bytes = self.bytes.get(i * 4..i * 4 + 4).and_then(|b| b.first_chunk());
        bytes.map_or(0, |b| u32::from_be_bytes(*b))
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self::new(numbers.into_iter().flat_map(u32::to_be_bytes).collect::<Vec<u8>>().into())
    }
}
