//! How fast logs are taken and read, and how late a line is seen.

use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt;
use link::Transport;
use protocol::v1::{LogChunk, job};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Size;
use super::fleet::{Fleet, Held};
use super::place::{Pool, SMALL, Stage, options};
use super::report::report;
use super::samples::Samples;
use super::started::milliseconds;
use crate::{Api, Dev};

/// What is sent and not yet acknowledged, at most, as a runner does it.
const WINDOW: u64 = 1024 * 1024;
const LOOK: Duration = Duration::from_millis(5);
/// As much as the CLI asks for at a time.
const PAGE: usize = 65_536;

/// Both ways on one server.
pub async fn logs(size: Size) {
    let dev = Dev::start_with(options());
    throughput(&dev, size.pick(64, 8)).await;
    latency(&dev, size.pick(200, 30)).await;
}

async fn throughput(dev: &Dev, megabytes: u32) {
    let api = dev.api();
    let pool = Pool::make(dev, &api).await;
    let stage = Stage::make(dev, "throughput", pool.binding(), SMALL).await;
    let mut fleet = Fleet::new(&dev.facts.gateway, &pool.token, Transport::Quic);
    fleet.grow_to(1).await;
    let run = stage.dry_run().await;
    let held = fleet.job().await;
    let log = made_up(usize::try_from(megabytes).unwrap() * 1_000_000);
    let began = Instant::now();
    send(&held, &log).await;
    let rate = f64::from(megabytes) / began.elapsed().as_secs_f64();
    report("logs.taken", rate, "MB/s", None);
    let phase = phase(&api, &run, "plan").await;
    let began = Instant::now();
    let found = read(&api, &phase).await;
    let rate = f64::from(megabytes) / began.elapsed().as_secs_f64();
    report("logs.read_while_running", rate, "MB/s", None);
    assert!(found >= log.len(), "{found} of {}", log.len());
    held.fail().await;
}

/// Sends a log as a runner does, until all of it is acknowledged.
async fn send(held: &Held, log: &[u8]) {
    let mut client = held.connection.open_job().await.unwrap();
    let (chunks, queue) = mpsc::channel(4);
    let (known, mut acknowledged) = tokio::sync::watch::channel(0_u64);
    let sending = async {
        let mut offset = 0_u64;
        for data in log.chunks(protocol::MAX_LOG_CHUNK) {
            let room = |it: &u64| offset - it < WINDOW;
            acknowledged.wait_for(room).await.unwrap();
            let chunk = LogChunk {
                job_id: held.job.id.clone(),
                epoch: held.job.epoch,
                stream: stream_of(held).to_owned(),
                offset,
                data: data.to_vec().into(),
            };
            offset += u64::try_from(data.len()).unwrap();
            chunks.send(chunk).await.unwrap();
        }
        drop(chunks);
    };
    let hearing = async {
        let acks = client.append_log(ReceiverStream::new(queue)).await.unwrap();
        let mut acks = acks.into_inner();
        while let Some(ack) = acks.next().await {
            known.send_replace(ack.unwrap().offset);
        }
    };
    tokio::join!(sending, hearing);
    assert_eq!(*known.borrow(), u64::try_from(log.len()).unwrap());
}

/// The stream that a reader of this run is given.
fn stream_of(held: &Held) -> &'static str {
    let structured = match &held.job.work {
        Some(job::Work::Plan(plan)) => plan
            .terraform
            .as_ref()
            .is_some_and(|it| it.log_format == "structured"),
        Some(job::Work::Fetch(_) | job::Work::Apply(_)) | None => false,
    };
    if structured { "json" } else { "text" }
}

fn made_up(size: usize) -> Vec<u8> {
    let line = |index: u32| {
        let id = index.wrapping_mul(2_654_435_761);
        format!("terraform_data.a[{index}]: Creation complete after 0s [id={id:08x}-{index:012}]\n")
    };
    let mut log: Vec<u8> = (0..)
        .map(line)
        .flat_map(String::into_bytes)
        .take(size)
        .collect();
    log.truncate(size);
    log
}

async fn phase(api: &Api, run: &str, phase: &str) -> String {
    let run = api.get(&format!("runs/{run}")).await.expect(200);
    let related = &run.json["data"]["relationships"][phase]["data"]["id"];
    let path = if phase == "plan" { "plans" } else { "applies" };
    let path = format!("{path}/{}", related.as_str().unwrap());
    let found = api.get(&path).await.expect(200);
    found.attribute("log-read-url").as_str().unwrap().to_owned()
}

/// Bytes of the whole log, read page by page.
async fn read(api: &Api, url: &str) -> usize {
    let mut offset = 0;
    loop {
        let page = page(api, url, offset).await;
        if page.is_empty() {
            return offset;
        }
        offset += page.len();
    }
}

async fn page(api: &Api, url: &str, offset: usize) -> Vec<u8> {
    let path = format!("{url}?limit={PAGE}&offset={offset}");
    api.get(&path).await.expect(200).bytes
}

/// A provisioner writes the time, line by line; how much later the API gives the line.
async fn latency(dev: &Dev, lines: u32) {
    let main = format!(
        "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{\n    \
         interpreter = [\"/bin/sh\", \"-c\"]\n    \
         command     = \"for i in $(seq {lines}); do date +at=%s.%N; sleep 0.05; done\"\n  }}\n}}\n"
    );
    let stage = Stage::make(dev, "latency", json!({"auto-apply": true}), &main).await;
    let run = stage.run(json!({})).await;
    stage.api.run_status(&run, &["applying"]).await;
    let url = phase(&stage.api, &run, "apply").await;
    let (mut samples, mut log, mut seen) = (Samples::default(), Vec::new(), 0);
    while !log.ends_with(b"\x03") {
        log.extend(page(&stage.api, &url, log.len()).await);
        let now = milliseconds(SystemTime::now());
        let text = String::from_utf8_lossy(&log);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let written: Vec<f64> = whole.lines().filter_map(written_at).collect();
        for at in &written[seen..] {
            samples.add(now - at);
        }
        seen = written.len();
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(seen, usize::try_from(lines).unwrap());
    for percent in [50, 99] {
        let name = format!("logs.line_seen_after.p{percent}");
        report(&name, samples.percentile(percent), "ms", None);
    }
}

/// Milliseconds since 1970 out of a line of `date`.
fn written_at(line: &str) -> Option<f64> {
    let (_, at) = line.split_once("(local-exec): at=")?;
    let digits = at.find(|it: char| !it.is_ascii_digit() && it != '.');
    let at = digits.map_or(at, |end| &at[..end]);
    at.parse().ok().map(|seconds: f64| seconds * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_from_a_line() {
        let line = "terraform_data.a (local-exec): at=1700000000.250000000\u{1b}[0m";
        assert_eq!(written_at(line), Some(1_700_000_000_250.0));
        assert_eq!(written_at("terraform_data.a: Creating..."), None);
    }
}
