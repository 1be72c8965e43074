//! A property: after whatever edits, what an analysis says is what a full evaluation says that
//! knows of nothing.

use std::collections::BTreeMap;

use policy::input::Tags;
use policy::{Circumstances, Dialect, GroupKind, GroupSource};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::{Files, analyse, files, group, library, lone, plan, planned, policy, results, sources};
use crate::runs::gates;
use crate::schema::MIGRATOR;
use crate::testing::{Team, TestApp};
use domain::ids::RunId;
use domain::policy::PolicyStage;

/// What an author may do to the files of a group.
#[derive(Debug, Clone)]
enum Edit {
    One(u32),
    Two(u32),
    Lone(u32),
    /// The library: part of `one` and `two`.
    Helper(u32),
    Comment(usize),
    Level(&'static str),
    Break(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => (0u32..8).prop_map(Edit::One),
        1 => (0u32..8).prop_map(Edit::Two),
        1 => (0u32..8).prop_map(Edit::Lone),
        3 => (0u32..4).prop_map(Edit::Helper),
        1 => (1usize..5).prop_map(Edit::Comment),
        1 => prop_oneof![Just("advisory"), Just("soft-mandatory"), Just("hard-mandatory")]
            .prop_map(Edit::Level),
        1 => (1usize..4).prop_map(Edit::Break),
    ]
}

fn apply(files: &mut Files, edit: &Edit) {
    match edit {
        Edit::One(limit) => files[1].1 = policy(*limit),
        Edit::Two(limit) => files[2].1 = policy(*limit),
        Edit::Lone(limit) => files[3].1 = lone(*limit),
        Edit::Helper(extra) => files[4].1 = library(*extra),
        Edit::Comment(at) => files[*at].1.push_str("# a word\n"),
        Edit::Level(level) => {
            for other in ["advisory", "soft-mandatory", "hard-mandatory"] {
                files[0].1 = files[0].1.replacen(other, level, 1);
            }
        }
        Edit::Break(at) => files[*at].1 = "package terraform\n\ndeny contains".to_owned(),
    }
}

/// What every policy says of every run, asked anew.
async fn full(
    app: &TestApp,
    team: &Team,
    files: &Files,
    runs: &[RunId],
) -> BTreeMap<(String, String), String> {
    let all = sources(files);
    let (own, common) = policy::tree::group(&all, "", Some("lib"));
    let source = GroupSource {
        files: own,
        common,
        dialect: Dialect::Auto,
        ..GroupSource::default()
    };
    let mut said = BTreeMap::new();
    for run in runs {
        let input = gates::input_again(app, &team.tenant, run, PolicyStage::PostPlan)
            .await
            .unwrap();
        let document = input.document(GroupKind::Files, Tags::List);
        let evaluated = app
            .policy_worker
            .evaluate(source.clone(), &document, Circumstances::default())
            .unwrap();
        for verdict in evaluated.verdicts {
            let key = (run.to_string(), verdict.policy.clone());
            said.insert(key, verdict.result().to_owned());
        }
    }
    said
}

testkit::both_databases! { MIGRATOR;
    async fn whatever_is_edited_the_increment_says_what_the_whole_says(db: db::Db) {
        let app = TestApp::new(db);
        let team = app.team().await;
        let mut current = files(3, 5, 4, 0);
        let group_id = group(&app, &team, &current).await;
        let mut runs = Vec::new();
        for (at, sizes) in [vec![1, 4], vec![6], vec![2, 3, 7]].into_iter().enumerate() {
            let workspace = app.workspace(&team.environment, &format!("w{at}")).await;
            runs.push(planned(&app, &team, &workspace, &plan(&sizes)).await);
        }
        let in_force = full(&app, &team, &current, &runs).await;
        let edits = proptest::collection::vec(edit(), 6)
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        for edit in std::iter::once(Edit::Helper(3)).chain(edits) {
            apply(&mut current, &edit);
            let done = analyse(&app, &team, &group_id, &current).await;
            let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
            for row in results(&app, &team, &done.id(), "").await {
                let run = row["relationships"]["run"]["data"]["id"].as_str().unwrap();
                let it = &row["attributes"];
                let key = (run.to_owned(), it["policy"].as_str().unwrap().to_owned());
                let word = |side: &str| it[side]["result"].as_str().unwrap().to_owned();
                before.insert(key.clone(), word("before"));
                after.insert(key, word("after"));
            }
            assert_eq!(before, in_force, "after {edit:?}");
            let expected = full(&app, &team, &current, &runs).await;
            assert_eq!(after, expected, "after {edit:?}");
        }
    }
}
