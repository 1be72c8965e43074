//! How the approvals of a run stand: a pure function of rules and approvals.

use std::collections::HashSet;

use domain::ids::{ApprovalRuleId, TeamId};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::ApprovalRule;

/// One thing that has to be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Requirement {
    /// None: a gate of the run asks for it, not a rule.
    #[schema(value_type = Option<String>)]
    pub rule: Option<ApprovalRuleId>,
    /// Only approvals of its members count; none: of anybody who may apply.
    pub team: Option<String>,
    pub needed: u32,
    /// How many there are that count.
    pub given: u32,
    /// User names of those who gave them.
    pub by: Vec<String>,
}

impl Requirement {
    fn is_met(&self) -> bool {
        self.given >= self.needed
    }

    fn text(&self) -> String {
        let noun = if self.needed == 1 {
            "approval"
        } else {
            "approvals"
        };
        let whose = match (&self.team, &self.rule) {
            (Some(team), _) => format!(" by team {team}"),
            (None, Some(_)) => String::new(),
            (None, None) => " by somebody else".to_owned(),
        };
        format!("{} {noun}{whose} ({} given)", self.needed, self.given)
    }
}

/// Where a run stands between its approvals and its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What has to be met; empty: nobody has to approve.
    pub required: Vec<Requirement>,
    pub outstanding: bool,
    /// For people: `waits for 2 approvals by team sre (1 given)`.
    pub text: String,
}

/// Who approved, as far as counting goes.
#[derive(Debug, Clone)]
pub(super) struct Approver {
    pub name: String,
    /// Whether they may apply the run themselves, which counts where a rule names no team.
    pub may_apply: bool,
    pub teams: HashSet<TeamId>,
}

impl Approver {
    fn counts_for(&self, rule: &ApprovalRule) -> bool {
        match &rule.team_id {
            Some(team) => self.teams.contains(team),
            None => self.may_apply,
        }
    }
}

/// Every rule is met by itself: one approval may count for several. `extra` approvals are asked for
/// beyond those that the rules need, from anybody who approved.
pub(super) fn stand(rules: &[ApprovalRule], approvers: &[Approver], extra: u32) -> Standing {
    let mut required: Vec<_> = rules
        .iter()
        .map(|rule| {
            let counting = approvers.iter().filter(|it| it.counts_for(rule));
            let needed = u32::try_from(rule.needed).unwrap_or(u32::MAX);
            requirement(Some(rule), needed, counting)
        })
        .collect();
    if extra > 0 {
        let left = left_over(rules, approvers);
        required.push(requirement(None, extra, left.into_iter()));
    }
    let missing: Vec<_> = required.iter().filter(|it| !it.is_met()).collect();
    let text = if !missing.is_empty() {
        let parts: Vec<_> = missing.iter().map(|it| it.text()).collect();
        format!("waits for {}", parts.join(" and "))
    } else if required.is_empty() {
        "needs no approval".to_owned()
    } else {
        let names: Vec<_> = approvers.iter().map(|it| it.name.as_str()).collect();
        format!("approved by {}", names.join(", "))
    };
    Standing {
        outstanding: !missing.is_empty(),
        required,
        text,
    }
}

fn requirement<'a>(
    rule: Option<&ApprovalRule>,
    needed: u32,
    counting: impl Iterator<Item = &'a Approver>,
) -> Requirement {
    let by: Vec<_> = counting.map(|it| it.name.clone()).collect();
    Requirement {
        rule: rule.map(|it| it.id.clone()),
        team: rule.and_then(|it| it.team_name.clone()),
        needed,
        given: u32::try_from(by.len()).unwrap_or(u32::MAX),
        by,
    }
}

/// Approvers whom the rules can do without. Those who count for most rules are used first; that may
/// use one more than necessary, never one less.
fn left_over<'a>(rules: &[ApprovalRule], approvers: &'a [Approver]) -> Vec<&'a Approver> {
    let mut missing: Vec<_> = rules.iter().map(|rule| (rule, rule.needed)).collect();
    let mut ordered: Vec<_> = approvers.iter().collect();
    ordered.sort_by_key(|it| {
        let counts = rules.iter().filter(|rule| it.counts_for(rule)).count();
        std::cmp::Reverse(counts)
    });
    ordered.retain(|approver| {
        let mut used = false;
        for (rule, needed) in &mut missing {
            if *needed > 0 && approver.counts_for(rule) {
                *needed -= 1;
                used = true;
            }
        }
        !used
    });
    ordered
}

#[cfg(test)]
mod unit {
    use domain::approval::AppliesTo;
    use domain::ids::EnvironmentId;

    use super::*;

    fn rule(team: Option<&TeamId>, needed: i64) -> ApprovalRule {
        ApprovalRule {
            id: ApprovalRuleId::random(),
            environment_id: EnvironmentId::random(),
            environment_name: "main".to_owned(),
            workspace_id: None,
            team_id: team.cloned(),
            team_name: team.map(|_| "sre".to_owned()),
            needed,
            applies_to: AppliesTo::All,
            created_at: "2031-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    fn approver(name: &str, may_apply: bool, teams: &[&TeamId]) -> Approver {
        Approver {
            name: name.to_owned(),
            may_apply,
            teams: teams.iter().map(|it| (*it).clone()).collect(),
        }
    }

    #[test]
    fn without_rules_nobody_has_to_approve() {
        let standing = stand(&[], &[], 0);
        assert!(!standing.outstanding && standing.required.is_empty());
        assert_eq!(standing.text, "needs no approval");
    }

    #[test]
    fn a_teams_rule_counts_its_members_only() {
        let sre = TeamId::random();
        let rules = [rule(Some(&sre), 2)];
        let ada = approver("ada", false, &[&sre]);
        let bob = approver("bob", true, &[]);
        let one = stand(&rules, &[ada.clone(), bob], 0);
        assert!(one.outstanding);
        assert_eq!(one.text, "waits for 2 approvals by team sre (1 given)");
        assert_eq!(one.required[0].by, ["ada"]);
        let cyd = approver("cyd", false, &[&sre]);
        let two = stand(&rules, &[ada, cyd], 0);
        assert!(!two.outstanding);
        assert_eq!(two.text, "approved by ada, cyd");
    }

    #[test]
    fn one_approval_counts_for_several_rules() {
        let sre = TeamId::random();
        let rules = [rule(None, 1), rule(Some(&sre), 1)];
        let reader = approver("ada", false, &[&sre]);
        let half = stand(&rules, &[reader], 0);
        assert_eq!(half.text, "waits for 1 approval (0 given)");
        assert!(!stand(&rules, &[approver("bob", true, &[&sre])], 0).outstanding);
    }

    #[test]
    fn what_a_gate_asks_for_comes_on_top() {
        let (sre, dba) = (TeamId::random(), TeamId::random());
        let rules = [rule(Some(&sre), 1), rule(Some(&dba), 1)];
        let both = approver("ada", true, &[&sre, &dba]);
        let one = approver("bob", true, &[&sre]);
        let alone = stand(&rules, std::slice::from_ref(&both), 1);
        assert_eq!(
            alone.text,
            "waits for 1 approval by somebody else (0 given)"
        );
        // In whatever order they came, it is `both` whom the rules use.
        assert!(!stand(&rules, &[one.clone(), both.clone()], 1).outstanding);
        assert!(stand(&rules, &[one, both], 2).outstanding);
    }
}
