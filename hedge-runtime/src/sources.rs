//! Four queues and a timer become one sequence of facts, in a fixed order of importance.

use std::sync::Arc;

use hedge_core::{Clock, Fact, MarketEvent, OperatorCommand, Posture, Timestamp};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{
    activity::{Activity, Kind, Token},
    control::Ask,
};

/// A fact on its way to the loop; counted until it has been handled.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) fact: Fact,
    pub(crate) token: Token,
    /// The standing order that the sender saw. Where another one stands by now, the fact is dropped.
    pub(crate) only_while: Option<(Posture, String)>,
}

/// The entrance of one queue.
#[derive(Clone, Debug)]
pub(crate) struct FactSender {
    sender: UnboundedSender<Queued>,
    activity: Arc<Activity>,
    kind: Kind,
}

impl FactSender {
    /// Queues a fact. After the loop has ended nobody listens, and the fact is dropped.
    pub(crate) fn send(&self, fact: Fact) {
        self.send_while(fact, None);
    }
    fn send_while(&self, fact: Fact, only_while: Option<(Posture, String)>) {
        let token = self.activity.count(self.kind);
        let _ = self.sender.send(Queued { fact, token, only_while });
    }
    /// Queues a market fact.
    pub(crate) fn market(&self, event: MarketEvent) {
        self.send(Fact::Market { event });
    }
}

/// Commands the running engine; for the control surface and for tests.
#[derive(Clone, Debug)]
pub struct Operator(FactSender);

impl Operator {
    /// Queues a command before everything else that waits.
    pub fn command(&self, command: OperatorCommand, because: impl Into<String>) {
        self.0.send(Fact::Operator { command, because: because.into() });
    }
    /// Like [`command`](Self::command), for guards: dropped when the standing order is not this one any more. So what a
    /// person has ordered in the same moment is neither lifted nor loosened.
    pub fn command_while(
        &self,
        standing: (Posture, String),
        command: OperatorCommand,
        because: impl Into<String>,
    ) {
        self.0.send_while(Fact::Operator { command, because: because.into() }, Some(standing));
    }
}

/// What the loop does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something came in.
    Fact(Queued),
    /// Somebody asks at the control socket.
    Ask(Ask),
    /// The deadline has passed.
    Due,
}

/// The exits of all queues.
#[derive(Debug)]
pub(crate) struct Sources {
    activity: Arc<Activity>,
    asks: UnboundedReceiver<Ask>,
    operator: UnboundedReceiver<Queued>,
    results: UnboundedReceiver<Queued>,
    account: UnboundedReceiver<Queued>,
    market: UnboundedReceiver<Queued>,
    /// A market fact that was taken out while market facts are held back.
    waiting: Option<Queued>,
    pub(crate) senders: Senders,
}

/// The entrances of all queues.
#[derive(Clone, Debug)]
pub(crate) struct Senders {
    pub(crate) asks: UnboundedSender<Ask>,
    pub(crate) operator: FactSender,
    pub(crate) results: FactSender,
    pub(crate) account: FactSender,
    pub(crate) market: FactSender,
}

impl Senders {
    /// The handle that operators get.
    pub(crate) fn operator_handle(&self) -> Operator {
        Operator(self.operator.clone())
    }
}

impl Sources {
    pub(crate) fn new(activity: &Arc<Activity>) -> Self {
        let queue = |kind| {
            let (sender, receiver) = mpsc::unbounded_channel();
            (FactSender { sender, activity: Arc::clone(activity), kind }, receiver)
        };
        let (asks, asks_rx) = mpsc::unbounded_channel();
        let (operator, operator_rx) = queue(Kind::Prompt);
        let (results, results_rx) = queue(Kind::Prompt);
        let (account, account_rx) = queue(Kind::Prompt);
        let (market, market_rx) = queue(Kind::Market);
        Self {
            activity: Arc::clone(activity),
            asks: asks_rx,
            operator: operator_rx,
            results: results_rx,
            account: account_rx,
            market: market_rx,
            waiting: None,
            senders: Senders { asks, operator, results, account, market },
        }
    }

