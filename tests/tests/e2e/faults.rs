//! What dies, and what must be left: kills of real processes at the worst moments.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::FakeCloud;
use tests::{Answer, Api, Dev, Runner, wait};

use crate::cli_cancel::recorded_ids;
use crate::flavour::{Around, Flavour, both_flavours};

/// A server without a runner of its own, so that the test decides over its life.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) cloud: FakeCloud,
    pub(crate) workspace: String,
    pub(crate) runner: Runner,
    pub(crate) dev: Dev,
    /// What the provider block says, wherever the job runs.
    pub(crate) endpoint: String,
    around: Around,
}

/// `count` objects, each `delay` milliseconds in the making.
pub(crate) fn objects(endpoint: &str, count: u32, delay: u32, pad_kib: u32) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    sandbox = {{ source = "sandbox.test/demo/sandbox" }}
  }}
}}
provider "sandbox" {{ endpoint = "{endpoint}" }}
resource "sandbox_object" "a" {{
  count    = {count}
  name     = "a-${{count.index}}"
  delay_ms = {delay}
  pad_kib  = {pad_kib}
}}
"#
    )
}

impl Stage {
    /// Nothing where the machine lacks what the flavour needs.
    pub(crate) async fn set(flavour: Flavour) -> Option<Self> {
        let around = flavour.start().await?;
        let mut options = around.options.clone();
        options.runners = 0;
        options.arguments.push("--no-runner".to_owned());
        let dev = Dev::start_with(options);
        let runner = Runner::start_with(&dev, "one", around.runner());
        let api = dev.api();
        let settings = json!({"name": "faults", "auto-apply": true});
        let workspace = api
            .create_workspace(&dev.facts.environment, settings)
            .await
            .expect(201)
            .id();
        let cloud = FakeCloud::start();
        let endpoint = around.endpoint(&cloud);
        Some(Self {
            api,
            cloud,
            endpoint,
            workspace,
            runner,
            dev,
            around,
        })
    }

    /// Starts a run that applies by itself; gives its id.
    pub(crate) async fn apply(&self, configuration: &str) -> String {
        self.start(configuration, json!({"auto-apply": true})).await
    }

    /// As [`Self::apply`], for states so large that a refresh would be most of the test.
    pub(crate) async fn apply_without_refresh(&self, configuration: &str) -> String {
        self.start(configuration, json!({"auto-apply": true, "refresh": false}))
            .await
    }

    async fn start(&self, configuration: &str, attributes: Value) -> String {
        let files = [("main.tf", configuration)];
        let unqueued = json!({"auto-queue-runs": false});
        let version = self.api.upload(&self.workspace, &files, unqueued).await;
        self.api.run(&self.workspace, &version, attributes).await
    }

    /// Waits until the apply has made some objects and is not done.
    pub(crate) async fn mid_apply(&self, run: &str, at_least: usize) {
        self.api.run_status(run, &["applying"]).await;
        wait::blocking("some objects are made", || {
            self.cloud.ids("sandbox_object").len() >= at_least
        });
    }

