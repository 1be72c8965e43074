//! What a network does to a runner: silence, blocked UDP, loss on a narrow link, a forgetful NAT.
//!
//! Packets are dropped between network namespaces, so every process lives on and learns of it as it
//! would in the field: by hearing nothing.

use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::json;
use testkit::FakeCloud;
use tests::{Answer, Api, Dev, Nat, Options, Runner, Segment, wait};

use crate::faults::objects;

const BOTH: &[&str] = &["udp", "tcp"];
/// What is uploaded beside heart-beats.
const LARGE: usize = 100_000_000;

/// A server here, and a runner in a network of its own.
struct Field {
    api: Api,
    cloud: FakeCloud,
    endpoint: String,
    workspace: String,
    port: u16,
    _runner: Runner,
    dev: Dev,
    segment: Segment,
}

impl Field {
    /// `before` may spoil the network before the runner dials.
    async fn set(before: impl FnOnce(&Segment, u16)) -> Option<Self> {
        let segment = Segment::make()?;
        let options = Options {
            runners: 0,
            gateway: format!("{}:0", segment.here()),
            arguments: vec!["--no-runner".to_owned()],
            ..Options::default()
        };
        let dev = Dev::start_with(options);
        let port = dev.facts.gateway.rsplit(':').next().unwrap();
        let port = port.parse().unwrap();
        before(&segment, port);
        let runner = Runner::start_in(&dev, "one", &Options::default(), &segment);
        let (api, workspace) = workspace(&dev).await;
        let cloud = FakeCloud::start();
        let endpoint = format!("http://{}:{}", segment.here(), cloud.port());
        Some(Self {
            api,
            cloud,
            endpoint,
            workspace,
            port,
            _runner: runner,
            dev,
            segment,
        })
    }

    fn made(&self) -> usize {
        self.cloud.ids("sandbox_object").len()
    }
}

async fn workspace(dev: &Dev) -> (Api, String) {
    let api = dev.api();
    let settings = json!({"name": "network", "auto-apply": true});
    let environment = &dev.facts.environment;
    let created = api.create_workspace(environment, settings).await;
    (api, created.expect(201).id())
}

async fn start(api: &Api, workspace: &str, files: &[(&str, &str)]) -> String {
    let unqueued = json!({"auto-queue-runs": false});
    let version = api.upload(workspace, files, unqueued).await;
    api.run(workspace, &version, json!({"auto-apply": true}))
        .await
}

/// A file of [`LARGE`] bytes of text that hardly compress; it travels with the configuration, and
/// from the plan to the apply.
fn large_file() -> String {
    let mut bytes = vec![0; LARGE / 4 * 3];
    let mut random = std::fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut random, &mut bytes).unwrap();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

async fn log_of_apply(api: &Api, run: &str) -> String {
    let run = api.get(&format!("runs/{run}")).await.expect(200);
    let apply = &run.json["data"]["relationships"]["apply"]["data"]["id"];
    api.log(&format!("applies/{}", apply.as_str().unwrap()))
        .await
}

/// The network is gone for a minute in mid-apply: the apply goes on, its lease is out of contact,
/// and afterwards everything is delivered.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_cut_for_a_minute_in_mid_apply() {
    let Some(field) = Field::set(|_, _| {}).await else {
        return;
    };
    const OBJECTS: u32 = 260;
    let configuration = objects(&field.endpoint, OBJECTS, 3000, 0);
    let run = start(&field.api, &field.workspace, &[("main.tf", &configuration)]).await;
    field.api.run_status(&run, &["applying"]).await;
    wait::blocking("some objects are made", || field.made() >= 5);

    field.segment.cut(BOTH, field.port);
    let cut = Instant::now();
    let before = field.made();
    let path = format!("runs/{run}");
    let silent = |it: &Answer| it.attribute("wait-reason")["code"] == "out-of-contact";
    wait::until_it("the silence is noticed", || field.api.get(&path), silent).await;
    wait::blocking("the apply goes on", || field.made() > before + 30);
    // The minute is the fault itself, nothing that is waited for.
    tokio::time::sleep(Duration::from_secs(60).saturating_sub(cut.elapsed())).await;
    assert!(field.made() < OBJECTS as usize, "the cut was no mid-apply");
    field.segment.mend(BOTH, field.port);

    let heard = |it: &Answer| it.attribute("wait-reason")["code"] != "out-of-contact";
    let resumed = wait::until_it("the lease resumes", || field.api.get(&path), heard).await;
    assert_ne!(resumed.attribute("status"), "errored");
    field.api.run_status(&run, &["applied"]).await;
    assert_eq!(field.made(), OBJECTS as usize, "nothing was applied twice");
    let state = field.api.state(&field.workspace).await;
    let recorded = crate::cli_cancel::recorded_ids(&state);
    assert_eq!(recorded, field.cloud.ids("sandbox_object"));
    let log = log_of_apply(&field.api, &run).await;
    for index in 0..OBJECTS {
        let line = format!("sandbox_object.a[{index}]: Creation complete");
        assert_eq!(log.matches(&line).count(), 1, "{line}");
    }
    assert_eq!(log.matches("Apply complete!").count(), 1);
}

