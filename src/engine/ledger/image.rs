//! One series as the store keeps it: everything, packed, so that a restart asks only for the gap.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::group::{Group, MOST_CUTS, Ruled};
use super::intervals::Intervals;
use super::ring::Ring;
use super::series::{Keep, MOST_GROUPS, Series};
use crate::engine::collect::{Ruling, TOLD_ANEW};
use crate::engine::fact::{Tier, Trust};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Version of the layout, to be raised with any change of what is written below; another one is not
/// read but asked again.
const VERSION: u8 = 2;
/// The journal, which is read after images, may hold slots that are younger by so much.
const JOURNALED: Span = Span::from_hours(3);
/// No period is longer.
const LONGEST_KEPT: Span = Span::from_days(400);
/// Slots an image may hold; more is not ours.
const MOST_SLOTS: usize = 20_000;

/// Everything about one series.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SeriesImage {
    version: u8,
    id: u64,
    answered: Intervals,
    absent: Intervals,
    born: Option<Ts>,
    groups: Vec<GroupImage>,
    /// Written behind the rest, so that images of before it are read all the same.
    #[serde(skip)]
    booked: Option<Booked>,
    /// How long it was kept; behind that, for the same reason.
    #[serde(skip)]
    kept: Option<Span>,
    /// Between which slots were lost; behind that, where any were.
    #[serde(skip)]
    lost: Option<(Ts, Ts)>,
}

/// By which lookback slots were booked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Booked {
    reach: Span,
    /// Up to where by another one.
    otherwise: Option<Ts>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct GroupImage {
    labels: Labels,
    /// Fine, five minutes, hour, day: the newest slot, then values back from it in thousandths.
    tiers: [Option<(i64, Packed)>; 4],
    stale: Intervals,
    partial: Intervals,
    rulings: Vec<(Tier, Ts, i64, Trust)>,
    counted: Ts,
    seen: Ts,
    largest: [(i64, i64); 2],
    cuts: Vec<(Ts, i64)>,
}

/// Values newest first, trailing zeros left out; whole events where all are whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Packed {
    Whole(Vec<i64>),
    Thousandths(Vec<i64>),
}

/// Why an image was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// Not an image, or cut short.
    #[error("not a series image, or damaged")]
    Damaged,
    /// Written by another version.
    #[error("written by another version of Damper")]
    Version,
}

impl SeriesImage {
    /// The series as it is now.
    pub fn of(series: &Series) -> Self {
        Self {
            version: VERSION,
            id: series.id(),
            // What is in doubt is asked again by the next process.
            answered: series.settled().into_owned(),
            absent: series.absent.clone(),
            born: series.born,
            groups: series.groups.iter().map(GroupImage::of).collect(),
            booked: Some(Booked { reach: series.keep.reach, otherwise: series.otherwise }),
            kept: Some(series.keep.span),
            lost: series.lost,
        }
    }

    /// The id of the series' key.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The newest slot it knows.
    pub fn until(&self) -> Option<Ts> {
        self.answered.last()
    }

