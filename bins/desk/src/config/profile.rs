//! The ways of running.

use std::{fmt, str::FromStr};

use super::nearest;

/// A way of running. The flag names it; what a variable may change is in [`resolve`](super::resolve).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Orders go to a simulated exchange on this machine.
    Paper,
    /// Orders go to Binance's demo venue, with its own keys and play money.
    Testnet,
    /// Mainnet is read, nothing is sent there; fills are simulated from its real account on.
    MainnetDry,
    /// Real money.
    Mainnet,
}

impl Profile {
    /// All, from the most harmless on.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Testnet, Self::MainnetDry, Self::Mainnet];

    /// The name, as in journals and state directories.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Testnet => "testnet",
            Self::MainnetDry => "mainnet-dry",
            Self::Mainnet => "mainnet",
        }
    }

    /// Whether its venue is mainnet: both profiles that read it.
    pub const fn is_of_mainnet(self) -> bool {
        matches!(self, Self::MainnetDry | Self::Mainnet)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let near = nearest(text, names).unwrap_or_default();
            format!("profile {text:?} is unknown: expected {}; nearest: {near}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_called_by_its_name_and_nothing_else() {
        for profile in Profile::ALL {
            assert_eq!(profile.as_str().parse(), Ok(profile));
        }
        assert_eq!(
            "mainet".parse::<Profile>(),
            Err("profile \"mainet\" is unknown: expected paper, testnet, mainnet-dry, mainnet; nearest: mainnet"
                .to_owned())
        );
    }
}
