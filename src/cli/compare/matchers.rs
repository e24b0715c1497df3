//! Label matchers as Prometheus and Alertmanager write them: `severity=~"page|critical",team="shop"`.

use promql_parser::label;
use promql_parser::parser::Expr;

use crate::slo::model::Labels;
use crate::slo::promql;
use crate::slo::time::Ts;

/// Matchers that all must hold.
#[derive(Clone, Debug)]
pub(super) struct Matchers {
    all: Vec<label::Matcher>,
    /// As they are written within braces.
    pub(super) text: String,
}

impl Matchers {
    /// From `a="b",c=~"d"`, braces allowed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim();
        let bare = bare.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(bare).trim();
        let wrong =
            |why: String| format!("`{text}` are no matchers: {why}; write them like severity=\"page\"");
        if bare.is_empty() {
            return Err(wrong("there are none".into()));
        }
        match promql::parse(&format!("ALERTS{{{bare}}}")) {
            Ok(Expr::VectorSelector(selector))
                if selector.matchers.or_matchers.is_empty()
                    && selector.offset.is_none()
                    && selector.at.is_none() =>
            {
                Ok(Self { all: selector.matchers.matchers, text: bare.to_owned() })
            }
            Ok(_) => Err(wrong("there is more than matchers".into())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Whether all hold. A label that is not there is as good as an empty one.
    pub(super) fn hold(&self, labels: &Labels) -> bool {
        self.all.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name).map_or("", String::as_str)))
    }
}

/// A time in which Alertmanager told nobody of some alerts.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// Of which.
    pub(super) matchers: Matchers,
    /// Its begin.
    pub(super) from: Ts,
    /// Its end.
    pub(super) to: Ts,
}

impl Silence {
    /// Whether it is about an alert with these labels.
    pub(super) fn is_about(&self, labels: &Labels) -> bool {
        self.matchers.hold(labels)
    }
}

/// One matcher of Alertmanager's API, written as Prometheus does.
pub(super) fn written(name: &str, value: &str, is_regex: bool, is_equal: bool) -> String {
    let op = match (is_equal, is_regex) {
        (true, false) => "=",
        (false, false) => "!=",
        (true, true) => "=~",
        (false, true) => "!~",
    };
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}{op}\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::compare::episode::tests::labels;

    #[test]
    fn matchers_hold_as_those_of_prometheus_do() {
        let alert = labels(&[("severity", "page"), ("team", "shop")]);
        let hold = |text: &str| Matchers::parse(text).unwrap().hold(&alert);
        assert!(hold(r#"severity=~"page|critical""#) && hold(r#"{team="shop", severity!="x"}"#));
        assert!(!hold(r#"severity=~"pag""#), "anchored");
        assert!(hold(r#"zone="""#) && !hold(r#"zone!="""#));
        let wrong = ["", "{}", "severity", "a=\"b\"} or up{c=\"d\"", "a=\"b\"}[5m"];
        assert!(wrong.iter().all(|text| Matchers::parse(text).is_err()));
        let odd = written("path", "a\\d\"\n", false, true);
        assert!(Matchers::parse(&odd).unwrap().hold(&labels(&[("path", "a\\d\"\n")])), "{odd}");
    }
}
