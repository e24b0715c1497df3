//! A source that had nothing to say, taken for one that says that there is nothing.

use super::*;

const NOTHING: SlotState = SlotState::Absent;

fn events(n: i64) -> SlotState {
    SlotState::Known(vec![fact("a", n, Trust::Counted)])
}

/// A total, and its bad events beside it.
fn two() -> Ledger {
    let mut ledger = Ledger::default();
    let total = Keep { beside: vec![SeriesIx(1)], ..keep("all_total", 28) };
    let bad = Keep { follows: vec![SeriesIx(0)], ..keep("bad_total", 28) };
    ledger.adopt(vec![total, bad]);
    ledger
}

/// Slots in one answer, from the slot of this number on.
fn say(ledger: &mut Ledger, series: u32, first: i64, states: Vec<SlotState>) {
    let slots = (first..).zip(states).map(|(n, state)| SlotFact { end: Ts(n * S), state }).collect();
    ledger.apply(&Facts { series: SeriesIx(series), tier: Tier::Fine, slots });
}

/// The numbers of slots that are asked.
fn asked(ledger: &Ledger, series: u32, until: i64) -> Vec<i64> {
    let series = ledger.series(SeriesIx(series)).unwrap();
    (1..=until).filter(|n| !series.settled().contains(Ts(n * S))).collect()
}

/// A tick's answer to the newest three slots.
fn tick(ledger: &mut Ledger, newest: i64, state: &SlotState) {
    for series in [0, 1] {
        say(ledger, series, newest - 2, vec![state.clone(); 3]);
    }
}

fn total(ledger: &Ledger, until: i64) -> Events {
    ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap().sum(Ts(0), Ts(until * S))
}

/// Asks what is asked, of a source that knows ten events of each slot from `since` on, until nothing is.
fn ask_all(ledger: &mut Ledger, since: i64, until: i64) -> usize {
    let mut questions = 0;
    while let (Some(first), Some(last)) =
        (asked(ledger, 0, until).first().copied(), asked(ledger, 0, until).last().copied())
    {
        for series in [0, 1] {
            let states = (first..=last).map(|n| if n >= since { events(10) } else { NOTHING });
            say(ledger, series, first, states.collect());
        }
        questions += 1;
        assert!(questions < 20, "it ends");
    }
    questions
}

#[test]
fn a_source_that_had_nothing_to_say_for_an_hour_is_asked_again_for_all_of_it() {
    let mut ledger = two();
    (3..=100).for_each(|n| tick(&mut ledger, n, &events(10)));
    (101..=220).for_each(|n| tick(&mut ledger, n.max(103), &NOTHING));
    assert_eq!(total(&ledger, 220), Events::whole(1000));
    assert_eq!(asked(&ledger, 0, 220), [0i64; 0], "while it says nothing it is believed");
    tick(&mut ledger, 221, &events(10));
    assert_eq!(
        asked(&ledger, 0, 221),
        (199..=218).collect::<Vec<_>>(),
        "the lookback before two that turned"
    );
    assert_eq!(asked(&ledger, 1, 221), asked(&ledger, 0, 221), "its errors, too");
    let questions = ask_all(&mut ledger, 1, 221);
    assert!(questions <= 4, "{questions}");
    assert_eq!(total(&ledger, 221), Events::whole(2210));
}

#[test]
fn what_was_in_doubt_is_a_gap_for_the_next_process() {
    let mut ledger = two();
    (3..=100).for_each(|n| tick(&mut ledger, n, &events(10)));
    (103..=220).for_each(|n| tick(&mut ledger, n, &NOTHING));
    tick(&mut ledger, 221, &events(10));
    let image = SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes();
    let mut after = two();
    assert!(after.restore(SeriesImage::from_bytes(&image).unwrap()).unwrap());
    assert_eq!(asked(&after, 0, 221), asked(&ledger, 0, 221));
    ask_all(&mut after, 1, 221);
    assert_eq!(total(&after, 221), Events::whole(2210));
}

#[test]
fn series_that_were_away_cost_one_small_question_at_most() {
    let mut ledger = two();
    (3..=100).for_each(|n| tick(&mut ledger, n, &events(10)));
    (103..=220).for_each(|n| tick(&mut ledger, n, &NOTHING));
    // They come back: the slots before are absent still, as far as a difference may reach.
    say(&mut ledger, 0, 219, vec![NOTHING, NOTHING, events(10)]);
    assert_eq!(asked(&ledger, 0, 221), (201..=220).collect::<Vec<_>>());
    assert_eq!(ask_all(&mut ledger, 221, 221), 1);
    assert_eq!(total(&ledger, 221), Events::whole(1010));
    // The first sample was scraped late.
    let mut late = ledger.clone();
    say(&mut late, 0, 219, vec![NOTHING, events(10), events(10)]);
    assert_eq!(asked(&late, 0, 221), (200..=219).collect::<Vec<_>>());
    assert_eq!(ask_all(&mut late, 220, 221), 1);
    assert_eq!(total(&late, 221), Events::whole(1020));
}

#[test]
fn what_comes_and_goes_all_the_time_costs_a_question_in_a_lookback() {
    let mut ledger = two();
    let (mut questions, minutes) = (0, 60);
    for n in 1..=2 * minutes {
        say(&mut ledger, 0, n, vec![if n % 4 == 0 { events(10) } else { NOTHING }]);
        questions += ask_as_told(&mut ledger, n);
    }
    assert!((1..=minutes / 10).contains(&questions), "{questions} in an hour");
    assert_eq!(total(&ledger, 120), Events::whole(300));
}

/// Asks what is asked, of a source that says what it said before; how often.
fn ask_as_told(ledger: &mut Ledger, until: i64) -> i64 {
    let slots = asked(ledger, 0, until);
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return 0 };
    let states = (*first..=*last).map(|n| if n % 4 == 0 { events(10) } else { NOTHING });
    say(ledger, 0, *first, states.collect());
    1
}

#[test]
fn errors_that_are_born_late_bring_no_question() {
    let mut ledger = two();
    for n in 3..=50 {
        say(&mut ledger, 0, n - 2, vec![events(10); 3]);
        say(&mut ledger, 1, n - 2, vec![NOTHING; 3]);
    }
    say(&mut ledger, 1, 49, vec![events(3); 3]);
    assert_eq!((asked(&ledger, 0, 50), asked(&ledger, 1, 50)), (vec![], vec![]));
}

#[test]
fn what_never_was_is_forgotten_and_errors_that_never_were_only_with_their_total() {
    let mut never = two();
    (3..=20).for_each(|newest| tick(&mut never, newest, &NOTHING));
    assert_eq!(never.forget_unborn("another"), 0);
    assert!(asked(&never, 0, 20).is_empty());
    assert_eq!(never.forget_unborn("local"), 2);
    assert_eq!(asked(&never, 0, 20).len(), 20);
    // A service without errors stays known: its alerts would be blind until all is asked again.
    let mut well = two();
    for newest in 3..=20 {
        say(&mut well, 0, newest, vec![events(10)]);
        say(&mut well, 1, newest, vec![NOTHING]);
    }
    assert_eq!((well.forget_unborn("local"), asked(&well, 1, 20)), (0, vec![1, 2]));
}
