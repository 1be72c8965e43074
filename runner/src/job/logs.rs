//! Both log streams of a job.

use protocol::v1::Job;
use tokio::sync::watch;

use super::{Context, JobDirectory, prepare};
use crate::logs::mask::Secrets;
use crate::logs::script::{Script, Stream, header};
use crate::logs::source::{LogSource, StepProgress};
use crate::logs::upload::{LogName, send_log};

/// Sends both streams; ends when both are whole at the control plane, or are refused there.
pub(super) fn send_logs(
    context: &Context,
    directory: &JobDirectory,
    progress: watch::Receiver<StepProgress>,
) -> impl Future<Output = ()> + Send + use<> {
    let wire = context.wire.for_job();
    let job = directory.job.clone();
    let record = directory.record.clone();
    let step = directory.step();
    let secrets = context.secrets_of(&job);
    async move {
        let step = match step {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "there is no log without a step directory");
                return;
            }
        };
        let engine = prepare::settings_of(&job)
            .map(|it| it.engine.clone())
            .unwrap_or_default();
        let send = |stream: Stream, step: super::StepDir| {
            let names: Vec<&str> = record.commands.iter().map(String::as_str).collect();
            let script = Script::new(stream, header(&engine, &record.terraform_version), &names);
            let secrets = secrets.clone();
            let make = move || LogSource::new(step.clone(), script.clone(), secrets.clone());
            let name = LogName {
                job_id: job.id.clone(),
                epoch: job.epoch,
                stream: stream.name(),
            };
            let (wire, progress) = (wire.clone(), progress.clone());
            async move {
                if let Err(error) = send_log(&wire, name.clone(), make, progress).await {
                    tracing::warn!(job = %name.job_id, stream = name.stream, %error, "log not sent");
                }
            }
        };
        tokio::join!(
            Box::pin(send(Stream::Text, step.clone())),
            Box::pin(send(Stream::Json, step))
        );
    }
}

/// Everything in a job that must not be seen.
pub(super) fn secrets_of(job: &Job) -> Secrets {
    Secrets::new(secret_values(job).iter().map(String::as_str))
}

/// The same for JSON documents.
pub(super) fn json_secrets_of(job: &Job) -> Secrets {
    Secrets::for_json(secret_values(job).iter().map(String::as_str))
}

fn secret_values(job: &Job) -> Vec<String> {
    let settings = prepare::settings_of(job).ok();
    let values = settings.into_iter().flat_map(|settings| {
        let variables = settings.variables.iter().filter(|it| it.sensitive);
        let values = variables.flat_map(|it| {
            let whole = std::iter::once(it.value.clone());
            let parts = if it.hcl {
                quoted_texts(&it.value)
            } else {
                Vec::new()
            };
            whole.chain(parts)
        });
        let credentials = settings.credentials.iter();
        let access = credentials.flat_map(|it| {
            let hidden = it.environment.iter().filter(|it| it.sensitive);
            let hidden = hidden.map(|it| it.value.clone());
            hidden.chain(it.secrets.iter().cloned())
        });
        values.chain([settings.run_token.clone()]).chain(access)
    });
    values.collect()
}

/// The texts inside an HCL expression: what a sensitive list or object holds is sensitive too.
fn quoted_texts(expression: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find('"') {
        match terraform::hcl::unquote_prefix(&rest[start..]) {
            Some((text, used)) if used > 0 => {
                texts.push(text);
                rest = &rest[start + used..];
            }
            Some(_) | None => rest = &rest[start + 1..],
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use protocol::v1::{PlanWork, TerraformSettings, Variable, job};

    use super::*;

    #[test]
    fn what_a_sensitive_list_holds_is_masked() {
        let variable = Variable {
            key: "tokens".into(),
            value: r#"["first-secret", "second-secret"]"#.into(),
            hcl: true,
            sensitive: true,
            ..Variable::default()
        };
        let settings = TerraformSettings {
            variables: vec![variable],
            run_token: "run-token".into(),
            ..TerraformSettings::default()
        };
        let work = job::Work::Plan(PlanWork {
            terraform: Some(settings),
        });
        let job = Job {
            work: Some(work),
            ..Job::default()
        };
        let masked = secrets_of(&job).mask_text("a second-secret with run-token");
        assert_eq!(masked, "a *** with ***");
    }
}
