//! `terraform login` through the sign-in page, and `terraform logout`.

use std::path::Path;

use tests::{Backend, Dev, Project};

/// Signs in as the browser would: follows the page's form with the admin's password.
#[tokio::test(flavor = "multi_thread")]
async fn login_gives_a_token_that_works_and_logout_forgets_it() {
    let dev = Dev::start();
    let mut project = Project::new(&dev);
    // The configured token is replaced by the one that login stores.
    project.set("TF_CLI_CONFIG_FILE", "");
    project
        .backend(Backend::Cloud, "by-login")
        .write("main.tf", "output \"x\" { value = 1 }\n");
    project.exits(1, &["init"]);

    // A `browser` that writes down where it was sent.
    let bin = dev.scratch().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let opened = dev.scratch().join("opened");
    for name in ["xdg-open", "x-www-browser", "www-browser"] {
        let script = format!(
            "#!/bin/sh\necho \"$1\" > {0}.new && mv {0}.new {0}\n",
            opened.display()
        );
        let path = bin.join(name);
        std::fs::write(&path, script).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    project.set(
        "PATH",
        &format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
    );
    let mut terminal = project.terminal(&["login", project.host()]);
    terminal.expect("Enter a value:").type_line("yes");
    let authorise = opened_at(&opened);

    let password = std::fs::read_to_string(&dev.facts.admin_password_file).unwrap();
    let session = sign_in(&dev, &authorise, password.trim()).await;
    let (status, transcript) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{transcript}");
    project.ok(&["init"]);
    project.ok(&["logout", project.host()]);
    project.exits(1, &["init"]);

    // The same browser is asked for consent only.
    let mut terminal = project.terminal(&["login", project.host()]);
    terminal.expect("Enter a value:").type_line("yes");
    consent(&dev, &opened_at(&opened), &session).await;
    let (status, transcript) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{transcript}");
    project.ok(&["init"]);
}

/// Where the browser was sent.
fn opened_at(opened: &Path) -> String {
    tests::wait::blocking("the browser is opened", || opened.exists());
    let text = std::fs::read_to_string(opened).unwrap();
    std::fs::remove_file(opened).unwrap();
    text.trim().to_owned()
}

/// Presses the button of the page that a browser with this session is shown.
async fn consent(dev: &Dev, authorise: &str, session: &str) {
    let client = testkit::recorder::client(&dev.facts.ca_file);
    let page = client.get(authorise).header("cookie", session);
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 200);
    let cookies = format!("{}; {session}", cookies(&page));
    let html = page.text().await.unwrap();
    assert!(!html.contains("type=\"password\""), "{html}");
    let mut fields = hidden_fields(&html);
    fields.push(("action".into(), "approve".into()));
    let action = absolute(authorise, between(&html, "action=\"", "\"").unwrap());
    let form = client.post(action).header("cookie", cookies).form(&fields);
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let listener = answer.headers()["location"].to_str().unwrap();
    let told = client.get(listener).send().await.unwrap();
    assert!(told.status().is_success(), "{}", told.status());
}

/// GETs the page, fills its form in, and follows the redirects up to the CLI's own listener. Gives
/// the cookie of the session.
async fn sign_in(dev: &Dev, authorise: &str, password: &str) -> String {
    let client = testkit::recorder::client(&dev.facts.ca_file);
    let page = client.get(authorise).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let cookies = cookies(&page);
    let html = page.text().await.unwrap();
    let mut fields = hidden_fields(&html);
    fields.retain(|(name, _)| name != "username" && name != "password");
    fields.push(("username".into(), "admin".into()));
    fields.push(("password".into(), password.into()));
    let action = between(&html, "action=\"", "\"")
        .unwrap_or_default()
        .replace("&amp;", "&");
    let action = if action.is_empty() {
        authorise.to_owned()
    } else {
        absolute(authorise, &action)
    };

    let wrong: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            (
                name.clone(),
                if name == "password" {
                    "wrong".to_owned()
                } else {
                    value.clone()
                },
            )
        })
        .collect();
    let refused = client
        .post(&action)
        .header("cookie", &cookies)
        .form(&wrong)
        .send()
        .await
        .unwrap();
    assert!(refused.status() == 401 || refused.status() == 422 || refused.status() == 200);

    let mut answer = client
        .post(&action)
        .header("cookie", &cookies)
        .form(&fields)
        .send()
        .await
        .unwrap();
    let session = self::cookies(&answer);
    let mut at = action;
    while answer.status().is_redirection() {
        let next = absolute(&at, answer.headers()["location"].to_str().unwrap());
        let own = next.starts_with("http://localhost") || next.starts_with("http://127.0.0.1");
        answer = client
            .get(&next)
            .header("cookie", &cookies)
            .send()
            .await
            .unwrap();
        at = next;
        if own {
            break;
        }
    }
    assert!(answer.status().is_success(), "{at}: {}", answer.status());
    session
}

pub(crate) fn cookies(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let pairs: Vec<_> = cookies
        .filter_map(|it| it.to_str().ok()?.split(';').next().map(str::to_owned))
        .collect();
    pairs.join("; ")
}

/// Name and value of every input of the page.
pub(crate) fn hidden_fields(html: &str) -> Vec<(String, String)> {
    html.split("<input")
        .skip(1)
        .filter_map(|input| {
            let input = input.split('>').next()?;
            let name = between(input, "name=\"", "\"")?;
            let value = between(input, "value=\"", "\"").unwrap_or_default();
            Some((
                name.to_owned(),
                value.replace("&amp;", "&").replace("&#x2f;", "/"),
            ))
        })
        .collect()
}

pub(crate) fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?
        .1
        .split_once(end)
        .map(|(found, _)| found)
}

fn absolute(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let origin: Vec<_> = base.splitn(4, '/').take(3).collect();
    format!("{}{location}", origin.join("/"))
}
