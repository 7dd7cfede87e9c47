//! Memory for answers: who finds none free waits a while and is then refused, with the limit's name.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use request::{Context, MemoryLease};
use store::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for others to give memory back, and how often it looks.
const WAIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(25);

/// What the pool counts in.
const UNIT: u64 = 1024;

/// The bytes that chunks fetched from the bucket may take in all requests together: `--chunk-pool-size`.
#[derive(Clone, Debug)]
pub(crate) struct ChunkPool {
    free: Arc<Semaphore>,
    units: u64,
}

impl ChunkPool {
    /// 0 is no limit.
    pub(crate) fn new(bytes: u64) -> Self {
        let most = Semaphore::MAX_PERMITS.min(u32::MAX as usize) as u64;
        let units = if bytes == 0 { most } else { bytes.div_ceil(UNIT).min(most) };
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Bytes that are taken now.
    pub(crate) fn used(&self) -> u64 {
        (self.units - self.free.available_permits() as u64) * UNIT
    }

    /// Whether so much is free, here and in the memory of the request and the process, that a request may fetch
    /// what it does not need yet.
    pub(crate) fn is_plenty(&self, cx: &Context) -> bool {
        self.free.available_permits() as u64 >= self.units / 2 && cx.memory().is_plenty()
    }

    /// Takes room for `bytes` of chunks, in the pool and in the request's memory.
    pub(crate) async fn take(&self, cx: &Context, bytes: u64) -> Result<Room> {
        let units = bytes.div_ceil(UNIT);
        let refused = || {
            let limit = self.units * UNIT;
            let text = format!("the chunk pool of {limit} bytes (--chunk-pool-size) has no room for {bytes} more");
            Error::Exhausted(text)
        };
        let wanted = u32::try_from(units).ok().filter(|_| units <= self.units).ok_or_else(refused)?;
        let permit = match Arc::clone(&self.free).try_acquire_many_owned(wanted) {
            Ok(permit) => permit,
            Err(_) => {
                let waiting = std::pin::pin!(Arc::clone(&self.free).acquire_many_owned(wanted));
                match select(waiting, cx.timer().sleep(WAIT)).await {
                    Either::Left((permit, _)) => permit.map_err(|_| refused())?,
                    Either::Right(_) => return Err(refused()),
                }
            }
        };
        let taken = Taken { _memory: lease(cx, bytes).await?, _pool: permit };
        Ok(Room { _taken: Arc::new(taken) })
    }
}

/// Memory for `bytes` of the request; waits for others to give some back.
pub(crate) async fn lease(cx: &Context, bytes: u64) -> Result<MemoryLease> {
    let mut waited = Duration::ZERO;
    loop {
        cx.check()?;
        match cx.memory().lease(bytes) {
            Ok(lease) => return Ok(lease),
            // What does not fit into the whole is known at once.
            Err(e) if waited >= WAIT || bytes > e.limit => return Err(e.into()),
            Err(_) => cx.timer().sleep(LOOK).await,
        }
        waited += LOOK;
    }
}

/// Room for bytes, which goes back when the last of the buffers made with it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    _taken: Arc<Taken>,
}

#[derive(Debug)]
struct Taken {
    _memory: MemoryLease,
    _pool: OwnedSemaphorePermit,
}

impl Room {
    /// The bytes, holding on to their room.
    pub(crate) fn hold(&self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _room: self.clone() })
    }
}

struct Held {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
