//! Messages that are sent from memory, and what became of them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::notice::{Event, Notice};
use crate::service::deliver::LATE_MS;
use crate::slo::model::Severity;

/// One message to one receiver. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Message {
    /// What it says.
    pub notice: Notice,
    /// The id of the message this one stands in for.
    pub fallback_of: Option<String>,
    /// When it was decided.
    pub at: i64,
    /// When the receiver took it.
    pub taken_at: Option<i64>,
    /// Whether an attempt is under way.
    pub under_way: bool,
    attempts: i64,
    next_at: i64,
    /// Whether it was noted, so that a death between sending and noting does not forget it.
    noted: bool,
    /// Whether the store has it: then the outbox goes on with it.
    stored: bool,
}

/// All of them.
#[derive(Clone, Default, Debug)]
pub(super) struct Messages {
    /// By id.
    all: BTreeMap<String, Message>,
    /// What the outbox sends at the moment.
    by_outbox: BTreeSet<String>,
}

impl Messages {
    /// Adds a message that is to be noted before it is sent; whether it is new.
    pub(super) fn owe(&mut self, notice: Notice, fallback_of: Option<String>, at: i64) -> bool {
        self.add(notice, fallback_of, at, false)
    }

    /// Takes over a message that the store has, which needs no noting; whether it is new.
    pub(super) fn take_over(&mut self, notice: Notice, at: i64) -> bool {
        self.add(notice, None, at, true)
    }

    fn add(&mut self, notice: Notice, fallback_of: Option<String>, at: i64, noted: bool) -> bool {
        let id = notice.id.clone();
        if self.all.contains_key(&id) {
            return false;
        }
        let message = Message {
            notice,
            fallback_of,
            at,
            taken_at: None,
            under_way: false,
            attempts: 0,
            next_at: at,
            noted,
            stored: false,
        };
        self.all.insert(id, message);
        true
    }

    /// All that are there may be sent.
    pub(super) fn noted(&mut self) {
        self.all.values_mut().for_each(|message| message.noted = true);
    }

    /// What is to be sent to a receiver now, the oldest first; each counts as under way. A late page of
    /// an incident that `is_over` is told by its end.
    pub(super) fn due(
        &mut self,
        receiver: &str,
        now: i64,
        most: usize,
        is_over: impl Fn(&str) -> bool,
    ) -> Vec<Notice> {
        let is_told_by_its_end =
            |m: &Message| now.saturating_sub(m.at) >= LATE_MS && is_over(&m.notice.incident);
        let is_due = |m: &&mut Message| {
            let rests = m.under_way || m.next_at > now || self.by_outbox.contains(&m.notice.id);
            m.notice.receiver == receiver && m.waits() && !rests && !is_told_by_its_end(m)
        };
        let mut due: Vec<&mut Message> = self.all.values_mut().filter(is_due).collect();
        due.sort_by_key(|message| message.at);
        due.truncate(most);
        due.into_iter()
            .map(|message| {
                message.under_way = true;
                message.notice.clone()
            })
            .collect()
    }

    /// What waits for a receiver, sent or not.
    pub(super) fn waiting(&self, receiver: &str) -> impl Iterator<Item = &Message> {
        self.all.values().filter(move |m| m.notice.receiver == receiver && m.waits())
    }

    /// Whether anything waits for anybody.
    pub(super) fn any_waits(&self) -> bool {
        self.all.values().any(Message::waits)
    }

    /// The receiver has it. Whether that is to be noted.
    pub(super) fn taken(&mut self, id: &str, at: i64) -> bool {
        let Some(message) = self.all.get_mut(id) else { return false };
        message.under_way = false;
        message.taken_at.get_or_insert(at);
        !message.stored
    }

    /// An attempt failed: how often that was, for the time of the next one.
    pub(super) fn failed(&mut self, id: &str, next_at: impl FnOnce(i64) -> i64) {
        let Some(message) = self.all.get_mut(id) else { return };
        if message.stored {
            self.all.remove(id);
            return;
        }
        message.under_way = false;
        message.next_at = next_at(message.attempts);
        message.attempts += 1;
    }

    /// Pages to a receiver that it has not taken since before a moment, of incidents that are not over,
    /// and of which `fallback` is not told yet.
    pub(super) fn overdue(
        &self,
        receiver: &str,
        fallback: &str,
        before: i64,
        is_over: impl Fn(&str) -> bool,
    ) -> Vec<Notice> {
        let is_late = |m: &&Message| {
            let is_page = m.notice.event == Event::Firing && m.notice.alert.severity == Severity::Page;
            let own = Notice::id_of(&m.notice.incident, m.notice.event, fallback);
            let waits = is_page && m.fallback_of.is_none() && m.at <= before;
            waits && !is_over(&m.notice.incident) && !self.all.contains_key(&own)
        };
        self.waiting(receiver).filter(is_late).map(|message| message.notice.clone()).collect()
    }

