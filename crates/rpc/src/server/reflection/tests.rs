use futures::stream;
use prost::Message;
use prost_types::FileDescriptorProto;
use store::testing::MemoryStore;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::Compression;
use crate::tests::over_the_wire;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_what_it_offers() {
    let (remote, _stop) = over_the_wire(std::sync::Arc::new(MemoryStore::new("m")), Compression::None).await;
    let channel = crate::client::endpoint(remote.name(), None).unwrap().connect_lazy();
    let asked = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("thanos.Store.Series".to_owned()),
        MessageRequest::FileContainingSymbol("hintspb.QueryStats".to_owned()),
    ];
    let asked = asked.map(|m| ServerReflectionRequest { host: String::new(), message_request: Some(m) });
    let answers = ServerReflectionClient::new(channel).server_reflection_info(stream::iter(asked)).await.unwrap();
    let mut answers = answers.into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = next(&mut answers).await else { panic!("no list") };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "thanos.Store", "thanos.info.Info"]
    );
    for file in ["thanos/store.proto", "thanos/hints.proto"] {
        let Some(MessageResponse::FileDescriptorResponse(found)) = next(&mut answers).await else { panic!("no file") };
        let found = FileDescriptorProto::decode(&found.file_descriptor_proto[0][..]).unwrap();
        assert_eq!(found.name(), file);
    }
}

async fn next(
    answers: &mut tonic::Streaming<tonic_reflection::pb::v1::ServerReflectionResponse>,
) -> Option<MessageResponse> {
    answers.message().await.unwrap().unwrap().message_response
}
