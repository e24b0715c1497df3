//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port
/// between its choice and its use, nor while a server restarts.
const FIRST: u16 = 14_000;
/// Ports of a block, which belongs to one test process as long as that runs: no other one takes a
/// port of it, not even while nobody listens there.
const BLOCK: u16 = 50;
const BLOCKS: u16 = 360;

struct Mine {
    ports: Range<u16>,
    /// A UDP socket on the first number of each block that is ours. The kernel gives it to one
    /// process only, takes it back however that ends, and no server of a test uses UDP.
    claims: Vec<UdpSocket>,
}

static MINE: Mutex<Mine> = Mutex::new(Mine { ports: 0..0, claims: Vec::new() });

/// A port that nobody listens on.
pub fn free() -> u16 {
    let mut mine = MINE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    loop {
        if let Some(port) = mine.ports.find(is_free) {
            return port;
        }
        let (first, claim) = claim();
        mine.ports = first..first + BLOCK;
        mine.claims.push(claim);
    }
}

/// A block that is nobody's; processes that run at once begin to look at different ones.
fn claim() -> (u16, UdpSocket) {
    let begin = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
    let mut blocks = (0..BLOCKS).map(|n| FIRST + (begin + n) % BLOCKS * BLOCK);
    let claim = |first| Some((first, UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).ok()?));
    blocks.find_map(claim).unwrap_or_else(|| panic!("no free ports from {FIRST} on"))
}
