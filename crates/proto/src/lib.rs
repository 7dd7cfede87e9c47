//! Generated protobuf and gRPC types of Thanos' `StoreAPI` and Prometheus' remote read; nothing by hand.
//!
//! Place: L1. The sources lie in `/proto`. `ESKER_REGENERATE=1 cargo test -p proto` writes `src/generated`
//! anew; without the variable the test `generated` compares.
//!
//! Only `rpc` and the sidecar's remote-read client use it.
#![allow(missing_debug_implementations, unreachable_pub, unused_qualifications, reason = "generated code")]
#![allow(clippy::all, reason = "generated code")]

/// Package `thanos`: Store.
pub mod thanos {
    include!("generated/thanos.rs");

    /// Package `thanos.info`: Info.
    pub mod info {
        include!("generated/thanos.info.rs");
    }
}

/// Package `hintspb`: what travels in the `hints` of the `StoreAPI`.
pub mod hintspb {
    include!("generated/hintspb.rs");
}

/// The descriptors of all packages, as a `FileDescriptorSet`: for clients that ask a server what it offers.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

/// Package `prometheus`: remote read.
pub mod prometheus {
    include!("generated/prometheus.rs");
}
