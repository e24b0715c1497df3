//! Which documents stay, go or wait.

use super::*;
use crate::service::testing;
use crate::slo::time::Step;
use crate::slo::{Context, SourceFile, load};

fn document(name: &str, objective: &str) -> String {
    let spec = format!(
        "  objective: {objective}\n  sli:\n    events:\n      bad: r_total{{job=\"shop\",code=~\"5..\"}}\n      total: r_total{{job=\"shop\"}}\n"
    );
    testing::document(name, &spec)
}

fn loaded(files: &[(&str, String)]) -> Loaded {
    let files: Vec<SourceFile> =
        files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: text.clone() }).collect();
    load(&files, &Context::without_settings(Step::DEFAULT))
}

fn names(reload: &Reload) -> Vec<String> {
    reload.next.slos().iter().map(|slo| slo.id.name.clone()).collect()
}

fn start(files: &[(&str, String)]) -> Catalogue {
    Catalogue::default().read(&loaded(files)).next
}

impl Catalogue {
    /// A settled reading in which nothing fires and nobody accepts.
    fn read(&self, loaded: &Loaded) -> Reload {
        self.reload(self.compare(loaded, &[]), Removal::Guarded, |_| false)
    }
}

#[test]
fn a_bad_edit_keeps_the_last_good_version_of_its_document_alone() {
    let before = start(&[("a.yaml", document("one", "99.9")), ("b.yaml", document("two", "99.9"))]);
    let files = [("a.yaml", document("one", "100")), ("b.yaml", document("two", "99"))];
    let reload = before.read(&loaded(&files));
    assert_eq!(names(&reload), ["one", "two"]);
    assert_eq!(reload.changed.len(), 1);
    let objectives: Vec<String> = reload.next.slos().iter().map(|s| s.objective.to_string()).collect();
    assert_eq!(objectives, ["99.9%", "99%"]);
}

#[test]
fn a_document_with_broken_syntax_keeps_what_its_file_held() {
    let both = format!("{}---\n{}", document("one", "99.9"), document("two", "99.9"));
    let before = start(&[("a.yaml", both.clone())]);
    let broken =
        both.replace("kind: ServiceLevelObjective\nmetadata: {name: two}", "kind: [\nmetadata: {name");
    let reload = before.read(&loaded(&[("a.yaml", broken)]));
    assert_eq!(names(&reload), ["one", "two"]);
    assert!(reload.removed.is_empty() && reload.waiting.is_empty());
}

