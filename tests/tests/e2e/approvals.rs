//! Required approvals: the author's `terraform apply` waits for somebody else.

use serde_json::{Value, json};
use tests::{Api, Backend, Dev, wait};

use crate::common::Session;
use crate::login::{between, cookies, hidden_fields};

/// The SHA-256 of `VERIFIER` in base64url.
const CHALLENGE: &str = "MPjXjwpvJKVQZSGyfsRdmpONBgznIz0HxDxHvcyIEO8";
const VERIFIER: &str = "the-tests-verifier-that-is-long-enough-for-anybody";

/// An initialised session, a colleague, and a rule of the environment that only their team can meet.
async fn with_a_rule(backend: Backend) -> (Session, Api) {
    let session = Session::start(backend).await;
    session.project.ok(&["init"]);
    let colleague = colleague(&session.dev).await;
    let environment = format!("organizations/{}", session.dev.facts.environment);
    let of = |kind: &str, attributes: Value| json!({ "data": { "type": kind, "attributes": attributes } });
    let teams = format!("{environment}/teams");
    let team = session
        .api
        .post(&teams, of("teams", json!({ "name": "sre" })))
        .await
        .expect(200);
    let users = format!("teams/{}/relationships/users", team.id());
    let member = json!({ "data": [{ "type": "users", "id": "colleague" }] });
    session.api.post(&users, member).await.expect(204);
    let mut rule = of("approval-rules", json!({ "count": 1 }));
    rule["data"]["relationships"] =
        json!({ "team": { "data": { "type": "teams", "id": team.id() } } });
    let rules = format!("{environment}/approval-rules");
    session.api.post(&rules, rule).await.expect(201);
    (session, colleague)
}

/// Somebody who only reads, added as an administrator would, and signed in as a browser would.
async fn colleague(dev: &Dev) -> Api {
    let body = json!({ "data": { "type": "organization-memberships", "attributes": {
        "email": "colleague@example.test",
    } } });
    let path = format!(
        "organizations/{}/organization-memberships",
        dev.facts.environment
    );
    let made = dev.api().post(&path, body).await.expect(201);
    let password = made
        .attribute("initial-password")
        .as_str()
        .unwrap()
        .to_owned();

    let client = testkit::recorder::client(&dev.facts.ca_file);
    let at = format!(
        "{}/oauth/authorization",
        dev.facts.url.trim_end_matches('/')
    );
    let redirect = "http://localhost:10004/login";
    let query = format!(
        "client_id=terraform-cli&response_type=code&state=x&code_challenge_method=S256\
         &code_challenge={CHALLENGE}&redirect_uri={redirect}"
    );
    let page = client.get(format!("{at}?{query}")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let cookies = cookies(&page);
    let mut fields = hidden_fields(&page.text().await.unwrap());
    fields.retain(|(name, _)| name != "username" && name != "password");
    fields.push(("username".to_owned(), "colleague".to_owned()));
    fields.push(("password".to_owned(), password));
    let back = client
        .post(&at)
        .header("cookie", cookies)
        .form(&fields)
        .send()
        .await
        .unwrap();
    assert!(back.status().is_redirection(), "{}", back.status());
    let location = back.headers()["location"].to_str().unwrap();
    let code = between(&format!("{location}&"), "code=", "&")
        .unwrap()
        .to_owned();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", "terraform-cli"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", redirect),
    ];
    let token = format!("{}/oauth/token", dev.facts.url.trim_end_matches('/'));
    let answer = client.post(token).form(&exchange).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    dev.api()
        .with_token(answer["access_token"].as_str().unwrap())
}

/// The workspace's newest run, once it waits for approvals.
async fn waiting_run(session: &Session) -> String {
    let workspace = session.workspace_id().await;
    let path = format!("workspaces/{workspace}/runs");
    let id = |json: &Value| json["data"][0]["id"].as_str().map(str::to_owned);
    let confirmed = |json: &Value| json["data"][0]["attributes"]["status"] == "confirmed";
    let runs = wait::until_it(
        "the run is confirmed",
        || session.api.get(&path),
        |it: &tests::Answer| confirmed(&it.json),
    )
    .await;
    id(&runs.json).unwrap()
}

async fn approve(api: &Api, run: &str) -> tests::Answer {
    let body = json!({ "data": {
        "type": "run-approvals", "attributes": { "comment": "looked at it" },
    } });
    api.post(&format!("runs/{run}/approvals"), body).await
}

fn code(answer: &tests::Answer) -> &str {
    answer.json["errors"][0]["code"]
        .as_str()
        .unwrap_or_default()
}

async fn waits_for_a_colleague(backend: Backend) {
    let (session, colleague) = with_a_rule(backend).await;
    let mut terminal = session.project.terminal(&["apply"]);
    terminal.expect("Enter a value:").type_line("yes");
    let run = waiting_run(&session).await;
    let read = session.api.get(&format!("runs/{run}")).await.expect(200);
    assert_eq!(
        read.attribute("wait-reason"),
        &json!({ "code": "approval", "detail": "waits for 1 approval by team sre (0 given)" })
    );
    assert_eq!(read.attribute("actions")["is-discardable"], true);

    let own = approve(&session.api, &run).await.expect(409);
    assert_eq!(code(&own), "approvals.own-run");
    assert_eq!(session.serial().await, -1, "nothing is applied yet");
    approve(&colleague, &run).await.expect(201);
    let (status, transcript) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{transcript}");
    assert!(
        transcript.contains("Apply complete! Resources: 2 added"),
        "{transcript}"
    );
    let read = session.api.get(&format!("runs/{run}")).await.expect(200);
    assert_eq!(read.attribute("status"), "applied");
    assert_eq!(
        read.attribute("approvals")["required"][0]["by"],
        json!(["colleague"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_of_cloud_waits_for_a_colleague() {
    waits_for_a_colleague(Backend::Cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_of_remote_waits_for_a_colleague() {
    waits_for_a_colleague(Backend::Remote).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_approve_waits_as_well() {
    let (session, colleague) = with_a_rule(Backend::Cloud).await;
    let mut terminal = session.project.terminal(&["apply", "-auto-approve"]);
    let run = waiting_run(&session).await;
    approve(&colleague, &run).await.expect(201);
    terminal.expect("Apply complete!");
    let (status, transcript) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{transcript}");
}

/// What is thrown away while its author waits must not look as if it had been applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_discard_while_it_waits_ends_the_command_with_an_error() {
    for backend in [Backend::Cloud, Backend::Remote] {
        let (session, colleague) = with_a_rule(backend).await;
        let mut terminal = session.project.terminal(&["apply"]);
        terminal.expect("Enter a value:").type_line("yes");
        let run = waiting_run(&session).await;
        let discard = format!("runs/{run}/actions/discard");
        session.api.post(&discard, json!({})).await.expect(202);
        let (status, transcript) = terminal.finish();
        assert_eq!(status.code(), Some(1), "{transcript}");
        assert_eq!(session.serial().await, -1);
        let late = approve(&colleague, &run).await.expect(409);
        assert_eq!(code(&late), "approvals.not-open");
    }
}
