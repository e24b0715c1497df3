//! The ledger that ticks and backfill fill over random processes with random hazards, two at once among
//! them, against an observer who sees every sample of every process.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::model::{Model, Stream};
use super::*;
use crate::engine::fact::What;
use crate::engine::ledger::{Keep, Ledger};
use crate::engine::testing;

pub(super) const S: i64 = 30;
/// A moment on every grid, and how long processes are watched.
pub(super) const NOON: i64 = 43_200;
pub(super) const END: i64 = NOON + 6000;

/// What happens to a process at one of its scrapes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hazard {
    /// It begins again at zero.
    Restart,
    /// Its series bear another label from now on.
    Relabel,
    /// Both at once.
    Deploy,
    /// So many scrapes fail, while it counts on.
    Miss(i64),
    /// So many scrapes arrive with the one after them.
    Late(i64),
    /// It falls by one and stands still, as after a switch of replicas.
    Dip,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    /// First scrape, distance of scrapes, and events between two.
    first: i64,
    every: i64,
    rate: i64,
    /// What it had counted before anybody scraped it.
    life: i64,
    hazards: Vec<(i64, Hazard)>,
}

#[derive(Clone, Copy, Debug)]
struct Scrape {
    at: i64,
    arrives: i64,
    value: i64,
    /// When its process began, and under which label it is.
    began: i64,
    env: i64,
}

impl Process {
    fn scrapes(&self) -> Vec<Scrape> {
        let (mut value, mut env) = (self.life, 0);
        let mut began = if self.life > 0 { 0 } else { self.first - 1 };
        let (mut missed, mut late, mut named) = (0, 0, self.first);
        let mut scrapes = Vec::new();
        for n in 0..(END - self.first) / self.every {
            let at = self.first + n * self.every;
            value += self.rate * (n % 3);
            for (_, hazard) in self.hazards.iter().filter(|(scrape, _)| *scrape == n) {
                // New labels twice in one slot, or in that of the first scrape, are not told from a life.
                let relabels = matches!(hazard, Hazard::Relabel | Hazard::Deploy);
                if relabels && slot(std::mem::replace(&mut named, at)) == slot(at) {
                    continue;
                }
                match hazard {
                    Hazard::Restart | Hazard::Deploy => (value, began) = (self.rate, at - 1),
                    Hazard::Dip if value > 100 => value -= 1 + self.rate * (n % 3),
                    // Not one right after the other, which would be a longer one.
                    Hazard::Miss(scrapes) if at > missed => missed = at + scrapes * self.every,
                    Hazard::Late(scrapes) => late = at + scrapes * self.every,
                    Hazard::Relabel | Hazard::Dip | Hazard::Miss(_) => {}
                }
                env += i64::from(relabels);
            }
            if at >= missed {
                scrapes.push(Scrape { at, arrives: at.max(late), value, began, env });
            }
        }
        scrapes
    }

    /// What its samples say that it did, by the end of the slot.
    fn truth(&self, slots: &mut BTreeMap<i64, i64>) {
        let mut before: Option<Scrape> = None;
        for scrape in self.scrapes() {
            let events = match before {
                None if self.life > 0 => 0,
                Some(before) if before.began == scrape.began => (scrape.value - before.value).max(0),
                _ => scrape.value,
            };
            *slots.entry(slot(scrape.at)).or_default() += events;
            before = Some(scrape);
        }
    }
}

/// What of it can be told from the newest value of each slot, and between which two scrapes: a process
/// that began again while it was not scraped, and has come about as far since, looks like one that ran on.
fn visible(process: &Process) -> Vec<(i64, i64, i64)> {
    let mut scrapes = process.scrapes();
    scrapes.reverse();
    scrapes.dedup_by_key(|scrape| slot(scrape.at));
    scrapes.reverse();
    let first = scrapes.first().filter(|_| process.life == 0);
    let first = first.map(|scrape| (scrape.at - 1, scrape.at, scrape.value));
    let since = scrapes.windows(2).map(|pair| {
        let events = match (pair[0].value, pair[1].value) {
            (before, now) if now >= before => now - before,
            (before, now) if 8 * now >= 7 * before => 0,
            (_, now) => now,
        };
        (pair[0].at, pair[1].at, events)
    });
    first.into_iter().chain(since).collect()
}

