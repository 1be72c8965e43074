//! One session: a server, a recorder before it, and a configuration that goes through the recorder.

use testkit::Recorder;
use tests::{Api, Backend, Dev, Golden, Options, Project, Ran};

pub(crate) const CLOUD: &str = include_str!("../../golden/cloud.txt");
pub(crate) const REMOTE: &str = include_str!("../../golden/remote.txt");

/// Two resources, a variable, outputs of which one is sensitive, and the workspace's name.
pub(crate) const CONFIGURATION: &str = r#"
variable "message" {
  type    = string
  default = "v1"
}
resource "terraform_data" "a" { input = var.message }
resource "terraform_data" "b" { input = terraform.workspace }
output "message" { value = terraform_data.a.output }
output "workspace" { value = terraform_data.b.output }
output "key" {
  value     = "hunter2-hunter2"
  sensitive = true
}
"#;

pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) recorder: Recorder,
    pub(crate) api: Api,
    pub(crate) workspace_name: String,
    golden: Golden,
    pub(crate) dev: Dev,
}

impl Session {
    /// A configuration with `CONFIGURATION` whose workspace doesn't exist yet.
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, Options::default()).await
    }

    pub(crate) async fn start_with(backend: Backend, options: Options) -> Self {
        let dev = Dev::start_with(options);
        let recorder = Recorder::start(&dev.facts.url, &dev.facts.ca_file, dev.scratch()).await;
        let project = Project::recorded(&dev, &recorder);
        project
            .write("main.tf", CONFIGURATION)
            .backend(backend, "net-dev");
        let golden = match backend {
            Backend::Cloud | Backend::CloudTags => CLOUD,
            Backend::Remote | Backend::RemotePrefix => REMOTE,
        };
        let (api, golden) = (dev.api(), Golden::parse(golden));
        let workspace_name = "net-dev".to_owned();
        Self {
            project,
            recorder,
            api,
            workspace_name,
            golden,
            dev,
        }
    }

    /// As [`Self::start`], initialised and applied once: there is a state.
    pub(crate) async fn applied(backend: Backend) -> Self {
        let session = Self::start(backend).await;
        session.project.ok(&["init"]);
        session.project.ok(&["apply", "-auto-approve"]);
        session.recorder.take();
        session
    }

    /// Runs a command that must end with `code` and ask for what the golden section says.
    #[track_caller]
    pub(crate) fn run(&self, section: &str, code: i32, arguments: &[&str]) -> Ran {
        self.recorder.take();
        let ran = self.project.exits(code, arguments);
        self.check(section);
        ran
    }

    /// What was asked since the last check is what the golden section says.
    #[track_caller]
    pub(crate) fn check(&self, section: &str) {
        self.golden.check(section, &self.recorder.take());
    }

    /// Types answers into a command: pairs of what it prints and what is typed then.
    #[track_caller]
    pub(crate) fn answer(
        &self,
        section: &str,
        code: i32,
        arguments: &[&str],
        answers: &[(&str, &str)],
    ) -> String {
        self.recorder.take();
        let mut terminal = self.project.terminal(arguments);
        for (prompt, answer) in answers {
            terminal.expect(prompt).type_line(answer);
        }
        let (status, transcript) = terminal.finish();
        assert_eq!(
            status.code(),
            Some(code),
            "terraform {}:\n{transcript}",
            arguments.join(" ")
        );
        self.check(section);
        transcript
    }

    pub(crate) async fn workspace_id(&self) -> String {
        self.api
            .workspace(&self.dev.facts.environment, &self.workspace_name)
            .await
            .expect(200)
            .id()
    }

    /// Serial of the current state; -1 without one.
    pub(crate) async fn serial(&self) -> i64 {
        let workspace = self.workspace_id().await;
        self.api.serial(&workspace).await.unwrap_or(-1)
    }

    /// Addresses in the state, as `terraform state list` prints them.
    pub(crate) fn state_list(&self) -> Vec<String> {
        self.project
            .ok(&["state", "list"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// `terraform force-unlock`, as its own message says.
    pub(crate) fn unlock_by_force(&self) {
        let id = format!("{}/{}", self.dev.facts.environment, self.workspace_name);
        self.run("force-unlock", 0, &["force-unlock", "-force", &id]);
    }
}