    /// Control socket before operator before effect results before account before timer before market. Cancel-safe.
    pub(crate) async fn next(&mut self, deadline: Timestamp, clock: &dyn Clock) -> Next {
        tokio::select! {
            biased;
            Some(ask) = self.asks.recv() => Next::Ask(ask),
            Some(queued) = self.operator.recv() => Next::Fact(queued),
            Some(queued) = self.results.recv() => Next::Fact(queued),
            Some(queued) = self.account.recv() => Next::Fact(queued),
            () = timer(deadline, clock, &self.activity) => Next::Due,
            Some(queued) = market(&mut self.waiting, &mut self.market, &self.activity) => Next::Fact(queued),
            else => std::future::pending().await,
        }
    }

    /// Like [`next`](Self::next), without timers and market facts: for the way out. Cancel-safe.
    pub(crate) async fn next_prompt(&mut self) -> Next {
        tokio::select! {
            biased;
            Some(ask) = self.asks.recv() => Next::Ask(ask),
            Some(queued) = self.operator.recv() => Next::Fact(queued),
            Some(queued) = self.results.recv() => Next::Fact(queued),
            Some(queued) = self.account.recv() => Next::Fact(queued),
            else => std::future::pending().await,
        }
    }

    /// Answers nobody any more.
    pub(crate) fn close(&mut self) {
        self.asks.close();
        while self.asks.try_recv().is_ok() {}
    }
}

async fn timer(deadline: Timestamp, clock: &dyn Clock, activity: &Activity) {
    loop {
        activity.released().await;
        clock.sleep_until(deadline).await;
        // In lockstep the clock may have jumped while timers were held back.
        if !activity.is_held() {
            return;
        }
    }
}

async fn market(
    waiting: &mut Option<Queued>,
    queue: &mut UnboundedReceiver<Queued>,
    activity: &Activity,
) -> Option<Queued> {
    if waiting.is_none() {
        *waiting = queue.recv().await;
    }
    activity.released().await;
    waiting.take()
}

#[cfg(test)]
mod tests {
    use hedge_core::{AccountEvent, InstrumentIx};

    use super::*;
    use crate::clock::SystemClock;

    fn name(next: Next) -> &'static str {
        match next {
            Next::Due => "timer",
            Next::Ask(_) => "ask",
            Next::Fact(Queued { fact: Fact::Operator { .. }, .. }) => "operator",
            Next::Fact(Queued { fact: Fact::Account { .. }, .. }) => "account",
            Next::Fact(Queued { fact: Fact::Market { .. }, .. }) => "market",
            Next::Fact(Queued { fact: Fact::Tick, .. }) => "result",
            Next::Fact(_) => "?",
        }
    }

    fn fill(sources: &Sources) {
        let senders = &sources.senders;
        senders.market.market(MarketEvent::Silent { instrument: InstrumentIx(0) });
        senders.account.send(Fact::Account { event: Box::new(AccountEvent::Reconnected) });
        senders.results.send(Fact::Tick);
        senders.operator_handle().command(OperatorCommand::Halt, "test");
    }

    #[tokio::test]
    async fn sources_are_served_in_their_order_of_importance() {
        let mut sources = Sources::new(&Activity::free());
        fill(&sources);
        let mut order = Vec::new();
        for due in [true, true, true, true, false] {
            let deadline = if due { Timestamp::EPOCH } else { Timestamp::MAX };
            order.push(name(sources.next(deadline, &SystemClock).await));
        }
        assert_eq!(order, ["operator", "result", "account", "timer", "market"]);
    }

    #[tokio::test]
    async fn held_market_facts_and_timers_come_after_their_release() {
        let activity = Activity::stepped();
        let mut sources = Sources::new(&activity);
        activity.hold();
        fill(&sources);
        for expected in ["operator", "result", "account"] {
            assert_eq!(name(sources.next(Timestamp::EPOCH, &SystemClock).await), expected);
        }
        {
            let next = sources.next(Timestamp::EPOCH, &SystemClock);
            tokio::pin!(next);
            assert!(futures_poll(next.as_mut()).await.is_none(), "held back");
        }
        assert!(activity.is_idle(Timestamp::EPOCH) && activity.holds_work(Timestamp::EPOCH));
        activity.release();
        assert_eq!(name(sources.next(Timestamp::MAX, &SystemClock).await), "market");
    }

    async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
