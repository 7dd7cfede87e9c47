use std::sync::{Arc, PoisonError, RwLock};

use model::{Matcher, TimeRange};

use crate::{Extent, Store, StoreInfo};

/// The stores that a [`Proxy`](crate::Proxy) asks; it can change while requests run, which keep what
/// they began with.
#[derive(Debug, Default)]
pub struct Endpoints(RwLock<Arc<[Arc<dyn Store>]>>);

impl Endpoints {
    #[must_use]
    pub fn new(stores: Vec<Arc<dyn Store>>) -> Self {
        Self(RwLock::new(stores.into()))
    }

    /// The stores as they are now.
    #[must_use]
    pub fn get(&self) -> Arc<[Arc<dyn Store>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces all stores for requests to come.
    pub fn set(&self, stores: Vec<Arc<dyn Store>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = stores.into();
    }
}

impl StoreInfo {
    /// The extents that a request may concern: overlapping in time, and with external labels on which no
    /// matcher fails. Labels that an extent lacks may be in its series.
    pub fn matching<'a>(&'a self, range: TimeRange, matchers: &'a [Matcher]) -> impl Iterator<Item = &'a Extent> {
        self.extents.iter().filter(move |e| e.range.overlaps(range) && e.may_match(matchers))
    }
}

impl Extent {
    /// Whether no matcher fails on the external labels.
    #[must_use]
    pub fn may_match(&self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|m| self.labels.get(&m.name).is_none_or(|value| m.matches(value)))
    }
}

/// The label by which `storeMatch[]` names a store.
pub(crate) const ADDRESS: &str = "__address__";

/// Whether any of the alternatives holds on the store's address; none at all selects every store.
pub(crate) fn selected(info: &StoreInfo, alternatives: &[Vec<Matcher>]) -> bool {
    let holds = |m: &Matcher| m.matches(if &*m.name == ADDRESS { &info.name } else { "" });
    alternatives.is_empty() || alternatives.iter().any(|all| all.iter().all(holds))
}
