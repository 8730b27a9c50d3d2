//! A server on loopback with the layout of the public archive, and the two calls of the API that fill its holes.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use flate2::{Compression, Crc, write::DeflateEncoder};
use sha2::{Digest, Sha256};

pub(crate) const QUARTER_MS: i64 = 900_000;

/// What the server has, and what it was asked.
#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes after which the next answer for a path breaks off.
    cuts: BTreeMap<String, usize>,
    /// Bytes after which the next answer for a path says nothing more, without an end.
    stalls: BTreeMap<String, usize>,
    /// Whether a part that is asked for is answered with the whole.
    ignores_ranges: bool,
    /// Rows of the API by symbol.
    klines: BTreeMap<String, Vec<[i64; 6]>>,
    funding: Vec<(i64, &'static str)>,
    /// Pages of candles that are still answered; all of them without a number.
    pages_left: Option<usize>,
    asked: Vec<String>,
}

/// The server; it goes with the test's process.
#[derive(Debug)]
pub(crate) struct Dumps {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Dumps {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(stream.unwrap(), &state));
            }
        });
        Self { address, state }
    }
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// Puts an archive with one CSV and its checksum where the layout has them.
    pub(crate) fn put(&self, folder: &str, name: &str, csv: &str) {
        self.put_with_checksum(folder, name, zip(&format!("{name}.csv"), csv.as_bytes()));
    }
    pub(crate) fn put_with_checksum(&self, folder: &str, name: &str, zip: Vec<u8>) {
        let sum: String = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
        self.put_file(&format!("{folder}/{name}.zip.CHECKSUM"), format!("{sum}  {name}.zip\n").into_bytes());
        self.put_file(&format!("{folder}/{name}.zip"), zip);
    }
    pub(crate) fn put_file(&self, path: &str, bytes: Vec<u8>) {
        self.state.lock().unwrap().files.insert(format!("/data/futures/um/{path}"), bytes);
    }
    pub(crate) fn file(&self, path: &str) -> Vec<u8> {
        self.state.lock().unwrap().files[&format!("/data/futures/um/{path}")].clone()
    }
    /// The next answer for this file ends after so many bytes.
    pub(crate) fn cut(&self, path: &str, after: usize) {
        self.state.lock().unwrap().cuts.insert(format!("/data/futures/um/{path}"), after);
    }
    /// The next answer for this file stops after so many bytes and stays open.
    pub(crate) fn stall(&self, path: &str, after: usize) {
        self.state.lock().unwrap().stalls.insert(format!("/data/futures/um/{path}"), after);
    }
    pub(crate) fn ignore_ranges(&self) {
        self.state.lock().unwrap().ignores_ranges = true;
    }
    pub(crate) fn serve_klines(&self, symbol: &str, rows: Vec<[i64; 6]>) {
        self.state.lock().unwrap().klines.insert(symbol.to_owned(), rows);
    }
    /// From then on answers so many pages of candles, and refuses the next ones.
    pub(crate) fn refuse_klines_after(&self, pages: Option<usize>) {
        self.state.lock().unwrap().pages_left = pages;
    }
    pub(crate) fn serve_funding(&self, rows: Vec<(i64, &'static str)>) {
        self.state.lock().unwrap().funding = rows;
    }
    /// Everything that was asked since the last call: path, query, and the range after a blank.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some(target) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let mut range = header("range");
    let mut state = state.lock().unwrap();
    state.asked.push(format!("{target} {range}").trim_end().to_owned());
    if state.ignores_ranges {
        range.clear();
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, body, first) = match path {
        "/fapi/v1/klines" if state.pages_left == Some(0) => {
            (400, br#"{"code":-1100,"msg":"Illegal characters found."}"#.to_vec(), 0)
        }
        "/fapi/v1/klines" => (200, klines_page(&state, query).into_bytes(), 0),
        "/fapi/v1/fundingRate" => (200, funding_page(&state, query).into_bytes(), 0),
        _ => match state.files.get(path) {
            None => (404, b"<Error>NoSuchKey</Error>".to_vec(), 0),
            Some(bytes) => match range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')) {
                Some(first) if first.parse::<usize>().unwrap() >= bytes.len() => (416, Vec::new(), 0),
                Some(first) => {
                    let first = first.parse::<usize>().unwrap();
                    (206, bytes[first..].to_vec(), first)
                }
                None => (200, bytes.clone(), 0),
            },
        },
    };
    if path == "/fapi/v1/klines" {
        state.pages_left = state.pages_left.map(|left| left.saturating_sub(1));
    }
    let stall = state.stalls.remove(path);
    let cut = state.cuts.remove(path).or(stall).unwrap_or(usize::MAX);
    drop(state);
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if status == 206 {
        let last = first + body.len() - 1;
        head.push_str(&format!("content-range: bytes {first}-{last}/{}\r\n", first + body.len()));
    }
    let stream = reader.get_mut();
    // Whoever hung up does not want the rest.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(&body[..body.len().min(cut)]);
    while stall.is_some() {
        thread::park();
    }
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn bounds(query: &str) -> (i64, i64, usize) {
    let number = |name: &str, usual: i64| parameter(query, name).map_or(usual, |text| text.parse().unwrap());
    (number("startTime", 0), number("endTime", i64::MAX), number("limit", 500) as usize)
}

fn klines_page(state: &State, query: &str) -> String {
    let (from, to, limit) = bounds(query);
    let rows = state.klines.get(&parameter(query, "symbol").unwrap());
    let rows = rows.into_iter().flatten().filter(|row| (from..=to).contains(&row[0])).take(limit);
    let text = |row: &[i64; 6]| {
        let [time, open, high, low, close, volume] = *row;
        let end = time + QUARTER_MS - 1;
        let price = |tenths: i64| format!("\"{}.{}\"", tenths / 10, tenths % 10);
        format!(
            "[{time},{},{},{},{},\"{volume}\",{end},\"1.5\",7,\"1\",\"0.5\",\"0\"]",
            price(open),
            price(high),
            price(low),
            price(close)
        )
    };
    format!("[{}]", rows.map(text).collect::<Vec<_>>().join(","))
}

fn funding_page(state: &State, query: &str) -> String {
    let (from, to, limit) = bounds(query);
    let rows = state.funding.iter().filter(|(at, _)| (from..=to).contains(at)).take(limit);
    let text = |(at, rate): &(i64, &str)| {
        format!(
            "{{\"symbol\":\"BTCUSDT\",\"fundingTime\":{at},\"fundingRate\":\"{rate}\",\"markPrice\":\"60000.0\"}}"
        )
    };
    format!("[{}]", rows.map(text).collect::<Vec<_>>().join(","))
}

/// Made-up quarters of an hour: open, high, low, close in tenths, volume.
pub(crate) fn quarters(from_ms: i64, count: usize) -> Vec<[i64; 6]> {
    let (mut price, mut state) = (600_000_i64, 7_u64);
    (0..count as i64)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let open = price;
            price += ((state >> 33) % 4_001) as i64 - 2_000;
            let (high, low) = (open.max(price) + 300, open.min(price) - 300);
            [from_ms + i * QUARTER_MS, open, high, low, price, 10]
        })
        .collect()
}

