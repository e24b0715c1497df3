//! `damper check --kube` and `damper scale release --all` on a real Kubernetes, with the rights that are
//! shipped.

use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects::{self, CUSTOM, deployment};
use crate::support::workload::Workload;

const AUTOSCALERS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";
const SLO: &str = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: web}\nspec:\n  service: shop\n  objective: 99\n  sli: {events: {bad: 'x_total{code=\"500\"}', total: x_total}}\n";
/// The line of `target:` in a file with one policy.
const TARGET: u64 = 14;

fn policy(target: &str, mode: &str) -> String {
    format!(
        "{SLO}---\napiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: web}}\nspec:\n  slos: [shop/web]\n\
         \x20 target: {target}\n  mode: {mode}\n  replicas: {{min: 1, max: 20}}\n  saturation: none\n"
    )
}

fn target(version: &str, kind: &str, name: &str) -> String {
    format!("{{apiVersion: {version}, kind: {kind}, namespace: shop, name: {name}}}")
}

fn app(name: &str) -> String {
    target("apps/v1", "Deployment", name)
}

fn run(arguments: &[&str]) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    let output = command.args(arguments).env("TZ", "UTC").current_dir(folder.path()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), text)
}

/// Runs `check --kube` on one file as one role.
fn check(kubernetes: &Kubernetes, role: &str, definitions: &str, more: &[&str]) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(&file, definitions).unwrap();
    let (file, kubeconfig) = (file.display().to_string(), kubernetes.kubeconfig(role).display().to_string());
    run(&[&["check", &file, "--kube", "--kubeconfig", &kubeconfig], more].concat())
}

/// The problems of `check`, each as one text, with lines; and what was found of the workload.
fn problems(kubernetes: &Kubernetes, role: &str, definitions: &str) -> (i32, Vec<(u64, String)>, Value) {
    let (code, text) = check(kubernetes, role, definitions, &["--output", "json"]);
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let told = |problem: &Value| {
        let word = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        (problem["line"].as_u64().unwrap(), format!("{}: {} ({})", word("level"), word("what"), word("hint")))
    };
    let all = answer["problems"].as_array().unwrap().iter().map(told).collect();
    (code, all, answer["policies"][0]["cluster"].clone())
}

/// A shop with a Deployment of its own, one with an autoscaler, one that two fight over, one kept in Git.
async fn shop() -> Kubernetes {
    let kubernetes = Kubernetes::start().await;
    kubernetes.namespace("shop").await;
    let admin = kubernetes.admin();
    for name in ["checkout", "web", "fought", "git"] {
        admin.create(&deployment("shop", name, 2)).await.ok();
    }
    for (name, of, max) in [("web", "web", 6), ("one", "fought", 4), ("two", "fought", 4)] {
        let of = deployment("shop", of, 2);
        admin.create(&objects::autoscaler("shop", name, &of, 2, max)).await.ok();
    }
    let path = "/apis/apps/v1/namespaces/shop/deployments/git?fieldManager=argocd-controller";
    admin.patch(path, Patch::Merge, &json!({"spec": {"replicas": 3}})).await.ok();
    kubernetes
}

