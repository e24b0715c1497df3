//! A server inside the test, on a port that it keeps while it is down.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use super::port;

/// Serves a router; when [`down`](Self::down), connections are refused.
pub struct Server {
    address: SocketAddr,
    router: Router,
    running: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port.
    pub fn start(router: Router) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()));
        let mut server = Self { address, router, running: None };
        server.up();
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Listens (again).
    pub fn up(&mut self) {
        if self.running.is_none() {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(self.address).unwrap();
            let listener = socket.listen(1024).unwrap();
            let router = self.router.clone();
            self.running = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
        }
    }

    /// Refuses connections from now on.
    pub async fn down(&mut self) {
        if let Some(task) = self.running.take() {
            task.abort();
            // The listener is closed once the task is gone.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.running {
            task.abort();
        }
    }
}
