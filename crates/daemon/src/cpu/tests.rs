use std::sync::mpsc;
use std::time::Duration;

use super::*;

#[test]
fn what_is_resumed_comes_first_and_a_job_of_a_thread_s_own_is_not_forgotten() {
    let pool = Arc::new(CpuThreads::start(1).unwrap());
    let (sender, receiver) = mpsc::channel();
    let (own, inner) = (Arc::clone(&pool), sender);
    pool.execute(Box::new(move || {
        for name in ["first", "second"] {
            let sender = inner.clone();
            own.execute(Box::new(move || sender.send(name).unwrap()));
        }
        own.resume(Box::new(move || inner.send("resumed").unwrap()));
    }));
    assert_eq!(receiver.iter().collect::<Vec<_>>(), ["resumed", "first", "second"]);
}

#[test]
fn several_jobs_of_one_thread_are_taken_by_others_too() {
    let pool = Arc::new(CpuThreads::start(2).unwrap());
    let own = Arc::clone(&pool);
    let (sender, receiver) = mpsc::channel();
    pool.execute(Box::new(move || {
        let (done, wait) = mpsc::channel();
        for i in 0..2 {
            let done = done.clone();
            own.execute(Box::new(move || done.send(i).unwrap()));
        }
        // Both are done while this thread goes on.
        sender.send([wait.recv().unwrap(), wait.recv().unwrap()]).unwrap();
    }));
    assert_eq!(receiver.recv(), Ok([0, 1]));
}

#[tokio::test]
async fn jobs_have_the_runtime_s_context() {
    let pool = CpuThreads::start(1).unwrap();
    let (sender, receiver) = futures::channel::oneshot::channel();
    pool.execute(Box::new(move || {
        Handle::current().block_on(tokio::time::sleep(Duration::from_millis(1)));
        sender.send(()).unwrap();
    }));
    assert_eq!(receiver.await, Ok(()));
}
