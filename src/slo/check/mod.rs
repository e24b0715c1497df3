//! From the tree of one document to checked [`Slo`]s or a [`ScalePolicy`]. Every rule a definition must
//! keep is in this folder:
//!
//! | file        | rules about                                                             |
//! |-------------|-------------------------------------------------------------------------|
//! | `document`  | version, kind, metadata                                                 |
//! | `spec`      | the parts of a spec and how they fit                                    |
//! | `field`     | unknown, missing and doubled fields, kinds of values, bounds of numbers |
//! | `names`     | names, labels, annotations                                              |
//! | `window`    | objective, rolling and calendar windows                                 |
//! | `sli`       | what is measured, what absence means                                    |
//! | `events`    | bad, good and total                                                     |
//! | `histogram` | histograms, what errors are                                             |
//! | `latency`   | bounds and their objectives                                             |
//! | `composite` | SLOs that are made of others                                       |
//! | `named`     | SLOs as other documents name them                                   |
//! | `set`       | what only all documents together can tell                            |
//! | `timeslice` | slices and comparisons, raw ratios                                      |
//! | `group`     | group labels, limit, objectives of single groups                        |
//! | `alerting`  | alert names, what alerts of each severity carry                         |
//! | `written`   | the definition's own rules and their windows                            |
//! | `rules`     | rules that can never fire, the default set                              |
//! | `policy`    | scale policies                                                          |
//!
//! A rule reports and gives `None`; checking goes on, so that one run tells all problems.

mod alerting;
mod bound;
mod composite;
mod document;
mod events;
mod field;
mod group;
mod histogram;
mod latency;
mod linear;
mod named;
mod names;
mod policy;
mod queries;
mod rules;
mod set;
mod sli;
mod spec;
mod timeslice;
mod window;
mod written;

#[cfg(doc)]
use super::{model::Slo, policy::ScalePolicy};

pub(super) use document::{Content, document};
pub(super) use policy::Draft;
pub(super) use set::check_set;
