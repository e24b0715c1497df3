//! Which SLO an alert of theirs is about.

use std::collections::BTreeSet;

use super::matchers::Matchers;
use crate::slo::model::Labels;

/// Labels that name a service and an SLO: Sloth's, the plain ones, Pyrra's (whose service is its
/// namespace).
const PAIRS: [(&str, &str); 3] = [("sloth_service", "sloth_slo"), ("service", "slo"), ("namespace", "slo")];

/// How alerts are assigned.
#[derive(Debug, Default)]
pub(super) struct Belongs {
    /// Our SLOs.
    pub(super) slos: BTreeSet<String>,
    /// By hand; the first that holds counts, before everything else.
    pub(super) by_hand: Vec<(String, Matchers)>,
    /// Further labels that name a service and an SLO.
    pub(super) pairs: Vec<(String, String)>,
}

impl Belongs {
    /// The SLO of an alert, if it says one of ours.
    pub(super) fn slo_of(&self, labels: &Labels) -> Option<String> {
        if let Some((slo, _)) = self.by_hand.iter().find(|(_, matchers)| matchers.hold(labels)) {
            return Some(slo.clone());
        }
        let own = self.pairs.iter().map(|(service, slo)| (service.as_str(), slo.as_str()));
        own.chain(PAIRS)
            .find_map(|(service, slo)| self.known(&format!("{}/{}", labels.get(service)?, labels.get(slo)?)))
            .or_else(|| self.known(labels.get("slo")?))
            // What names another service is about that one's.
            .or_else(|| self.only_one(labels.get("slo").filter(|_| !labels.contains_key("service"))?))
    }

    /// Names of Damper are in lower case, without underscores.
    fn known(&self, id: &str) -> Option<String> {
        let ours = id.to_lowercase().replace('_', "-");
        [id, &ours].into_iter().find(|id| self.slos.contains(*id)).map(str::to_owned)
    }

    /// By its name alone, where one service only has an SLO of that name.
    fn only_one(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase().replace('_', "-");
        let mut all = self.slos.iter().filter(|id| id.split_once('/').is_some_and(|(_, own)| own == name));
        match (all.next(), all.next()) {
            (Some(one), None) => Some(one.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::compare::episode::tests::labels;

    #[test]
    fn labels_of_sloth_pyrra_and_hand_name_the_slo() {
        let slos = ["pay/availability", "pay/latency", "cart/availability"].map(str::to_owned);
        let by_hand = vec![("pay/latency".to_owned(), Matchers::parse(r#"alertname=~"PaySlow.*""#).unwrap())];
        let pairs = vec![("app".to_owned(), "objective".to_owned())];
        let belongs = Belongs { slos: slos.into(), by_hand, pairs };
        for (pairs, slo) in [
            (
                &[("sloth_service", "pay"), ("sloth_slo", "availability"), ("service", "x")][..],
                "pay/availability",
            ),
            (&[("service", "Pay"), ("slo", "LATENCY")], "pay/latency"),
            (&[("namespace", "cart"), ("slo", "availability")], "cart/availability"),
            (&[("namespace", "monitoring"), ("slo", "latency")], "pay/latency"),
            (&[("slo", "pay/availability")], "pay/availability"),
            (&[("app", "cart"), ("objective", "availability")], "cart/availability"),
            (&[("alertname", "PaySlowly"), ("service", "cart"), ("slo", "availability")], "pay/latency"),
        ] {
            assert_eq!(belongs.slo_of(&labels(pairs)).as_deref(), Some(slo), "{pairs:?}");
        }
        let elsewhere = &[("service", "mail"), ("slo", "latency")];
        for nobody in
            [elsewhere, &[("alertname", "NodeDown")][..], &[("slo", "availability")], &[("service", "pay")]]
        {
            assert_eq!(belongs.slo_of(&labels(nobody)), None, "{nobody:?}");
        }
    }
}
