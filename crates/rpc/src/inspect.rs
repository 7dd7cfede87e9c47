//! Questions to any store in a plain JSON form, and its answers as they came: for debugging.
//!
//! A request: `{"rpc": "Series", "min_time": …, "max_time": …, "matchers": [{"Type": "EQ", "Name": …,
//! "Value": …}], …}` with the fields of Thanos' messages; `rpc` is one of `Info`, `Series`, `LabelNames`
//! and `LabelValues`; `hints` has `block_matchers` and, for series, `enable_query_stats`. An answer repeats the request and adds `info`, `series` (labels, and for each chunk
//! its times and, by aggregate, encoding, length and crc32c of the payload), `values`, `warnings`, `hints`
//! or `grpc_error`.

use std::time::Duration;

use proto::thanos as wire;
use proto::thanos::info as wire_info;
use proto::thanos::info::info_client::InfoClient;
use proto::thanos::series_response::Result as Kind;
use proto::thanos::store_client::StoreClient;
use serde_json::{Map, Value, json};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::client::endpoint;
use crate::{ClientTls, Error};

mod hints;

/// Asks one store.
#[derive(Clone, Debug)]
pub struct Inspector {
    store: StoreClient<Channel>,
    info: InfoClient<Channel>,
    timeout: Duration,
}

impl Inspector {
    /// Does not connect yet. Needs the runtime's context. Each call may take `timeout`.
    ///
    /// # Errors
    /// When the address or the TLS settings are wrong.
    pub fn new(address: &str, tls: Option<ClientTls>, timeout: Duration) -> Result<Self, Error> {
        let channel = endpoint(address, tls)?.connect_lazy();
        let store = StoreClient::new(channel.clone())
            .max_decoding_message_size(i32::MAX as usize)
            .max_encoding_message_size(i32::MAX as usize);
        Ok(Self { store, info: InfoClient::new(channel), timeout })
    }

    /// The answer to `request`; what the store refuses is an answer too.
    ///
    /// # Errors
    /// When the request is not of the form above: what is wrong with it.
    pub async fn ask(&self, request: &Value) -> Result<Value, String> {
        let answered = match request["rpc"].as_str() {
            Some("Info") => self.info().await,
            Some("Series") => self.series(series_request(request)?).await,
            Some("LabelNames") => self.names(request).await?,
            Some("LabelValues") => self.values(request).await?,
            other => return Err(format!("rpc is {other:?}, expected Info, Series, LabelNames or LabelValues")),
        };
        let mut answer = Map::from_iter([("request".to_owned(), request.clone())]);
        match answered {
            Ok(fields) => answer.extend(fields),
            Err(status) => {
                let text = format!("rpc error: code = {:?} desc = {}", status.code(), status.message());
                answer.insert("grpc_error".to_owned(), text.into());
            }
        }
        Ok(answer.into())
    }

    fn call<T>(&self, message: T) -> Request<T> {
        let mut call = Request::new(message);
        call.set_timeout(self.timeout);
        call
    }

    async fn info(&self) -> Result<Map<String, Value>, Status> {
        let answer = self.info.clone().info(self.call(wire_info::InfoRequest {})).await?.into_inner();
        let mut info = json!({
            "label_sets": answer.label_sets.iter().map(label_set).collect::<Vec<_>>(),
            "ComponentType": answer.component_type,
        });
        if let Some(store) = answer.store {
            let infos = store.tsdb_infos.iter().map(|t| {
                let labels = t.labels.as_ref().map(label_set);
                json!({"labels": labels, "min_time": t.min_time, "max_time": t.max_time})
            });
            info["store"] = json!({
                "min_time": store.min_time,
                "max_time": store.max_time,
                "supports_sharding": store.supports_sharding,
                "supports_without_replica_labels": store.supports_without_replica_labels,
                "tsdb_infos": infos.collect::<Vec<_>>(),
            });
        }
        Ok(Map::from_iter([("info".to_owned(), info)]))
    }

    async fn series(&self, request: wire::SeriesRequest) -> Result<Map<String, Value>, Status> {
        let mut messages = self.store.clone().series(self.call(request)).await?.into_inner();
        let (mut series, mut warnings, mut hints) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(message) = messages.message().await? {
            match message.result {
                Some(Kind::Series(one)) => series.push(show_series(&one)),
                Some(Kind::Batch(batch)) => series.extend(batch.series.iter().map(show_series)),
                Some(Kind::Warning(text)) => warnings.push(Value::from(text)),
                Some(Kind::Hints(any)) => hints.push(hints::show(&any)),
                None => {}
            }
        }
        let found = [("series", series), ("warnings", warnings), ("hints", hints)];
        Ok(found.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v.into())).collect())
    }

    async fn names(&self, request: &Value) -> Result<Result<Map<String, Value>, Status>, String> {
        let asked = wire::LabelNamesRequest {
            partial_response_disabled: flag(request, "partial_response_disabled"),
            partial_response_strategy: strategy(request),
            start: number(request, "min_time")?,
            end: number(request, "max_time")?,
            hints: hints::of_request(request, "LabelNames")?,
            matchers: matchers(&request["matchers"])?,
            without_replica_labels: texts(request, "without_replica_labels")?,
            limit: number(request, "limit")?,
        };
        let answer = self.store.clone().label_names(self.call(asked)).await.map(tonic::Response::into_inner);
        Ok(answer.map(|a| values(a.names, a.warnings, a.hints)))
    }

    async fn values(&self, request: &Value) -> Result<Result<Map<String, Value>, Status>, String> {
        let asked = wire::LabelValuesRequest {
            label: request["label"].as_str().unwrap_or_default().to_owned(),
            partial_response_disabled: flag(request, "partial_response_disabled"),
            partial_response_strategy: strategy(request),
            start: number(request, "min_time")?,
            end: number(request, "max_time")?,
            hints: hints::of_request(request, "LabelValues")?,
            matchers: matchers(&request["matchers"])?,
            without_replica_labels: texts(request, "without_replica_labels")?,
            limit: number(request, "limit")?,
        };
        let answer = self.store.clone().label_values(self.call(asked)).await.map(tonic::Response::into_inner);
        Ok(answer.map(|a| values(a.values, a.warnings, a.hints)))
    }
}

