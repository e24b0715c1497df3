//! What is in force after starts, edits, failures and words of acceptance.

use super::*;
use crate::service::restart;
use crate::service::testing::{self, Service};

const ALL: [&str; 4] = ["a", "b", "c", "d"];

impl Definitions {
    /// Whether it will read again although nobody asks.
    pub(crate) fn looks_again(&self) -> bool {
        self.again.is_some()
    }
}

/// Four SLOs in force, and their files removed: too many to go unasked.
async fn four_gone() -> (Service, Definitions) {
    let service = Service::start().await;
    for name in ALL {
        service.slo(name, "99.9");
    }
    let mut definitions = service.definitions().await;
    for name in ALL {
        service.remove(name);
    }
    service.settle(&mut definitions).await;
    assert_eq!(view(&service), (4, 4));
    (service, definitions)
}

/// SLOs in force, and those that wait.
fn view(service: &Service) -> (usize, usize) {
    let view = service.shared.definitions.read();
    (view.slos, view.waiting_for_accept.len())
}

#[tokio::test]
async fn an_empty_folder_at_a_start_removes_no_slo_that_fires() {
    let service = Service::start().await;
    for name in ["fires", "quiet"] {
        service.slo(name, "99.9");
    }
    service.definitions().await;
    service.fire("shop/fires").await;

    // The next start finds the folder not mounted yet.
    for name in ["fires", "quiet"] {
        service.remove(name);
    }
    let control = restart::control(&service.shared).await.unwrap();
    service.shared.world.write().control = control;
    let mut definitions = service.definitions().await;
    assert_eq!(view(&service), (2, 2));

    service.accept(Duration::ZERO).await;
    service.settle(&mut definitions).await;
    assert_eq!(view(&service), (0, 0));
}

#[tokio::test]
async fn a_word_outlives_a_reload_that_fails_and_goes_with_the_one_that_succeeds() {
    let (service, mut definitions) = four_gone().await;
    service.accept(Duration::ZERO).await;
    let epoch = service.shared.epoch();
    // Nothing can be recorded.
    service.shared.set_epoch(epoch.map(|epoch| epoch + 1));
    definitions.read(&service.shared).await;
    assert!(service.shared.troubles.read().contains_key("definitions"));
    assert!(definitions.looks_again(), "it is tried again");
    assert_eq!((view(&service).0, service.commands().await), (4, 1));
    service.shared.set_epoch(epoch);
    definitions.read(&service.shared).await;
    assert_eq!((view(&service), service.commands().await), ((0, 0), 0));
    assert!(service.shared.troubles.read().is_empty());
}

#[tokio::test]
async fn the_same_files_are_checked_until_they_change_nothing_and_nothing_waits() {
    let service = Service::start().await;
    let reads = async |definitions: &Definitions| {
        let known = definitions.settled_on.clone();
        known.is_none() || Reading::take(&service.shared, known).await.unwrap().is_some()
    };
    service.slo("a", "99.9");
    let mut definitions = service.definitions().await;
    definitions.read(&service.shared).await;
    assert!(!reads(&definitions).await);
    std::fs::write(service.file("broken"), "kind: [").unwrap();
    assert!(reads(&definitions).await, "another file");
    definitions.read(&service.shared).await;
    definitions.read(&service.shared).await;
    assert!(!reads(&definitions).await);
    assert_eq!(service.shared.definitions.read().problems.len(), 1, "it is told all the same");
    service.remove("broken");
    service.slo("a", "99.5");
    assert!(reads(&definitions).await, "another text");
    definitions.read(&service.shared).await;
    assert!(reads(&definitions).await, "what else is in force may change what is made of them");
    definitions.read(&service.shared).await;
    assert!(!reads(&definitions).await && service.shared.definitions.read().problems.is_empty());
    service.slo("b", "99.9");
    assert!(reads(&definitions).await, "another file");
    // What could not be recorded is tried again.
    let epoch = service.shared.epoch();
    service.shared.set_epoch(epoch.map(|epoch| epoch + 1));
    definitions.read(&service.shared).await;
    assert!(reads(&definitions).await);
    service.shared.set_epoch(epoch);
    definitions.read(&service.shared).await;
    definitions.read(&service.shared).await;
    assert!(!reads(&definitions).await && view(&service) == (2, 0));
    // Gone for a moment, or for good.
    service.remove("b");
    definitions.read(&service.shared).await;
    assert!(definitions.looks_again() && reads(&definitions).await);
    let (_waits, definitions) = four_gone().await;
    assert!(reads(&definitions).await, "somebody has to say that it is meant");
}