/// The end of the slot.
fn slot(at: i64) -> i64 {
    (at + S - 1).div_euclid(S) * S
}

/// All that a source will ever have: each stream with when its samples arrive.
pub(super) struct Everything {
    series: Vec<(Stream, Vec<i64>)>,
    targets: Vec<(&'static str, Stream, Vec<i64>)>,
}

impl Everything {
    pub(super) fn of(processes: &[Process]) -> Self {
        let mut all = Self { series: Vec::new(), targets: Vec::new() };
        for (pod, process) in processes.iter().enumerate() {
            let target = labels(&[("job", "web"), ("instance", &format!("pod-{pod}"))]);
            let scrapes = process.scrapes();
            let arrive: Vec<i64> = scrapes.iter().map(|scrape| scrape.arrives).collect();
            for own in scrapes.chunk_by(|a, b| a.env == b.env) {
                let mut labels = target.clone();
                labels.insert("env".to_owned(), own[0].env.to_string());
                let samples = own.iter().map(|scrape| (scrape.at, scrape.value as f64)).collect();
                let arrive = own.iter().map(|scrape| scrape.arrives).collect();
                all.series.push((Stream { labels, samples, ended: None }, arrive));
            }
            let of = |value: fn(&Scrape) -> f64| {
                let samples = scrapes.iter().map(|scrape| (scrape.at, value(scrape))).collect();
                Stream { labels: target.clone(), samples, ended: None }
            };
            all.targets.push(("up", of(|_| 1.0), arrive.clone()));
            all.targets.push(("start", of(|scrape| scrape.began as f64), arrive));
        }
        all
    }

    /// What is there by now.
    pub(super) fn at(&self, now: i64) -> Model {
        let arrived = |stream: &Stream, arrive: &[i64]| {
            let both = stream.samples.iter().zip(arrive).filter(|(_, arrives)| **arrives <= now);
            Stream { samples: both.map(|(sample, _)| *sample).collect(), ..stream.clone() }
        };
        let streams = self.series.iter().map(|(stream, arrive)| arrived(stream, arrive)).collect();
        let mut model = Model { streams, ..Model::default() };
        for (name, stream, arrive) in &self.targets {
            model.targets.entry(name).or_default().push(arrived(stream, arrive));
        }
        model
    }
}

/// A way to begin to ask.
type Begin = fn(&Arc<QueryGroup>, Tier, Ts, Ts) -> (Collect, Vec<Ask>);

/// What comes of asking about the slots after `from` up to `to`, in one of the ways to begin.
pub(super) fn asked(
    begin: Begin,
    ledger: &Ledger,
    group: &Arc<QueryGroup>,
    model: &Model,
    (from, to): (i64, i64),
) -> Vec<Facts> {
    let (mut collect, mut asks) = begin(group, Tier::Fine, Ts(from), Ts(to));
    while let Some(ask) = asks.pop() {
        let past = |ix: SeriesIx, labels: &Labels, end: Ts| ledger.past(ix, labels, Tier::Fine, end);
        asks.extend(collect.answer(ask.id, model.answer(group, &ask), &past));
    }
    collect.finish()
}

/// A tick: tells the slots anew.
pub(super) fn tick(ledger: &mut Ledger, group: &Arc<QueryGroup>, model: &Model, range: (i64, i64)) {
    for facts in asked(Collect::begin, ledger, group, model, range) {
        ledger.apply(&facts);
    }
}

/// A piece of history: tells what is not known.
pub(super) fn fill(ledger: &mut Ledger, group: &Arc<QueryGroup>, model: &Model, range: (i64, i64)) {
    for facts in asked(Collect::fill, ledger, group, model, range) {
        ledger.fill(&facts);
    }
}

/// A ledger of one series that keeps so many groups apart.
pub(super) fn ledger(limit: usize) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(vec![Keep { limit, ..testing::keep(What::Atom(testing::atom("x")), &[]) }]);
    ledger
}

/// The ledger after all ticks, and backfill after each; while the source says nothing at all of
/// anything, as behind a gateway that lost its stores, it is asked all the same.
fn booked(processes: &[Process], says_nothing: (i64, i64)) -> Ledger {
    let mut ledger = ledger(1);
    run_on(&mut ledger, &Arc::new(group()), processes, says_nothing, |_, _, _| ());
    ledger
}

