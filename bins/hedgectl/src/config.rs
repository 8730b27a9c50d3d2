//! `hedgectl config`.

use hedge_desk::{
    config::{self, Config},
    env::Env,
};

use crate::{
    args::{ConfigArgs, ConfigCommand},
    failure::Failure,
    output,
};

pub(crate) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => {
            let env = env(args)?;
            output::print(&config::check(args.config.as_deref(), &env)?);
        }
        ConfigCommand::Show(args) => {
            let env = env(args)?;
            let config = Config::load(args.config.as_deref(), &env)?;
            config.notes.iter().for_each(|note| eprintln!("warning: {note}"));
            output::print(&config::show(&config, &env));
        }
        ConfigCommand::Explain(args) => output::print(&config::explain(&args.key)?),
    }
    Ok(())
}

fn env(args: &ConfigArgs) -> Result<Env, Failure> {
    Ok(Env::load(args.env.env_file.as_deref())?)
}