    async fn phase(&self, run: &str) -> Answer {
        let run = self.api.get(&format!("runs/{run}")).await.expect(200);
        let apply = run.json["data"]["relationships"]["apply"]["data"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        self.api.get(&format!("applies/{apply}")).await.expect(200)
    }

    fn made(&self) -> Vec<String> {
        self.cloud.ids("sandbox_object")
    }

    async fn recorded(&self) -> Vec<String> {
        recorded_ids(&self.api.state(&self.workspace).await)
    }

    async fn is_locked(&self) -> bool {
        let workspace = self
            .api
            .get(&format!("workspaces/{}", self.workspace))
            .await
            .expect(200);
        workspace.attribute("locked") == true
    }

    /// What exists and is neither in the state nor listed as possibly unrecorded.
    pub(crate) async fn lost(&self, run: &str) -> Vec<String> {
        let mut known: BTreeSet<String> = BTreeSet::new();
        if self.api.serial(&self.workspace).await.is_some() {
            known.extend(recorded_ids(&self.api.state(&self.workspace).await));
        }
        let phase = self.phase(run).await;
        let listed = phase
            .attribute("possibly-unrecorded")
            .as_array()
            .cloned()
            .unwrap_or_default();
        known.extend(listed.iter().filter_map(|it| {
            it["id_value"]
                .as_str()
                .or_else(|| it["id-value"].as_str())
                .map(str::to_owned)
        }));
        self.cloud
            .ids("sandbox_object")
            .into_iter()
            .filter(|id| !known.contains(id))
            .collect()
    }

    /// Every object's creation is in the log exactly once.
    async fn log_is_whole(&self, run: &str, count: usize) {
        let phase = self.phase(run).await.id();
        let log = self.api.log(&format!("applies/{phase}")).await;
        for index in 0..count {
            let line = format!("sandbox_object.a[{index}]: Creation complete");
            assert_eq!(log.matches(&line).count(), 1, "{line}\n{log}");
        }
        assert_eq!(log.matches("Apply complete!").count(), 1);
    }

    /// Waits until the uncertain run has been resolved by what the runner brought back.
    pub(crate) async fn resolved(&self, run: &str) -> Answer {
        let run = self
            .api
            .run_status(run, &["errored", "applied", "canceled"])
            .await;
        let path = format!("workspaces/{}", self.workspace);
        let free = |it: &Answer| it.attribute("locked") == false;
        wait::until_it("the workspace is given back", || self.api.get(&path), free).await;
        run
    }
}

both_flavours! {
    everything_dies_in_mid_apply,
    the_runner_dies_and_its_step_is_adopted,
    the_control_plane_dies_in_mid_apply,
    the_runner_is_gone_in_mid_apply,
    the_runner_is_gone_while_planning,
    two_runners_never_do_the_same_job,
    a_cancel_in_mid_apply_records_everything,
}

/// Everything dies at once, the control plane too, and comes back on the same disks.
async fn everything_dies_in_mid_apply(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 300, 0)).await;
    stage.mid_apply(&run, 12).await;
    stage.runner.power_cut();
    stage.dev.power_cut();
    let made = stage.made();
    stage.dev.restart();
    stage.runner.restart();
    let ended = stage.resolved(&run).await;
    assert_eq!(ended.attribute("status"), "errored");
    let recorded = stage.recorded().await;
    assert!(!recorded.is_empty() && recorded.iter().all(|id| made.contains(id)));
    // Ten at a time are in flight: the provider may have finished those, terraform never said so.
    let lost = stage.lost(&run).await;
    assert!(
        lost.len() <= 10,
        "{} objects are neither recorded nor reported",
        lost.len()
    );
    // What comes next starts from the recovered state.
    let next = stage.apply(&objects(&stage.endpoint, 40, 0, 0)).await;
    stage.api.run_status(&next, &["applied"]).await;
    assert_eq!(stage.recorded().await.len(), 40);
}

/// The runner alone dies; terraform runs on; the new runner adopts it and the run ends well.
async fn the_runner_dies_and_its_step_is_adopted(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 500, 0)).await;
    stage.mid_apply(&run, 5).await;
    stage.runner.kill();
    let before = stage.made().len();
    wait::blocking("terraform goes on without its runner", || {
        stage.made().len() > before + 3
    });
    stage.runner.restart();
    stage.api.run_status(&run, &["applied"]).await;
    assert_eq!(stage.recorded().await, stage.made());
    assert_eq!(stage.made().len(), 40, "nothing was applied twice");
    stage.log_is_whole(&run, 40).await;
}

