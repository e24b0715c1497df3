//! The ways to misbehave, and what Damper is to say of each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::damper::Damper;
use crate::support::proxy::{Proxy, Spoil};
use crate::support::tls::Tls;
use crate::support::workload::Workload;

/// Two gigabytes.
const FLOOD: u64 = 2 << 30;
const HOUR: i64 = 3600;

/// Severities of `SourceBlind`, and alerts of each of its SLOs.
pub type Said = (&'static [&'static str], &'static [&'static str]);
const NOTHING: Said = (&[], &[]);
const BLIND: Said = (&["ticket"], &[]);

/// How a source misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// Connections are refused.
    Refused,
    /// Connections hang.
    Stopped,
    /// Requests are taken and not answered.
    Hangs,
    /// HTTP 500.
    Fails,
    /// HTTP 422, which blames the query.
    Refuses,
    /// An answer begins and does not go on.
    HalfBody,
    /// A byte a second.
    Drips,
    /// A login page.
    Garbage,
    /// Two gigabytes.
    Flood,
    /// Numbers where Prometheus writes strings.
    Types,
    /// Each series twice.
    Twice,
    /// Nothing exists, as behind a wrong tenant.
    Empty,
    /// Its clock is an hour ahead, by its date and its samples.
    Ahead,
    /// And an hour behind.
    Behind,
    /// Of two servers at its address one has a clock that is an hour ahead.
    Clocks,
    /// Its certificate expired.
    Certificate,
    /// Of two servers at its address one is dead.
    Pair,
    /// Warnings that stores did not answer.
    Thanos,
    /// `isPartial`.
    Victoria,
    /// The tenant is not accepted any more.
    Mimir,
}

impl Bad {
    pub const ALL: [Self; 20] = [
        Self::Refused,
        Self::Stopped,
        Self::Hangs,
        Self::Fails,
        Self::Refuses,
        Self::HalfBody,
        Self::Drips,
        Self::Garbage,
        Self::Flood,
        Self::Types,
        Self::Twice,
        Self::Empty,
        Self::Ahead,
        Self::Behind,
        Self::Clocks,
        Self::Certificate,
        Self::Pair,
        Self::Thanos,
        Self::Victoria,
        Self::Mimir,
    ];
}

/// One source, and what acts by its word.
pub struct Row {
    pub name: &'static str,
    pub workload: Workload,
    bad: Bad,
    misbehaves: bool,
    proxy: Proxy,
    tls: Option<Tls>,
}

impl Row {
    /// In front of this Prometheus; well until [`Self::misbehave`].
    pub fn new(bad: Bad, upstream: &str) -> Self {
        let proxy = Proxy::start(upstream);
        let tls = (bad == Bad::Certificate).then(|| Tls::start(&proxy.url()));
        if bad == Bad::Mimir {
            proxy.require("X-Scope-OrgID", "shop");
        }
        Self { name: name(bad), workload: Workload::start(3), bad, misbehaves: false, proxy, tls }
    }

    /// Its entry among the sources.
    pub fn source(&self, damper: &Damper) -> String {
        let url = self.tls.as_ref().map_or_else(|| self.proxy.url(), Tls::url);
        let more = match self.bad {
            Bad::Certificate => {
                let pem = self.tls.as_ref().map(Tls::authority).unwrap_or_default();
                std::fs::write(damper.path("ca.pem"), pem).unwrap();
                ", tls: {ca: ca.pem}"
            }
            Bad::Thanos => ", kind: thanos, params: {partial_response: \"false\"}",
            Bad::Victoria => ", kind: victoriametrics",
            Bad::Mimir => ", kind: mimir, headers: {X-Scope-OrgID: shop}",
            _ => "",
        };
        format!("  - {{name: {}, url: \"{url}\"{more}}}\n", self.name)
    }

    /// Its workload among the actuators.
    pub fn actuator(&self) -> String {
        format!("    - {{name: {}, webhook: {{url: \"{}\"}}}}\n", self.name, self.workload.url())
    }

    /// Adds replicas where what is late burns.
    pub fn policy(&self) -> String {
        let name = self.name;
        format!(
            "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {name}}}\nspec:\n  \
             slos: [shop/late-{name}]\n  target: {{actuator: {name}, name: shop}}\n  mode: auto\n  \
             replicas: {{min: 2, max: 6}}\n  up:\n    - {{burnRate: 2.0, add: 1, cooldown: 30s}}\n  \
             down: {{burnRate: 0.8, remove: 1, calm: 15s, cooldown: 15s}}\n  \
             windows: {{short: 10s, long: 20s}}\n  settle: 5s\n  saturation: none\n"
        )
    }

    /// Begins to misbehave.
    pub async fn misbehave(&mut self) {
        self.misbehaves = true;
        let say = |status, text: &str| Spoil::Say(status, text.to_owned());
        let refusal = r#"{"status":"error","errorType":"execution","error":"no"}"#;
        let spoil = match self.bad {
            Bad::Refused => return self.proxy.down(),
            Bad::Stopped => return self.proxy.stall().await,
            Bad::Ahead => return self.proxy.clock(HOUR),
            Bad::Behind => return self.proxy.clock(-HOUR),
            Bad::Clocks => return self.proxy.clock_of_some(HOUR),
            Bad::Pair => return self.proxy.spoil_some(say(502, "Bad Gateway")),
            Bad::Certificate => return self.tls.iter().for_each(Tls::expire),
            Bad::Mimir => return self.proxy.require("X-Scope-OrgID", "another"),
            Bad::Hangs => Spoil::Hang,
            Bad::Fails => say(500, "out of order"),
            Bad::Refuses => say(422, refusal),
            Bad::HalfBody => Spoil::Cut,
            Bad::Drips => Spoil::Drip,
            Bad::Garbage => say(200, "<html>a login page</html>"),
            Bad::Flood => Spoil::Flood(FLOOD),
            Bad::Types => Spoil::Change(of_numbers),
            Bad::Twice => Spoil::Change(twice),
            Bad::Empty => Spoil::Change(nothing),
            Bad::Thanos => Spoil::Change(with_warnings),
            Bad::Victoria => Spoil::Change(in_part),
        };
        self.proxy.spoil("", spoil);
    }

