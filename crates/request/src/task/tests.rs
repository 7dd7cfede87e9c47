use std::collections::VecDeque;
use std::task::Poll;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{join, poll_fn};

use crate::pool::InlinePool;
use crate::{Context, CpuPool, Interrupted, MemoryBudget};

use super::*;

/// A pool whose jobs run when the test says so.
#[derive(Default)]
struct ByHand(Mutex<VecDeque<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByHand")
    }
}

impl CpuPool for ByHand {
    fn execute(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push_back(job);
    }

    fn resume(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push_front(job);
    }

    fn threads(&self) -> usize {
        1
    }
}

impl ByHand {
    /// Runs the first job; gives how many are left, or `None` where there was none.
    fn step(&self) -> Option<usize> {
        let job = self.0.lock().unwrap().pop_front()?;
        let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        Some(self.0.lock().unwrap().len())
    }
}

fn context() -> (Context, Arc<ByHand>) {
    let pool = Arc::new(ByHand::default());
    let account = MemoryBudget::new(1).account(1);
    (Context::new(0, account, pool.clone(), Arc::new(InlinePool)), pool)
}

/// Polls once.
fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut TaskContext::from_waker(Waker::noop()))
}

#[test]
fn is_polled_on_the_pool_when_it_is_woken_and_before_what_waits() {
    let (cx, pool) = context();
    let (sender, receiver) = oneshot::channel::<u32>();
    let own = cx.clone();
    let work = async move {
        let jobs = join(own.run(|| 1), own.run(|| 2)).await;
        (jobs, receiver.await)
    };
    let mut driven = Box::pin(cx.drive(work));
    assert!(poll(driven.as_mut()).is_pending());
    assert_eq!(pool.step(), Some(2), "its two jobs are queued");
    assert_eq!(pool.step(), Some(2), "the first job has woken it");
    assert_eq!(pool.step(), Some(1), "and it came before the other job");
    assert_eq!((pool.step(), pool.step(), pool.step()), (Some(1), Some(0), None));
    assert!(poll(driven.as_mut()).is_pending());
    sender.send(3).unwrap();
    assert_eq!(pool.step(), Some(0));
    assert_eq!(block_on(driven), Ok(((Ok(1), Ok(2)), Ok(3))));
}

#[test]
fn is_dropped_with_its_owner_wherever_it_is() {
    struct Work(#[expect(dead_code, reason = "it is counted")] Arc<()>);
    for polls in 0..3 {
        let (cx, pool) = context();
        let alive = Arc::new(());
        let work = Work(Arc::clone(&alive));
        let mut driven = Box::pin(cx.drive(async move {
            let _work = work;
            std::future::pending::<()>().await;
        }));
        for _ in 0..polls {
            assert!(poll(driven.as_mut()).is_pending());
            pool.step();
        }
        drop(driven);
        assert_eq!(Arc::strong_count(&alive), 1, "after {polls} polls");
        pool.step();
    }
}

#[test]
fn is_polled_again_where_it_was_woken_meanwhile_and_dropped_where_its_owner_went() {
    let (cx, pool) = context();
    let mut turns = 0;
    let work = poll_fn(move |task| {
        turns += 1;
        task.waker().wake_by_ref();
        if turns < 3 { Poll::Pending } else { Poll::Ready(turns) }
    });
    let mut driven = Box::pin(cx.drive(work));
    assert!(poll(driven.as_mut()).is_pending());
    assert_eq!(pool.step(), Some(0), "the polls were one job");
    assert_eq!(block_on(driven), Ok(3));

    let alive = Arc::new(());
    let (held, slot) = (Arc::clone(&alive), Arc::new(Mutex::new(None::<Owned>)));
    let own = Arc::clone(&slot);
    let work = poll_fn(move |_| {
        let _held = &held;
        // The owner goes during the poll.
        *own.lock().unwrap() = None;
        Poll::<()>::Pending
    });
    let any: Arc<dyn CpuPool> = pool.clone();
    *slot.lock().unwrap() = Some(Task::start(&any, Box::pin(work)));
    assert_eq!(pool.step(), Some(0));
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_request_works_at_once_only_on_the_pool_and_not_for_long() {
    /// A thread of the pool, on which each look at the clock takes 90 µs.
    #[derive(Debug)]
    struct Here;
    #[derive(Debug)]
    struct Slow(std::sync::atomic::AtomicU64);
    impl CpuPool for Here {
        fn execute(&self, job: Box<dyn FnOnce() + Send>) {
            job();
        }
        fn is_here(&self) -> bool {
            true
        }
        fn threads(&self) -> usize {
            1
        }
    }
    impl crate::Timer for Slow {
        fn sleep(&self, _: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
        fn elapsed(&self) -> std::time::Duration {
            std::time::Duration::from_micros(self.0.fetch_add(90, std::sync::atomic::Ordering::Relaxed))
        }
    }
    let account = MemoryBudget::new(1).account(1);
    let cx = Context::new(0, account, Arc::new(Here), Arc::new(Slow(Default::default())));
    assert_eq!((0..5).filter(|_| cx.clone().at_once().is_some()).count(), 3);
    assert!(context().0.at_once().is_none(), "elsewhere it would hold others up");
}

#[test]
fn a_panic_is_told_and_an_inline_pool_needs_no_task() {
    let (cx, pool) = context();
    let mut driven = Box::pin(cx.drive(async { panic!("on purpose") }));
    assert!(poll::<Result<(), _>>(driven.as_mut()).is_pending());
    assert_eq!(pool.step(), Some(0));
    assert_eq!(block_on(driven), Err(Interrupted::Panicked));

    assert_eq!(block_on(Context::inline(0).drive(async { 7 })), Ok(7));
    cx.cancel().cancel();
    assert_eq!(block_on(cx.drive(async { 7 })), Err(Interrupted::Canceled));
}