    /// Bytes for the store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = postcard::to_stdvec(self).unwrap_or_default();
        if let Some(booked) = self.booked {
            bytes.extend(postcard::to_stdvec(&booked).unwrap_or_default());
            bytes.extend(self.kept.and_then(|kept| postcard::to_stdvec(&kept).ok()).unwrap_or_default());
            bytes.extend(self.lost.and_then(|lost| postcard::to_stdvec(&lost).ok()).unwrap_or_default());
        }
        bytes
    }

    /// From the store's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.first() != Some(&VERSION) {
            return Err(if bytes.is_empty() { ImageError::Damaged } else { ImageError::Version });
        }
        let (mut image, rest): (Self, &[u8]) =
            postcard::take_from_bytes(bytes).map_err(|_| ImageError::Damaged)?;
        let rest = added(rest, &mut image.booked)?;
        let rest = added(rest, &mut image.kept)?;
        let rest = added(rest, &mut image.lost)?;
        if rest.is_empty() && image.is_sane() { Ok(image) } else { Err(ImageError::Damaged) }
    }

    /// Whether it is what [`Self::of`] gives of some series. Sets that are none would be summed up wrong,
    /// and a slot in a far future would let nothing be booked any more.
    fn is_sane(&self) -> bool {
        let labels: BTreeSet<&Labels> = self.groups.iter().map(|group| &group.labels).collect();
        self.answered.is_sane()
            && self.absent.is_sane()
            && self.born.is_none_or(Ts::is_real)
            && self.booked.and_then(|booked| booked.otherwise).is_none_or(Ts::is_real)
            && self.kept.is_none_or(|kept| Span::ZERO < kept && kept <= LONGEST_KEPT)
            && self.lost.is_none_or(|(from, to)| from.is_real() && to.is_real())
            && self.groups.len() <= MOST_GROUPS
            && labels.len() == self.groups.len()
            && self.groups.iter().all(GroupImage::is_sane)
    }

    /// The series again, kept as the plan wants it now.
    pub(super) fn into_series(self, keep: Keep) -> Result<Series, ImageError> {
        let mut series = Series::new(keep);
        if let Some(Booked { reach, otherwise }) = self.booked {
            let until = self.answered.last().map(|last| last.plus(JOURNALED)).filter(|at| at.is_real());
            let changed = if reach == series.keep.reach { None } else { until };
            series.otherwise = otherwise.max(changed);
        }
        series.answered = self.answered;
        series.absent = self.absent;
        series.born = self.born;
        series.lost = self.lost;
        for image in self.groups {
            let ix = series.add_group(image.labels.clone());
            let group = series.groups.get_mut(ix).ok_or(ImageError::Damaged)?;
            image.restore(group);
        }
        let keep = series.keep.span;
        series.outgrow(self.kept.unwrap_or(keep), keep);
        Ok(series)
    }
}

impl GroupImage {
    fn of(group: &Group) -> Self {
        let track = &group.track;
        Self {
            labels: group.labels.clone(),
            tiers: [pack(&track.fine), pack(&track.five), pack(&track.hour), pack(&track.day)],
            stale: group.stale.clone(),
            partial: group.partial.clone(),
            rulings: group
                .rulings
                .iter()
                .map(|r| (r.tier, r.end, r.ruling.withheld.thousandths(), r.ruling.trust))
                .collect(),
            counted: group.counted,
            seen: group.seen,
            largest: group.largest.map(|(day, events)| (day, events.thousandths())),
            cuts: group.cuts.iter().map(|(at, events)| (*at, events.thousandths())).collect(),
        }
    }

    fn is_sane(&self) -> bool {
        let tier = |(newest, packed): &(i64, Packed)| match packed {
            Packed::Whole(v) | Packed::Thousandths(v) => v.len() <= MOST_SLOTS && Ts(*newest).is_real(),
        };
        // The beginning of time stands for never.
        let real = |at: Ts| at.is_real() || at.0 == i64::MIN;
        self.stale.is_sane()
            && self.partial.is_sane()
            && self.rulings.len() <= TOLD_ANEW
            && self.rulings.iter().all(|(_, end, ..)| end.is_real())
            && self.largest.iter().all(|(day, _)| real(Ts(*day)))
            && self.cuts.len() <= MOST_CUTS
            && self.cuts.iter().all(|(at, _)| at.is_real())
            && real(self.counted)
            && real(self.seen)
            && self.tiers.iter().flatten().all(tier)
    }

    fn restore(self, group: &mut Group) {
        let track = &mut group.track;
        let rings = [&mut track.fine, &mut track.five, &mut track.hour, &mut track.day];
        for (ring, tier) in rings.into_iter().zip(self.tiers) {
            if let Some((newest, packed)) = tier {
                unpack(ring, newest, packed);
            }
        }
        group.first = group.track.first();
        group.stale = self.stale;
        group.partial = self.partial;
        group.rulings = self
            .rulings
            .into_iter()
            .map(|(tier, end, withheld, trust)| {
                let ruling = Ruling { withheld: Events::from_thousandths(withheld), trust };
                Ruled { tier, end, ruling }
            })
            .collect();
        // Images of before were in the order of ruling.
        group.rulings.sort_by_key(|ruled| (ruled.end, ruled.tier));
        group.counted = self.counted;
        group.seen = self.seen;
        for (at, events) in self.cuts {
            group.put_cut(at, Events::from_thousandths(events));
        }
        group.largest = self.largest.map(|(day, events)| (day, Events::from_thousandths(events)));
    }
}