#[tokio::test]
async fn each_target_is_looked_at_before_anything_is_moved() {
    let mut kubernetes = shop().await;
    let (code, text) = check(&kubernetes, "direct", &policy(&app("checkout"), "auto"), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("of 2 replicas ready; Damper moves the replica count, at 2"), "{text}");
    assert!(text.contains("1 SLO and 1 policy in 1 file, 0 problems"), "{text}");

    let (code, told, found) = problems(&kubernetes, "floor", &policy(&app("web"), "auto"));
    let most = "notice: HorizontalPodAutoscaler web allows 6 replicas at most, and this policy 20: Damper stops at 6 (raise";
    assert!(code == 0 && told.len() == 1 && told[0].1.starts_with(most), "{told:?}");
    assert_eq!(told[0].0, TARGET + 2);
    let owner = json!("HorizontalPodAutoscaler web");
    assert_eq!((&found["owner"], &found["position"], &found["most"]), (&owner, &json!(2), &json!(6)));

    let elsewhere = app("web").replace("namespace: shop", "namespace: shpo");
    for (target, start) in [
        (app("chekout"), "error: there is no Deployment chekout in shop (did you mean `checkout`?)"),
        (
            app("payments"),
            "error: there is no Deployment payments in shop (there are: checkout, fought, git, web)",
        ),
        (elsewhere, "error: there is no namespace shpo"),
        (
            target("argoproj.io/v1alpha1", "Rollout", "web"),
            "error: the cluster has no Rollout in argoproj.io/v1alpha1",
        ),
        (target("apps/v1", "DaemonSet", "web"), "error: DaemonSet in apps/v1 has no scale subresource"),
        (app("fought"), "error: HorizontalPodAutoscaler "),
    ] {
        let (code, told, found) = problems(&kubernetes, "admin", &policy(&target, "auto"));
        assert!(code == 1 && told.len() == 1 && told[0].1.starts_with(start), "{start}: {told:?}");
        assert_eq!((told[0].0, found), (TARGET, Value::Null));
    }
    let (code, told, found) = problems(&kubernetes, "admin", &policy(&app("git"), "auto"));
    let argo = "notice: argocd-controller sets spec.replicas, and puts back what Damper writes there";
    assert!(code == 0 && told.len() == 1 && told[0].1.starts_with(argo), "{told:?}");
    assert_eq!(found["writer"], "argocd-controller");

    kubernetes.kill();
    let (code, text) = check(&kubernetes, "direct", &policy(&app("checkout"), "auto"), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("error: the Kubernetes API cannot be asked"), "{text}");
    assert!(text.contains("the files were checked; what needs the cluster was not"), "{text}");
}

#[tokio::test]
async fn rights_that_are_missing_are_named_with_the_role_that_grants_them() {
    let kubernetes = shop().await;
    kubernetes.define(CUSTOM).await;
    let queue = deployment("shop", "queue", 1);
    kubernetes.admin().create(&queue).await.ok();
    kubernetes.admin().create(&objects::scaled_object("shop", "queue", &queue, 1, 20)).await.ok();
    kubernetes.admin().create(&objects::rollout("shop", "canary", 2)).await.ok();
    let canary = target("argoproj.io/v1alpha1", "Rollout", "canary");
    let higher = |name: &str| policy(&app(name), "auto").replace("max: 20", "max: 6");
    for (role, definitions, missing) in [
        ("observe", policy(&app("checkout"), "dryRun"), None),
        ("observe", policy(&canary, "dryRun"), None),
        (
            "observe",
            policy(&app("checkout"), "auto"),
            Some(("get and patch deployments.apps/scale", "direct")),
        ),
        ("observe", policy(&canary, "auto"), Some(("patch rollouts.argoproj.io/scale", "direct"))),
        ("observe", higher("web"), Some(("patch horizontalpodautoscalers.autoscaling", "floor"))),
        ("observe", policy(&app("queue"), "auto"), Some(("patch scaledobjects.keda.sh", "floor"))),
        ("floor", policy(&app("checkout"), "auto"), Some(("get and patch deployments.apps/scale", "direct"))),
        ("direct", higher("web"), Some(("patch horizontalpodautoscalers.autoscaling", "floor"))),
        ("direct", policy(&canary, "auto"), None),
        ("floor", higher("web"), None),
        ("floor", policy(&app("queue"), "auto"), None),
    ] {
        let (code, told, found) = problems(&kubernetes, role, &definitions);
        assert!(found["wanted"].is_u64(), "{role} {missing:?}: {told:?}");
        let Some((rights, grants)) = missing else {
            assert!(code == 0 && told.is_empty(), "{role}: {told:?}");
            continue;
        };
        let expected = format!(
            "error: the login of the kubeconfig may not {rights} in shop (`kubectl apply -k deploy/kubernetes/{grants}`"
        );
        assert!(code == 1 && told.len() == 1 && told[0].1.starts_with(&expected), "{expected}: {told:?}");
        assert_eq!(told[0].0, TARGET);
    }
}

