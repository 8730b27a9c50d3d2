//! An account: settings, wallets, legs, and indexes into its orders.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::client_id::ClientIndex;
use super::command::{AccountId, FeeRates, Restriction};
use super::guard::Guard;
use super::ledger::{IncomeRow, TradeRow};
use super::rows::Rows;
use super::switches::Switches;
use super::view::{AmendmentView, MarginChangeView};
use super::vocabulary::{MarginType, PositionSide};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) hedge: bool,
    pub(super) restriction: Restriction,
    pub(super) fees: FeeRates,
    #[serde(default, skip_serializing_if = "Switches::are_off")]
    pub(super) switches: Switches,
    /// By asset index.
    pub(super) wallets: Vec<Wallet>,
    /// By symbol index.
    pub(super) slots: Vec<Slot>,
    /// Symbols with a position, ascending.
    pub(super) held: Vec<usize>,
    /// Ascending ids.
    pub(super) open_orders: Vec<u64>,
    pub(super) open_algos: Vec<u64>,
    pub(super) orders: Vec<u64>,
    pub(super) algos: Vec<u64>,
    /// Newest order of each client id.
    pub(super) by_client: ClientIndex,
    pub(super) by_client_algo: BTreeMap<String, u64>,
    pub(super) trades: Rows<TradeRow>,
    pub(super) income: Rows<IncomeRow>,
    pub(super) amendments: Vec<AmendmentView>,
    pub(super) margin_changes: Vec<MarginChangeView>,
    pub(super) update_ms: i64,
    #[serde(skip)]
    pub(super) guard: Option<Guard>,
}

/// Money of one asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wallet {
    /// Everything, isolated margins included.
    pub(super) balance: Decimal,
    pub(super) update_ms: i64,
    /// A margin call was sent and the danger is not over.
    pub(super) called: bool,
}

/// Settings and legs of one symbol.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Slot {
    pub(super) leverage: u32,
    pub(super) margin_type: MarginType,
    pub(super) fees: Option<FeeRates>,
    legs: [Leg; 3],
}

/// One position row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Leg {
    /// Signed lot steps; negative is short.
    pub(super) steps: i64,
    /// Notional paid for what is held, always positive, exact.
    pub(super) cost: Decimal,
    /// Margin set apart, zero when crossed.
    pub(super) isolated_wallet: Decimal,
    /// Fees paid for what is held.
    pub(super) fees: Decimal,
    /// Profit realised on this row, before fees.
    pub(super) realized: Decimal,
    pub(super) update_ms: i64,
    pub(super) called: bool,
}

pub(super) const LEG_SIDES: [PositionSide; 3] = [PositionSide::Both, PositionSide::Long, PositionSide::Short];

impl Account {
    pub(super) fn new(id: AccountId, fees: FeeRates, assets: usize, now_ms: i64) -> Self {
        Self {
            id,
            hedge: false,
            restriction: Restriction::None,
            fees,
            switches: Switches::default(),
            wallets: vec![Wallet::empty(now_ms); assets],
            slots: Vec::new(),
            held: Vec::new(),
            open_orders: Vec::new(),
            open_algos: Vec::new(),
            orders: Vec::new(),
            algos: Vec::new(),
            by_client: ClientIndex::default(),
            by_client_algo: BTreeMap::new(),
            trades: Rows::default(),
            income: Rows::default(),
            amendments: Vec::new(),
            margin_changes: Vec::new(),
            update_ms: now_ms,
            guard: None,
        }
    }

    /// Rows this account's mode has.
    pub(super) fn sides(&self) -> &'static [PositionSide] {
        if self.hedge { &[PositionSide::Long, PositionSide::Short] } else { &[PositionSide::Both] }
    }

    pub(super) fn leg(&self, symbol: usize, side: PositionSide) -> &Leg {
        self.slots[symbol].leg(side)
    }

    /// Notes whether the symbol is held, after a leg changed.
    pub(super) fn note_held(&mut self, symbol: usize) {
        let held = self.slots[symbol].legs.iter().any(|leg| leg.steps != 0);
        match (self.held.binary_search(&symbol), held) {
            (Err(at), true) => self.held.insert(at, symbol),
            (Ok(at), false) => {
                self.held.remove(at);
            }
            _ => {}
        }
    }

    /// Whether a margin call of the account is out.
    pub(super) fn is_called(&self) -> bool {
        self.wallets.iter().any(|wallet| wallet.called)
            || self.held.iter().any(|at| self.slots[*at].legs.iter().any(|leg| leg.called))
    }

    pub(super) fn fee_rates(&self, symbol: usize) -> FeeRates {
        self.slots[symbol].fees.unwrap_or(self.fees)
    }
}

impl Wallet {
    pub(super) fn empty(now_ms: i64) -> Self {
        Self { balance: Decimal::ZERO, update_ms: now_ms, called: false }
    }
}

impl Slot {
    pub(super) fn new(leverage: u32) -> Self {
        Self { leverage, margin_type: MarginType::Crossed, fees: None, legs: Default::default() }
    }

    pub(super) fn leg(&self, side: PositionSide) -> &Leg {
        &self.legs[side as usize]
    }

    pub(super) fn leg_mut(&mut self, side: PositionSide) -> &mut Leg {
        &mut self.legs[side as usize]
    }

    pub(super) fn is_isolated(&self) -> bool {
        self.margin_type == MarginType::Isolated
    }
}

impl Leg {
    pub(super) fn is_flat(&self) -> bool {
        self.steps == 0
    }
}
