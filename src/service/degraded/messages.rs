//! Messages that are sent from memory, and what became of them. Pure.

use std::collections::BTreeMap;

use crate::engine::notice::{Event, Notice};
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

/// All of them, by id.
#[derive(Clone, Default, Debug)]
pub(super) struct Messages(BTreeMap<String, Message>);

impl Messages {
    /// Adds a message that is to be noted before it is sent; whether it is new.
    pub(super) fn owe(&mut self, notice: Notice, fallback_of: Option<String>, at: i64) -> bool {
        let id = notice.id.clone();
        if self.0.contains_key(&id) {
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
            noted: false,
            stored: false,
        };
        self.0.insert(id, message);
        true
    }

    /// All that are there may be sent.
    pub(super) fn noted(&mut self) {
        self.0.values_mut().for_each(|message| message.noted = true);
    }

    /// What is to be sent to a receiver now, the oldest first; each counts as under way.
    pub(super) fn due(&mut self, receiver: &str, now: i64, most: usize) -> Vec<Notice> {
        let mut due: Vec<&mut Message> =
            self.waiting_mut(receiver).filter(|m| !m.under_way && m.next_at <= now).collect();
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
        self.0.values().filter(move |m| m.notice.receiver == receiver && m.waits())
    }

    /// Whether anything waits for anybody.
    pub(super) fn any_waits(&self) -> bool {
        self.0.values().any(Message::waits)
    }

    /// The receiver has it. Whether that is to be noted.
    pub(super) fn taken(&mut self, id: &str, at: i64) -> bool {
        let Some(message) = self.0.get_mut(id) else { return false };
        message.under_way = false;
        message.taken_at.get_or_insert(at);
        !message.stored
    }

    /// An attempt failed: how often that was, for the time of the next one.
    pub(super) fn failed(&mut self, id: &str, next_at: impl FnOnce(i64) -> i64) {
        let Some(message) = self.0.get_mut(id) else { return };
        if message.stored {
            self.0.remove(id);
            return;
        }
        message.under_way = false;
        message.next_at = next_at(message.attempts);
        message.attempts += 1;
    }

    /// Pages to a receiver that it has not taken since before a moment, and of which `fallback` is not
    /// told yet.
    pub(super) fn overdue(&self, receiver: &str, fallback: &str, before: i64) -> Vec<Notice> {
        let is_late = |m: &&Message| {
            let is_page = m.notice.event == Event::Firing && m.notice.alert.severity == Severity::Page;
            let own = Notice::id_of(&m.notice.incident, m.notice.event, fallback);
            is_page && m.fallback_of.is_none() && m.at <= before && !self.0.contains_key(&own)
        };
        self.waiting(receiver).filter(is_late).map(|message| message.notice.clone()).collect()
    }

    /// All that the store is to have.
    pub(super) fn all(&self) -> impl Iterator<Item = &Message> {
        self.0.values().filter(|message| !message.stored)
    }

    /// The store has all of them. Those under way are remembered until it is known what became of them.
    pub(super) fn stored(&mut self) {
        self.0.retain(|_, message| message.under_way || (message.stored && message.taken_at.is_some()));
        self.0.values_mut().for_each(|message| message.stored = true);
    }

    /// Whether a receiver took it from memory, which the store may not know.
    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.0.get(id).is_some_and(|message| message.taken_at.is_some())
    }

    /// The store knows that it was taken.
    pub(super) fn forget(&mut self, id: &str) {
        if self.0.get(id).is_some_and(|message| message.stored) {
            self.0.remove(id);
        }
    }

    fn waiting_mut(&mut self, receiver: &str) -> impl Iterator<Item = &mut Message> {
        self.0.values_mut().filter(move |m| m.notice.receiver == receiver && m.waits())
    }
}

impl Message {
    fn waits(&self) -> bool {
        self.taken_at.is_none() && self.noted && !self.stored
    }
}
