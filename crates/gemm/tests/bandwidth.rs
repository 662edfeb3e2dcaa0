//! Timed transfers over loopback TCP, through a limiter in user space: the figure is the link's, whatever the peer does.

use flate2::{write::DeflateEncoder, Compression};
use millrace_core::proof::bandwidth::Direction;
use millrace_gemm::bandwidth::{finish, measure, serve, BandwidthError, Limits, Measured};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

const BOTH: [Direction; 2] = [Direction::FromPeer, Direction::ToPeer];
/// 8 Mbit/s.
const RATE: u64 = 1_000_000;
/// What the limiter lets through at once after a pause: what it makes up for when it is woken 65 ms late.
const BURST: f64 = 65_536.0;

fn limits() -> Limits {
    Limits {
        min_bytes: 1 << 18,
        min_time: Duration::from_secs(1),
        max_bytes: 1 << 28,
        max_time: Duration::from_secs(30),
    }
}

/// Seeds that differ.
fn seeds() -> impl FnMut() -> [u8; 32] {
    let mut next = 0;
    move || {
        next += 1;
        [next; 32]
    }
}

/// The other end of a connection to a peer that does this.
fn peer(act: impl FnOnce(TcpStream) + Send + 'static) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || act(listener.accept().unwrap().0));
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn honest() -> TcpStream {
    peer(|mut link| drop(serve(&mut link, 1 << 28)))
}

/// Passes bytes on, in both directions, at `RATE` each.
fn limited(to: TcpStream) -> TcpStream {
    peer(move |from| {
        let back = (to.try_clone().unwrap(), from.try_clone().unwrap());
        let there = thread::spawn(move || pass(from, to));
        pass(back.0, back.1);
        there.join().unwrap();
    })
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    let (mut credit, mut last) = (BURST, Instant::now());
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        loop {
            credit = (credit + last.elapsed().as_secs_f64() * RATE as f64).min(BURST);
            last = Instant::now();
            if credit >= len as f64 {
                break;
            }
            thread::sleep(Duration::from_secs_f64((len as f64 - credit) / RATE as f64));
        }
        credit -= len as f64;
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    // Either end may have hung up before.
    let _ = to.shutdown(Shutdown::Write);
}

fn bytes_per_sec(measured: Measured) -> f64 {
    measured.bytes as f64 * 1e9 / measured.nanos as f64
}

#[test]
fn the_figure_is_the_limit_of_the_link_in_both_directions() {
    for direction in BOTH {
        // A busy machine that wakes the limiter late makes it slower than it should be, never faster.
        let within = (0..3).any(|_| {
            let mut link = limited(honest());
            let limits = Limits { min_time: Duration::from_secs(2), ..limits() };
            let measured = measure(&mut link, direction, &limits, seeds()).unwrap();
            finish(&mut link).unwrap();
            let share = bytes_per_sec(measured) / RATE as f64;
            println!("{direction:?}: {} Mbit/s, {share:.3} of the limit, {measured:?}", measured.mbps());
            assert!(measured.nanos >= 2_000_000_000);
            assert!(share < 1.05, "{direction:?}: {share} of the limit");
            share > 0.85
        });
        assert!(within, "{direction:?}: three times below the limit");
    }
}

#[test]
fn without_a_limit_the_transfer_grows_until_it_takes_long_enough_or_is_as_large_as_allowed() {
    for direction in BOTH {
        let mut link = honest();
        let limits = Limits { max_bytes: 1 << 22, min_time: Duration::from_secs(3600), ..limits() };
        assert_eq!(measure(&mut link, direction, &limits, seeds()).unwrap().bytes, 1 << 22);
        let limits = Limits { min_time: Duration::ZERO, ..limits };
        assert_eq!(measure(&mut link, direction, &limits, seeds()).unwrap().bytes, 1 << 18);
    }
}

/// A peer that answers the first request with these bytes, made from the request.
fn answering(answer: impl FnOnce(&[u8; 48]) -> Vec<u8> + Send + 'static) -> TcpStream {
    peer(move |mut link| {
        let mut request = [0; 48];
        link.read_exact(&mut request).unwrap();
        let answer = answer(&request);
        // The measurer hangs up when it has seen enough.
        let _ = link.write_all(&answer);
        let _ = link.shutdown(Shutdown::Write);
        // Not to reset the connection under what is still on its way.
        let _ = std::io::copy(&mut link, &mut std::io::sink());
    })
}

/// What an honest peer sends for this request.
fn stream_of(request: &[u8]) -> Vec<u8> {
    let request = request.to_vec();
    let mut link = honest();
    link.write_all(&request).unwrap();
    let mut stream = vec![0; u64::from_le_bytes(request[8..16].try_into().unwrap()) as usize];
    link.read_exact(&mut stream).unwrap();
    stream
}

#[test]
fn a_sender_that_precomputed_its_bytes_is_refused() {
    let mut link = answering(|request| {
        let mut other = *request;
        other[20] ^= 1;
        stream_of(&other)
    });
    let result = measure(&mut link, Direction::FromPeer, &limits(), seeds());
    assert!(matches!(result, Err(BandwidthError::OtherBytes { at: 0 })), "{result:?}");
    // The last bytes only.
    let mut link = answering(|request| {
        let mut stream = stream_of(request);
        *stream.last_mut().unwrap() ^= 1;
        stream
    });
    let result = measure(&mut link, Direction::FromPeer, &limits(), seeds());
    assert!(matches!(result, Err(BandwidthError::OtherBytes { at: 196_608 })), "{result:?}");
}

#[test]
fn a_sender_that_compresses_gains_nothing() {
    let request = [b"MRsend\0\0", &(1u64 << 20).to_le_bytes()[..], &[7; 32]].concat();
    let stream = stream_of(&request);
    let mut encoder = DeflateEncoder::new(vec![], Compression::best());
    encoder.write_all(&stream).unwrap();
    assert!(encoder.finish().unwrap().len() > stream.len());
    // Fewer bytes are not enough.
    let mut link = answering(|request| stream_of(request)[..1 << 17].to_vec());
    match measure(&mut link, Direction::FromPeer, &limits(), seeds()) {
        Err(BandwidthError::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sender_that_collects_its_bytes_near_the_receiver_is_as_slow_as_its_link() {
    // They come at once in the end: the time from the first to the last of them would say nothing of the link.
    let mut link = peer(|mut near| {
        let mut far = limited(honest());
        let mut request = [0; 48];
        while near.read_exact(&mut request).is_ok() {
            far.write_all(&request).unwrap();
            let mut stream = vec![0; u64::from_le_bytes(request[8..16].try_into().unwrap()) as usize];
            far.read_exact(&mut stream).unwrap();
            near.write_all(&stream).unwrap();
        }
    });
    let measured = measure(&mut link, Direction::FromPeer, &limits(), seeds()).unwrap();
    let share = bytes_per_sec(measured) / RATE as f64;
    assert!(share < 1.05, "{share} of the limit");
}

#[test]
fn a_sender_is_timed_from_the_seed_whatever_its_clock_says() {
    // It sends all bytes at once, half a second later, and could date them as it liked.
    let mut link = answering(|request| {
        let stream = stream_of(request);
        thread::sleep(Duration::from_millis(500));
        stream
    });
    let limits = Limits { min_time: Duration::ZERO, ..limits() };
    let measured = measure(&mut link, Direction::FromPeer, &limits, seeds()).unwrap();
    assert!(measured.nanos >= 500_000_000, "{measured:?}");
}

#[test]
fn a_receiver_that_answers_without_the_bytes_is_refused() {
    let mut link = answering(|_| vec![0; 32]);
    let result = measure(&mut link, Direction::ToPeer, &limits(), seeds());
    assert!(matches!(result, Err(BandwidthError::OtherDigest { bytes: 262_144 })), "{result:?}");
}

#[test]
fn a_transfer_that_takes_too_long_is_given_up() {
    for direction in BOTH {
        let mut link = limited(honest());
        let limits = Limits { min_bytes: 1 << 23, max_time: Duration::from_millis(500), ..limits() };
        let result = measure(&mut link, direction, &limits, seeds());
        assert!(matches!(result, Err(BandwidthError::TooSlow { done: 1.., bytes: 8_388_608, .. })), "{result:?}");
    }
}

#[test]
fn a_peer_is_asked_for_no_more_than_it_allows() {
    for tag in [b"MRsend\0\0", b"MRtake\0\0"] {
        let mut request = &[&tag[..], &1001u64.to_le_bytes(), &[0; 32]].concat()[..];
        let result = serve(&mut Deaf(&mut request), 1000);
        assert!(matches!(result, Err(BandwidthError::TooMuch { asked: 1001, allowed: 1000 })), "{result:?}");
    }
    let mut request = &[0; 48][..];
    assert!(matches!(serve(&mut Deaf(&mut request), 1000), Err(BandwidthError::Tag)));
    let mut request = &b"MRsend\0\0"[..];
    assert!(matches!(serve(&mut Deaf(&mut request), 1000), Err(BandwidthError::Io(_))));
}

/// Bytes to read, with nowhere to write to.
struct Deaf<'a>(&'a mut &'a [u8]);

impl Read for Deaf<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Deaf<'_> {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        panic!("nothing is to be sent")
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