#[tokio::test]
async fn without_a_cluster_the_files_are_checked_and_actuators_asked() {
    let (folder, workload) = (TempDir::new().unwrap(), Workload::start(3));
    let path = |name: &str| folder.path().join(name).display().to_string();
    let webhook = |name: &str| policy(&format!("{{actuator: local, name: {name}}}"), "auto");
    let settings = format!(
        "prometheus: {{url: 'http://127.0.0.1:1'}}\ndefinitions: [.]\n\
         scaling: {{actuators: [{{name: local, webhook: {{url: '{}'}}}}]}}\n",
        workload.url()
    );
    std::fs::write(path("damper.yaml"), settings).unwrap();
    std::fs::write(path("a.yaml"), webhook("shop")).unwrap();
    let (_, text) = run(&["check", &path("a.yaml"), "--kube", "--config", &path("damper.yaml")]);
    assert!(text.contains("3 of 3 replicas ready; Damper moves the replica count, at 3"), "{text}");
    let (code, text) = run(&["check", &path("a.yaml"), "--kube"]);
    assert!(code == 0 && text.contains("only the settings say where it is"), "{text}");
    std::fs::write(path("a.yaml"), webhook("shpo")).unwrap();
    let (code, text) = run(&["check", &path("a.yaml"), "--kube", "--config", &path("damper.yaml")]);
    assert!(code == 1 && text.contains("a.yaml:14:35") && text.contains("404"), "{text}");

    std::fs::write(path("a.yaml"), policy(&app("web"), "auto")).unwrap();
    let (code, text) = run(&["check", &path("a.yaml"), "--kube", "--kubeconfig", &path("nowhere")]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("error: --kubeconfig: the kubeconfig ") && text.contains("0 problems"), "{text}");
    let other = format!(
        "{{apiVersion: v1, kind: Config, current-context: x, contexts: [{{name: x, context: {{cluster: x, user: x}}}}],\n\
         clusters: [{{name: x, cluster: {{server: '{}'}}}}], users: [{{name: x, user: {{}}}}]}}",
        workload.url()
    );
    std::fs::write(path("other"), other).unwrap();
    for arguments in [&["check", &path("a.yaml"), "--kube"][..], &["scale", "release", "--all"]] {
        let (code, text) = run(&[arguments, &["--kubeconfig", &path("other")]].concat());
        assert!(code == 1 && text.contains("does not tell a version of Kubernetes"), "{text}");
    }
    let (code, text) = run(&["check", &path("a.yaml"), "--kubeconfig", &path("nowhere")]);
    assert!(code == 2 && text.contains("--kube"), "{text}");
}

/// As Damper leaves an autoscaler whose floor it raised.
async fn raise(kubernetes: &Kubernetes, name: &str, original: &str, to: u32, floor: u32) {
    let marks = json!({
        "damper.dev/original-floor": original, "damper.dev/raised-to": to.to_string(),
        "damper.dev/raised-by": "checkout", "damper.dev/raised-until": "2026-05-28T20:26:40Z",
    });
    let patch = json!({"metadata": {"annotations": marks}, "spec": {"minReplicas": floor}});
    kubernetes.admin().patch(&format!("{AUTOSCALERS}/{name}"), Patch::Merge, &patch).await.ok();
}

async fn floor(kubernetes: &Kubernetes, name: &str) -> (u64, usize) {
    let object = kubernetes.admin().get(&format!("{AUTOSCALERS}/{name}")).await.ok();
    let marks = object["metadata"]["annotations"].as_object();
    let marks = marks.map_or(0, |all| all.keys().filter(|key| key.starts_with("damper.dev/")).count());
    (object["spec"]["minReplicas"].as_u64().unwrap(), marks)
}

