//! A small S3 server over a folder, with a link of chosen delay and rate between it and its clients.
//!
//! It speaks what a tier needs: listings by pages, whole and ranged reads with conditions, writes and deletions, path style. It
//! checks no signatures. Names are walked once at the start and kept sorted, so that a listing costs the server next to nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use futures::{StreamExt, stream};
use parking_lot::RwLock;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;

/// Bytes of an answer sent at a time.
const PIECE_BYTES: u64 = 256 << 10;

/// What lies between the server and its clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// Before each answer.
    pub delay: Duration,
    /// Of each answer's body; 0 is as fast as it goes.
    pub bytes_per_second: u64,
}

/// What was asked so far.
#[derive(Debug, Default)]
pub struct Counts {
    pub lists: AtomicU64,
    pub gets: AtomicU64,
    pub others: AtomicU64,
    /// Of answers' bodies.
    pub bytes: AtomicU64,
    /// The longest chain of requests so far of which each began after the one before it was answered.
    depth: AtomicU64,
}

impl Counts {
    /// The longest chain of requests, each sent after the one before it was answered, since the last call.
    pub fn take_depth(&self) -> u64 {
        self.depth.swap(0, Ordering::Relaxed)
    }

    /// Listings, reads, other requests and bytes sent since the last call.
    pub fn take(&self) -> [u64; 4] {
        [&self.lists, &self.gets, &self.others, &self.bytes].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

#[derive(Clone, Debug)]
struct Object {
    size: u64,
    /// Unix seconds.
    modified: u64,
    e_tag: String,
}

#[derive(Debug)]
struct Bucket {
    folder: PathBuf,
    link: Link,
    objects: RwLock<BTreeMap<String, Object>>,
    counts: Arc<Counts>,
}

/// Serves `folder` as the bucket of any name until it is dropped with its runtime.
///
/// # Errors
/// When the folder cannot be walked or the server fails.
pub async fn serve(listener: TcpListener, folder: &Path, link: Link, counts: Arc<Counts>) -> Result<()> {
    let mut objects = BTreeMap::new();
    walk(folder, "", &mut objects).with_context(|| format!("walk {}", folder.display()))?;
    let bucket = Arc::new(Bucket { folder: folder.to_owned(), link, objects: RwLock::new(objects), counts });
    let router = axum::Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(bucket);
    Ok(axum::serve(listener, router).await?)
}

fn walk(folder: &Path, prefix: &str, objects: &mut BTreeMap<String, Object>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), objects)?;
        } else {
            objects.insert(name, Object::of(&entry.metadata()?));
        }
    }
    Ok(())
}

impl Object {
    fn of(file: &std::fs::Metadata) -> Self {
        let modified = file.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let e_tag = format!("\"{:x}-{:x}\"", modified.as_nanos(), file.len());
        Self { size: file.len(), modified: modified.as_secs(), e_tag }
    }

    fn date(&self, format: &str) -> String {
        let time = jiff::Timestamp::from_second(i64::try_from(self.modified).unwrap_or(0)).unwrap_or_default();
        time.strftime(format).to_string()
    }
}

type Answer = Response<Body>;

fn status(code: StatusCode) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = code;
    answer
}