/// Reads what images of before it end without; gives what is behind it.
fn added<'b, T: Deserialize<'b>>(bytes: &'b [u8], into: &mut Option<T>) -> Result<&'b [u8], ImageError> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| ImageError::Damaged)?;
    *into = Some(value);
    Ok(rest)
}

fn pack(ring: &Ring) -> Option<(i64, Packed)> {
    let (oldest, newest) = ring.held()?;
    let mut values: Vec<i64> = (oldest..=newest).rev().map(|slot| ring.get(slot).thousandths()).collect();
    let used = values.iter().rposition(|v| *v != 0).map_or(0, |last| last + 1);
    values.truncate(used);
    if values.iter().all(|v| v % 1000 == 0) {
        values.iter_mut().for_each(|v| *v /= 1000);
        return Some((newest, Packed::Whole(values)));
    }
    Some((newest, Packed::Thousandths(values)))
}

fn unpack(ring: &mut Ring, newest: i64, packed: Packed) {
    ring.set(newest, Events::ZERO);
    let (values, unit) = match packed {
        Packed::Whole(values) => (values, 1000),
        Packed::Thousandths(values) => (values, 1),
    };
    for (back, value) in (0i64..).zip(values) {
        if value != 0 {
            ring.set(newest.saturating_sub(back), Events::from_thousandths(value.saturating_mul(unit)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of a series that has one group, after a change.
    fn changed(change: impl Fn(&mut SeriesImage)) -> Result<SeriesImage, ImageError> {
        let known = Intervals::of_sorted(vec![(300, 600)]);
        let group = GroupImage {
            labels: Labels::new(),
            tiers: [Some((20, Packed::Whole(vec![1]))), None, None, None],
            stale: Intervals::default(),
            partial: Intervals::default(),
            rulings: Vec::new(),
            counted: Ts(600),
            seen: Ts(i64::MIN),
            largest: [(i64::MIN, 0); 2],
            cuts: Vec::new(),
        };
        let mut image = SeriesImage {
            version: VERSION,
            id: 7,
            answered: known,
            absent: Intervals::default(),
            born: Some(Ts(600)),
            groups: vec![group],
            booked: Some(Booked { reach: Span::from_mins(10), otherwise: Some(Ts(300)) }),
            kept: Some(Span::from_days(28)),
            lost: Some((Ts(0), Ts(300))),
        };
        change(&mut image);
        SeriesImage::from_bytes(&image.to_bytes())
    }

    #[test]
    fn what_no_series_can_be_is_damaged() {
        let bad = |pieces: &[(i64, i64)]| Intervals::of_sorted(pieces.to_vec());
        assert!(changed(|_| ()).is_ok());
        for pieces in [&[(600, 300)][..], &[(300, 600), (0, 60)], &[(0, 300), (200, 600)], &[(0, i64::MAX)]] {
            assert_eq!(changed(|image| image.answered = bad(pieces)), Err(ImageError::Damaged), "{pieces:?}");
            assert!(changed(|image| image.groups[0].stale = bad(pieces)).is_err(), "{pieces:?}");
        }
        assert!(changed(|image| image.born = Some(Ts(i64::MAX))).is_err());
        assert!(changed(|image| image.groups[0].tiers[3] = Some((i64::MAX, Packed::Whole(vec![])))).is_err());
        assert!(changed(|image| image.groups[0].counted = Ts(i64::MAX)).is_err());
        assert!(changed(|image| image.groups.push(image.groups[0].clone())).is_err(), "a group twice");
        assert!(changed(|image| image.booked = None).unwrap().booked.is_none(), "one of before");
        assert!(changed(|image| image.lost = Some((Ts(0), Ts(i64::MAX)))).is_err());
        let far = Booked { reach: Span::ZERO, otherwise: Some(Ts(i64::MAX)) };
        assert!(changed(|image| image.booked = Some(far)).is_err());
    }
}