/// UDP is swallowed without a word: the runner takes TCP, says so, and works.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_udp() {
    let Some(field) = Field::set(|segment, port| segment.cut(&["udp"], port)).await else {
        return;
    };
    let configuration = objects(&field.endpoint, 3, 0, 0);
    let run = start(&field.api, &field.workspace, &[("main.tf", &configuration)]).await;
    field.api.run_status(&run, &["applied"]).await;
    assert_eq!(field.made(), 3);
    let log = field.dev.log();
    let said = log.lines().any(|line| {
        line.contains("connected") && line.contains("transport") && line.contains("tcp")
    });
    assert!(said, "the runner doesn't say that it uses TCP");
}

/// 100 MB go up a narrow link that loses packets, and no heart-beat is missed by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_over_a_narrow_and_lossy_link() {
    let Some(field) = Field::set(|_, _| {}).await else {
        return;
    };
    let (configuration, large) = (objects(&field.endpoint, 3, 0, 0), large_file());
    let files = [("main.tf", configuration.as_str()), ("large.txt", &large)];
    let mut link = field.segment.worsen(field.port, 2, 0.0005, 80);
    let run = start(&field.api, &field.workspace, &files).await;
    field.api.run_status(&run, &["applied"]).await;
    let (packets, lost) = link.counts();
    assert!(
        packets > 100_000 && lost > 0,
        "{packets} packets, {lost} lost: the link was not in the way"
    );
    let log = field.dev.log();
    let silence = log
        .lines()
        .find(|it| it.contains("silent") || it.contains("was lost"));
    assert_eq!(silence, None, "a lease was taken for lost");
    let plans = field.api.get(&format!("runs/{run}")).await.expect(200);
    assert_eq!(plans.attribute("status"), "applied");
    assert_eq!(log.matches("connection ended").count(), 0);
}

/// A NAT forgets its mappings in mid-upload, again and again: the same connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_nat_that_forgets_in_mid_upload() {
    let options = Options {
        runners: 0,
        arguments: vec!["--no-runner".to_owned()],
        ..Options::default()
    };
    let dev = Dev::start_with(options);
    let nat = Nat::start(&dev.facts.gateway);
    let _runner = Runner::start_through(&dev, "one", &Options::default(), &nat.address());
    let (api, workspace) = workspace(&dev).await;
    let cloud = FakeCloud::start();
    let (configuration, large) = (objects(&cloud.endpoint(), 3, 0, 0), large_file());
    let files = [("main.tf", configuration.as_str()), ("large.txt", &large)];
    let run = start(&api, &workspace, &files).await;
    // What comes down is large too, but only acknowledgements go up for it.
    for megabytes in [20, 45, 70] {
        wait::blocking("more of the upload has passed", || {
            nat.sent() > megabytes * 1_000_000
        });
        nat.rebind();
    }
    api.run_status(&run, &["applied"]).await;
    // Three quarters are left of it when it is packed.
    let whole = nat.sent() > LARGE as u64 / 2;
    assert!(whole, "the upload went another way");
    let log = dev.log();
    assert_eq!(
        log.matches("connection ended").count(),
        0,
        "the connection did not survive the new address"
    );
}
