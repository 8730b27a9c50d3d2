//! The way from a socket to its consumer. It knows whether everything pushed has been *dealt with*: the consumer came back
//! for more. A ping is answered only then, so that a pong proves that all before it was handed on.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hedge_core::EventSource;
use tokio::sync::{mpsc, watch};

/// The consumer is gone; nobody wants events any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The reader's end. Several connections may push into one.
#[derive(Debug)]
pub(crate) struct Outlet<E> {
    events: mpsc::Sender<E>,
    sent: Arc<AtomicU64>,
    handled: watch::Receiver<u64>,
}

impl<E> Clone for Outlet<E> {
    fn clone(&self) -> Self {
        Self { events: self.events.clone(), sent: Arc::clone(&self.sent), handled: self.handled.clone() }
    }
}

/// The consumer's end.
#[derive(Debug)]
pub(crate) struct Inlet<E> {
    events: mpsc::Receiver<E>,
    received: u64,
    handled: watch::Sender<u64>,
}

/// Both ends; at most `capacity` events wait.
pub(crate) fn outlet<E>(capacity: usize) -> (Outlet<E>, Inlet<E>) {
    let (events, receiver) = mpsc::channel(capacity.max(1));
    let (handled, handled_receiver) = watch::channel(0);
    let outlet = Outlet { events, sent: Arc::default(), handled: handled_receiver };
    (outlet, Inlet { events: receiver, received: 0, handled })
}

impl<E> Outlet<E> {
    /// Hands one event on; waits while the consumer is behind.
    pub(crate) async fn push(&self, event: E) -> Result<(), Gone> {
        let permit = self.events.reserve().await.map_err(|_| Gone)?;
        self.sent.fetch_add(1, Ordering::SeqCst);
        permit.send(event);
        Ok(())
    }

    /// Resolves once the consumer has dealt with everything pushed so far.
    pub(crate) async fn drained(&mut self) -> Result<(), Gone> {
        let target = self.sent.load(Ordering::SeqCst);
        self.handled.wait_for(|handled| *handled >= target).await.map(|_| ()).map_err(|_| Gone)
    }

    /// Resolves once the consumer is gone.
    pub(crate) async fn closed(&self) {
        self.events.closed().await;
    }
}

#[async_trait]
impl<E: std::fmt::Debug + Send> EventSource<E> for Inlet<E> {
    async fn next(&mut self) -> Option<E> {
        // Asking again says that the last event was dealt with.
        self.handled.send_replace(self.received);
        let event = self.events.recv().await;
        if event.is_some() {
            self.received += 1;
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    fn is_ready<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn it_is_drained_when_the_consumer_asks_again_and_not_before() {
        let (mut outlet, mut inlet) = outlet(4);
        outlet.push(1).await.unwrap();
        assert_eq!(inlet.next().await, Some(1));
        {
            let mut drained = std::pin::pin!(outlet.drained());
            assert!(!is_ready(drained.as_mut()), "the consumer still holds the event");
        }
        {
            let mut next = std::pin::pin!(inlet.next());
            assert!(!is_ready(next.as_mut()));
        }
        assert_eq!(outlet.drained().await, Ok(()));
    }

    #[tokio::test]
    async fn a_consumer_that_leaves_is_noticed() {
        let (mut outlet, inlet) = outlet(4);
        outlet.push(1).await.unwrap();
        drop(inlet);
        assert_eq!(outlet.push(2).await, Err(Gone));
        assert_eq!(outlet.drained().await, Err(Gone));
    }
}
