//! The loop's side of the control socket.

use std::sync::Arc;

use hedge_core::{Brokerage, Clock, Fact, OperatorCommand, Seq};

use crate::{
    control::{Answer, Ask, Done, Origin, Request, Status},
    error::RunError,
    run::{Running, Runtime},
};

impl Runtime {
    /// Answers between two steps. An order that forbids something is carried out also when nobody waits any more: the run may
    /// have been starting for minutes. A resume is not, for whoever gave it up may have changed his mind.
    pub(crate) async fn answer(&mut self, running: &Running, ask: Ask) -> Result<(), RunError> {
        let Ask { request, reply } = ask;
        let loosens = match &request {
            Request::Status => true,
            Request::Command { command, .. } => *command == OperatorCommand::Resume,
        };
        if loosens && reply.is_closed() {
            return Ok(());
        }
        let (command, because) = match request {
            Request::Status => {
                let status = Box::new(self.status(running));
                // Whoever has gone meanwhile does not need it.
                let _ = reply.send(Ok(Answer::Status(status)));
                return Ok(());
            }
            Request::Command { command, because } => (command, because),
        };
        if let (OperatorCommand::Resume, Some(hold)) = (command, &self.settings.hold) {
            let _ = reply.send(Err(format!("this process must not open: {hold}")));
            return Ok(());
        }
        let seq = self.engine.book().next_seq();
        let ticket = self.take(running, Fact::Operator { command, because }).await?;
        let done = self.done(seq);
        let settled = running.journal.settled(ticket);
        tokio::spawn(async move {
            let answer = if settled.await {
                Ok(Answer::Done(done))
            } else {
                Err("the journal could not be written; the executor ends".to_owned())
            };
            let _ = reply.send(answer);
        });
        Ok(())
    }

    fn done(&self, seq: Seq) -> Done {
        let book = self.engine.book();
        let (operator, because) = book.operator();
        Done {
            seq,
            posture: book.posture(),
            operator,
            because: because.to_owned(),
            open_legs: book.open_legs().count(),
        }
    }

    fn status(&self, running: &Running) -> Status {
        let name = |broker: &Arc<dyn Brokerage>| {
            let at = broker.fingerprint();
            format!("{} {:?} at {}", at.venue, at.environment, at.host)
        };
        let venues: Vec<String> = self.venues.values().map(name).collect();
        let origin = Origin {
            profile: self.settings.profile.clone(),
            simulated: self.settings.simulated,
            pid: Some(std::process::id()),
            started_at: Some(running.started_at),
            hold: self.settings.hold.clone(),
            venue: venues.join(", "),
            lease: self.fence.lease(),
            standing: self.views.standing().clone(),
        };
        Status::of(self.engine.book(), origin, self.clock.now())
    }
}
