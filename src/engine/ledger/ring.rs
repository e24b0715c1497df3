//! One tier of event counts: a ring of slots on a fixed grid, as narrow as its values allow.

use std::ops::Range;

use crate::slo::unit::Events;

/// Slots on a grid of `unit` seconds; slot `i` is the time `((i−1)·unit, i·unit]`, so that a
/// slot is named by its end. Slots never told are zero; what they are worth, coverage says.
#[derive(Clone, Debug)]
pub struct Ring {
    unit: i64,
    /// Newest slot held; meaningless while nothing was told.
    newest: i64,
    /// Where the newest slot lies.
    head: usize,
    values: Packed,
    len: usize,
}

/// Counter differences are nearly always whole and small, so most rings need two bytes a slot.
#[derive(Clone, Debug)]
enum Packed {
    Whole16(Box<[i16]>),
    Whole32(Box<[i32]>),
    Thousandths(Box<[i64]>),
}

impl Ring {
    /// An empty ring of `len` slots (at least 1) of `unit` seconds (at least 1).
    pub fn new(unit: i64, len: usize) -> Self {
        let len = len.max(1);
        Self {
            unit: unit.max(1),
            newest: i64::MIN,
            head: 0,
            values: Packed::Whole16(vec![0; len].into()),
            len,
        }
    }

    /// Seconds a slot spans.
    pub fn unit(&self) -> i64 {
        self.unit
    }

    /// The newest slot told and the oldest one still held, or `None` while nothing was told.
    pub fn held(&self) -> Option<(i64, i64)> {
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        (self.newest != i64::MIN).then(|| (self.newest.saturating_sub(len - 1), self.newest))
    }

    /// The value of a slot; zero when it is not held.
    pub fn get(&self, slot: i64) -> Events {
        match self.held() {
            Some((oldest, newest)) if slot >= oldest && slot <= newest => self.values.get(self.at(slot)),
            _ => Events::ZERO,
        }
    }

    /// Puts a value; gives back the old one, or `None` when the slot is too old to be held.
    pub fn set(&mut self, slot: i64, value: Events) -> Option<Events> {
        self.advance(slot);
        let (oldest, _) = self.held()?;
        if slot < oldest {
            return None;
        }
        let at = self.at(slot);
        let old = self.values.get(at);
        if old != value {
            self.values.widen_for(value);
            self.values.put(at, value);
        }
        Some(old)
    }

    /// Adds to a slot; nothing when it is too old to be held.
    pub fn add(&mut self, slot: i64, delta: Events) {
        if delta != Events::ZERO || self.held().is_none_or(|(_, newest)| slot > newest) {
            let value = self.get(slot).plus(delta);
            self.set(slot, value);
        }
    }

    /// Takes over every slot of another ring of the same unit.
    pub fn copy(&mut self, other: &Self) {
        let Some((oldest, newest)) = other.held() else { return };
        self.advance(newest);
        for slot in oldest..=newest {
            let value = other.get(slot);
            if value != Events::ZERO {
                self.set(slot, value);
            }
        }
    }

    /// Forgets the slots up to this one.
    pub fn forget(&mut self, upto: i64) {
        let Some((oldest, newest)) = self.held() else { return };
        for slot in oldest..=upto.min(newest) {
            self.set(slot, Events::ZERO);
        }
    }

    /// Sum of the slots `from..=to` that are held.
    pub fn sum(&self, from: i64, to: i64) -> Events {
        let Some((oldest, newest)) = self.held() else { return Events::ZERO };
        let (from, to) = (from.max(oldest), to.min(newest));
        if from > to {
            return Events::ZERO;
        }
        let (a, b) = (self.at(from), self.at(to));
        if a <= b {
            return self.values.sum(a, b + 1);
        }
        self.values.sum(a, self.len).plus(self.values.sum(0, b + 1))
    }

    /// The oldest of the slots `from..=to` that is held and not zero.
    pub fn first(&self, from: i64, to: i64) -> Option<i64> {
        let (oldest, newest) = self.held()?;
        (from.max(oldest)..=to.min(newest)).find(|slot| self.get(*slot) != Events::ZERO)
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        match &self.values {
            Packed::Whole16(v) => size_of_val(&**v),
            Packed::Whole32(v) => size_of_val(&**v),
            Packed::Thousandths(v) => size_of_val(&**v),
        }
    }

    /// Makes `slot` the newest if it is newer, clearing what the ring wraps over.
    fn advance(&mut self, slot: i64) {
        if self.newest == i64::MIN {
            self.newest = slot;
            return;
        }
        let steps = slot.saturating_sub(self.newest);
        if steps <= 0 {
            return;
        }
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        let clear = steps.min(self.len);
        self.newest = slot;
        self.head = (self.head + steps % self.len) % self.len;
        // What lies up to the head, and what wraps round to the end.
        let upto = self.head + 1;
        self.values.clear(upto.saturating_sub(clear)..upto);
        self.values.clear(self.len - clear.saturating_sub(upto)..self.len);
    }

    /// Where a held slot lies. Windows ask this all the time: no division.
    fn at(&self, slot: i64) -> usize {
        let back = usize::try_from(self.newest.saturating_sub(slot)).unwrap_or(0);
        if back <= self.head { self.head - back } else { (self.head + self.len).saturating_sub(back) }
    }
}

