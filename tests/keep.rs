//! `damper store`, and a Damper whose store is damaged, gone or not its own: told in words that can be
//! followed, and never begun anew.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::damper::Damper;
use crate::support::receiver::Receiver;
use crate::support::{port, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
const SLO: &str = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: a}\nspec:\n  service: s\n  objective: 99\n  sli: {events: {bad: 'x_total{code=\"500\"}', total: x_total}}\n";

/// With a source that is not there.
fn damper() -> Damper {
    damper_with("")
}

/// The same with more settings.
fn damper_with(more: &str) -> Damper {
    let source = format!("prometheus: {{url: http://127.0.0.1:{}}}\nstep: 5s\n{more}", port::free());
    let damper = Damper::new(&source);
    damper.definition("a.yaml", SLO);
    damper
}

/// Ticks pass without a heartbeat, once it is known that the file is of no use and what was on its way
/// then has arrived.
async fn silent(damper: &Damper, heart: &Receiver) {
    let known = |json: &Value| {
        let mut parts = json["components"].as_array()?.iter();
        parts.find(|part| part["name"] == "store file").map(drop)
    };
    damper.wait_for(LIMIT, "/healthz", "it to be known", known).await;
    damper.ticks_on(LIMIT, 1).await;
    let beats = heart.requests().len();
    damper.ticks_on(LIMIT, 2).await;
    assert_eq!(heart.requests().len(), beats, "a heart that beats beside a store of no use");
}

/// The files of a folder with their contents.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    all.sort();
    all
}

/// Starts it, and gives what it says when it ends without having begun.
async fn refused(damper: &mut Damper) -> String {
    let before = damper.log().len();
    damper.spawn();
    let ended = wait_until(LIMIT, "it to end", async || damper.process().ended()).await;
    damper.kill();
    assert_eq!(ended.code(), Some(1));
    damper.log()[before..].to_owned()
}

/// Waits until health calls the store degraded, in these words, and asks for no restart; gives all of them.
async fn store_told(damper: &Damper, limit: Duration, words: &[&str]) -> String {
    wait_until(limit, "health to tell of the store", async || {
        let (code, text) = damper.try_get("/healthz").await?;
        assert!(code.is_success(), "{code}: {text}");
        let health: Value = serde_json::from_str(&text).unwrap();
        let parts = health["components"].as_array()?;
        let store = parts.iter().find(|part| part["name"] == "store")?;
        let detail = store["detail"].as_str()?;
        let is_told = store["status"] == "degraded" && words.iter().all(|word| detail.contains(word));
        is_told.then(|| detail.to_owned())
    })
    .await
}

/// The command between back ticks that begins like this.
fn command(text: &str, begin: &str) -> Vec<String> {
    let found = text.split('`').find(|part| part.starts_with(begin));
    let found = found.unwrap_or_else(|| panic!("no command {begin} in: {text}"));
    found.split(' ').skip(1).map(str::to_owned).collect()
}

