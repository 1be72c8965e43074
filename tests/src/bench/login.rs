//! How many people can sign in by password, and whether everybody else is still served meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::Size;
use super::place::alone;
use super::report::report;
use super::samples::Samples;
use crate::Dev;

const CLIENTS: usize = 32;
const PAUSE: Duration = Duration::from_millis(20);

/// Browsers that sign in again and again, and one client that asks for something small.
pub async fn login(size: Size) {
    let dev = Dev::start_with(alone());
    let url = dev.facts.url.trim_end_matches('/').to_owned();
    let password = std::fs::read_to_string(&dev.facts.admin_password_file).unwrap();
    let client = testkit::recorder::client(&dev.facts.ca_file);
    let alone = answers(&client, &url, Duration::from_secs(2)).await;
    let ping = alone.percentile(99);
    report("login.ping_p99.alone", ping, "ms", None);

    let (signed_in, over) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut browsers = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, url, password) = (client.clone(), url.clone(), password.trim().to_owned());
        let (signed_in, over) = (Arc::clone(&signed_in), Arc::clone(&over));
        browsers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                if sign_in(&client, &url, &password).await {
                    signed_in.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let began = Instant::now();
    let time = size.pick(Duration::from_secs(30), Duration::from_secs(3));
    let meanwhile = answers(&client, &url, time).await;
    let rate = f64::from(signed_in.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    browsers.join_all().await;
    report("login.per_second", rate, "1/s", None);
    let busy = meanwhile.percentile(99);
    report("login.ping_p99.meanwhile", busy, "ms", Some(ping));
}

/// How long small answers take, in milliseconds.
async fn answers(client: &reqwest::Client, url: &str, time: Duration) -> Samples {
    let mut samples = Samples::default();
    let began = Instant::now();
    while began.elapsed() < time {
        let asked = Instant::now();
        let ping = client.get(format!("{url}/api/v2/ping")).send().await;
        ping.unwrap().error_for_status().unwrap();
        samples.add(asked.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
    }
    samples
}

/// Whether it worked: one that was told to wait did not.
async fn sign_in(client: &reqwest::Client, url: &str, password: &str) -> bool {
    let page = client.get(format!("{url}/sign-in")).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let text = page.text().await.unwrap();
    let start = text.split_once("name=\"csrf\" value=\"").unwrap().1;
    let csrf = start.split_once('"').unwrap().0;
    let fields = [
        ("username", "admin"),
        ("password", password),
        ("csrf", csrf),
        ("return_to", "/sign-in"),
    ];
    let form = client.post(format!("{url}/sign-in")).form(&fields);
    let answer = form.header("cookie", cookie).send().await.unwrap();
    answer.status() == 303
}
