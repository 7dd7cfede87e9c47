use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use request::{InlinePool, MemoryBudget, Timer};

use super::*;

/// Every wait is over at once; the first one sees a lease go back.
#[derive(Debug, Default)]
struct Instantly(Mutex<Option<MemoryLease>>);

impl Timer for Instantly {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        drop(self.0.lock().unwrap().take());
        futures::future::ready(()).boxed()
    }
}

fn context(budget: &MemoryBudget, timer: Instantly) -> Context {
    Context::new(0, budget.account(u64::MAX), Arc::new(InlinePool), Arc::new(timer))
}

#[tokio::test]
async fn room_goes_back_with_the_last_buffer() {
    let budget = MemoryBudget::new(100_000);
    let pool = ChunkPool::new(8 << 10);
    let room = pool.take(&context(&budget, Instantly::default()), 5000).await.unwrap();
    assert_eq!((pool.used(), budget.used()), (5 << 10, 5000));
    let held = room.hold(Bytes::from_static(b"abc"));
    let part = held.slice(1..);
    drop((room, held));
    assert_eq!(pool.used(), 5 << 10);
    drop(part);
    assert_eq!((pool.used(), budget.used()), (0, 0));
}

#[tokio::test]
async fn who_waits_in_vain_is_told_the_flag() {
    let budget = MemoryBudget::new(100_000);
    let cx = context(&budget, Instantly::default());
    let pool = ChunkPool::new(8 << 10);
    let all = pool.take(&cx, 8 << 10).await.unwrap();
    let refused = pool.take(&cx, 1).await.unwrap_err();
    assert!(matches!(&refused, Error::Exhausted(text) if text.contains("--chunk-pool-size")), "{refused}");
    drop(all);
    pool.take(&cx, 1).await.unwrap();
    assert!(pool.take(&cx, 9 << 10).await.is_err(), "more than there is");
    let refused = ChunkPool::new(0).take(&cx, 200_000).await.unwrap_err();
    assert!(matches!(&refused, Error::Exhausted(text) if text.contains("--memory.limit")), "{refused}");
}

#[tokio::test]
async fn who_waits_gets_what_others_give_back() {
    let budget = MemoryBudget::new(100_000);
    let held = budget.account(u64::MAX).lease(90_000).unwrap();
    let cx = context(&budget, Instantly(Mutex::new(Some(held))));
    assert_eq!(lease(&cx, 20_000).await.unwrap().bytes(), 20_000);
}
