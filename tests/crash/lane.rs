//! One Damper that is killed at one point after the other, while services fail and recover.

use std::collections::BTreeMap;
use std::time::Duration;

use damper::failpoint::Place;
use rustix::process::Signal;

use super::LIMIT;
use super::points::{Point, Story};
use crate::support::damper::Damper;
use crate::support::proxy::{Proxy, Spoil};
use crate::support::random::Random;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait_until;

/// Never fails; definitions about it come and change.
pub const QUIET: &str = "quiet";
/// Before a page is owed to the fallback.
const FALLBACK_AFTER: &str = "5s";

/// Who is told.
pub enum Told {
    /// A webhook, and the fallback of it.
    Webhooks(Box<Receiver>, Box<Receiver>),
    /// An Alertmanager behind a proxy.
    Alertmanager(Proxy),
}

pub struct Lane {
    pub damper: Damper,
    pub told: Told,
    /// How often it was killed where.
    pub runs: BTreeMap<Point, u32>,
    /// Definitions written so far.
    edits: u32,
}

impl Lane {
    /// Not started yet.
    pub fn new(shop: &Shop, services: &[&str], told: Told, store: Option<&str>) -> Self {
        let receivers = match &told {
            Told::Webhooks(main, other) => format!(
                "receivers:\n  - {{name: oncall, webhook: {{url: '{}', timeout: 2s}}}}\n\
                 \x20 - {{name: other, webhook: {{url: '{}', timeout: 2s}}}}\n\
                 route: {{receiver: oncall, fallback: other, fallbackAfter: {FALLBACK_AFTER}}}\n",
                main.url(),
                other.url()
            ),
            Told::Alertmanager(proxy) => {
                format!(
                    "receivers: [{{name: am, alertmanager: {{urls: ['{}'], resend: 5s}}}}]\n",
                    proxy.url()
                )
            }
        };
        let store = store.map_or_else(String::new, |store| format!("store: '{store}'\n"));
        let mut damper = Damper::new(&format!("{}{receivers}{store}", shop.settings()));
        for service in services {
            damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
        }
        damper.mortal();
        Self { damper, told, runs: BTreeMap::new(), edits: 0 }
    }

    /// Kills at each of the points so many times, in any order.
    pub async fn walk(&mut self, points: &[Point], rounds: usize, random: &mut Random) {
        for _ in 0..rounds {
            let mut left = points.to_vec();
            while !left.is_empty() {
                let at = usize::try_from(random.between(0, i64::try_from(left.len()).unwrap())).unwrap();
                let point = left.swap_remove(at);
                self.die(point).await;
                *self.runs.entry(point).or_default() += 1;
            }
        }
    }

    async fn die(&mut self, point: Point) {
        let name = point.name();
        match point.story {
            Story::Start => self.damper.kill(),
            // Before it is up a signal ends it without further ado.
            Story::Stop => self.lives().await,
            _ => {}
        }
        self.damper.arm(&name, 1);
        match point.story {
            Story::Wait => {}
            Story::Refuse => self.refuse(true),
            Story::Edit => self.edit(),
            Story::New => self.invent(),
            Story::Start => self.damper.spawn(),
            Story::Stop => self.damper.process().signal(Signal::TERM),
        }
        self.damper.died(LIMIT, &name).await;
        self.refuse(false);
        self.damper.spawn();
        self.knows(point).await;
        self.judges().await;
    }

    /// Waits for one tick of the new process. What begins and ends while no process lives for so long is
    /// not told as a page, and the services fail for less long than two deaths in a row may take.
    async fn judges(&self) {
        self.damper.ticked(LIMIT, 1).await;
    }

    /// An Alertmanager learns the present state and nothing of what began and ended while it was told
    /// nothing: it is told something again before the next one dies.
    async fn knows(&self, point: Point) {
        let Told::Alertmanager(proxy) = &self.told else { return };
        if point.story == Story::Refuse || point.place == Place::Send {
            proxy.forget();
            let told =
                async || proxy.questions().iter().any(|one| one.path.ends_with("/alerts")).then_some(());
            wait_until(LIMIT, "the Alertmanager to be told", told).await;
        }
    }

    /// Waits until it answers.
    async fn lives(&self) {
        let up = |_: &serde_json::Value| Some(());
        self.damper.wait_for(Duration::from_secs(60), "/api/v1/status", "Damper to answer", up).await;
    }

    fn refuse(&mut self, refuses: bool) {
        match &mut self.told {
            Told::Webhooks(main, _) => {
                main.behave(if refuses { Behaviour::Fail(500, None) } else { Behaviour::Accept });
            }
            Told::Alertmanager(proxy) if refuses => proxy.spoil("", Spoil::Say(500, String::new())),
            Told::Alertmanager(proxy) => proxy.heal(),
        }
    }

    fn edit(&mut self) {
        self.edits += 1;
        let slo =
            Shop::slo(QUIET).replace("objective: 99", &format!("objective: 99.{}", self.edits % 90 + 1));
        self.damper.definition("edited.yaml", &slo.replace("{name: availability}", "{name: edited}"));
    }

    /// A new SLO with series of its own.
    fn invent(&mut self) {
        self.edits += 1;
        let name = format!("new{}", self.edits);
        let slo = Shop::slo(QUIET).replace("{name: availability}", &format!("{{name: {name}}}"));
        let slo = slo.replace("code=\"500\"", &format!("code=~\"500|{name}\""));
        self.damper.definition(&format!("{name}.yaml"), &slo);
    }
}
