//! All objects at a path, page by page.

use super::super::object::{List, Object};
use super::super::resource::segment;
use super::{Api, Ask, MOST};
use crate::cluster::fault::Fault;

const PAGE: usize = 500;

/// All objects at a path that a query selects, page by page, with the version they are of.
pub(in super::super) async fn list(
    api: &Api,
    path: &str,
    query: &[(&str, &str)],
) -> Result<(Vec<Object>, String), Fault> {
    let query: String = query.iter().map(|(name, value)| format!("&{name}={}", segment(value))).collect();
    let mut objects = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let from = next.map(|next| format!("&continue={}", segment(&next))).unwrap_or_default();
        let page: List = api.ask(&Ask::Get, &format!("{path}?limit={PAGE}{query}{from}")).await?;
        objects.extend(page.items.into_iter().map(Object::slim));
        if objects.len() > MOST {
            return Err(Fault::refused(format!(
                "{path} holds more than {MOST} objects, which is too many to watch"
            )));
        }
        match page.metadata.next.filter(|next| !next.is_empty()) {
            Some(token) => next = Some(token),
            None => return Ok((objects, page.metadata.resource_version)),
        }
    }
}
