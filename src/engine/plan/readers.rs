//! Which SLOs read what is asked, for whoever has to name them.

use std::collections::BTreeSet;

use super::{AliveIx, DirectIx, Plan, Planned};
use crate::engine::fact::SeriesIx;

/// What an SLO reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Read {
    /// A series, itself or through what it is made of.
    Series(SeriesIx),
    /// Its own targets.
    Alive(AliveIx),
    /// A window.
    Direct(DirectIx),
}

/// What is read, with the positions of those who read it; sorted.
#[derive(Clone, Debug, Default)]
pub struct Readers(Vec<(Read, usize)>);

impl Readers {
    pub(super) fn of(slos: &[Planned]) -> Self {
        let mut all: Vec<(Read, usize)> = slos
            .iter()
            .enumerate()
            .flat_map(|(place, slo)| reads(slo).map(move |what| (what, place)))
            .collect();
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    fn places(&self, what: Read) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|(other, _)| *other < what);
        let from = self.0.get(first..).unwrap_or_default().iter();
        from.take_while(move |(other, _)| *other == what).map(|(_, place)| *place)
    }
}

fn reads(slo: &Planned) -> impl Iterator<Item = Read> {
    let series = slo.bad.iter().chain(&slo.total).map(|(_, ix)| Read::Series(*ix));
    let windows = slo.direct.iter().map(|(_, ix)| Read::Direct(*ix));
    series.chain(windows).chain(slo.alive.map(Read::Alive))
}

impl Plan {
    /// The SLOs that read any of these, each once, in the order of the plan.
    pub fn readers_of(&self, what: impl IntoIterator<Item = Read>) -> impl Iterator<Item = &Planned> {
        let places: BTreeSet<usize> = what.into_iter().flat_map(|what| self.readers.places(what)).collect();
        places.into_iter().filter_map(|place| self.slos.get(place))
    }
}