impl Packed {
    /// Forgets a range of slots.
    fn clear(&mut self, range: Range<usize>) {
        match self {
            Self::Whole16(v) => zero(v, range),
            Self::Whole32(v) => zero(v, range),
            Self::Thousandths(v) => zero(v, range),
        }
    }

    fn get(&self, at: usize) -> Events {
        match self {
            Self::Whole16(v) => Events::whole(v.get(at).copied().map_or(0, i64::from)),
            Self::Whole32(v) => Events::whole(v.get(at).copied().map_or(0, i64::from)),
            Self::Thousandths(v) => Events::from_thousandths(v.get(at).copied().unwrap_or(0)),
        }
    }

    /// Puts a value the present width can hold; see [`Self::widen_for`].
    fn put(&mut self, at: usize, value: Events) {
        match self {
            Self::Whole16(v) => {
                if let (Some(cell), Ok(n)) = (v.get_mut(at), i16::try_from(value.thousandths() / 1000)) {
                    *cell = n;
                }
            }
            Self::Whole32(v) => {
                if let (Some(cell), Ok(n)) = (v.get_mut(at), i32::try_from(value.thousandths() / 1000)) {
                    *cell = n;
                }
            }
            Self::Thousandths(v) => {
                if let Some(cell) = v.get_mut(at) {
                    *cell = value.thousandths();
                }
            }
        }
    }

    fn widen_for(&mut self, value: Events) {
        let whole = value.thousandths() % 1000 == 0;
        let events = value.thousandths() / 1000;
        let fits = match self {
            Self::Whole16(_) => whole && i16::try_from(events).is_ok(),
            Self::Whole32(_) => whole && i32::try_from(events).is_ok(),
            Self::Thousandths(_) => true,
        };
        if fits {
            return;
        }
        *self = match self {
            Self::Whole16(v) if whole && i32::try_from(events).is_ok() => {
                Self::Whole32(v.iter().map(|n| i32::from(*n)).collect())
            }
            Self::Whole16(v) => Self::Thousandths(v.iter().map(|n| i64::from(*n) * 1000).collect()),
            Self::Whole32(v) => Self::Thousandths(v.iter().map(|n| i64::from(*n) * 1000).collect()),
            Self::Thousandths(_) => return,
        };
    }

    fn sum(&self, from: usize, to: usize) -> Events {
        match self {
            Self::Whole16(v) => {
                let values = v.get(from..to).unwrap_or_default();
                Events::whole(values.chunks(32_768).map(|part| i64::from(sum16(part))).sum())
            }
            Self::Whole32(v) => {
                Events::whole(v.get(from..to).unwrap_or_default().iter().map(|n| i64::from(*n)).sum())
            }
            Self::Thousandths(v) => v
                .get(from..to)
                .unwrap_or_default()
                .iter()
                .fold(Events::ZERO, |sum, n| sum.plus(Events::from_thousandths(*n))),
        }
    }
}

/// At most 32,768 values: their sum fits.
fn sum16(values: &[i16]) -> i32 {
    values.iter().map(|n| i32::from(*n)).sum()
}

fn zero<T: Copy + Default>(values: &mut [T], range: Range<usize>) {
    if let Some(slots) = values.get_mut(range) {
        slots.fill(T::default());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Events> {
        prop_oneof![
            8 => (-50i64..40_000).prop_map(Events::whole),
            1 => (0i64..5_000_000_000).prop_map(Events::whole),
            1 => (-500_000i64..500_000).prop_map(Events::from_thousandths),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_the_newest_slots_exactly(
            ops in prop::collection::vec((any::<bool>(), 0i64..40, value()), 1..80),
            window in (0i64..40, 0i64..40),
        ) {
            let mut ring = Ring::new(30, 16);
            let mut naive: BTreeMap<i64, Events> = BTreeMap::new();
            let mut newest = None;
            for (set, slot, value) in ops {
                newest = newest.max(Some(slot));
                let oldest = newest.unwrap() - 15;
                if slot >= oldest {
                    let cell = naive.entry(slot).or_default();
                    *cell = if set { value } else { cell.plus(value) };
                }
                if set { ring.set(slot, value); } else { ring.add(slot, value); }
                naive.retain(|s, _| *s >= oldest);
            }
            let (from, to) = (window.0.min(window.1), window.0.max(window.1));
            let expected = naive.range(from..=to).fold(Events::ZERO, |sum, (_, v)| sum.plus(*v));
            prop_assert_eq!(ring.sum(from, to), expected);
            for slot in 0..40 {
                prop_assert_eq!(ring.get(slot), naive.get(&slot).copied().unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_leap_forward_clears_the_whole_ring() {
        let mut ring = Ring::new(30, 4);
        for slot in 0..4 {
            ring.set(slot, Events::whole(1));
        }
        ring.add(1_000_000, Events::whole(2));
        assert_eq!(ring.sum(0, 2_000_000), Events::whole(2));
        assert_eq!(ring.set(3, Events::whole(9)), None);
    }

    #[test]
    fn whole_small_counts_take_two_bytes() {
        let mut ring = Ring::new(30, 1000);
        ring.set(1, Events::whole(32_000));
        assert_eq!(ring.heap(), 2000);
        ring.set(2, Events::whole(33_000));
        assert_eq!(ring.heap(), 4000);
        ring.set(3, Events::from_thousandths(1));
        assert_eq!(ring.heap(), 8000);
    }
}
