//! HTTP servers of the demo itself.

use std::net::Ipv4Addr;

use axum::Router;
use tokio::task::JoinSet;

use super::Result;

/// Serves on a free port for as long as `tasks` live; the address.
pub(crate) async fn serve(router: Router, tasks: &mut JoinSet<()>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    // It ends only with the demo.
    tasks.spawn(async move { drop(axum::serve(listener, router).await) });
    Ok(address)
}