#[tokio::test]
async fn a_word_is_not_kept_for_a_later_reload() {
    let service = Service::start().await;
    for name in ALL {
        service.slo(name, "99.9");
    }
    let mut definitions = service.definitions().await;
    // Nothing waits.
    service.accept(Duration::ZERO).await;
    definitions.read(&service.shared).await;
    assert_eq!(service.commands().await, 0);
    for name in ALL {
        service.remove(name);
    }
    // Said long ago, to a leader that was not there.
    service.accept(Duration::from_secs(3600)).await;
    service.settle(&mut definitions).await;
    assert_eq!((view(&service), service.commands().await), ((4, 4), 0));
}

#[tokio::test]
async fn a_word_waits_until_what_is_gone_is_settled() {
    let (service, mut definitions) = four_gone().await;
    service.slo("a", "99.9");
    definitions.read(&service.shared).await;
    service.remove("a");
    service.accept(Duration::ZERO).await;
    definitions.read(&service.shared).await;
    assert_eq!((view(&service), service.commands().await), ((4, 0), 1), "it may be back at once");
    service.settle(&mut definitions).await;
    assert_eq!((view(&service), service.commands().await), ((0, 0), 0));
}

#[tokio::test]
async fn a_file_that_is_empty_for_a_moment_loses_nothing() {
    let service = Service::start().await;
    service.slo("one", "99.9");
    let mut definitions = service.definitions().await;
    let revision = service.shared.definitions.read().revision;
    std::fs::write(service.file("one"), "").unwrap();
    definitions.read(&service.shared).await;
    assert_eq!(view(&service), (1, 0));
    service.slo("one", "99.9");
    service.settle(&mut definitions).await;
    assert_eq!(service.shared.definitions.read().revision, revision);
}

#[tokio::test]
async fn what_does_not_fit_any_more_at_a_start_is_held_until_somebody_accepts() {
    let service = Service::start().await;
    for name in ["one", "two"] {
        service.slo(name, "99.9");
    }
    service.definitions().await;
    service.fire("shop/one").await;

    // A version that is stricter: neither the file nor what was in force of it can be read.
    service.slo("one", "100");
    let mut stored = service.shared.store.documents().await.unwrap();
    let one = stored.iter_mut().find(|document| document.doc_id.ends_with("/one")).unwrap();
    one.text = one.text.replace("99.9", "100");
    let revision = Revision { number: 2, hash: String::new(), at: 0, summary: String::new() };
    let epoch = service.shared.epoch().unwrap();
    service.shared.store.accept(epoch, &revision, &stored, &[], &[]).await.unwrap();
    let control = restart::control(&service.shared).await.unwrap();
    service.shared.world.write().control = control;
    let mut definitions = service.definitions().await;
    assert_eq!(view(&service), (1, 1));
    let plan = service.shared.take_plan().unwrap();
    assert!(plan.holds("shop/one") && plan.holds("shop/one.300ms") && !plan.holds("shop/one-more"));
    assert!(service.shared.definitions.read().problems.iter().any(|problem| problem.error));

    service.accept(Duration::ZERO).await;
    service.settle(&mut definitions).await;
    assert_eq!(view(&service), (1, 0));
    assert!(!service.shared.take_plan().unwrap().holds("shop/one"));
}

#[tokio::test]
async fn policies_outlive_a_restart_whatever_their_slos_do_meanwhile() {
    let service = Service::start().await;
    service.slo("one", "99.9");
    std::fs::write(service.file("policy"), testing::policy("web", "one")).unwrap();
    let policies = |definitions: &Definitions| {
        let of = |(key, accepted): (&String, &Accepted)| (key.clone(), accepted.policies.len());
        definitions.catalogue.0.iter().map(of).filter(|(_, n)| *n > 0).collect::<Vec<_>>()
    };
    let in_force = vec![("ScalePolicy web".to_owned(), 1)];
    let definitions = service.definitions().await;
    assert_eq!((policies(&definitions), view(&service)), (in_force.clone(), (1, 0)));
    assert!(service.shared.definitions.read().problems.is_empty());

    // The SLO's file is broken beyond recognition, or names another SLO: the policy is as it was.
    let broken = "kind: [".to_owned();
    for text in [broken, testing::slo("other")] {
        std::fs::write(service.file("one"), text).unwrap();
        let definitions = service.definitions().await;
        assert_eq!(policies(&definitions), in_force);
        assert!(service.shared.definitions.read().problems.iter().any(|problem| problem.error));
        assert!(service.shared.definitions.read().waiting_for_accept.is_empty());
    }
    service.remove("policy");
    assert!(policies(&service.definitions().await).is_empty());
    let stored = service.shared.store.documents().await.unwrap();
    assert!(stored.iter().all(|document| !document.doc_id.starts_with("ScalePolicy")));
}