#[test]
fn a_document_whose_name_or_service_is_broken_keeps_what_its_file_held() {
    let before = start(&[("a.yaml", document("one", "99.9"))]);
    for (from, to) in
        [("service: shop", "service: Shop!"), ("{name: one}", "{name: Ône}"), ("  service: shop\n", "")]
    {
        let broken = document("one", "99.9").replace(from, to);
        let reload = before.read(&loaded(&[("a.yaml", broken)]));
        assert_eq!(names(&reload), ["one"], "{to}");
        assert!(reload.removed.is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_not_gone() {
    let before = start(&[("slos/a.yaml", document("one", "99.9"))]);
    for unread in ["slos/a.yaml", "slos", "slos/"] {
        let reload =
            before.reload(before.compare(&loaded(&[]), &[unread.to_owned()]), Removal::Guarded, |_| false);
        assert_eq!(names(&reload), ["one"], "{unread}");
    }
}

#[test]
fn removing_few_is_done_and_removing_many_or_a_firing_one_waits() {
    let all: Vec<(String, String)> =
        (0..20).map(|i| (format!("{i}.yaml"), document(&format!("s{i}"), "99.9"))).collect();
    let files: Vec<(&str, String)> = all.iter().map(|(p, t)| (p.as_str(), t.clone())).collect();
    let before = start(&files);
    let few = before.read(&loaded(&files[3..]));
    assert_eq!((few.removed.len(), few.waiting.len()), (3, 0));
    let many = before.read(&loaded(&files[4..]));
    assert_eq!((many.removed.len(), many.waiting.len(), names(&many).len()), (0, 4, 20));
    let accepted = before.reload(before.compare(&loaded(&files[4..]), &[]), Removal::Accepted, |_| false);
    assert_eq!((accepted.removed.len(), accepted.waiting.len()), (4, 0));
    let firing =
        before.reload(before.compare(&loaded(&files[1..]), &[]), Removal::Guarded, |slo| slo == "shop/s0");
    assert_eq!(firing.waiting, ["shop/s0"]);
}

#[test]
fn of_two_documents_with_one_name_the_first_counts() {
    let before = start(&[("a.yaml", document("one", "99.9"))]);
    let files = [("a.yaml", document("one", "99")), ("b.yaml", document("one", "98"))];
    let reload = before.read(&loaded(&files));
    assert_eq!(reload.next.slos()[0].objective.to_string(), "99%");
}

#[test]
fn a_moved_document_keeps_its_last_good_version() {
    let before = start(&[("a.yaml", document("one", "99.9"))]);
    let moved = before.read(&loaded(&[("b.yaml", document("one", "99.9"))]));
    assert_eq!((moved.changed.len(), moved.removed.len()), (1, 0), "its file changed");
    let broken = moved.next.read(&loaded(&[("b.yaml", "kind: [\n".to_owned())]));
    assert_eq!((names(&broken), broken.removed.len()), (vec!["one".to_owned()], 0));
}

#[test]
fn what_may_have_been_moved_into_a_broken_file_waits() {
    let before = start(&[("a.yaml", document("one", "99.9")), ("c.yaml", document("two", "99.9"))]);
    let broken = ("b.yaml", "kind: [\n".to_owned());
    let reload = before.read(&loaded(&[broken.clone(), ("c.yaml", document("two", "99.9"))]));
    assert_eq!((reload.waiting, reload.removed.len()), (vec!["shop/one".to_owned()], 0));
    // A broken file keeps nobody else from staying or changing.
    let both = [("a.yaml", document("one", "99")), broken, ("c.yaml", document("two", "99.9"))];
    let reload = before.read(&loaded(&both));
    assert_eq!((reload.changed.len(), reload.waiting.len()), (1, 0));
}

#[test]
fn what_is_gone_stays_until_that_is_settled() {
    let before = start(&[("a.yaml", document("one", "99.9")), ("b.yaml", document("two", "99.9"))]);
    let truncated = loaded(&[("a.yaml", String::new()), ("b.yaml", document("two", "99"))]);
    let compared = before.compare(&truncated, &[]);
    assert_eq!(compared.gone().len(), 1);
    let reload = before.reload(compared, Removal::NotYet, |_| false);
    assert_eq!(names(&reload), ["one", "two"]);
    assert_eq!((reload.changed.len(), reload.removed.len(), reload.waiting.len()), (1, 0, 0));
    let settled = before.read(&truncated);
    assert_eq!((names(&settled), settled.removed.len()), (vec!["two".to_owned()], 1));
}

#[test]
fn an_objective_that_goes_is_guarded_as_a_document_is() {
    let latency = |objectives: &str| {
        let sli = format!(
            "    latency:\n      histogram: r_seconds\n      selector: '{{job=\"shop\"}}'\n      objectives: [{objectives}]\n"
        );
        let text = document("slow", "99.9").replace("  objective: 99.9\n", "");
        format!("{}{sli}", text.split_once("    events:").unwrap().0)
    };
    let two = "{percent: 99, within: 300ms}, {percent: 99.9, within: 1s}";
    let before = start(&[("a.yaml", latency(&format!("{two}, {{percent: 99.9, within: 2s}}")))]);
    let fewer = loaded(&[("a.yaml", latency(two))]);
    let reload = before.read(&fewer);
    assert_eq!((reload.next.slos().len(), reload.changed.len(), reload.removed.len()), (2, 1, 0));
    let firing = before.reload(before.compare(&fewer, &[]), Removal::Guarded, |slo| slo == "shop/slow.2s");
    assert_eq!((firing.next.slos().len(), firing.changed.len()), (3, 0));
    assert_eq!(firing.waiting, ["shop/slow.2s"]);
}

/// One that a stricter version does not read any more, beside one that it does.
fn unfit() -> Catalogue {
    let mut before = start(&[("a.yaml", document("one", "99.9")), ("b.yaml", document("two", "99.9"))]);
    before.0.get_mut("ServiceLevelObjective shop/one").unwrap().slos.clear();
    before
}

#[test]
fn what_does_not_fit_any_more_waits_until_somebody_says_that_it_may_go() {
    let before = unfit();
    assert_eq!(before.held(), ["shop/one"]);
    // Whether its file has the same problem, another one, or is gone.
    let two = || ("b.yaml", document("two", "99.9"));
    for files in
        [vec![("a.yaml", document("one", "100")), two()], vec![("a.yaml", "[".into()), two()], vec![two()]]
    {
        let loaded = loaded(&files);
        let reload = before.read(&loaded);
        assert_eq!(reload.waiting, ["shop/one"], "{files:?}");
        assert_eq!((reload.next.held(), reload.removed.len()), (vec!["shop/one".to_owned()], 0));
        assert!(reload.changed.is_empty());
        let compared = before.compare(&loaded, &[]);
        let accepted = before.reload(compared, Removal::Accepted, |_| true);
        assert_eq!(accepted.removed, ["ServiceLevelObjective shop/one"]);
        assert!(accepted.next.held().is_empty());
    }
}

#[test]
fn what_fits_again_is_in_force_again() {
    let reload =
        unfit().read(&loaded(&[("a.yaml", document("one", "99.9")), ("b.yaml", document("two", "99.9"))]));
    assert_eq!(names(&reload), ["one", "two"]);
    assert!(reload.next.held().is_empty() && reload.waiting.is_empty() && reload.removed.is_empty());
}

fn policies(reload: &Reload) -> Vec<String> {
    let of =
        |accepted: &Accepted| accepted.policies.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>();
    reload.next.0.values().flat_map(of).collect()
}

/// An SLO and a policy on it, in files of their own.
fn guarded() -> Catalogue {
    start(&[("a.yaml", document("one", "99.9")), ("p.yaml", testing::policy("web", "one"))])
}

#[test]
fn a_bad_edit_of_a_policy_keeps_its_last_good_version() {
    let before = guarded();
    assert!(before.held().is_empty());
    for (from, to) in [
        ("min: 3", "min: 0"),
        ("name: web}\nspec", "name: Web!}\nspec"),
        ("  slos: [shop/one]\n", "  slos: [\n"),
    ] {
        let broken = testing::policy("web", "one").replace(from, to);
        let reload = before.read(&loaded(&[("a.yaml", document("one", "99")), ("p.yaml", broken)]));
        assert_eq!((policies(&reload), reload.changed.len()), (vec!["web".to_owned()], 1), "{to}");
        assert_eq!((reload.removed.len(), reload.waiting.len()), (0, 0));
    }
    let good = testing::policy("web", "one").replace("min: 3", "min: 4");
    let reload = before.read(&loaded(&[("a.yaml", document("one", "99.9")), ("p.yaml", good)]));
    assert_eq!(reload.changed, ["ScalePolicy web"]);
    assert_eq!(reload.next.0["ScalePolicy web"].policies[0].replicas.min(), 4);
}

#[test]
fn a_policy_outlives_what_becomes_of_its_slo() {
    let before = guarded();
    // Broken, in either way: both keep their versions, and an edit of the policy is taken all the same.
    for broken in [document("one", "100"), "kind: [\n".to_owned()] {
        let reload = before.read(&loaded(&[("a.yaml", broken), ("p.yaml", testing::policy("web", "one"))]));
        assert_eq!((names(&reload), policies(&reload)), (vec!["one".to_owned()], vec!["web".to_owned()]));
        assert!(reload.changed.is_empty() && reload.removed.is_empty());
    }
    let edited = testing::policy("web", "one").replace("min: 3", "min: 4");
    let reload = before.read(&loaded(&[("a.yaml", document("one", "100")), ("p.yaml", edited)]));
    assert_eq!(reload.changed, ["ScalePolicy web"]);
    // Gone: the policy is refused, so that people are told, and what was in force of it stays.
    let alone = loaded(&[("p.yaml", testing::policy("web", "one"))]);
    assert_eq!(alone.problems().count(), 1);
    let reload = before.read(&alone);
    assert_eq!(
        (policies(&reload), reload.removed),
        (vec!["web".to_owned()], vec!["ServiceLevelObjective shop/one".to_owned()])
    );
}

#[test]
fn the_settings_make_a_dry_run_of_every_policy() {
    let acting =
        testing::policy("web", "one").replace("  replicas:", "  mode: auto\n  saturation: none\n  replicas:");
    let catalogue = start(&[("a.yaml", document("one", "99.9")), ("p.yaml", acting)]);
    let modes = |most| catalogue.policies(most).iter().map(|policy| policy.mode).collect::<Vec<_>>();
    assert_eq!(modes(ScaleMode::Auto), [ScaleMode::Auto]);
    assert_eq!(modes(ScaleMode::DryRun), [ScaleMode::DryRun]);
}

#[test]
fn a_second_policy_on_one_target_does_not_take_the_place_of_the_first() {
    let before = guarded();
    let second = testing::policy("also", "one").replace("name: also}\n", "name: web}\n");
    let second = second.replacen("name: web}", "name: also}", 1);
    let files =
        [("0.yaml", second), ("a.yaml", document("one", "99.9")), ("p.yaml", testing::policy("web", "one"))];
    let reload = before.read(&loaded(&files));
    assert_eq!((policies(&reload), reload.changed.len()), (vec!["web".to_owned()], 0));
}

#[test]
fn policies_go_and_wait_as_slos_do() {
    let all: Vec<(String, String)> =
        (0..4).map(|i| (format!("p{i}.yaml"), testing::policy(&format!("web{i}"), "one"))).collect();
    let mut files: Vec<(&str, String)> = all.iter().map(|(p, t)| (p.as_str(), t.clone())).collect();
    files.insert(0, ("a.yaml", document("one", "99.9")));
    let before = start(&files);
    let few = before.read(&loaded(&files[..4]));
    assert_eq!((few.removed, few.waiting.len()), (vec!["ScalePolicy web3".to_owned()], 0));
    let compared = before.compare(&loaded(&files[..4]), &[]);
    assert_eq!(before.reload(compared, Removal::NotYet, |_| false).removed.len(), 0, "not settled yet");
    // All at once, as when a folder is not mounted.
    let none = before.read(&loaded(&files[..1]));
    assert_eq!((none.removed.len(), policies(&none).len()), (0, 4));
    assert_eq!(
        none.waiting,
        ["ScalePolicy web0", "ScalePolicy web1", "ScalePolicy web2", "ScalePolicy web3"]
    );
    let unread = before.compare(&loaded(&files[..1]), &["p0.yaml".to_owned()]);
    assert_eq!(before.reload(unread, Removal::Guarded, |_| false).removed.len(), 3);
}

#[test]
fn a_policy_that_does_not_fit_any_more_waits_and_holds_no_alert() {
    let mut before = guarded();
    before.0.get_mut("ScalePolicy web").unwrap().policies.clear();
    assert!(before.held().is_empty(), "its name is no SLO's");
    let broken = testing::policy("web", "one").replace("min: 3", "min: 0");
    let reload = before.read(&loaded(&[("a.yaml", document("one", "99.9")), ("p.yaml", broken)]));
    assert_eq!((reload.waiting, reload.removed.len()), (vec!["ScalePolicy web".to_owned()], 0));
    let good = loaded(&[("a.yaml", document("one", "99.9")), ("p.yaml", testing::policy("web", "one"))]);
    assert_eq!(policies(&before.read(&good)), ["web"]);
}
