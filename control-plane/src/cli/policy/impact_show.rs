//! What `terrane policy impact` prints.

use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::say;

/// Every page of a list.
async fn all(client: &Client, path: &str) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    for page in 1.. {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{sign}page[number]={page}&page[size]=100");
        let mut answer = client.get(&path).await?;
        if let Value::Array(found) = answer["data"].take() {
            items.extend(found);
        }
        if answer["meta"]["pagination"]["next-page"].is_null() {
            break;
        }
    }
    Ok(items)
}

fn id(analysis: &Value) -> &str {
    analysis["id"].as_str().unwrap_or_default()
}

async fn unjudgeable(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let path = format!("impact-analyses/{id}/runs?filter[status]=unjudgeable");
    all(client, &path).await
}

fn run_of(item: &Value) -> Value {
    item["relationships"]["run"]["data"]["id"].clone()
}

/// Attributes of an item, with the id of its run.
fn flat(mut item: Value) -> Value {
    let run = run_of(&item);
    let mut attributes = item["attributes"].take();
    attributes["run"] = run;
    attributes
}

/// One document with everything.
pub(super) async fn document(client: &Client, analysis: &Value) -> Result<(), Failure> {
    let id = id(analysis);
    let results = all(client, &format!("impact-analyses/{id}/results")).await?;
    let results: Vec<Value> = results.into_iter().map(flat).collect();
    let left_out = unjudgeable(client, id).await?;
    let left_out: Vec<Value> = left_out.into_iter().map(flat).collect();
    let mut head = analysis["attributes"].clone();
    head["id"] = id.into();
    let document = json!({ "analysis": head, "results": results, "unjudgeable": left_out });
    say::result(&format!("{document:#}"));
    Ok(())
}

/// What the server makes of it.
pub(super) async fn csv(client: &Client, id: &str) -> Result<(), Failure> {
    let path = format!("impact-analyses/{id}/results?format=csv");
    say::result(client.get_text(&path).await?.trim_end());
    Ok(())
}

/// What changes, and a line that counts.
pub(super) async fn table(client: &Client, analysis: &Value) -> Result<(), Failure> {
    let id = id(analysis);
    let path = format!("impact-analyses/{id}/results?filter[changed]=true");
    let changed = all(client, &path).await?;
    let mut rows = Vec::with_capacity(changed.len());
    for item in &changed {
        let field = &item["attributes"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        rows.push([
            word(&field["change"]),
            format!(
                "{}/{}",
                word(&field["environment-name"]),
                word(&field["workspace-name"])
            ),
            word(&field["policy"]),
            format!(
                "{} -> {}",
                word(&field["before"]["result"]),
                word(&field["after"]["result"])
            ),
            first_message(field),
        ]);
    }
    for line in aligned(&rows) {
        say::result(&line);
    }
    for run in unjudgeable(client, id).await? {
        let field = &run["attributes"];
        say::result(&format!(
            "can't be judged: {}/{} ({}): {}",
            field["environment-name"].as_str().unwrap_or_default(),
            field["workspace-name"].as_str().unwrap_or_default(),
            run_of(&run).as_str().unwrap_or_default(),
            field["reason"].as_str().unwrap_or_default(),
        ));
    }
    say::result(&summary(&analysis["attributes"]));
    Ok(())
}

/// Why, in one line: of the side that fails.
fn first_message(field: &Value) -> String {
    let side = if field["change"] == "newly-passing" {
        &field["before"]
    } else {
        &field["after"]
    };
    let text = side["error"]
        .as_str()
        .or_else(|| side["messages"][0]["message"].as_str())
        .unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Rows with columns of the same width; the last one is as long as it is.
fn aligned(rows: &[[String; 5]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            line.push_str(&row[4]);
            line.trim_end().to_owned()
        })
        .collect()
}

fn summary(counts: &Value) -> String {
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    let (worse, better) = (count("newly-failing-count"), count("newly-passing-count"));
    let other = count("changed-count").saturating_sub(worse + better);
    format!(
        "{} policies on {} runs: {worse} newly failing, {better} newly passing, {other} otherwise \
         changed; {} verdicts evaluated, {} known",
        count("policy-count"),
        count("judged-run-count"),
        count("evaluated-count"),
        count("known-count"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 5]| cells.map(str::to_owned);
        let lines = aligned(&[
            row(["a", "bb", "c", "d", "why"]),
            row(["aaa", "b", "c", "d", ""]),
        ]);
        assert_eq!(lines, ["a    bb  c  d  why", "aaa  b   c  d"]);
    }

    #[test]
    fn the_summary_counts_what_is_left() {
        let counts = json!({
            "policy-count": 3, "judged-run-count": 2, "newly-failing-count": 1,
            "newly-passing-count": 0, "changed-count": 2, "evaluated-count": 4, "known-count": 8,
        });
        let said = summary(&counts);
        assert!(
            said.contains("1 newly failing, 0 newly passing, 1 otherwise"),
            "{said}"
        );
    }
}
