//! The fleet on disk: one bucket with one replica, one with two, and the same blocks for the peers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use block::chunk::{SAMPLES_PER_CHUNK, encode_floats};
use block::{BlockMeta, BlockWriter, NewChunk};
use reqwest::Client;

use crate::fleet::{self, BLOCK_MS, Profile, Series};

const REPLICAS: [&str; 2] = ["a", "b"];

/// Which data a benchmark works on.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// full (24 000 series, 24 h) or small (a tenth of the instances)
    #[arg(long, default_value = "small")]
    profile: String,
    /// Where the generated data is kept between runs
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
}

impl DataArgs {
    /// The fleet, and its data, which is generated where it is not there yet.
    ///
    /// # Errors
    /// When there is no such profile, or files cannot be written.
    pub fn prepare(&self) -> Result<(Profile, Data)> {
        let profile = Profile::named(&self.profile)?;
        let data = Data::prepare(&self.data.join(&self.profile), &profile)?;
        Ok((profile, data))
    }
}

/// A folder with the generated data.
#[derive(Debug)]
pub struct Data {
    pub dir: PathBuf,
}

impl Data {
    fn prepare(dir: &Path, profile: &Profile) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let data = Self { dir: dir.canonicalize()? };
        if !data.dir.join("complete").exists() {
            data.generate(profile)?;
            std::fs::write(data.dir.join("complete"), "")?;
        }
        Ok(data)
    }

    fn generate(&self, profile: &Profile) -> Result<()> {
        let mut series = fleet::series(profile);
        let symbols = symbols(&series);
        for block in 0..profile.hours * 3_600_000 / BLOCK_MS {
            self.generate_block(profile, block, &mut series, &symbols)?;
        }
        Ok(())
    }

    fn generate_block(
        &self,
        profile: &Profile,
        block: i64,
        series: &mut [Series],
        symbols: &BTreeSet<String>,
    ) -> Result<()> {
        let min_time = profile.start_ms + block * BLOCK_MS;
        let max_time = min_time + BLOCK_MS;
        let mut writers = Vec::new();
        for (r, replica) in REPLICAS.iter().enumerate() {
            let id = block::meta::ulid_at(max_time, (block as u128) << 8 | r as u128);
            let mut meta = BlockMeta::new(id, min_time, max_time);
            let mut thanos = block::meta::Thanos { version: 1, source: "sidecar".into(), ..Default::default() };
            thanos.labels = [("cluster", "bench"), ("replica", *replica)].map(|(n, v)| (n.into(), v.into())).into();
            meta.thanos = Some(thanos);
            let dir = self.bucket_dir(2).join(id.to_string());
            writers.push((BlockWriter::create(&dir, symbols)?, meta, dir));
        }
        let mut columns = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        for one in series {
            one.block(profile, block, 2, &mut columns);
            for ((writer, ..), (t, v)) in writers.iter_mut().zip(&columns).filter(|(_, (t, _))| !t.is_empty()) {
                let encoded = encode_floats(t, v, SAMPLES_PER_CHUNK);
                let chunks: Vec<_> = encoded
                    .iter()
                    .map(|c| NewChunk {
                        min_time: c.min_time,
                        max_time: c.max_time,
                        encoding: c.encoding,
                        payload: &c.bytes,
                    })
                    .collect();
                writer.add_series(&one.labels, &chunks)?;
            }
        }
        for (r, (writer, meta, dir)) in writers.into_iter().enumerate() {
            writer.finish(meta)?;
            if r == 0 {
                let name = dir.file_name().context("a block has a name")?;
                link_tree(&dir, &self.bucket_dir(1).join(name))?;
            }
        }
        Ok(())
    }

    /// The bucket with one or with two replicas.
    #[must_use]
    pub fn bucket_dir(&self, replicas: usize) -> PathBuf {
        self.dir.join(format!("bucket-{replicas}"))
    }

    /// The bucket configuration for that many replicas.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn objstore_config(&self, replicas: usize) -> PathBuf {
        let path = self.dir.join(format!("bucket-{replicas}.yml"));
        let text = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", self.bucket_dir(replicas).display());
        std::fs::write(&path, text).expect("write a bucket configuration");
        path
    }

    /// An empty folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// A data directory for Prometheus with the blocks of the first replica, made anew each time.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn prometheus_dir(&self) -> Result<PathBuf> {
        let dir = self.scratch("prometheus")?;
        link_tree(&self.bucket_dir(1), &dir)?;
        Ok(dir)
    }

    /// `VictoriaMetrics`' data directory, and whether it is still to be filled.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn victoriametrics_dir(&self) -> Result<(PathBuf, bool)> {
        let dir = self.dir.join("victoriametrics");
        if self.dir.join("imported").exists() {
            return Ok((dir, false));
        }
        Ok((self.scratch("victoriametrics")?, true))
    }

    /// # Errors
    /// When the note cannot be written.
    pub fn mark_imported(&self) -> Result<()> {
        Ok(std::fs::write(self.dir.join("imported"), "")?)
    }

    /// Sends the samples of the first replica to `VictoriaMetrics` at `base`.
    ///
    /// # Errors
    /// When it refuses them.
    pub async fn import(&self, client: &Client, base: &str, profile: &Profile) -> Result<()> {
        let mut series = fleet::series(profile);
        let mut columns = [(Vec::new(), Vec::new())];
        for block in 0..profile.hours * 3_600_000 / BLOCK_MS {
            for part in series.chunks_mut(500) {
                let mut body = String::new();
                for one in part {
                    one.block(profile, block, 1, &mut columns);
                    import_line(one, &columns[0], &mut body);
                }
                let answer = client.post(format!("{base}/api/v1/import")).body(body).send().await?;
                ensure!(answer.status().is_success(), "import: {}", answer.text().await?);
            }
        }
        Ok(())
    }
}

fn import_line(series: &Series, (t, v): &(Vec<i64>, Vec<f64>), body: &mut String) {
    if t.is_empty() {
        return;
    }
    let labels: serde_json::Map<_, _> = series.labels.iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
    let times: Vec<String> = t.iter().map(i64::to_string).collect();
    let values: Vec<String> = v.iter().map(f64::to_string).collect();
    let metric = serde_json::Value::Object(labels);
    let _infallible =
        writeln!(body, r#"{{"metric":{metric},"values":[{}],"timestamps":[{}]}}"#, values.join(","), times.join(","));
}

fn symbols(series: &[Series]) -> BTreeSet<String> {
    series.iter().flat_map(|s| s.labels.iter()).flat_map(|(n, v)| [n.to_owned(), v.to_owned()]).collect()
}

/// The same tree with hard links for files.
fn link_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            link_tree(&path, &target)?;
        } else {
            std::fs::hard_link(&path, &target).with_context(|| format!("link {}", target.display()))?;
        }
    }
    Ok(())
}
