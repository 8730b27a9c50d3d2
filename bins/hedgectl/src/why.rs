//! `hedgectl why`.

use hedge_desk::why::explain;

use crate::{args::WhyArgs, failure::Failure, journal::find, output};

pub(crate) fn run(args: &WhyArgs) -> Result<(), Failure> {
    let records = find(&args.state)?.load()?;
    let why = explain(&records, args.symbol, args.side, args.at)?;
    if args.json {
        output::line(&serde_json::to_string(&why)?);
    } else {
        output::print(&why.to_string());
    }
    Ok(())
}
