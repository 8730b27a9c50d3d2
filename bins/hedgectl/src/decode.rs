//! `hedgectl decode`.

use std::{
    io::{self, BufWriter, ErrorKind, Write as _},
    process::ExitCode,
};

use clap::Args;
use hedge_desk::decode::{NoSource, decode, source};

use crate::failure::Failure;

/// Exit code for a kind of message, or of answer, that this version does not know.
const UNKNOWN_KIND: u8 = 3;

/// Explain raw messages of an exchange: JSON lines on stdin, one JSON object per event on stdout.
///
/// Each object has `kind`, our typed fields, `facts` (what the engine would be told), and under `venue` every field that was
/// understood, in the venue's spelling and unit. Fields that nobody knows are left out; a word that is not known becomes
/// {"unknown":"WORD"}. Sources: ws (market and user streams, bare, combined or arrays), wsapi (requests and responses),
/// 'rest:METHOD /path' (bodies of answers; error bodies too). Sends nothing and reads no key.
///
/// An array gives an object for each good element; a bad one is named by line and path.
///
/// Exit codes: 0 everything was explained, 1 something is malformed (its line and field are named), 2 bad usage, 3 a kind of
/// message or of answer is not known.
///
/// Example: hedgectl decode binance 'rest:GET /fapi/v1/openOrders' < answer.json
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// Which exchange: binance.
    #[arg(value_name = "VENUE")]
    pub(crate) venue: String,
    /// ws, wsapi or 'rest:METHOD /path'.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
}

pub(crate) fn run(args: &DecodeArgs) -> Result<ExitCode, Failure> {
    let source = source(&args.venue, &args.source).map_err(|error| match error {
        NoSource::Words(text) => Failure::usage(text),
        NoSource::UnknownKind(text) => Failure::with_code(UNKNOWN_KIND, text),
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    match decode(source, io::stdin().lock(), &mut out, &mut io::stderr().lock()) {
        Ok(decoded) => Ok(ExitCode::from(decoded.exit_code())),
        // `| head` has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is left in the buffer has nobody to go to.
            let _ = out.flush();
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(Failure::failed(format!("the messages could not be read or written: {error}"))),
    }
}
