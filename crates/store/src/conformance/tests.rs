use std::future::ready;

use futures::executor::block_on;

use super::*;
use crate::testing::MemoryStore;
use crate::{Endpoints, Limited, Limits, Proxy, ProxyOptions};

fn proxy(stores: Vec<Arc<dyn Store>>) -> Arc<dyn Store> {
    Arc::new(Proxy::new(Arc::new(Endpoints::new(stores)), ProxyOptions::default()))
}

#[test]
fn a_store_in_memory_conforms() {
    block_on(run(|data| ready(Arc::new(MemoryStore::filled("memory", &data)) as Arc<dyn Store>)));
}

#[test]
fn a_limited_store_conforms() {
    let limits = Limits { series: 1000, samples: 1_000_000 };
    block_on(run(|data| {
        ready(Arc::new(Limited::new(Arc::new(MemoryStore::filled("m", &data)), limits)) as Arc<dyn Store>)
    }));
}

/// Deals samples to parts by hours, with an overlap, and series to parts in turn.
fn parts(data: &Data) -> Vec<Arc<dyn Store>> {
    let hours = [(0, 3_600_000), (3_000_000, 7_200_000)];
    let part = |name: &str, keep: &dyn Fn(usize, i64) -> bool| {
        let mut part = data.clone();
        for (i, (_, samples)) in part.series.iter_mut().enumerate() {
            samples.retain(|s| keep(i, s.0 - START_MS));
        }
        part.series.retain(|s| !s.1.is_empty());
        Arc::new(MemoryStore::filled(name, &part)) as Arc<dyn Store>
    };
    let by_time = hours.iter().map(|&(from, to)| part("hour", &move |i, t| i % 3 != 2 && (from..to).contains(&t)));
    by_time.chain([part("rest", &|i, _| i % 3 == 2), part("rest again", &|i, _| i % 6 == 2)]).collect()
}

#[test]
fn a_fan_out_conforms() {
    block_on(run(|data| ready(proxy(parts(&data)))));
    block_on(run(|data| ready(proxy(vec![proxy(parts(&data)), proxy(vec![])]))));
}