/// The control plane dies; the apply goes on; its log arrives later, without gap or duplicate.
async fn the_control_plane_dies_in_mid_apply(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 400, 0)).await;
    stage.mid_apply(&run, 5).await;
    stage.dev.kill();
    let before = stage.made().len();
    wait::blocking("the apply goes on", || stage.made().len() > before + 3);
    stage.dev.restart();
    stage.api.run_status(&run, &["applied"]).await;
    assert_eq!(stage.recorded().await, stage.made());
    stage.log_is_whole(&run, 40).await;
}

/// A runner that is gone in mid-apply: the workspace stays locked and says why; nobody else applies.
async fn the_runner_is_gone_in_mid_apply(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 40, 400, 0)).await;
    stage.mid_apply(&run, 5).await;
    stage.runner.power_cut();
    let path = format!("runs/{run}");
    let silent = |it: &Answer| it.attribute("wait-reason")["code"] == "out-of-contact";
    let seen = wait::until_it("the silence is noticed", || stage.api.get(&path), silent).await;
    assert_eq!(seen.attribute("status"), "applying");
    assert!(stage.is_locked().await);
    // It comes back after all, on its disk.
    stage.runner.restart();
    stage.resolved(&run).await;
    assert!(stage.lost(&run).await.len() <= 10);
}

/// A runner that is gone while planning: another one plans again.
async fn the_runner_is_gone_while_planning(flavour: Flavour) {
    let Some(mut stage) = Stage::set(flavour).await else {
        return;
    };
    // Data sources are read while planning, and this one takes its time.
    let slow = "data \"sandbox_render\" \"slow\" {\n  path = \"x\"\n  content = \"x\"\n  delay_ms = 8000\n}\n";
    let run = stage
        .apply(&format!("{}{slow}", objects(&stage.endpoint, 1, 0, 0)))
        .await;
    stage.api.run_status(&run, &["planning"]).await;
    stage.runner.power_cut();
    let _second = Runner::start_with(&stage.dev, "two", stage.around.runner());
    let ended = stage.api.run_status(&run, &["applied", "errored"]).await;
    assert_eq!(ended.attribute("status"), "applied", "{ended:?}");
}

/// Many jobs, two runners: every job is done once.
async fn two_runners_never_do_the_same_job(flavour: Flavour) {
    let Some(stage) = Stage::set(flavour).await else {
        return;
    };
    let _second = Runner::start_with(&stage.dev, "two", stage.around.runner());
    let environment = &stage.dev.facts.environment;
    let mut runs = Vec::new();
    for index in 0..6 {
        let settings = json!({"name": format!("many-{index}"), "auto-apply": true});
        let workspace = stage
            .api
            .create_workspace(environment, settings)
            .await
            .expect(201)
            .id();
        let configuration = objects(&stage.endpoint, 3, 0, 0);
        let files = [("main.tf", configuration.as_str())];
        let unqueued = json!({"auto-queue-runs": false});
        let version = stage.api.upload(&workspace, &files, unqueued).await;
        runs.push(
            stage
                .api
                .run(&workspace, &version, json!({"auto-apply": true}))
                .await,
        );
    }
    for run in &runs {
        let ended = stage.api.run_status(run, &["applied", "errored"]).await;
        assert_eq!(ended.attribute("status"), "applied");
    }
    assert_eq!(stage.made().len(), 18);
}

/// A cancel in mid-apply: what is in flight is finished, everything made is recorded, and the
/// workspace is free again.
async fn a_cancel_in_mid_apply_records_everything(flavour: Flavour) {
    let Some(stage) = Stage::set(flavour).await else {
        return;
    };
    let run = stage.apply(&objects(&stage.endpoint, 60, 1000, 0)).await;
    stage.mid_apply(&run, 5).await;
    let cancel = format!("runs/{run}/actions/cancel");
    stage.api.post(&cancel, json!({})).await.expect(202);
    let ended = stage.resolved(&run).await;
    assert_eq!(ended.attribute("status"), "canceled");
    assert!(stage.made().len() < 60, "it was cancelled too late");
    assert_eq!(stage.recorded().await, stage.made());
}