/// The same with a group, and something else after each tick.
pub(super) fn run_on(
    ledger: &mut Ledger,
    group: &Arc<QueryGroup>,
    processes: &[Process],
    says_nothing: (i64, i64),
    mut then: impl FnMut(&mut Ledger, &Model, i64),
) {
    let all = Everything::of(processes);
    for now in ((NOON + S)..=END + 900).step_by(30) {
        let silent = says_nothing.0 < now && now <= says_nothing.1;
        let model = if silent { Model::default() } else { all.at(now) };
        tick(ledger, group, &model, (now - 3 * S, now));
        let settled = ledger.series(SeriesIx(0)).unwrap().settled().into_owned();
        let gaps = settled.outside(Ts(NOON), Ts(now - 3 * S));
        for (from, to) in gaps.within(Ts(NOON), Ts(now)) {
            fill(ledger, group, &model, (from, to));
        }
        then(ledger, &model, now);
    }
}

/// What is booked of all groups up to a moment.
pub(super) fn booked_until(ledger: &Ledger, until: i64) -> Events {
    let groups = ledger.series(SeriesIx(0)).unwrap().groups();
    groups.iter().map(|group| group.sum(Ts(0), Ts(until))).fold(Events::ZERO, Events::plus)
}

pub(super) fn sum(ledger: &Ledger) -> i64 {
    booked_until(ledger, END + 3600).thousandths() / 1000
}

/// The same without the slots that are said not to be known.
fn sum_of_known(ledger: &Ledger) -> i64 {
    let groups = ledger.series(SeriesIx(0)).unwrap().groups();
    let unsure = groups.iter().map(|group| {
        let pieces = group.unsure_pieces(Ts(0), Ts(END + 3600));
        let within: Vec<_> = pieces.within(Ts(0), Ts(END + 3600)).collect();
        within.iter().map(|(from, to)| group.sum(Ts(*from), Ts(*to)).thousandths() / 1000).sum::<i64>()
    });
    sum(ledger) - unsure.sum::<i64>()
}

/// Whether a slot between two scrapes, or one beside them, is said not to be known.
fn is_unsure(ledger: &Ledger, from: i64, to: i64) -> bool {
    let groups = ledger.series(SeriesIx(0)).unwrap().groups();
    groups.iter().any(|group| group.unsure(Ts(slot(from) - 2 * S), Ts(slot(to) + S)) > 0)
}

pub(super) fn process(
    hazards: impl Strategy<Value = Hazard>,
    lives: &'static [i64],
) -> impl Strategy<Value = Process> {
    let hazards = prop::collection::vec((1i64..180, hazards), 0..5);
    let every = prop::sample::select(vec![10i64, 15, 30]);
    (0i64..900, every, 0i64..12, prop::sample::select(lives), hazards).prop_map(
        |(first, every, rate, life, hazards)| Process { first: NOON + first, every, rate, life, hazards },
    )
}

pub(super) fn hazard() -> impl Strategy<Value = Hazard> {
    prop_oneof![
        Just(Hazard::Restart),
        Just(Hazard::Relabel),
        Just(Hazard::Deploy),
        (1i64..70).prop_map(Hazard::Miss),
        (1i64..40).prop_map(Hazard::Late),
        Just(Hazard::Dip),
    ]
}

fn harmless() -> impl Strategy<Value = Hazard> {
    prop_oneof![Just(Hazard::Restart), (1i64..14).prop_map(Hazard::Miss)]
}

/// A process that is not seen for so many scrapes from the nth on.
pub(super) fn away(nth: i64, scrapes: i64) -> Process {
    let hazards = Vec::from_iter((scrapes > 0).then_some((nth, Hazard::Miss(scrapes))));
    Process { first: NOON + 15, every: S, rate: 30, life: 0, hazards }
}

/// As when a zone is cut off from Prometheus alone: its targets come back one slot after the other, after
/// more slots than rulings are kept of.
#[test]
fn what_comes_back_second_takes_nothing_from_what_came_back_first() {
    let away = |scrapes| away(5, scrapes);
    for stays in [&[][..], &[away(0)]] {
        let whole = sum(&booked(&[&[away(0), away(0)], stays].concat(), (0, 0)));
        for later in [0, 1, 2, 3] {
            let ledger = booked(&[&[away(140), away(140 + later)], stays].concat(), (0, 0));
            assert_eq!(sum(&ledger), whole, "the other one {later} slots later, {} stays", stays.len());
        }
    }
}