fn series_request(request: &Value) -> Result<wire::SeriesRequest, String> {
    let aggregates = texts(request, "aggregates")?.into_iter().map(|name| {
        let aggregate = wire::Aggr::from_str_name(&name).ok_or_else(|| format!("unknown aggregate {name}"))?;
        Ok::<i32, String>(aggregate.into())
    });
    let shard = match &request["shard_info"] {
        Value::Null => None,
        shard => Some(wire::ShardInfo {
            shard_index: number(shard, "shard_index")?,
            total_shards: number(shard, "total_shards")?,
            by: flag(shard, "by"),
            labels: texts(shard, "labels")?,
        }),
    };
    Ok(wire::SeriesRequest {
        min_time: number(request, "min_time")?,
        max_time: number(request, "max_time")?,
        matchers: matchers(&request["matchers"])?,
        max_resolution_window: number(request, "max_resolution_window")?,
        aggregates: aggregates.collect::<Result<_, _>>()?,
        partial_response_disabled: flag(request, "partial_response_disabled"),
        partial_response_strategy: strategy(request),
        skip_chunks: flag(request, "skip_chunks"),
        hints: hints::of_request(request, "Series")?,
        shard_info: shard,
        without_replica_labels: texts(request, "without_replica_labels")?,
        limit: number(request, "limit")?,
        response_batch_size: number(request, "response_batch_size")?,
        ..wire::SeriesRequest::default()
    })
}

fn number(of: &Value, field: &str) -> Result<i64, String> {
    match &of[field] {
        Value::Null => Ok(0),
        value => value.as_i64().ok_or_else(|| format!("{field} is {value}, expected a whole number")),
    }
}

fn flag(of: &Value, field: &str) -> bool {
    of[field].as_bool().unwrap_or(false)
}

/// Partial answers fail the request unless it says otherwise: whoever debugs wants to know.
fn strategy(request: &Value) -> i32 {
    let named = request["partial_response_strategy"].as_str();
    let strategy = named.and_then(wire::PartialResponseStrategy::from_str_name);
    strategy.unwrap_or(wire::PartialResponseStrategy::Abort).into()
}

fn texts(of: &Value, field: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{field} is {}, expected a list of strings", of[field]);
    match &of[field] {
        Value::Null => Ok(Vec::new()),
        value => {
            let all = value.as_array().ok_or_else(wrong)?;
            all.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
    }
}

fn matchers(all: &Value) -> Result<Vec<wire::LabelMatcher>, String> {
    let Value::Array(all) = all else { return Ok(Vec::new()) };
    let one = |m: &Value| {
        let text = |field: &str| m[field].as_str().ok_or_else(|| format!("matcher {m} has no {field}"));
        let kind = wire::label_matcher::Type::from_str_name(text("Type")?);
        let kind = kind.ok_or_else(|| format!("matcher {m}: Type is EQ, NEQ, RE or NRE"))?;
        Ok(wire::LabelMatcher { r#type: kind.into(), name: text("Name")?.to_owned(), value: text("Value")?.to_owned() })
    };
    all.iter().map(one).collect()
}

fn values(found: Vec<String>, warnings: Vec<String>, hints: Option<prost_types::Any>) -> Map<String, Value> {
    let mut fields = Map::from_iter([("values".to_owned(), json!(found))]);
    if !warnings.is_empty() {
        fields.insert("warnings".to_owned(), json!(warnings));
    }
    if let Some(hints) = hints {
        fields.insert("hints".to_owned(), json!([hints::show(&hints)]));
    }
    fields
}

fn label_set(set: &wire::ZLabelSet) -> Value {
    set.labels.iter().map(|l| (lossy(&l.name), Value::from(lossy(&l.value)))).collect::<Map<_, _>>().into()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn show_series(series: &wire::Series) -> Value {
    let labels: Vec<_> = series.labels.iter().map(|l| json!([lossy(&l.name), lossy(&l.value)])).collect();
    if series.chunks.is_empty() {
        return json!({"labels": labels, "chunks": null});
    }
    json!({"labels": labels, "chunks": series.chunks.iter().map(show_chunk).collect::<Vec<_>>()})
}

fn show_chunk(chunk: &wire::AggrChunk) -> Value {
    let parts = [
        ("RAW", &chunk.raw),
        ("COUNT", &chunk.count),
        ("SUM", &chunk.sum),
        ("MIN", &chunk.min),
        ("MAX", &chunk.max),
        ("COUNTER", &chunk.counter),
    ];
    let held = parts.into_iter().filter_map(|(name, part)| {
        let part = part.as_ref()?;
        let encoding = match wire::chunk::Encoding::try_from(part.r#type) {
            Ok(known) => known.as_str_name().to_owned(),
            Err(_) => part.r#type.to_string(),
        };
        let crc = crc32c::crc32c(&part.data);
        Some((name.to_owned(), json!({"encoding": encoding, "len": part.data.len(), "crc32c": crc})))
    });
    let aggregates: Map<_, _> = held.collect();
    json!({"min_time": chunk.min_time, "max_time": chunk.max_time, "aggregates": aggregates})
}

#[cfg(test)]
mod tests;
