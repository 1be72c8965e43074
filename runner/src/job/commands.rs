//! The commands of a step and their arguments.

use std::path::{Path, PathBuf};

use protocol::v1::TerraformSettings;
use step::Command;

use super::prepare::{INPUT, Layout, PLAN};

/// What the commands are made of.
pub(super) struct Inputs<'a> {
    pub(super) terraform: &'a Path,
    pub(super) layout: &'a Layout,
    pub(super) settings: &'a TerraformSettings,
    pub(super) applies: bool,
}

/// Where `show -json` goes, relative to the step directory.
pub(super) const PLAN_JSON: &str = "plan/plan.json";
pub(super) const SCHEMAS_JSON: &str = "plan/schemas.json";
pub(super) const PLAN_FILE: &str = "plan/tfplan";
/// Those that are done again when a plan turns out to be large, and what their names get then.
pub(super) const PLANNING: [&str; 2] = ["init", "plan"];
pub(super) const AGAIN: &str = "-again";
/// More changes than this make a plan large.
pub(super) const MANY_CHANGES: u64 = 1000;
const GENERATED: &str = "generated_by_terrane.tf";

/// The commands of a plan or an apply, in order.
pub(super) fn of(inputs: &Inputs<'_>) -> Vec<Command> {
    let init = command(
        inputs,
        "init",
        strings(&["init", "-input=false", "-no-color"]),
    );
    if inputs.applies {
        return vec![init, apply(inputs)];
    }
    let plan_file = inputs.layout.up(PLAN_FILE);
    let show = command(inputs, "show", strings(&["show", "-no-color", &plan_file]));
    let mut show_json = command(inputs, "show-json", strings(&["show", "-json", &plan_file]));
    show_json.stdout = Some(PathBuf::from(PLAN_JSON));
    let mut schemas = command(
        inputs,
        "schemas",
        strings(&["providers", "schema", "-json"]),
    );
    schemas.stdout = Some(PathBuf::from(SCHEMAS_JSON));
    schemas.optional = true;
    vec![init, plan(inputs), show, show_json, schemas]
}

/// The names of all commands whose output may be part of the log, in its order.
pub(super) fn names_in_log(commands: &[Command], may_plan_again: bool) -> Vec<String> {
    let mut names: Vec<String> = commands.iter().map(|it| it.name.clone()).collect();
    if may_plan_again {
        let again = PLANNING.map(|name| format!("{name}{AGAIN}"));
        names.splice(PLANNING.len()..PLANNING.len(), again);
    }
    names
}

fn plan(inputs: &Inputs<'_>) -> Command {
    let settings = inputs.settings;
    let mut arguments = strings(&["plan", "-input=false", "-json"]);
    arguments.push(format!("-out={}", inputs.layout.up(PLAN_FILE)));
    arguments.push(format!(
        "-var-file={}",
        inputs.layout.up(&format!("{INPUT}/terrane.tfvars"))
    ));
    if settings.destroy {
        arguments.push("-destroy".to_owned());
    }
    if settings.refresh_only {
        arguments.push("-refresh-only".to_owned());
    } else if !settings.refresh {
        arguments.push("-refresh=false".to_owned());
    }
    if settings.generate_config {
        arguments.push(format!("-generate-config-out={GENERATED}"));
    }
    arguments.extend(
        settings
            .targets
            .iter()
            .map(|address| format!("-target={address}")),
    );
    arguments.extend(
        settings
            .replaces
            .iter()
            .map(|address| format!("-replace={address}")),
    );
    arguments.extend(
        settings
            .invoke_actions
            .iter()
            .map(|address| format!("-invoke={address}")),
    );
    arguments.extend(parallelism(settings));
    command(inputs, "plan", arguments)
}

fn apply(inputs: &Inputs<'_>) -> Command {
    let mut arguments = strings(&["apply", "-input=false", "-json"]);
    arguments.extend(parallelism(inputs.settings));
    arguments.push(inputs.layout.up(PLAN_FILE));
    Command {
        writes_state: true,
        ..command(inputs, "apply", arguments)
    }
}

fn parallelism(settings: &TerraformSettings) -> Option<String> {
    (settings.parallelism > 0).then(|| format!("-parallelism={}", settings.parallelism))
}

fn command(inputs: &Inputs<'_>, name: &str, arguments: Vec<String>) -> Command {
    let mut argv = vec![inputs.terraform.to_string_lossy().into_owned()];
    argv.extend(arguments);
    Command {
        name: name.to_owned(),
        argv,
        working_directory: inputs.layout.working.clone(),
        success: vec![0],
        optional: false,
        writes_state: false,
        stdout: None,
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a plan leaves that the apply must not get: providers are installed anew.
pub(super) fn left_out_of_archive(path: &Path) -> bool {
    let mut parts = path.components().map(|part| part.as_os_str());
    let top = parts.next();
    if top != Some("config".as_ref()) && top != Some(PLAN.as_ref()) {
        return true;
    }
    path == Path::new(PLAN_JSON)
        || path == Path::new(SCHEMAS_JSON)
        || path.ends_with(".terraform/providers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(settings: &TerraformSettings, applies: bool, index: usize) -> String {
        let layout = Layout {
            working: PathBuf::from("config/a"),
            depth: 2,
        };
        let terraform = Path::new("/bin/terraform");
        let inputs = Inputs {
            terraform,
            layout: &layout,
            settings,
            applies,
        };
        of(&inputs)[index].argv.join(" ")
    }

    #[test]
    fn a_plan_has_all_options() {
        let settings = TerraformSettings {
            targets: vec!["a.b[0]".into()],
            replaces: vec!["c.d".into()],
            destroy: true,
            parallelism: 3,
            ..TerraformSettings::default()
        };
        assert_eq!(
            argv(&settings, false, 1),
            "/bin/terraform plan -input=false -json -out=../../plan/tfplan \
             -var-file=../../input/terrane.tfvars -destroy -refresh=false -target=a.b[0] \
             -replace=c.d -parallelism=3"
        );
    }

    #[test]
    fn a_plan_that_is_made_again_is_logged_after_the_first() {
        let names = ["init", "plan", "show"].map(|name| Command {
            name: name.to_owned(),
            argv: Vec::new(),
            working_directory: PathBuf::new(),
            success: Vec::new(),
            optional: false,
            writes_state: false,
            stdout: None,
        });
        assert_eq!(names_in_log(&names, false), ["init", "plan", "show"]);
        let all = ["init", "plan", "init-again", "plan-again", "show"];
        assert_eq!(names_in_log(&names, true), all);
    }

    #[test]
    fn an_apply_takes_the_plan_file_alone() {
        assert_eq!(
            argv(&TerraformSettings::default(), true, 1),
            "/bin/terraform apply -input=false -json ../../plan/tfplan"
        );
    }

    #[test]
    fn the_archive_holds_configuration_and_plan() {
        for kept in [
            "config",
            "config/a/main.tf",
            "config/.terraform/modules/m",
            "plan/tfplan",
        ] {
            assert!(!left_out_of_archive(Path::new(kept)), "{kept}");
        }
        for left in [
            "input/x",
            "config/a/.terraform/providers",
            "plan/plan.json",
            "state",
        ] {
            assert!(left_out_of_archive(Path::new(left)), "{left}");
        }
    }
}