    /// All is well again.
    pub fn behave(&mut self) {
        self.misbehaves = false;
        self.proxy.up();
        self.proxy.heal();
        self.tls.iter().for_each(Tls::renew);
        if self.bad == Bad::Mimir {
            self.proxy.require("X-Scope-OrgID", "shop");
        }
    }

    /// Whether nothing can be known from it at present.
    pub fn is_blinding(&self) -> bool {
        self.misbehaves && !matches!(self.bad, Bad::Pair | Bad::Clocks)
    }

    /// Whether what it says blames the queries.
    pub fn is_blamed(&self) -> bool {
        matches!(self.bad, Bad::Refuses | Bad::Flood)
    }

    /// Whether it has not been made well again.
    pub fn misbehaves(&self) -> bool {
        self.misbehaves
    }

    /// Whether `SourceBlind` must be told of it after a minute.
    pub fn must_blind(&self) -> bool {
        self.says(Duration::from_mins(1)) == [BLIND]
    }

    /// What its answers are taken for, as an outcome of questions. Whether a flood is too much or too
    /// slow is for the machine to say.
    pub fn is_taken_for(&self) -> &'static [&'static str] {
        match self.bad {
            Bad::Refused | Bad::Certificate => &["unreachable"],
            Bad::Stopped | Bad::Hangs | Bad::HalfBody | Bad::Drips => &["timeout"],
            Bad::Fails | Bad::Mimir => &["server_error"],
            Bad::Refuses => &["query_error"],
            Bad::Flood => &["too_large", "timeout"],
            Bad::Garbage | Bad::Types | Bad::Twice => &["garbage"],
            Bad::Empty | Bad::Pair | Bad::Clocks => &["ok"],
            Bad::Ahead | Bad::Behind => &["clock"],
            Bad::Thanos | Bad::Victoria => &["partial"],
        }
    }

    /// What may be said of it by the end of so long a time. A flood that lasts is now too much and now
    /// too slow: anything.
    pub fn says(&self, outage: Duration) -> Vec<Said> {
        let minutes = outage.as_secs() / 60;
        // The query is blamed: the source answers.
        let blamed: Said = if minutes >= 7 { (&[], &["SLOUnknown"]) } else { NOTHING };
        let blind: Said = if minutes >= 11 { (&["ticket", "page"], &[]) } else { BLIND };
        match self.bad {
            Bad::Flood if minutes >= 2 => vec![],
            Bad::Flood => vec![blamed, blind],
            Bad::Refuses => vec![blamed],
            Bad::Pair | Bad::Clocks => vec![NOTHING],
            Bad::Empty => vec![if minutes >= 11 { (&[], &["SLOAbsent"]) } else { NOTHING }],
            _ => vec![blind],
        }
    }
}

fn name(bad: Bad) -> &'static str {
    match bad {
        Bad::Refused => "refused",
        Bad::Stopped => "stopped",
        Bad::Hangs => "hangs",
        Bad::Fails => "fails",
        Bad::Refuses => "refuses",
        Bad::HalfBody => "half",
        Bad::Drips => "drips",
        Bad::Garbage => "garbage",
        Bad::Flood => "flood",
        Bad::Types => "types",
        Bad::Twice => "twice",
        Bad::Empty => "empty",
        Bad::Ahead => "ahead",
        Bad::Behind => "behind",
        Bad::Clocks => "clocks",
        Bad::Certificate => "certificate",
        Bad::Pair => "pair",
        Bad::Thanos => "thanos",
        Bad::Victoria => "victoria",
        Bad::Mimir => "mimir",
    }
}

fn results(answer: &mut Value) -> &mut Vec<Value> {
    answer["data"]["result"].as_array_mut().expect("an answer of Prometheus")
}

/// What a healthy source says besides: about expressions.
pub fn with_notes(answer: &mut Value) {
    answer["warnings"] = json!(["PromQL warning: told by the test"]);
    answer["infos"] = json!(["PromQL info: and this", "metric might not be a counter"]);
}

fn with_warnings(answer: &mut Value) {
    answer["warnings"] = json!(["No StoreAPIs matched for this query", "PromQL warning: harmless"]);
}

fn in_part(answer: &mut Value) {
    answer["isPartial"] = json!(true);
}

fn nothing(answer: &mut Value) {
    if answer["data"]["result"].is_array() {
        results(answer).clear();
    }
}

fn twice(answer: &mut Value) {
    if answer["data"]["result"].is_array() {
        let again = results(answer).clone();
        results(answer).extend(again);
    }
}

fn of_numbers(answer: &mut Value) {
    fn number(value: &mut Value) {
        match value {
            Value::Array(list) if list.len() == 2 && list[1].is_string() => list[1] = json!(1),
            Value::Array(list) => list.iter_mut().for_each(number),
            Value::Object(fields) => fields.values_mut().for_each(number),
            _ => {}
        }
    }
    number(&mut answer["data"]["result"]);
}