    /// All that the store is to have.
    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.all.values().filter(|message| !message.stored)
    }

    /// The store has all of them. Those under way are remembered until it is known what became of them.
    pub(super) fn stored(&mut self) {
        self.all.retain(|_, message| message.under_way || (message.stored && message.taken_at.is_some()));
        self.all.values_mut().for_each(|message| message.stored = true);
    }

    /// Whether a receiver took it from memory, which the store may not know.
    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.all.get(id).is_some_and(|message| message.taken_at.is_some())
    }

    /// The store knows that it was taken.
    pub(super) fn forget(&mut self, id: &str) {
        if self.all.get(id).is_some_and(|message| message.stored) {
            self.all.remove(id);
        }
    }

    /// The outbox is about to send a message; `false` while that is on its way from here.
    pub(super) fn outbox_begins(&mut self, id: &str) -> bool {
        let is_free = !self.all.get(id).is_some_and(|message| message.under_way);
        if is_free {
            self.by_outbox.insert(id.to_owned());
        }
        is_free
    }

    /// What the outbox sent has arrived or failed.
    pub(super) fn outbox_ended(&mut self, id: &str) {
        self.by_outbox.remove(id);
    }
}

impl Message {
    fn waits(&self) -> bool {
        self.taken_at.is_none() && self.noted && !self.stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{notice, page};

    const MINUTE: i64 = 60_000;

    fn owed(notices: Vec<Notice>) -> Messages {
        let mut messages = Messages::default();
        for notice in notices {
            messages.owe(notice, None, 0);
        }
        messages
    }

    fn goes_on(_: &str) -> bool {
        false
    }

    fn ids(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.id.as_str()).collect()
    }

    #[test]
    fn nothing_is_sent_before_it_is_noted_nor_twice_at_once_nor_after_it_was_taken() {
        let mut messages = owed(vec![page("main", Event::Firing)]);
        assert_eq!(ids(&messages.due("main", 1, 9, goes_on)), [""; 0]);
        messages.noted();
        assert_eq!(ids(&messages.due("main", 1, 9, goes_on)), ["p-firing-main"]);
        assert_eq!(ids(&messages.due("main", 1, 9, goes_on)), [""; 0], "it is under way");
        messages.failed("p-firing-main", |attempts| {
            assert_eq!(attempts, 0);
            5
        });
        assert_eq!(ids(&messages.due("main", 4, 9, goes_on)), [""; 0], "it rests");
        assert_eq!(ids(&messages.due("main", 5, 9, goes_on)), ["p-firing-main"]);
        assert!(messages.taken("p-firing-main", 7));
        assert_eq!(ids(&messages.due("main", i64::MAX, 9, goes_on)), [""; 0]);
        assert!(!messages.owe(page("main", Event::Firing), None, 9), "owed once");
        assert!(!messages.any_waits());
    }

    #[test]
    fn only_a_page_that_waits_too_long_is_overdue_and_only_once() {
        let ticket = notice("main", "t", Severity::Ticket, Event::Firing);
        let mut messages = owed(vec![page("main", Event::Firing), ticket]);
        messages.noted();
        assert_eq!(ids(&messages.overdue("main", "other", -1, goes_on)), [""; 0]);
        let overdue = messages.overdue("main", "other", MINUTE, goes_on);
        assert_eq!(ids(&overdue), ["p-firing-main"]);
        messages.owe(page("other", Event::Firing), Some(overdue[0].id.clone()), MINUTE);
        assert_eq!(ids(&messages.overdue("main", "other", MINUTE, goes_on)), [""; 0]);
        messages.noted();
        assert_eq!(ids(&messages.overdue("other", "main", MINUTE, goes_on)), [""; 0], "a stand-in has none");
    }

    #[test]
    fn a_late_page_of_what_is_over_is_not_sent_and_no_fallback_is_told_of_it() {
        let mut messages = Messages::default();
        assert!(messages.take_over(page("main", Event::Firing), 0));
        let is_over = |incident: &str| incident == "p";
        assert_eq!(ids(&messages.overdue("main", "other", MINUTE, is_over)), [""; 0]);
        assert_eq!(ids(&messages.due("main", LATE_MS, 9, is_over)), [""; 0]);
        assert_eq!(ids(&messages.due("main", LATE_MS - 1, 9, is_over)), ["p-firing-main"], "it is news");
        messages.failed("p-firing-main", |_| 0);
        assert_eq!(ids(&messages.due("main", LATE_MS, 9, goes_on)), ["p-firing-main"], "it fires again");
    }

    #[test]
    fn one_under_way_while_it_is_stored_is_remembered_until_the_store_knows_that_it_was_taken() {
        for taken in [true, false] {
            let mut messages = owed(vec![page("main", Event::Firing), page("other", Event::Firing)]);
            messages.noted();
            messages.due("main", 1, 1, goes_on);
            messages.stored();
            assert_eq!(messages.all().count(), 0, "nothing is to be stored any more");
            if taken {
                assert!(!messages.taken("p-firing-main", 2), "nothing to note: the store has it");
                assert!(messages.is_taken("p-firing-main"));
                messages.forget("p-firing-main");
            } else {
                messages.failed("p-firing-main", |_| 0);
            }
            assert_eq!(messages.all.len(), 0);
        }
    }

    #[test]
    fn what_the_outbox_sends_is_not_sent_from_here_and_the_other_way_round() {
        let mut messages = owed(vec![page("main", Event::Firing)]);
        messages.noted();
        let id = "p-firing-main";
        assert!(messages.outbox_begins(id));
        assert_eq!(ids(&messages.due("main", 1, 9, goes_on)), [""; 0]);
        messages.outbox_ended(id);
        assert_eq!(ids(&messages.due("main", 1, 9, goes_on)), [id]);
        assert!(!messages.outbox_begins(id));
        // Whether the store has it by now or not.
        messages.stored();
        assert!(!messages.outbox_begins(id));
        messages.failed(id, |_| 0);
        assert!(messages.outbox_begins(id));
    }
}
