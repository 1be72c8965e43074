//! Several inputs for one worker.

use std::collections::BTreeSet;

use policy::worker::{Judged, Question};
use policy::{Circumstances, Outcome};

use crate::support::{group, worker};

const HEAD: &str = "package terraform\nimport rego.v1\n";

fn question(name: &str, input: &str) -> Question {
    Question {
        name: name.to_owned(),
        policies: BTreeSet::from(["large".to_owned(), "fatal".to_owned()]),
        input: input.as_bytes().to_vec(),
        around: Circumstances::default(),
    }
}

fn of<'a>(judged: &'a [Judged], case: &str, policy: &str) -> &'a Judged {
    judged
        .iter()
        .find(|it| it.case == case && it.verdict.policy == policy)
        .unwrap()
}

#[test]
fn each_question_has_its_answers_whatever_another_one_does_to_the_worker() {
    let large = format!(
        "{HEAD}deny contains msg if {{ input.x > 3; msg := sprintf(\"%d\", [input.x]) }}\n"
    );
    // Brings its worker down where it is told to.
    let fatal = format!(
        "{HEAD}deny contains \"x\" if {{ input.fatal; count(numbers.range(1, 1000000000)) == 0 }}\n"
    );
    let source = group(&[("large", &large), ("fatal", &fatal), ("unasked", "no Rego")]);
    let questions = [
        question("a", "{\"x\": 5, \"fatal\": false}"),
        question("b", "{\"x\": 7, \"fatal\": true}"),
        question("c", "no JSON"),
        question("d", "{\"x\": 1, \"fatal\": false}"),
    ];
    let judged = worker().judge(source, &questions).unwrap();
    assert_eq!(judged.len(), 8, "{judged:?}");
    let messages = |case: &str| of(&judged, case, "large").verdict.messages.len();
    assert_eq!((messages("a"), messages("b"), messages("d")), (1, 1, 0));
    assert_eq!(of(&judged, "b", "large").verdict.messages[0].message, "7");
    let dead = of(&judged, "b", "fatal");
    assert!(
        dead.limited && dead.verdict.outcome == Outcome::Errored,
        "{dead:?}"
    );
    assert_eq!(of(&judged, "a", "fatal").verdict.outcome, Outcome::Passed);
    assert_eq!(of(&judged, "d", "fatal").verdict.outcome, Outcome::Passed);
    let unread = of(&judged, "c", "large");
    assert!(
        !unread.limited && unread.verdict.outcome == Outcome::Errored,
        "{unread:?}"
    );
}
