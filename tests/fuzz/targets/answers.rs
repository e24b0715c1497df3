//! Answers of a source: decoded, counted, booked.
//!
//! The first byte says which query group is asked and how; what follows are bodies, each for one
//! question, the last one for all that are still asked.

use damper::doors;
use damper::engine::fact::{Facts, SlotState, Tier, Trust};
use damper::engine::plan::{Form, QueryGroup};
use damper::engine::sample::{Answer, Frame, Query, Reading};
use damper::engine::step::Control;
use damper::slo::unit::Events;

use super::parts;
use super::plans::{NOW, asks};
use super::world::{PLAN, begun, is_sound};

/// Questions of one group at most; Damper's own follow-ups end by themselves.
const MOST_ASKED: usize = 200;

pub fn run(data: &[u8]) {
    let Some((how, bodies)) = data.split_first() else { return };
    let how = usize::from(*how);
    let bodies: Vec<&[u8]> = parts(bodies).collect();
    let group = &PLAN.groups[how % PLAN.groups.len()];
    let tier = if how & 0x80 == 0 { Tier::Fine } else { Tier::FiveMinutes };
    let mut ledger = begun();
    let (mut collect, mut left) = asks(group, tier);
    let (mut asked, mut bound) = (0, 0.0);
    while let Some(ask) = left.pop() {
        let body = bodies.get(asked).or(bodies.last()).copied().unwrap_or_default();
        let answer = decoded(body, &ask.query);
        bound += all_of(&answer);
        let past = |series, labels: &_, end| ledger.past(series, labels, tier, end);
        left.extend(collect.answer(ask.id, answer, &past));
        asked += 1;
        assert!(asked < MOST_ASKED, "no end of questions");
    }
    assert!(collect.is_done());
    let facts = collect.finish();
    for facts in &facts {
        is_counted(facts, group, bound);
        ledger.apply(facts);
    }
    is_sound(&ledger, &mut Control::default());
    others(group, bodies.first().copied().unwrap_or_default());
}

/// What else is read from a source.
fn others(group: &QueryGroup, body: &[u8]) {
    for direct in &PLAN.direct {
        let reading = direct.read(&decoded(body, &direct.query(NOW)));
        assert!(!format!("{reading:?}").contains("NaN"), "{reading:?}");
    }
    for alive in &PLAN.alive_groups {
        let _ = alive.read(&decoded(body, &alive.query(NOW)));
    }
    if let Some(query) = group.interval_query(NOW) {
        let _ = group.read_interval(&decoded(body, &query));
        for code in [422, 503] {
            let answer = doors::answer(code, body, &query);
            assert!(matches!(answer, Answer::Failed(_)), "believed in spite of its code");
        }
    }
}

fn decoded(body: &[u8], query: &Query) -> Answer {
    let answer = doors::answer(200, body, query);
    is_on_grid(&answer, query);
    if let Answer::Failed(failure) = &answer {
        assert!(!failure.message.is_empty() && failure.message.len() < 16_384, "{failure:?}");
    }
    answer
}

/// A point is one of those that were asked for, and comes once.
fn is_on_grid(answer: &Answer, query: &Query) {
    let Answer::Frames { frames, .. } = answer else { return };
    for Frame { points, labels } in frames {
        let whole = |at: i64| (at - query.start.0) % query.every.secs() == 0;
        let asked = points.iter().all(|(at, _)| *at >= query.start && *at <= query.end && whole(at.0));
        assert!(asked && points.windows(2).all(|two| two[0].0 < two[1].0), "{labels:?}: {points:?}");
    }
}

/// All that an answer holds, whatever its sign.
fn all_of(answer: &Answer) -> f64 {
    let Answer::Frames { frames, .. } = answer else { return 0.0 };
    let value = |reading: &Reading| match reading {
        Reading::Value(value) => value.get().abs(),
        Reading::NotANumber => 0.0,
    };
    frames.iter().flat_map(|frame| &frame.points).map(|(_, reading)| value(reading)).sum()
}

/// Nothing is counted that no answer holds, and what is withheld is not more than there was.
fn is_counted(facts: &Facts, group: &QueryGroup, bound: f64) {
    let verdicts = matches!(group.form, Form::Timeslice { .. } | Form::Direct { .. });
    let most = if verdicts { f64::from(u16::MAX) } else { 2.0 * bound + 1.0 };
    assert!(facts.slots.windows(2).all(|two| two[0].end < two[1].end), "{facts:?}");
    for slot in &facts.slots {
        assert!(slot.end <= NOW && slot.end.0 > NOW.0 - 86_400, "{slot:?}");
        let SlotState::Known(groups) = &slot.state else { continue };
        assert!(!groups.is_empty(), "known, and no group");
        for fact in groups {
            let booked = fact.raw.minus(fact.withheld).as_f64().abs();
            assert!(booked <= most, "{booked} of {bound}: {fact:?}");
            let says_nothing = fact.raw == Events::ZERO;
            assert!(fact.trust != Trust::Stale || !verdicts || says_nothing, "{fact:?}");
        }
    }
}
