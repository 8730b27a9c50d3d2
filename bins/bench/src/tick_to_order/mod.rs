//! From the text of a book ticker to the signed bytes of an order, every rule asked and recorded on the way.

mod floor;
mod frames;
mod pipeline;

use std::{hint::black_box, time::Instant};

use serde_json::json;

use crate::figure::{ours, percentile, print};
use frames::Frames;
use pipeline::Pipeline;

/// One of our figures is a median of so many passes over all frames.
const PASSES: usize = 3;

pub(crate) fn run(quotes: usize) -> Result<(), String> {
    let frames = Frames::generate(quotes);
    let mut floor = floor::Floor::new()?;
    let floor_p50 = measure(
        "floor: serde_json, decimals, 12 comparisons, hmac with a prepared key",
        &frames,
        || Ok(()),
        |text, _| floor.order(text),
    )?;
    let mut pipeline = Pipeline::new()?;
    pipeline.prove(frames.text(0))?;
    let ours_p50 = {
        let shared = std::cell::RefCell::new(&mut pipeline);
        measure(ours(), &frames, || shared.borrow_mut().between(), |text, _| shared.borrow_mut().order(text))?
    };
    let parts = parts(&mut pipeline, &frames)?;
    for (part, nanos) in ["part_decode", "part_decide", "part_encode_and_sign"].into_iter().zip(parts) {
        print("B6", ours(), part, nanos, "ns", frames.len() / 10, &[]);
    }
    print("B6", ours(), "tick_to_bytes_to_floor", ours_p50 / floor_p50, "ratio", quotes, &[]);
    let more = [("rules", json!(pipeline.rules())), ("records_per_order", json!(pipeline.records()))];
    print("B6", ours(), "gate_checks_per_order", pipeline.checks() as f64, "count", quotes, &more);
    Ok(())
}

/// Hands the decision about each of so many quotes to `run`, which makes it; what lies between them is done here.
pub(crate) fn each_decision(quotes: usize, mut run: impl FnMut(&mut dyn FnMut())) -> Result<(), String> {
    let frames = Frames::generate(quotes);
    let mut pipeline = Pipeline::new()?;
    for i in 0..quotes {
        let event = pipeline::decode(frames.text(i))?;
        run(&mut || pipeline.decide(event));
        pipeline.between()?;
    }
    Ok(())
}

/// The median of each part, clocks included. Units: nanoseconds.
fn parts(pipeline: &mut Pipeline, frames: &Frames) -> Result<[f64; 3], String> {
    let mut nanos = [const { Vec::new() }; 3];
    for i in 0..frames.len() / 10 {
        let parts = pipeline.parts(frames.text(i))?;
        for (nanos, part) in nanos.iter_mut().zip(parts) {
            nanos.push(part);
        }
        pipeline.between()?;
    }
    Ok(nanos.map(|mut nanos| {
        nanos.sort_unstable();
        percentile(&nanos, 0.5)
    }))
}

/// Times every frame alone; `between` is not timed. Prints the percentiles and returns the median's.
fn measure(
    peer: &str,
    frames: &Frames,
    between: impl Fn() -> Result<(), String>,
    mut order: impl FnMut(&str, usize) -> Result<String, String>,
) -> Result<f64, String> {
    let mut percentiles = [const { Vec::new() }; 3];
    let mut nanos = vec![0_u64; frames.len()];
    // The first pass warms up, on a tenth.
    for pass in 0..=PASSES {
        let count = if pass == 0 { frames.len() / 10 } else { frames.len() };
        for (i, nanos) in nanos.iter_mut().enumerate().take(count) {
            let text = frames.text(i);
            let started = Instant::now();
            let bytes = order(black_box(text), i)?;
            black_box(bytes.as_bytes());
            *nanos = started.elapsed().as_nanos() as u64;
            between()?;
        }
        if pass > 0 {
            nanos.sort_unstable();
            for (values, part) in percentiles.iter_mut().zip([0.5, 0.99, 0.999]) {
                values.push(percentile(&nanos, part));
            }
        }
    }
    let mut medians = [0.0; 3];
    for ((values, name), median) in percentiles.iter_mut().zip(["p50", "p99", "p999"]).zip(medians.iter_mut())
    {
        values.sort_by(f64::total_cmp);
        *median = values[PASSES / 2];
        let metric = format!("tick_to_bytes_{name}");
        let spread = [("min", json!(values[0])), ("max", json!(values[PASSES - 1]))];
        print("B6", peer, &metric, *median, "ns", frames.len(), &spread);
    }
    Ok(medians[0])
}