fn run(damper: &Damper, arguments: &[String]) -> (i32, String) {
    damper.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_damaged_store_is_told_with_the_command_that_restores_it() {
    let mut damper = damper();
    damper.start().await;
    // Beside the Damper that uses it.
    let (code, text) = damper.command(&["store", "check", "--output", "json"]);
    let seen: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(code == 0 && seen["inUse"] == true && seen["problems"] == serde_json::json!([]), "{text}");
    assert!(seen["rows"]["documents"] == 1 && seen["newestBackup"].is_null(), "{text}");
    std::fs::create_dir(damper.path("backups")).unwrap();
    let (code, text) = damper.command(&["store", "backup", "backups"]);
    assert!(code == 0 && text.contains("written and read again: backups/damper-"), "{text}");
    let (code, text) = damper.command(&["store", "check"]);
    assert!(code == 0 && text.contains("uses it") && text.contains("good: all of it can be read"), "{text}");
    assert!(text.contains("newest backup: "), "{text}");

    let backup = text.lines().find_map(|line| line.trim().strip_prefix("newest backup: ")).unwrap();
    let backup = backup.split(", of").next().unwrap().to_owned();
    let (code, text) = damper.command(&["store", "restore", &backup]);
    let process = format!("another Damper (process {}) uses this file", damper.process().id());
    assert!(code == 1 && text.contains(&process), "{text}");
    damper.get("/api/v1/status").await;

    damper.stop().await;
    damper.damage("documents").await;
    let text = refused(&mut damper).await;
    assert!(text.contains("damper.db: damaged (") && text.contains("It is left as it is"), "{text}");
    let restore = command(&text, "damper store restore ");
    assert!(restore.contains(&backup), "{restore:?}");
    let (code, text) = damper.command(&["store", "check"]);
    assert!(code == 1 && text.contains("problem: documents: cannot be read"), "{text}");
    assert!(text.contains("do:    stop Damper, then: damper store restore"), "{text}");
    let (code, text) = run(&damper, &restore);
    assert!(code == 0 && text.contains("Start Damper now."), "{text}");
    damper.start().await;
    assert_eq!(damper.get("/api/v1/status").await["definitions"]["slos"], 1);
}

#[tokio::test]
async fn a_store_that_is_removed_while_it_is_used_is_told_and_not_lost() {
    let heart = Receiver::start();
    let mut damper = damper_with(&heart.heartbeat());
    damper.start().await;
    heart.beats_on(LIMIT).await;
    let file = damper.path("damper.db");
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(damper.path("damper.db-wal")).unwrap();
    // Health says so, asks for no restart, and names what was saved.
    let told = ["was removed or moved while Damper uses it", "damper store restore"];
    let text = store_told(&damper, LIMIT, &told).await;
    let log = damper.log();
    for line in ["was removed or moved while Damper uses it", "still holds is kept as a backup"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    silent(&damper, &heart).await;
    assert!(!file.exists(), "nothing is made in its place");
    damper.stop().await;
    let refused = refused(&mut damper).await;
    assert!(refused.contains("the file is gone, and there was a store here before"), "{refused}");
    let restore = command(&refused, "damper store restore ");
    assert_eq!(command(&text, "damper store restore "), restore);
    let (code, text) = run(&damper, &restore);
    assert_eq!(code, 0, "{text}");
    damper.start().await;
    assert_eq!(damper.get("/api/v1/status").await["definitions"]["revision"], 1, "it goes on");
}

/// A page of the outbox is overwritten: nothing that waits there can be sent any more.
#[tokio::test]
async fn damage_while_it_runs_is_told_and_takes_no_good_backups_place() {
    let heart = Receiver::start();
    let receiver = "receivers: [{name: oncall, webhook: {url: 'http://127.0.0.1:1/'}}]";
    let mut damper = damper_with(&format!("{receiver}\n{}", heart.heartbeat()));
    damper.start().await;
    heart.beats_on(LIMIT).await;
    let folder = damper.path("backups");
    std::fs::create_dir(&folder).unwrap();
    let (code, text) = damper.command(&["store", "backup", "backups"]);
    assert_eq!(code, 0, "{text}");
    let good = contents(&folder);
    assert_eq!(good.len(), 1);

    damper.damage("outbox").await;
    let text = store_told(&damper, 2 * LIMIT, &["damaged ("]).await;
    let restore = command(&text, "damper store restore ");
    let newest = good[0].0.display().to_string();
    assert!(restore.contains(&newest), "{restore:?}");
    assert!(damper.log().contains("damaged ("));
    silent(&damper, &heart).await;
    // A copy that is asked for would be the newest one.
    let (code, text) = damper.command(&["store", "backup", "backups"]);
    assert!(code == 1 && text.contains("damaged ("), "{code}: {text}");
    assert_eq!(contents(&folder), good);
    damper.kill();
    let text = refused(&mut damper).await;
    assert!(text.contains("damaged (") && text.contains(&newest), "{text}");
}

/// As somebody who may not write there; an administrator may everything.
#[tokio::test]
async fn a_store_of_somebody_else_is_refused_with_whose_it_is() {
    let mut damper = damper();
    damper.start().await;
    damper.stop().await;
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    let set = |path: &str, mode| {
        std::fs::set_permissions(damper.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // From a place that everybody can reach.
    let program = damper.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_damper"), &program).unwrap();
    let start = || {
        let mut command = Command::new(if own == 0 { "setpriv" } else { "env" });
        if own == 0 {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.arg(&program).args(["run", "--config", "damper.yaml"]).current_dir(damper.path(""));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    set("", 0o755);
    set("damper.db.lock", 0o444);
    let text = start();
    assert!(text.contains("cannot lock") && text.contains("Permission denied"), "{text}");
    assert!(own != 0 || text.contains("belongs to user 0, mode 444; this is user 65534"), "{text}");
    set("damper.db.lock", 0o666);
    set("damper.db", 0o444);
    set("", 0o777);
    let text = start();
    assert!(text.contains("read-only") && text.contains("damper.db belongs to user"), "{text}");
    set("damper.db", 0o000);
    let text = start();
    assert!(text.contains("it cannot be read: Permission denied"), "{text}");
    set("damper.db", 0o644);
}

#[test]
fn what_is_not_said_as_it_should_be_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
        let output = command.arg("store").args(arguments).current_dir(folder.path()).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    };
    for (arguments, expected) in [
        (&["check"][..], "which store? There is no damper.yaml"),
        (&["check", "--store", "mysql://u:hunter2@h"], "must be sqlite:PATH or postgres://"),
        (&["backup"], "<TO>"),
        (&["restore"], "<FROM|--salvage>"),
        (&["restore", "x.db", "--salvage"], "cannot be used with"),
    ] {
        let (code, text) = run(arguments);
        assert!(
            code == 2 && text.contains(expected) && !text.contains("hunter2"),
            "{arguments:?}: {code} {text}"
        );
    }
    for (arguments, expected) in [
        (&["check", "--store", "sqlite:none.db"][..], "none.db: there is no such file"),
        (&["backup", "x.db", "--store", "sqlite:none.db"], "none.db: there is no such file"),
        (&["restore", "x.db", "--store", "sqlite:none.db"], "x.db is of no use: there is no such file"),
        (&["backup", "x.db", "--store", "postgres://u@127.0.0.1:1/d"], "cannot be reached"),
        (&["restore", "x.db", "--store", "postgres://u@127.0.0.1:1/d"], "pg_restore"),
        (&["restore", "--salvage", "--store", "sqlite:none.db"], "none.db: there is no such file"),
    ] {
        let (code, text) = run(arguments);
        assert!(code == 1 && text.contains(expected), "{arguments:?}: {code} {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    let (_, text) = run(&["check", "--store", "sqlite:none.db", "--output", "json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(answer["error"].as_str().unwrap().contains("no such file"), "{text}");
}