async fn answer(
    State(bucket): State<Arc<Bucket>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let depth = bucket.counts.depth.load(Ordering::Relaxed) + 1;
    tokio::time::sleep(bucket.link.delay).await;
    let key = uri.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
    let count = match method {
        Method::GET if key.is_empty() => &bucket.counts.lists,
        Method::GET => &bucket.counts.gets,
        _ => &bucket.counts.others,
    };
    count.fetch_add(1, Ordering::Relaxed);
    let done = match method {
        Method::GET if key.is_empty() => bucket.list(&query),
        Method::GET | Method::HEAD => bucket.get(&key, &headers, method == Method::HEAD).await,
        Method::PUT => bucket.put(&key, &headers, &body),
        Method::DELETE => bucket.delete(&key),
        _ => return status(StatusCode::NOT_IMPLEMENTED),
    };
    bucket.counts.depth.fetch_max(depth, Ordering::Relaxed);
    done.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

impl Bucket {
    fn list(&self, query: &BTreeMap<String, String>) -> Result<Answer> {
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (get("prefix"), get("delimiter"));
        let after = get("continuation-token").max(get("start-after"));
        let most: usize = get("max-keys").parse().unwrap_or(1000);
        let objects = self.objects.read();
        let (mut contents, mut folders) = (String::new(), String::new());
        let (mut count, mut last, mut more) = (0, String::new(), false);
        for (name, object) in objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)) {
            let Some(rest) = name.strip_prefix(prefix) else { continue };
            let folder =
                rest.find(delimiter).filter(|_| !delimiter.is_empty()).map(|at| &name[..prefix.len() + at + 1]);
            if folder.is_some_and(|folder| last.starts_with(folder) || after.starts_with(folder)) {
                last.clone_from(name);
                continue;
            }
            if count == most {
                more = true;
                break;
            }
            count += 1;
            last.clone_from(name);
            match folder {
                Some(folder) => write!(folders, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>")?,
                None => write!(
                    contents,
                    "<Contents><Key>{name}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    object.date("%Y-%m-%dT%H:%M:%S.000Z"),
                    object.e_tag.replace('"', "&quot;"),
                    object.size,
                )?,
            }
        }
        let next = if more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>\
             <KeyCount>{count}</KeyCount>{next}{contents}{folders}</ListBucketResult>"
        );
        self.counts.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        Ok(Response::builder().header(header::CONTENT_TYPE, "application/xml").body(text.into())?)
    }

    async fn get(&self, key: &str, headers: &HeaderMap, head: bool) -> Result<Answer> {
        let Some(object) = self.objects.read().get(key).cloned() else { return Ok(status(StatusCode::NOT_FOUND)) };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let builder = Response::builder()
            .header(header::ETAG, &object.e_tag)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::LAST_MODIFIED, object.date("%a, %d %b %Y %H:%M:%S GMT"));
        if text(header::IF_NONE_MATCH) == Some(&object.e_tag) {
            return Ok(builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())?);
        }
        let asked = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let (start, end) = match asked {
            Some((start, end)) => (start.parse()?, end.parse::<u64>().map_or(object.size, |end| end + 1)),
            None => (0_u64, object.size),
        };
        let end = end.min(object.size);
        if start > end || (asked.is_some() && start == end) {
            return Ok(status(StatusCode::RANGE_NOT_SATISFIABLE));
        }
        let builder = match asked {
            Some(_) => builder
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_RANGE, format!("bytes {start}-{}/{}", end - 1, object.size)),
            None => builder,
        };
        let builder = builder.header(header::CONTENT_LENGTH, end - start);
        if head {
            return Ok(builder.body(Body::empty())?);
        }
        self.counts.bytes.fetch_add(end - start, Ordering::Relaxed);
        let mut file = tokio::fs::File::open(self.folder.join(key)).await?;
        file.seek(std::io::SeekFrom::Start(start)).await?;
        let rate = self.link.bytes_per_second;
        let pieces = stream::try_unfold((file, end - start), move |(mut file, left)| async move {
            if left == 0 {
                return Ok::<_, std::io::Error>(None);
            }
            let mut piece = vec![0; usize::try_from(left.min(PIECE_BYTES)).unwrap_or_default()];
            file.read_exact(&mut piece).await?;
            if rate > 0 {
                tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
            }
            let left = left - piece.len() as u64;
            Ok(Some((Bytes::from(piece), (file, left))))
        });
        Ok(builder.body(Body::from_stream(pieces.boxed()))?)
    }

    fn put(&self, key: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer> {
        if headers.contains_key(header::IF_NONE_MATCH) && self.objects.read().contains_key(key) {
            return Ok(status(StatusCode::PRECONDITION_FAILED));
        }
        let signed = headers.get("x-amz-content-sha256").is_some_and(|sum| sum.as_bytes().starts_with(b"STREAMING-"));
        let body = if signed { Cow::Owned(unframed(body)?) } else { Cow::Borrowed(body) };
        let path = self.folder.join(key);
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        std::fs::write(&path, &*body)?;
        let object = Object::of(&path.metadata()?);
        let answer = Response::builder().header(header::ETAG, &object.e_tag).body(Body::empty())?;
        self.objects.write().insert(key.to_owned(), object);
        Ok(answer)
    }

    fn delete(&self, key: &str) -> Result<Answer> {
        if self.objects.write().remove(key).is_some() {
            std::fs::remove_file(self.folder.join(key))?;
        }
        Ok(status(StatusCode::NO_CONTENT))
    }
}

/// The content of a body whose pieces are signed one by one: `<hexadecimal length>;chunk-signature=…`, then the
/// piece, each with a line's end; the last one is empty.
fn unframed(mut body: &[u8]) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(body.len());
    loop {
        let end = body.windows(2).position(|w| w == b"\r\n").context("a piece has no header")?;
        let header = std::str::from_utf8(&body[..end])?;
        let len = usize::from_str_radix(header.split(';').next().unwrap_or_default(), 16)?;
        if len == 0 {
            return Ok(content);
        }
        let rest = &body[end + 2..];
        content.extend_from_slice(rest.get(..len).context("a piece is cut off")?);
        body = rest.get(len + 2..).context("a piece has no end")?;
    }
}