/// The ruling on the first return is forgotten when the second one spreads, and the third one asks for its
/// slot once more.
#[test]
fn a_return_is_not_spread_again_by_those_after_it() {
    let away = |scrapes| away(3, scrapes);
    let whole = sum(&booked(&[away(0), away(0), away(0), away(0)], (0, 0)));
    let ledger = booked(&[away(0), away(25), away(160), away(162)], (0, 0));
    assert_eq!(sum(&ledger), whole);
}

/// The source says nothing for 24 minutes, and when it speaks again the target is not scraped, long enough
/// for its series to be absent: they are there again half a minute later.
#[test]
fn what_stopped_by_the_time_the_source_spoke_again_is_found_when_it_goes_on() {
    let process =
        Process { first: NOON + 751, every: 30, rate: 1, life: 0, hazards: vec![(53, Hazard::Miss(12))] };
    let whole = sum(&booked(std::slice::from_ref(&process), (0, 0)));
    let silent = (NOON + 1269, NOON + 2670);
    assert_eq!(sum(&booked(&[process], silent)), whole);
}

/// A tick asks a moment after the slot: of twelve targets the last one's scrape is still on its way.
#[test]
fn a_life_that_comes_into_a_slot_after_its_ruling_is_not_booked() {
    let target = |hazards: &[Hazard]| Process {
        first: NOON + 15,
        every: S,
        rate: 20,
        life: 1_000_000,
        hazards: hazards.iter().map(|hazard| (20, *hazard)).collect(),
    };
    for late in [&[][..], &[Hazard::Late(1)]] {
        let mut all = vec![target(&[Hazard::Relabel]); 11];
        all.push(target(&[&[Hazard::Relabel], late].concat()));
        let mut truth = BTreeMap::new();
        all.iter().for_each(|process| process.truth(&mut truth));
        let ledger = booked(&all, (0, 0));
        assert_eq!(sum(&ledger), truth.values().sum::<i64>(), "{late:?}");
        assert!(!is_unsure(&ledger, NOON + 300, NOON + 900), "{late:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// What only looks newborn may be booked where it is small beside what is usual, once for each time
    /// that something happens: never a life.
    #[test]
    fn whatever_happens_no_life_is_booked(
        processes in prop::collection::vec(process(hazard(), &[0, 1_000_000]), 1..4),
        silent in (0i64..3000, 0i64..1500),
    ) {
        let mut truth = BTreeMap::new();
        processes.iter().for_each(|process| process.truth(&mut truth));
        let (largest, all) = (truth.values().copied().max().unwrap_or(0), truth.values().sum::<i64>());
        let times: usize = processes.iter().map(|process| 1 + process.hazards.len()).sum();
        let spare = (100.max(3 * largest)) * i64::try_from(times).unwrap();
        let silent = (NOON + silent.0, NOON + silent.0 + silent.1);
        let booked = sum(&booked(&processes, silent));
        prop_assert!(booked <= all + spare, "{} booked, {} happened, {} to spare", booked, all, spare);
    }

    /// What can be known is known: all of it, but for what lies where it is said not to be.
    #[test]
    fn restarts_short_gaps_and_a_source_that_says_nothing_lose_and_invent_nothing(
        processes in prop::collection::vec(process(harmless(), &[0]), 1..4),
        silent in (0i64..1500, 0i64..1500),
    ) {
        let mut truth = BTreeMap::new();
        processes.iter().for_each(|process| process.truth(&mut truth));
        let all: i64 = truth.values().sum();
        let begins = NOON + 900 + silent.0;
        let ledger = booked(&processes, (begins, (begins + silent.1).min(END - 300)));
        let booked = sum(&ledger);
        prop_assert!(booked <= all, "{} booked, {} happened", booked, all);
        let visible: Vec<_> = processes.iter().flat_map(visible).collect();
        // Of the first slot of all, only differences count.
        let first = visible.iter().map(|(_, to, _)| slot(*to)).min().unwrap_or(0);
        let known = visible.iter().filter(|(from, to, _)| slot(*to) > first && !is_unsure(&ledger, *from, *to));
        let known: i64 = known.map(|(.., events)| events).sum();
        let booked = sum_of_known(&ledger);
        prop_assert!(booked >= known, "{} booked, {} known to be seen", booked, known);
    }
}
