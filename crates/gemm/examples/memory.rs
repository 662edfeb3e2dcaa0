//! What the proof of memory costs on this machine, what forgetting words costs a cheat, and how fast a transfer of
//! seeded bytes can be.
//!
//! `cargo run --release -p millrace-gemm --example memory`

use millrace_core::proof::{
    bandwidth::Direction,
    memory::{walk_seed, MemoryTask, WALK_BYTES},
};
use millrace_gemm::{
    bandwidth::{finish, measure, serve, Limits},
    memory::{
        cheats::{Cost, Forgetful, Forgets},
        verify_memory, MemoryFill,
    },
};
use std::{
    error::Error,
    net::{TcpListener, TcpStream},
    ops::ControlFlow,
    thread,
    time::Instant,
};

/// Words made again after which a strategy is given up.
const MOST_RECOMPUTED: u64 = 20_000_000;

fn task(words: u64, walkers: u32) -> MemoryTask {
    let [deployment_id, node, beacon, nonce] = [[0; 32]; 4];
    MemoryTask { deployment_id, node, gpu_index: 0, epoch: 0, beacon, nonce, words, walkers }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("words (MiB)  fill and hash s  walks  walk s  random reads GB/s  answer s  verify ms  answer MB");
    for words in [1 << 20, 1 << 22, 1 << 24] {
        honest(words)?;
    }
    println!("\nforgets                missing  made again a read  compressions a read  words read a read");
    let fill = MemoryFill::new(&task(1 << 18, 1), &|_| ControlFlow::Continue(()))?;
    for forgets in [
        Forgets::Scattered(10),
        Forgets::Scattered(50),
        Forgets::Scattered(100),
        Forgets::Scattered(125),
        Forgets::Scattered(250),
        Forgets::EveryNth(20),
        Forgets::EveryNth(10),
        Forgets::EveryNth(8),
        Forgets::EveryNth(4),
        Forgets::InLastSlices(10),
        Forgets::InLastSlices(50),
        Forgets::InLastSlices(100),
        Forgets::InLastSlices(125),
        Forgets::InLastSlices(250),
        Forgets::InLastSlices(500),
        Forgets::InFirstSlices(50),
        Forgets::InFirstSlices(100),
    ] {
        forgetful(&fill, forgets);
    }
    println!("\nloopback, nothing limited");
    for direction in [Direction::FromPeer, Direction::ToPeer] {
        loopback(direction)?;
    }
    Ok(())
}

fn honest(words: u64) -> Result<(), Box<dyn Error>> {
    let task = task(words, 1 << 20);
    let start = Instant::now();
    let fill = MemoryFill::new(&task, &|_| ControlFlow::Continue(()))?;
    let filled = start.elapsed();
    let start = Instant::now();
    let walks = fill.walk(&[1; 32], &|_| ControlFlow::Continue(()))?;
    let walked = start.elapsed();
    let start = Instant::now();
    let answer = fill.answer(&walks, &[2; 32]);
    let answered = start.elapsed();
    let start = Instant::now();
    verify_memory(fill.commit(), walks.commit(), &[2; 32], &answer)?;
    let verified = start.elapsed();
    println!(
        "{:>11} {:>16.2} {:>6} {:>7.2} {:>18.2} {:>9.2} {:>10.1} {:>10.2}",
        words >> 15,
        filled.as_secs_f64(),
        task.walkers,
        walked.as_secs_f64(),
        f64::from(task.walkers) * WALK_BYTES as f64 / walked.as_secs_f64() / 1e9,
        answered.as_secs_f64(),
        verified.as_secs_f64() * 1e3,
        answer.len() as f64 / 1e6,
    );
    Ok(())
}

fn forgetful(fill: &MemoryFill, forgets: Forgets) {
    let prover = Forgetful::new(fill, forgets);
    let seed = walk_seed(&fill.commit().fill_root, &[1; 32]);
    let mut whole = Cost::default();
    let mut reads = 0;
    for walker in 0..2_000 {
        let mut cost = whole;
        if prover.walk(&seed, walker, &mut cost, MOST_RECOMPUTED).is_none() {
            break;
        }
        whole = cost;
        reads += 32;
    }
    let head = format!("{:<22} {:>6.1}%", format!("{forgets:?}"), prover.missing() * 100.0);
    match reads {
        0 => println!("{head} more than {} a read", MOST_RECOMPUTED / 32),
        reads => {
            let recomputed = whole.recomputed as f64 / f64::from(reads);
            let read = whole.reads as f64 / f64::from(reads);
            println!("{head} {recomputed:>18.3} {:>20.2} {read:>18.2}", 5.0 * recomputed);
        }
    }
}

fn loopback(direction: Direction) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let peer = thread::spawn(move || serve(&mut listener.accept()?.0, u64::MAX));
    let mut link = TcpStream::connect(address)?;
    let limits = Limits { max_bytes: 1 << 30, ..Limits::default() };
    let measured = measure(&mut link, direction, &limits, || [7; 32])?;
    finish(&mut link)?;
    peer.join().expect("the peer does not panic")?;
    println!(
        "{direction:?}: {:.1} Gbit/s, {} MB in {} ms",
        measured.bytes as f64 * 8.0 / measured.nanos as f64,
        measured.bytes / 1_000_000,
        measured.nanos / 1_000_000
    );
    Ok(())
}
