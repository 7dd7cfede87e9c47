use std::time::Duration;

/// What `stats` asks for, in Prometheus' form.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QueryStats {
    /// Waiting for a turn.
    pub queue: Duration,
    /// Reading and evaluating.
    pub eval: Duration,
    /// Samples that were read.
    pub samples: u64,
    /// The most values held at once, by their memory.
    pub peak_samples: u64,
}

impl QueryStats {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (queue, eval) = (self.queue.as_secs_f64(), self.eval.as_secs_f64());
        let timings = serde_json::json!({
            "evalTotalTime": eval,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": eval,
            "execQueueTime": queue,
            "execTotalTime": queue + eval,
        });
        let samples = serde_json::json!({"totalQueryableSamples": self.samples, "peakSamples": self.peak_samples});
        out.extend_from_slice(serde_json::json!({"timings": timings, "samples": samples}).to_string().as_bytes());
    }
}
