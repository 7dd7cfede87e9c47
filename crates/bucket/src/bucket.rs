//! The bucket: an object store, its name, and what a listing says of the blocks in it.

use std::collections::BTreeMap;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Attributes, ObjectMeta, ObjectStore};
use prometheus_client::registry::Registry;
use ulid::Ulid;

use crate::link::Link;
use crate::{BlockFile, BucketMetrics, Error, Instrumented, Result, layout};

/// What kind of store lies below: decides which shortcuts are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    S3,
    Gcs,
    Azure,
    /// One process is the only writer: there is no conditional update.
    Filesystem,
    Memory,
}

impl Kind {
    /// Whether listings come in the order of names, as far as is known; it is checked while listing.
    fn lists_in_order(self) -> bool {
        matches!(self, Self::S3 | Self::Gcs | Self::Azure)
    }
}

/// Folders listed side by side, where they must be listed one by one.
const LISTINGS_PARALLEL: usize = 16;

/// How objects are written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Objects above this size go up in parts of it.
    pub part_bytes: u64,
    /// Whether uploads in parts may be used at all.
    pub multipart: bool,
    /// Metadata of every object.
    pub attributes: Attributes,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { part_bytes: 16 << 20, multipart: true, attributes: Attributes::new() }
    }
}

/// A bucket of blocks. Cloning is a reference count.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: Arc<str>,
    kind: Kind,
    /// The folder that holds the blocks, where they are plain files of this machine.
    root: Option<Arc<FsPath>>,
    write: Arc<WriteOptions>,
    /// The way to a store on the network.
    link: Option<Arc<Link>>,
    /// A part of a block was read for and is not there: what is known of the bucket is not what is in it.
    missed: Arc<AtomicBool>,
}

/// One object as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub size: u64,
    /// Unix milliseconds.
    pub modified_ms: i64,
    pub e_tag: Option<String>,
}

/// A block's objects by their name within its folder.
pub type BlockObjects = BTreeMap<String, Listed>;

