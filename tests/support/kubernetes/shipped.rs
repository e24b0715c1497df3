//! What `deploy/kubernetes` ships, as `kubectl apply -k` would send it, and its roles given to test users.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::Client;
use super::{Kubernetes, LIMIT, ROLES, identity, text};
use crate::support::wait_until;

/// `deploy/kubernetes`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes")
}

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}:\n{yaml}"))
}

/// Reads one YAML file.
pub fn read(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    documents(&text)
}

/// The objects of a kustomization: its resources, its components' and its ConfigMaps.
///
/// It knows the few fields that are shipped, and fails on any other. Names get no suffix, images no registry.
pub fn objects(folder: &Path) -> Vec<Value> {
    let file = folder.join("kustomization.yaml");
    let [kustomization] = read(&file).try_into().expect("one document");
    let known = ["apiVersion", "kind", "images", "resources", "components", "configMapGenerator"];
    let mut keys = kustomization.as_object().expect("a mapping").keys();
    let unknown = keys.find(|key| !known.contains(&key.as_str()));
    assert_eq!(unknown, None, "{} has a field that is not known here", file.display());
    let items = |key: &str| kustomization[key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for name in items("resources").iter().chain(&items("components")) {
        let path = folder.join(name.as_str().unwrap());
        found.extend(if path.is_dir() { objects(&path) } else { read(&path) });
    }
    for generator in items("configMapGenerator") {
        generate(folder, &generator, &mut found);
    }
    found
}

/// Adds a ConfigMap made of files, or adds the files to the one that is there already.
fn generate(folder: &Path, generator: &Value, found: &mut Vec<Value>) {
    let files = generator["files"].as_array().expect("files").iter().map(|file| file.as_str().unwrap());
    let data = files.map(|file| {
        let name = Path::new(file).file_name().unwrap().to_str().unwrap().to_owned();
        (name, Value::String(std::fs::read_to_string(folder.join(file)).unwrap()))
    });
    let metadata = json!({"namespace": generator["namespace"], "name": generator["name"]});
    if generator["behavior"] == "merge" {
        let same = |one: &&mut Value| one["kind"] == "ConfigMap" && one["metadata"] == metadata;
        let map = found.iter_mut().find(same).unwrap_or_else(|| panic!("no {metadata} to merge into"));
        map["data"].as_object_mut().unwrap().extend(data);
    } else {
        let data: serde_json::Map<_, _> = data.collect();
        found.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}));
    }
}

/// Gives each role what the kustomization of its name grants to Damper, and waits until it counts.
pub(super) async fn grant(kubernetes: &Kubernetes) {
    let admin = kubernetes.admin();
    for role in ROLES.into_iter().filter(|role| *role != "admin") {
        let objects = objects(&folder().join(role));
        let of_kind = |kind: &'static str| objects.iter().filter(move |one| one["kind"] == kind);
        assert!(of_kind("Role").chain(of_kind("RoleBinding")).next().is_none(), "no test user would get it");
        for granted in of_kind("ClusterRole") {
            admin.apply(granted, false).await.ok();
        }
        for binding in of_kind("ClusterRoleBinding") {
            let mut binding = binding.clone();
            assert_eq!(binding["subjects"].as_array().unwrap().len(), 1, "{binding:#}");
            assert_eq!(binding["subjects"][0]["name"], "damper", "{binding:#}");
            binding["metadata"]["name"] = json!(format!("{}-to-{role}", text(&binding, "/metadata/name")));
            binding["subjects"] = json!([{
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": identity::user(role),
            }]);
            admin.apply(&binding, false).await.ok();
        }
        let client = kubernetes.client(role);
        for granted in of_kind("ClusterRole") {
            counts(&client, granted).await;
        }
    }
}

/// Waits until the API server's authorizer has seen a role and its binding.
async fn counts(client: &Client, role: &Value) {
    let first = |field: &str| text(role, &format!("/rules/0/{field}/0"));
    let (verb, group, resource) = (first("verbs"), first("apiGroups"), first("resources"));
    let what = format!("{} to count", text(role, "/metadata/name"));
    wait_until(LIMIT, &what, async || client.may(&verb, &group, &resource).await.then_some(())).await;
}
