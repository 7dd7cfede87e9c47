//! `grpc.reflection`: what the server offers, for tools like `grpcurl`; in both versions, as Thanos' servers have it.

use tonic_reflection::server::{Builder, v1, v1alpha};

use crate::Error;

fn services() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

pub(super) fn current() -> Result<v1::ServerReflectionServer<impl v1::ServerReflection>, Error> {
    Ok(services().build_v1()?)
}

pub(super) fn old() -> Result<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>, Error> {
    Ok(services().build_v1alpha()?)
}

#[cfg(test)]
mod tests;
