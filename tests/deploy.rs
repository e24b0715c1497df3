//! What is shipped for Kubernetes is taken by a real API server, and Damper takes its files.

use std::path::{Path, PathBuf};

use damper::settings::Settings;
use damper::slo::time::Step;
use damper::slo::{Context, SourceFile, load};
use serde_json::Value;

use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::shipped::{folder, objects, read};

/// What people apply: `kubectl apply -k FOLDER`.
fn kustomizations() -> [PathBuf; 5] {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    let [base, observe, floor, direct] = ["base", "observe", "floor", "direct"].map(|it| folder().join(it));
    [base, observe, floor, direct, example]
}

/// The text of a file that a ConfigMap holds.
fn held<'a>(objects: &'a [Value], name: &str, file: &str) -> &'a str {
    let map = objects.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == name);
    map.and_then(|map| map["data"][file].as_str()).unwrap_or_else(|| panic!("no {file} in {name}"))
}

#[tokio::test]
async fn a_real_api_server_takes_all_that_is_shipped() {
    let kubernetes = Kubernetes::start().await;
    for folder in kustomizations() {
        let objects = objects(&folder);
        let (namespaces, others): (Vec<_>, Vec<_>) =
            objects.iter().partition(|object| object["kind"] == "Namespace");
        assert!(!namespaces.is_empty() && others.len() >= 6, "{}: {others:#?}", folder.display());
        // For good: what a dry run makes is not there for the next one.
        for namespace in namespaces {
            kubernetes.admin().apply(namespace, false).await.ok();
        }
        for object in others {
            kubernetes.admin().apply(object, true).await.ok();
        }
    }
}

#[tokio::test]
async fn an_unknown_field_is_not_taken() {
    let kubernetes = Kubernetes::start().await;
    let mut objects = objects(&folder().join("base"));
    let deployment = objects.iter_mut().find(|one| one["kind"] == "Deployment").unwrap();
    deployment["metadata"]["namespace"] = "default".into();
    kubernetes.admin().apply(deployment, true).await.ok();
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = true.into();
    let answer = kubernetes.admin().apply(deployment, true).await;
    assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{answer:?}");
    assert!(answer.body.to_string().contains("readOnlyRootFilesystem"), "{answer:?}");
}

#[test]
fn every_file_that_is_shipped_is_used() {
    let mut used = Vec::new();
    for folder in kustomizations() {
        mark(&folder, &mut used);
    }
    let [example, all] = [kustomizations()[4].clone(), folder()].map(|folder| files(&folder));
    for file in example.iter().chain(&all) {
        assert!(used.contains(&file.canonicalize().unwrap()), "{} is in no kustomization", file.display());
    }
    assert!(all.len() > 10, "{all:?}");
}

/// Adds all files that a kustomization names, and its own.
fn mark(folder: &Path, used: &mut Vec<PathBuf>) {
    let file = folder.join("kustomization.yaml");
    used.push(file.canonicalize().unwrap());
    let kustomization = read(&file).remove(0);
    let names = ["resources", "components"].map(|key| kustomization[key].as_array().cloned());
    let generators = kustomization["configMapGenerator"].as_array().cloned().unwrap_or_default();
    let generated = generators.iter().flat_map(|one| one["files"].as_array().cloned().unwrap());
    for name in names.into_iter().flatten().flatten().chain(generated) {
        let path = folder.join(name.as_str().unwrap()).canonicalize().unwrap();
        if path.is_dir() { mark(&path, used) } else { used.push(path) }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn damper_takes_the_settings_that_are_shipped() {
    let objects = objects(&folder().join("base"));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("damper.yaml");
    std::fs::write(&file, held(&objects, "damper-settings", "damper.yaml")).unwrap();
    let settings = Settings::load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
    // What the container's port, mounts and probes rest on.
    let container = objects
        .iter()
        .find(|one| one["kind"] == "Deployment")
        .map(|one| &one["spec"]["template"]["spec"]["containers"][0])
        .unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:9095");
    assert_eq!(container["ports"][0]["containerPort"], 9095);
    let mounts: Vec<_> =
        container["volumeMounts"].as_array().unwrap().iter().map(|one| one["mountPath"].clone()).collect();
    assert_eq!(mounts, ["/etc/damper/settings", "/etc/damper/definitions", "/var/lib/damper"]);
    assert_eq!(settings.definitions, [PathBuf::from("/etc/damper/definitions")]);
    assert_eq!(container["args"][2], "/etc/damper/settings/damper.yaml");
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn damper_takes_the_definitions_that_are_shipped() {
    let objects = objects(&kustomizations()[4]);
    let map = objects.iter().find(|one| one["metadata"]["name"] == "damper-definitions").unwrap();
    let data = map["data"].as_object().unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["kubernetes.yaml", "policy.yaml", "slo.yaml"]);
    let file = |(name, text): (&String, &Value)| SourceFile {
        path: name.clone(),
        text: text.as_str().unwrap().to_owned(),
    };
    let files: Vec<_> = data.iter().map(file).collect();
    let loaded = load(&files, &Context::without_settings(Step::DEFAULT));
    assert_eq!(loaded.problems().collect::<Vec<_>>(), Vec::<&damper::slo::problem::Problem>::new());
    assert_eq!((loaded.slos().count(), loaded.policies().count()), (2, 1));
}