#[tokio::test]
async fn raised_floors_are_put_back_without_a_damper_that_runs() {
    let mut kubernetes = shop().await;
    let kubeconfigs =
        ["floor", "observe"].map(|role| (role, kubernetes.kubeconfig(role).display().to_string()));
    let config = |role: &str| kubeconfigs.iter().find(|(own, _)| *own == role).unwrap().1.clone();
    let release = |role: &str, more: &[&str]| {
        run(&[&["scale", "release", "--all", "--kubeconfig", &config(role)], more].concat())
    };
    let (code, text) = release("floor", &[]);
    assert_eq!((code, text.as_str()), (0, "no autoscaler has a floor that Damper raised\n"));
    raise(&kubernetes, "web", "2", 5, 5).await;
    raise(&kubernetes, "one", "2", 4, 3).await;

    let (code, text) = release("floor", &["--dry-run"]);
    assert_eq!(code, 0, "{text}");
    let web = "HorizontalPodAutoscaler shop/web: would go from 5 to 2; raised by checkout, meant until 2026-05-28 20:26:40 UTC";
    let one = "HorizontalPodAutoscaler shop/one: would stay at 3: somebody else moved it";
    assert!(text.contains(web) && text.contains(one) && text.contains("`damper scale stop`"), "{text}");
    let (code, text) = release("floor", &["--namespace", "elsewhere"]);
    assert_eq!((code, text.as_str()), (0, "no autoscaler has a floor that Damper raised\n"));
    let (code, text) = release("observe", &["--namespace", "shop"]);
    assert!(code == 1 && text.contains("error: HorizontalPodAutoscaler shop/web: still at 5: "), "{text}");
    assert!(text.contains(StatusCode::FORBIDDEN.as_str()), "{text}");
    assert_eq!((floor(&kubernetes, "web").await, floor(&kubernetes, "one").await), ((5, 4), (3, 4)));

    let (code, text) = release("floor", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("HorizontalPodAutoscaler shop/web: from 5 to 2; raised by checkout"), "{text}");
    assert!(text.contains("HorizontalPodAutoscaler shop/one: stays at 3: somebody else moved it"), "{text}");
    assert_eq!((floor(&kubernetes, "web").await, floor(&kubernetes, "one").await), ((2, 0), (3, 0)));

    raise(&kubernetes, "web", "2", 5, 5).await;
    let settings = format!(
        "prometheus: {{url: 'http://127.0.0.1:1'}}\ndefinitions: [slos]\nscaling: {{kubernetes: {{kubeconfig: {}}}}}\n",
        config("floor")
    );
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("damper.yaml").display().to_string();
    std::fs::write(&file, settings).unwrap();
    let (code, text) = run(&["scale", "release", "--all", "--config", &file, "--output", "json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &answer["floors"][0]["to"], &answer["floors"][0]["outcome"]),
        (0, &json!(2), &json!("putBack"))
    );
    assert_eq!(floor(&kubernetes, "web").await, (2, 0));
    std::fs::write(&file, "scaling: {kubernets: x}").unwrap();
    let (code, text) = run(&["scale", "release", "--all", "--config", &file]);
    assert!(code == 1 && text.contains("or name the cluster with --kubeconfig"), "{text}");
    kubernetes.kill();
    let (code, text) = run(&["scale", "release", "--all", "--kubeconfig", &config("floor"), "--dry-run"]);
    assert!(code == 1 && text.contains("the Kubernetes API cannot be asked"), "{text}");
    let (code, text) = run(&["scale", "release", "--all", "--kubeconfig", &format!("{file}.none")]);
    assert!(code == 1 && text.contains("--kubeconfig: the kubeconfig"), "{text}");
}
