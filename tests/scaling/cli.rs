//! `damper scale` and `damper explain scale` speak to a Damper that runs.

use std::process::Command;

use serde_json::Value;

use super::{Scaled, policy};
use crate::support::port;

impl Scaled {
    /// Runs the program against this Damper; exit code and what it printed.
    async fn damper(&self, arguments: &[&str]) -> (i32, String) {
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend(["--url".to_owned(), self.damper.url("")]);
        run(all).await
    }

    async fn says(&self, arguments: &[&str], words: &[&str]) -> String {
        let (code, text) = self.damper(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?} does not say {word:?}:\n{text}");
        }
        text
    }

    async fn until_code(&self, code: &str) {
        self.until(code, |view| view["decision"]["reason"]["code"] == code).await;
    }
}

/// On another thread: the fixtures live on this one.
async fn run(arguments: Vec<String>) -> (i32, String) {
    let program = move || {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
        let output = command.args(arguments).env("TZ", "UTC").current_dir(folder.path()).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    };
    tokio::task::spawn_blocking(program).await.unwrap()
}

#[tokio::test]
async fn a_person_sees_why_and_steers_it() {
    let scaled = Scaled::start(&policy("auto", "")).await;
    scaled.until_code("atRest").await;
    let row = "web     3         2 to 6  auto  -      holds: It stands at 3";
    scaled.says(&["scale", "status"], &["POLICY  REPLICAS  BOUNDS", row]).await;
    scaled.says(&["scale", "status", "web"], &[row]).await;
    let json = scaled.says(&["scale", "status", "--output", "json"], &[]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][0]["name"], "web");

    for arguments in
        [&["scale", "status", "wbe"][..], &["scale", "pause", "wbe"], &["explain", "scale", "wbe"]]
    {
        let (code, text) = scaled.damper(arguments).await;
        assert!(code == 1 && text.contains("no policy `wbe`; did you mean `web`?"), "{arguments:?}: {text}");
    }
    let (code, text) = scaled.damper(&["explain", "scale", "../x y"]).await;
    assert!(code == 1 && text.contains("no policy `../x y`; in force: web"), "{text}");

    scaled.says(&["scale", "pause", "web"], &["web is paused", "`damper scale resume web`"]).await;
    scaled.until_code("paused").await;
    scaled.shop.traffic.fail("web", 5);
    scaled.until("the wish behind it", |view| view["decision"]["runnerUp"]["code"] == "burning").await;
    let told = [
        "web: holds at 3\n",
        "  mode     auto, PAUSED by command\n",
        "  because       Paused by damper scale pause web.\n",
        "  else          shop/web burns ",
        "  of the budget's pace, over  10s",
        "  adds 2        at 2× or more in 10s and 20s, then waits 15s\n",
        "SATURATION  none: the policy says that nothing tells\n",
        "  Damper moves  the replica count, at 3\n",
        "  told  pause\n",
    ];
    scaled.says(&["explain", "scale", "web"], &told).await;
    assert!(scaled.workload.moves().is_empty());

    scaled.says(&["scale", "resume", "web"], &["web goes on"]).await;
    scaled.until_moved(1).await;
    scaled.until("the write in history", |view| view["history"].to_string().contains("\"scaleWrite\"")).await;
    let told = ["decided 3 → 5  shop/web burns ", "wrote 3 → 5", "told           resume", "of 12 within 1h"];
    scaled.says(&["explain", "scale", "web"], &told).await;

    scaled.says(&["scale", "stop"], &["all scaling stops", "`damper scale start`"]).await;
    scaled.until_code("stopped").await;
    scaled.says(&["scale", "status"], &["holds: All scaling is stopped by `damper scale stop`."]).await;
    scaled.says(&["scale", "start"], &["scaling goes on"]).await;
    scaled.until("the end of the stop", |view| view["decision"]["reason"]["code"] != "stopped").await;
    scaled.says(&["scale", "release", "web"], &["left alone for its respectOverride"]).await;
    scaled.until_code("overridden").await;
    scaled.says(&["scale", "status", "web"], &["holds: `damper scale release` set it to "]).await;
}

#[tokio::test]
async fn where_nothing_listens_each_of_them_says_so() {
    let url = format!("http://127.0.0.1:{}", port::free());
    for command in [
        "scale status",
        "scale status web",
        "scale pause web",
        "scale resume web",
        "scale release web",
        "scale stop",
        "scale start",
        "explain scale web",
    ] {
        let arguments = command.split(' ').chain(["--url", &url]).map(str::to_owned).collect();
        let (code, text) = run(arguments).await;
        assert!(code == 1 && text.contains("nothing answers at") && text.contains(&url), "{command}: {text}");
    }
    for wrong in [
        "scale",
        "scale pause",
        "scale release",
        "scale release web --all",
        "scale release web --dry-run",
        "explain",
        "explain scale",
    ] {
        let (code, text) = run(wrong.split(' ').map(str::to_owned).collect()).await;
        assert_eq!(code, 2, "{wrong}: {text}");
    }
}