/// Rows in the archive's columns, with a header as newer files have it.
pub(crate) fn csv(rows: &[[i64; 6]]) -> String {
    let mut text = String::from(
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n",
    );
    for [time, open, high, low, close, volume] in rows {
        let price = |tenths: &i64| format!("{}.{}", tenths / 10, tenths % 10);
        let (open, high, low, close) = (price(open), price(high), price(low), price(close));
        let end = time + QUARTER_MS - 1;
        text.push_str(&format!("{time},{open},{high},{low},{close},{volume},{end},1.5,7,1,0.5,0\n"));
    }
    text
}

/// An archive with one deflated file, byte by byte. Source: the ZIP file format specification, section 4.3.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    let packed = encoder.finish().unwrap();
    let mut crc = Crc::new();
    crc.update(content);
    let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    common.extend(crc.sum().to_le_bytes());
    common.extend((packed.len() as u32).to_le_bytes());
    common.extend((content.len() as u32).to_le_bytes());
    common.extend((name.len() as u16).to_le_bytes());
    common.extend([0; 2]);
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&common);
    zip.extend(name.as_bytes());
    zip.extend(&packed);
    let directory = zip.len() as u32;
    zip.extend(b"PK\x01\x02\x14\x00");
    zip.extend(&common);
    zip.extend([0; 14]);
    zip.extend(name.as_bytes());
    let directory_bytes = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    zip.extend(directory_bytes.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    zip
}
