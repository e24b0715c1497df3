//! What the core takes of processor and memory per SLO. Each size has a process of its own, so that
//! none lives in memory that another one left.

mod world;

use std::process::Command;

use damper::engine::ledger::SeriesImage;
use serde::{Deserialize, Serialize};

use crate::measure::{median, resident, timed};
use crate::table::{Row, number};
pub use world::keeps;
use world::{World, image};

/// How many SLOs, and how many rounds.
const SIZES: [(usize, usize); 3] = [(1_000, 101), (10_000, 31), (100_000, 9)];
/// Ticks of errors after which the page fires.
const UNTIL_FIRING: usize = 12;

/// What was measured at one size, per SLO.
#[derive(Serialize, Deserialize)]
struct Measured {
    healthy: Steps,
    firing: Steps,
    heap: f64,
    resident: f64,
    image: f64,
    pack: f64,
    unpack: f64,
}

/// Ticks of one kind, per SLO; seconds, counts and bytes.
#[derive(Serialize, Deserialize)]
struct Steps {
    step: f64,
    book: f64,
    allocations: f64,
    allocated: f64,
}

/// Measures all sizes.
pub fn rows() -> Vec<Row> {
    let measured: Vec<Measured> = SIZES.map(|(slos, rounds)| in_own_process(slos, rounds)).into();
    let row = |what: &str, target: &str, scale: f64, unit: &str, of: fn(&Measured) -> f64| {
        let all: Vec<String> = measured.iter().map(|m| number(of(m) * scale)).collect();
        Row {
            what: format!("{what}, per SLO at 1,000 / 10,000 / 100,000 SLOs"),
            damper: format!("{} {unit}", all.join(" / ")),
            target: target.to_owned(),
            repeated: "101 / 31 / 9 ticks, median".to_owned(),
            ..Row::default()
        }
    };
    let rounds = |row: Row, repeated: &str| Row { repeated: repeated.to_owned(), ..row };
    let once = "once";
    vec![
        row("deciding a tick, all healthy: CPU", "5 µs at 10,000", 1e6, "µs", |m| m.healthy.step),
        row("deciding a tick, 1 % firing: CPU", "5 µs at 10,000", 1e6, "µs", |m| m.firing.step),
        row("deciding a tick, all healthy: allocations", "", 1.0, "", |m| m.healthy.allocations),
        row("deciding a tick, all healthy: allocated", "", 1.0, "B", |m| m.healthy.allocated),
        row("deciding a tick, 1 % firing: allocations", "", 1.0, "", |m| m.firing.allocations),
        row("booking a tick's slices: CPU", "", 1e6, "µs", |m| m.healthy.book),
        rounds(row("ledger in memory", "40 KiB at 10,000", 1.0 / 1024.0, "KiB", |m| m.heap), once),
        rounds(
            row(
                "all in memory (RSS): definitions, plan, ledger",
                "40 KiB at 10,000",
                1.0 / 1024.0,
                "KiB",
                |m| m.resident,
            ),
            once,
        ),
        rounds(row("ledger as stored", "", 1.0 / 1024.0, "KiB", |m| m.image), once),
        rounds(row("packing it for the store: CPU", "", 1e6, "µs", |m| m.pack), "5 times, median"),
        rounds(row("reading it back: CPU", "", 1e6, "µs", |m| m.unpack), "5 times, median"),
    ]
}

fn in_own_process(slos: usize, rounds: usize) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["core-of", &slos.to_string(), &rounds.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the process of one size does.
pub fn measure_and_print(slos: usize, rounds: usize) {
    println!("{}", serde_json::to_string(&measure(slos, rounds)).unwrap());
}

fn measure(slos: usize, rounds: usize) -> Measured {
    let before = resident();
    let mut world = World::of(slos);
    let per_slo = |value: f64| value / f64::from(u32::try_from(slos).unwrap());
    let resident = per_slo(resident() - before);
    let healthy = ticks(&mut world, rounds, false, &per_slo);
    assert_eq!(world.firing(), 0);
    for _ in 0..UNTIL_FIRING {
        let facts = world.next(true);
        world.book(&facts);
        let delta = world.step();
        world.commit(&delta);
    }
    assert_eq!(world.firing(), slos / 100);
    let firing = ticks(&mut world, rounds, true, &per_slo);
    let heap = per_slo(count(world.ledger.heap()));
    let (image, pack, unpack) = images(&mut world);
    Measured { healthy, firing, heap, resident, image, pack, unpack }
}

fn ticks(world: &mut World, rounds: usize, failing: bool, per_slo: &dyn Fn(f64) -> f64) -> Steps {
    let (mut steps, mut books) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let facts = world.next(failing);
        books.push(per_slo(timed(|| world.book(&facts)).1));
        let (delta, seconds) = timed(|| world.step());
        steps.push(per_slo(seconds));
        world.commit(&delta);
    }
    let mut delta = None;
    let info = allocation_counter::measure(|| delta = Some(world.step()));
    drop(delta);
    let of = |n: u64| per_slo(f64::from(u32::try_from(n).unwrap()));
    Steps {
        step: median(steps),
        book: median(books),
        allocations: of(info.count_total),
        allocated: of(info.bytes_total),
    }
}

/// Bytes, and seconds to write and to read, per SLO: two series.
fn images(world: &mut World) -> (f64, f64, f64) {
    let of = |value: f64| value / 1000.0;
    let (mut packs, mut unpacks, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..5 {
        let (images, seconds) = timed(|| world.ledger.all().iter().take(2000).map(image).collect::<Vec<_>>());
        packs.push(of(seconds));
        bytes = images.iter().map(Vec::len).sum();
        let mut read = |bytes: &Vec<u8>| world.ledger.restore(SeriesImage::from_bytes(bytes).unwrap());
        let (whole, seconds) = timed(|| images.iter().all(|bytes| read(bytes) == Ok(true)));
        assert!(whole);
        unpacks.push(of(seconds));
    }
    (of(count(bytes)), median(packs), median(unpacks))
}

#[expect(clippy::cast_precision_loss, reason = "bytes of one machine")]
fn count(n: usize) -> f64 {
    n as f64
}
