//! Serves a folder as an S3 bucket over a link of chosen delay and rate.
//!
//! ```text
//! cargo run --release -p benches --bin s3 -- --folder target/bench/full/two --delay-ms 30 --mb-per-second 80
//! ```
#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use benches::s3::{Counts, Link, serve};
use clap::Parser;
use tokio::net::TcpListener;

#[derive(Debug, Parser)]
struct Args {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value_t = 19_109)]
    port: u16,
    /// Before each answer
    #[arg(long, default_value_t = 30)]
    delay_ms: u64,
    /// Of each answer; 0 is as fast as it goes
    #[arg(long, default_value_t = 80)]
    mb_per_second: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    println!("serving {} on {} as any bucket, path style, any key", args.folder.display(), listener.local_addr()?);
    let link = Link { delay: Duration::from_millis(args.delay_ms), bytes_per_second: args.mb_per_second * 1_000_000 };
    let counts = Arc::new(Counts::default());
    let printed = Arc::clone(&counts);
    let print = async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let [lists, gets, others, bytes] = printed.take();
            if lists + gets + others > 0 {
                println!("{lists} listings, {gets} reads, {others} others, {bytes} bytes");
            }
        }
    };
    tokio::select! {
        served = serve(listener, &args.folder, link, counts) => served,
        () = print => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
