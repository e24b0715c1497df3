//! `kill -9` around every write of a floor: none is raised twice, none is left behind.

use serde_json::{Value, json};

use super::moves::Moves;
use super::{DOWN, SOON, Stage, UP, deployment, policy};
use crate::support::kubernetes::objects;
use crate::support::process::Process;

const HPAS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";
const NAMES: [&str; 3] = ["web", "search", "cart"];

#[tokio::test]
async fn killed_around_every_write_of_a_floor_it_raises_none_twice_and_leaves_none_behind() {
    let mut stage = Stage::open("floor").await;
    for name in NAMES {
        workload(&stage, name).await;
        let owner = objects::autoscaler("shop", name, &objects::deployment("shop", name, 2), 2, 9);
        stage.kubernetes.admin().create(&owner).await.ok();
    }
    let _nodes = stage.kubernetes.nodes("shop", 30);
    stage.damper.mortal();
    // One step leads to the bound.
    let narrow = |name| policy(name, "auto", &deployment(name)).replace("max: 5", "max: 4");
    stage.start(&NAMES.map(|name| (name, narrow(name)))).await;
    let floors =
        NAMES.map(|name| Moves::of(&stage.kubernetes, &format!("{HPAS}/{name}"), "/spec/minReplicas"));

    stage.damper.arm("taken/a move up", 1);
    stage.fail(3).await;
    stage.dies("taken/a move up").await;
    // What was not moved then waits for its cooldown; the next process means what it finds.
    stage.killed_at(&["send/a floor that is still meant", "taken/a floor that is still meant"]).await;
    for floor in &floors {
        floor.until(4).await;
    }

    // A word of people's.
    stage.until("web", "its policy", |view| view["decision"].is_object()).await;
    stage.damper.arm("send/a floor put back", 1);
    let url = stage.damper.url("/api/v1/scale/web/release");
    assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 202);
    stage.dies("send/a floor put back").await;
    stage.killed_at(&["taken/a floor put back", "begin/carrying out a command"]).await;
    floors[0].until(2).await;
    let view = stage.until_reason("web", "overridden").await;
    assert_eq!(view["decision"]["reason"]["numbers"]["by"], "`damper scale release`");

    // A policy that goes.
    stage.damper.arm("send/a floor put back", 1);
    std::fs::remove_file(stage.damper.path("slos/policy-cart.yaml")).unwrap();
    stage.dies("send/a floor put back").await;
    stage.killed_at(&["taken/a floor put back", "inside/forgetting a policy"]).await;
    floors[2].until(2).await;

    // Calm.
    stage.damper.arm("taken/a move down", 1);
    stage.fail(0).await;
    stage.dies("taken/a move down").await;
    stage.killed_at(&["send/a move down"]).await;
    floors[1].until(2).await;
    stage.until_reason("search", "atRest").await;
    for name in NAMES {
        assert_eq!(marks(&stage, name).await, Vec::<String>::new(), "{name}");
    }
    assert_eq!(floors.each_ref().map(Moves::values), [vec![2, 4, 2], vec![2, 4, 3, 2], vec![2, 4, 2]]);
    floors[1].kept(UP, DOWN);
    stage.damper.stop().await;
    without_a_damper(&stage).await;
}

/// `damper scale release --all`, which dies after the first of two floors.
async fn without_a_damper(stage: &Stage) {
    let left = ["left", "left2"];
    for name in left {
        let mut owner = objects::autoscaler("shop", name, &workload(stage, name).await, 4, 9);
        owner["metadata"]["annotations"] = json!({
            "damper.dev/original-floor": "2", "damper.dev/raised-to": "4",
            "damper.dev/raised-by": "another", "damper.dev/raised-until": "2096-01-01T00:00:00Z",
        });
        stage.kubernetes.admin().create(&owner).await.ok();
    }
    stage.damper.arm("taken/a floor put back", 1);
    let ends = [None, Some(0)];
    for end in ends {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_damper"));
        command.args(["scale", "release", "--all", "--kubeconfig"]);
        command.arg(stage.kubernetes.kubeconfig(stage.role));
        command.env(damper::failpoint::VARIABLE, stage.damper.path("failpoint"));
        let folder = stage.damper.path("");
        let mut process = Process::start("release", &command, &folder);
        let ended = crate::support::wait_until(SOON, "it to end", async || process.ended()).await;
        assert_eq!(ended.code(), end, "{}", process.output());
        let mut floors = Vec::new();
        for name in left {
            let object = stage.kubernetes.admin().get(&format!("{HPAS}/{name}")).await.ok();
            floors.push((object["spec"]["minReplicas"].as_u64(), marks(stage, name).await.len()));
        }
        floors.sort_unstable();
        let back = (Some(2), 0);
        assert_eq!(floors, [back, if end.is_some() { back } else { (Some(4), 4) }]);
    }
}

impl Stage {
    async fn dies(&mut self, point: &str) {
        self.damper.died(SOON, point).await;
    }

    /// Starts it, and again after each of these.
    async fn killed_at(&mut self, points: &[&str]) {
        for point in points {
            self.damper.arm(point, 1);
            self.damper.spawn();
            self.dies(point).await;
        }
        self.damper.start().await;
    }
}

async fn workload(stage: &Stage, name: &str) -> Value {
    let workload = objects::deployment("shop", name, 2);
    stage.kubernetes.admin().create(&workload).await.ok();
    workload
}

/// Damper's annotations of an autoscaler.
async fn marks(stage: &Stage, name: &str) -> Vec<String> {
    let object = stage.kubernetes.admin().get(&format!("{HPAS}/{name}")).await.ok();
    let all = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    all.keys().filter(|key| key.starts_with("damper.dev/")).cloned().collect()
}
