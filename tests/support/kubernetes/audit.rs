//! What each role asked the API server for, by its own audit log.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::shipped::{folder, objects};
use super::{Kubernetes, ROLES, identity};

/// What is logged.
pub(super) const POLICY: &str = "audit.json";
/// Where, one request a line.
pub(super) const LOG: &str = "audit.log";

/// A verb, an API group and a resource with its subresource: `(patch, apps, deployments/scale)`.
pub type Right = (String, String, String);

/// Writes the policy: everything of Damper's roles, nothing of the test's own. A watch is logged when
/// it is asked for, and again only once it ends.
pub(super) fn write(folder: &Path) {
    let users: Vec<_> =
        ROLES.iter().filter(|role| **role != "admin").map(|role| identity::user(role)).collect();
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
    });
    std::fs::write(folder.join(POLICY), policy.to_string()).unwrap();
}

impl Kubernetes {
    /// What a role asked for so far, and what of it was refused it. Nobody is refused to ask what is
    /// served and what they may do, so that is left out.
    pub fn asked(&self, role: &str) -> (BTreeSet<Right>, BTreeSet<Right>) {
        let log = std::fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let (mut asked, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for line in lines.filter(|line| line["user"]["username"] == identity::user(role)) {
            let Some(right) = right(&line) else { continue };
            if line["responseStatus"]["code"] == 403 {
                refused.insert(right.clone());
            }
            asked.insert(right);
        }
        (asked, refused)
    }
}

fn right(line: &Value) -> Option<Right> {
    let about = line.get("objectRef")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (mut resource, sub) = (text(&about["resource"]), text(&about["subresource"]));
    if !sub.is_empty() {
        resource = format!("{resource}/{sub}");
    }
    let group = text(&about["apiGroup"]);
    (group != "authorization.k8s.io").then(|| (text(&line["verb"]), group, resource))
}

/// What `deploy/kubernetes` grants a role.
pub fn granted(role: &str) -> BTreeSet<Right> {
    let mut granted = BTreeSet::new();
    let all = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    for one in objects(&folder().join(role)).iter().filter(|one| one["kind"] == "ClusterRole") {
        for rule in one["rules"].as_array().unwrap() {
            for group in all(&rule["apiGroups"]) {
                for resource in all(&rule["resources"]) {
                    granted.extend(
                        all(&rule["verbs"]).into_iter().map(|verb| (verb, group.clone(), resource.clone())),
                    );
                }
            }
        }
    }
    granted
}