impl Bucket {
    /// A bucket over any store. `name` stands in logs and metrics.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, name: &str, kind: Kind) -> Self {
        Self { store, name: name.into(), kind, root: None, write: Arc::default(), link: None, missed: Arc::default() }
    }

    /// A bucket in this process' memory, for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()), "memory", Kind::Memory)
    }

    /// A folder as a bucket; created where it does not exist.
    ///
    /// # Errors
    /// When the folder can be neither found nor created.
    pub fn filesystem(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory).map_err(|e| Error::local(&directory, e))?;
        let root = directory.canonicalize().map_err(|e| Error::local(&directory, e))?;
        let store =
            LocalFileSystem::new_with_prefix(&root).map_err(|e| Error::store("open", directory.display(), e))?;
        let store = store.with_automatic_cleanup(true).with_fsync(true);
        let name = directory.display().to_string();
        let mut bucket = Self::new(Arc::new(store), &name, Kind::Filesystem);
        bucket.root = Some(root.into());
        Ok(bucket)
    }

    /// The same bucket through a decorator, such as [`crate::Instrumented`] or [`crate::Recorder`].
    #[must_use]
    pub fn decorated<S: ObjectStore>(mut self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> S) -> Self {
        self.store = Arc::new(wrap(self.store));
        self
    }

    /// The same bucket with its operations counted and timed: registers their metrics, once per registry.
    /// `now` is the wall clock in Unix milliseconds.
    #[must_use]
    pub fn instrumented(self, registry: &mut Registry, now: fn() -> i64) -> Self {
        let metrics = BucketMetrics::register(registry, now);
        let name = Arc::clone(&self.name);
        if let Some(link) = &self.link {
            link.register(registry.sub_registry_with_label(("bucket".into(), name.to_string().into())));
        }
        self.decorated(|store| Instrumented::new(store, &name, metrics))
    }

    /// Keeps readers and writers from going around the store to the files: for tests that count or
    /// break its operations.
    #[must_use]
    pub fn without_shortcuts(mut self) -> Self {
        self.root = None;
        self
    }

    #[must_use]
    pub fn with_write_options(mut self, write: WriteOptions) -> Self {
        self.write = Arc::new(write);
        self
    }

    /// Notes that a part of a block, which should be there, is not.
    pub(crate) fn miss(&self) {
        self.missed.store(true, Ordering::Relaxed);
    }

    /// Whether something was missed since it was last asked; asking settles it where `settle` is set.
    pub(crate) fn missed(&self, settle: bool) -> bool {
        if settle { self.missed.swap(false, Ordering::Relaxed) } else { self.missed.load(Ordering::Relaxed) }
    }

    pub(crate) fn with_link(mut self, link: Arc<Link>) -> Self {
        self.link = Some(link);
        self
    }

    pub(crate) fn link(&self) -> Option<&Link> {
        self.link.as_deref()
    }

    /// All names below `prefix`; empty for none.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        if !prefix.is_empty() {
            self.store = Arc::new(PrefixStore::new(self.store, prefix));
            self.root = self.root.map(|root| root.join(prefix).into());
        }
        self
    }

    /// The bucket's name, as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether objects are plain files of this machine that may be read as such.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.root.is_some()
    }

    /// The store below, for what this type does not offer.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn write_options(&self) -> &WriteOptions {
        &self.write
    }

    /// Where an object lies as a plain file that may be memory-mapped; `None` for remote stores. The
    /// file need not exist.
    #[must_use]
    pub fn local_path(&self, block: Ulid, file: BlockFile) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join(block.to_string()).join(file.rel_path()))
    }

    /// A block's folder as plain files; `None` for remote stores.
    #[must_use]
    pub fn local_block(&self, block: Ulid) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join(block.to_string()))
    }

    /// Asks the store for the first page of names, so that a wrong endpoint, key, region or bucket
    /// shows at start and not at the first upload.
    ///
    /// # Errors
    /// With a hint of what to check.
    pub async fn check(&self) -> Result<()> {
        match self.store.list(None).next().await {
            None | Some(Ok(_)) => Ok(()),
            // A foreign name that is no path still came out of a readable bucket.
            Some(Err(object_store::Error::InvalidPath { .. })) => Ok(()),
            Some(Err(e)) => Err(self.error("list", e)),
        }
    }

    /// The ids of all block folders, complete or not, ascending: one request per 1 000.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn list_blocks(&self) -> Result<Vec<Ulid>> {
        let listed = self.store.list_with_delimiter(None).await.map_err(|e| self.error("list", e))?;
        let mut blocks: Vec<Ulid> =
            listed.common_prefixes.iter().filter_map(|p| layout::block_id(p.as_ref())).collect();
        blocks.sort_unstable();
        Ok(blocks)
    }

    /// Everything in all block folders, complete or not: one request per 1 000 objects.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn list_all(&self) -> Result<BTreeMap<Ulid, BlockObjects>> {
        match self.gather(self.store.list(None)).await? {
            Some(blocks) => Ok(blocks),
            None => self.list_each(Ulid::nil()).await,
        }
    }

    /// As [`Self::list_all`], of the blocks whose id is at least `first` alone: what lies before is not
    /// asked for, where the store can do that.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn list_from(&self, first: Ulid) -> Result<BTreeMap<Ulid, BlockObjects>> {
        // A block's objects all sort after its bare folder name.
        match self.gather(self.store.list_with_offset(None, &layout::folder(first))).await? {
            // A store that does not know the condition lists everything.
            Some(mut blocks) => Ok(blocks.split_off(&first)),
            None => self.list_each(first).await,
        }
    }

    /// The blocks' objects among `names`; `None` where a foreign key that is no path (`a//b`) ended the
    /// listing. Ends early once no block can follow.
    async fn gather(
        &self,
        mut names: BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> Result<Option<BTreeMap<Ulid, BlockObjects>>> {
        let mut blocks: BTreeMap<Ulid, BlockObjects> = BTreeMap::new();
        let mut sorted = self.kind.lists_in_order();
        let mut last = String::new();
        loop {
            match names.try_next().await {
                Ok(None) => break,
                Ok(Some(object)) => {
                    let name = object.location.as_ref();
                    sorted = sorted && *last <= *name;
                    if sorted && name >= layout::AFTER_BLOCKS {
                        break;
                    }
                    name.clone_into(&mut last);
                    if let Some((block, rest)) = layout::split(&object.location) {
                        blocks.entry(block).or_default().insert(rest.to_owned(), Listed::from(&object));
                    }
                }
                Err(object_store::Error::InvalidPath { .. }) => return Ok(None),
                Err(e) => return Err(self.error("list", e)),
            }
        }
        Ok(Some(blocks))
    }

    /// The blocks from `first` on, folder by folder.
    async fn list_each(&self, first: Ulid) -> Result<BTreeMap<Ulid, BlockObjects>> {
        let blocks = self.list_blocks().await?.into_iter().filter(|block| *block >= first);
        let each = stream::iter(blocks).map(async |block| Ok::<_, Error>((block, self.list_block(block).await?)));
        let listed: Vec<_> = each.buffer_unordered(LISTINGS_PARALLEL).try_collect().await?;
        Ok(listed.into_iter().filter(|(_, objects)| !objects.is_empty()).collect())
    }

    /// The objects of one block's folder; empty where there is none.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn list_block(&self, block: Ulid) -> Result<BlockObjects> {
        let folder = layout::folder(block);
        let listed = self.store.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>().await;
        let listed = listed.map_err(|e| Error::store("list", &folder, e))?;
        let objects = listed.iter().filter_map(|object| {
            let (id, rest) = layout::split(&object.location)?;
            (id == block).then(|| (rest.to_owned(), Listed::from(object)))
        });
        Ok(objects.collect())
    }

    /// An error of an operation on the whole bucket.
    pub(crate) fn error(&self, operation: &'static str, source: object_store::Error) -> Error {
        Error::store(operation, format_args!("bucket {}", self.name), source)
    }
}

impl From<&ObjectMeta> for Listed {
    fn from(object: &ObjectMeta) -> Self {
        Self { size: object.size, modified_ms: object.last_modified.timestamp_millis(), e_tag: object.e_tag.clone() }
    }
}

/// The path of any object below a block's folder, known or not.
pub(crate) fn object_path(block: Ulid, rest: &str) -> Path {
    layout::folder(block).parts().chain(Path::from(rest).parts()).collect()
}

#[cfg(test)]
mod tests;
