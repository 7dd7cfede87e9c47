use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::NewChunk;
use crate::WriteError;
use crate::bytes::put_uvarint;
use crate::segment::{CHUNKS_DIR, HEADER_LEN, MAGIC, VERSION, segment_name};

/// Longest varint of a length, encoding byte, checksum: what a chunk may take beside its payload.
const FRAME_BYTES_MAX: u64 = 5 + 1 + 4;

/// Writes segment files one after the other.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    dir: PathBuf,
    size_max: u64,
    file: Option<(PathBuf, BufWriter<File>)>,
    /// Number of the current file, and the position in it.
    segment: u64,
    position: u64,
    /// In the files before.
    bytes_before: u64,
    chunk_max: u64,
    frame: Vec<u8>,
}

impl SegmentWriter {
    pub(super) fn new(dir: &Path, size_max: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            // Offsets are 32 bits wide.
            size_max: size_max.min(u64::from(u32::MAX)),
            file: None,
            segment: 0,
            position: 0,
            bytes_before: 0,
            chunk_max: 0,
            frame: Vec::new(),
        }
    }

    /// Writes the chunks of one series and gives their references. A chunk that may not fit begins a
    /// new file; the reckoning is Prometheus', from the longest frame each chunk of the series could have.
    pub(super) fn write(&mut self, chunks: &[NewChunk<'_>], refs: &mut Vec<u64>) -> Result<(), WriteError> {
        refs.clear();
        if self.file.is_none() {
            self.cut()?;
        }
        let mut batch_start = self.position;
        let mut batch = 0;
        for (i, chunk) in chunks.iter().enumerate() {
            let size = chunk.payload.len() as u64 + FRAME_BYTES_MAX;
            batch += size;
            let in_use = batch_start > HEADER_LEN as u64;
            let full = batch + batch_start.max(HEADER_LEN as u64) > self.size_max;
            if full && (in_use || i > 0) {
                self.cut()?;
                batch_start = HEADER_LEN as u64;
                batch = size;
            }
            refs.push(self.segment << 32 | self.position);
            self.put(chunk)?;
        }
        Ok(())
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_before + self.position
    }

    /// The length of the longest chunk with its frame.
    pub(super) fn finish(mut self) -> Result<u64, WriteError> {
        self.close()?;
        Ok(self.chunk_max)
    }

    fn put(&mut self, chunk: &NewChunk<'_>) -> Result<(), WriteError> {
        self.frame.clear();
        put_uvarint(&mut self.frame, chunk.payload.len() as u64);
        let encoding = chunk.encoding.to_byte();
        self.frame.push(encoding);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&[encoding]), chunk.payload).to_be_bytes();
        let (path, file) = self.file.as_mut().expect("cut opens a file");
        let mut all = || {
            file.write_all(&self.frame)?;
            file.write_all(chunk.payload)?;
            file.write_all(&crc)
        };
        all().map_err(|source| WriteError::Io { path: path.clone(), source })?;
        let len = (self.frame.len() + chunk.payload.len() + crc.len()) as u64;
        self.position += len;
        self.chunk_max = self.chunk_max.max(len);
        if self.position > u64::from(u32::MAX) {
            return Err(WriteError::TooLarge("a chunk"));
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<(), WriteError> {
        if self.file.is_some() {
            self.close()?;
            self.segment += 1;
        }
        let path = self.dir.join(segment_name(u32::try_from(self.segment).unwrap_or(u32::MAX)));
        let create = || {
            std::fs::create_dir_all(self.dir.join(CHUNKS_DIR))?;
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
            let mut header = [0; HEADER_LEN];
            header[..4].copy_from_slice(&MAGIC.to_be_bytes());
            header[4] = VERSION;
            file.write_all(&header)?;
            Ok(file)
        };
        let file = create().map_err(|source| WriteError::Io { path: path.clone(), source })?;
        self.file = Some((path, file));
        self.bytes_before += self.position;
        self.position = HEADER_LEN as u64;
        Ok(())
    }

    fn close(&mut self) -> Result<(), WriteError> {
        if let Some((path, mut file)) = self.file.take() {
            file.flush().map_err(|source| WriteError::Io { path, source })?;
        }
        Ok(())
    }
}
