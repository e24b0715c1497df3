//! Label selectors as objects hold them, and as queries are asked with.

use serde::Deserialize;

use super::object::Labels;

#[derive(Clone, Deserialize, Debug, Default, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Selector {
    pub(super) match_labels: Labels,
    match_expressions: Vec<Expression>,
}

#[derive(Clone, Deserialize, Debug, Default, PartialEq)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    values: Vec<String>,
}

impl Selector {
    pub(super) fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether an object with these labels is selected; an operator that is not known selects, since
    /// what selectors are read for here only ever forbids.
    pub(super) fn selects(&self, labels: &Labels) -> bool {
        let equal = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        equal && self.match_expressions.iter().all(|expression| expression.holds(labels))
    }

    /// As `labelSelector` has it in a query.
    pub(super) fn to_query(&self) -> String {
        let equal = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let others = self.match_expressions.iter().filter_map(Expression::to_query);
        equal.chain(others).collect::<Vec<_>>().join(",")
    }
}

impl Expression {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let is_one = value.is_some_and(|value| self.values.contains(value));
        match self.operator.as_str() {
            "In" => is_one,
            "NotIn" => !is_one,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => true,
        }
    }

    fn to_query(&self) -> Option<String> {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator.as_str() {
            "In" => Some(format!("{key} in ({values})")),
            "NotIn" => Some(format!("{key} notin ({values})")),
            "Exists" => Some(key.clone()),
            "DoesNotExist" => Some(format!("!{key}")),
            _ => None,
        }
    }
}

/// The labels that a selector written as text demands to be equal: `app=checkout,tier!=db`.
pub(super) fn equalities(text: &str) -> Labels {
    let parts = text.split(',').filter(|part| !part.contains("!=") && !part.contains(['(', ')']));
    let pairs = parts.filter_map(|part| part.split_once("==").or_else(|| part.split_once('=')));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_operator_means_what_kubernetes_says() {
        let selector: Selector = serde_json::from_value(serde_json::json!({
            "matchLabels": {"app": "checkout"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["web", "api"]},
                {"key": "track", "operator": "NotIn", "values": ["canary"]},
                {"key": "team", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }))
        .unwrap();
        let fits = labels(&[("app", "checkout"), ("tier", "web"), ("team", "a")]);
        assert!(selector.selects(&fits));
        for (key, value) in [("app", "x"), ("tier", "db"), ("track", "canary"), ("old", "")] {
            let mut other = fits.clone();
            other.insert(key.into(), value.into());
            assert!(!selector.selects(&other), "{key}={value}");
        }
        let mut without = fits;
        without.remove("team");
        assert!(!selector.selects(&without));
        assert_eq!(selector.to_query(), "app=checkout,tier in (web,api),track notin (canary),team,!old");
    }

    #[test]
    fn equalities_are_read_from_a_text() {
        let expected = labels(&[("app", "checkout"), ("tier", "web")]);
        assert_eq!(equalities("app=checkout, tier==web,track!=canary,team,zone in (a,b)"), expected);
        assert!(equalities("").is_empty());
    }
}
