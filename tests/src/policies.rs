//! Policy groups put in place through the API.

use serde_json::{Value, json};

use crate::api::{Answer, Api, archive};
use crate::wait;

impl Api {
    /// Makes a policy group that is in force everywhere, uploads its files, and waits until they
    /// are. Gives its id.
    pub async fn policy_group(&self, attributes: Value, files: &[(&str, &str)]) -> String {
        let body = json!({"data": {"type": "policy-groups", "attributes": attributes}});
        let group = self.post("policy-groups", body).await.expect(201).id();
        self.policy_revision(&group, files).await;
        let path = format!("policy-groups/{group}");
        let active = |it: &Answer| it.attribute("status") == "active";
        wait::until_it("the policy group is active", || self.get(&path), active).await;
        group
    }

    /// Uploads the next files of a group and waits until they are checked. Gives the revision.
    pub async fn policy_revision(&self, group: &str, files: &[(&str, &str)]) -> Answer {
        let path = format!("policy-groups/{group}/revisions");
        let revision = self.post(&path, json!({})).await.expect(201);
        let url = revision.attribute("upload-url").as_str().unwrap();
        let uploaded = self.put(url, archive(files)).await;
        assert!(uploaded.status < 300, "{uploaded:?}");
        let path = format!("policy-revisions/{}", revision.id());
        let checked = |it: &Answer| {
            let status = it.attribute("status");
            status != "pending" && status != "checking"
        };
        wait::until_it("the policies are checked", || self.get(&path), checked).await
    }
}
