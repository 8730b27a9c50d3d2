//! Serving the control socket: reads lines, hands them to the loop, writes what it answers.
//!
//! Nothing that a client does reaches the loop except a whole, understood request: half lines, endless lines, garbage and
//! silence end here.

use std::{collections::VecDeque, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::{
        mpsc::UnboundedSender,
        oneshot,
        watch::{self, Receiver},
    },
    task::{AbortHandle, JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tracing::warn;

use super::{
    Answer, Request,
    protocol::{Ask, answer_text},
    socket::{self, Bound},
};

/// A request is no longer than this.
const LONGEST_LINE: u64 = 4_096;
/// A client that says nothing for so long is let go.
const SILENCE: Duration = Duration::from_secs(10);
/// A client that takes no answer for so long is let go.
const DEAF: Duration = Duration::from_secs(5);
/// How long the loop may take for an answer: less than its client waits, who then hears why there is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(25);
/// Clients at the same time. One more, and the one that has been connected longest is let go: a person must get through.
const CLIENTS: usize = 32;
/// After each answer: nobody keeps the loop busy with questions.
const PAUSE: Duration = Duration::from_millis(10);
/// After a failure to accept, for example for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the last answers may take at the end.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// The socket of one run.
#[derive(Debug)]
pub(crate) struct Server {
    task: JoinHandle<()>,
    ending: watch::Sender<bool>,
}

impl Server {
    /// Listens in a state directory. Errors: with what was being done.
    pub(crate) fn start(state_dir: &Path, asks: UnboundedSender<Ask>) -> Result<Self, std::io::Error> {
        let bound = socket::bind(state_dir)?;
        let (ending, ended) = watch::channel(false);
        Ok(Self { task: tokio::spawn(serve(bound, asks, ended)), ending })
    }

    /// Takes no more clients, lets the last answers out, removes the socket.
    pub(crate) async fn close(mut self) {
        self.ending.send_replace(true);
        if timeout(LAST_ANSWERS_WITHIN * 2, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

async fn serve(bound: Bound, asks: UnboundedSender<Ask>, mut ended: Receiver<bool>) {
    // Removed also when this task is dropped at the end of the program.
    let bound = RemovedAtEnd(bound);
    let mut clients = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => break,
            Some(_) = clients.join_next() => continue,
            accepted = bound.0.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                oldest.retain(|client| !client.is_finished());
                if oldest.len() >= CLIENTS
                    && let Some(client) = oldest.pop_front()
                {
                    client.abort();
                }
                let talk = talk(stream, bound.0.owner, asks.clone(), ended.clone());
                oldest.push_back(clients.spawn(talk));
            }
            Err(error) => {
                warn!(%error, "the control socket cannot take a client");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(bound);
    let rest = async { while clients.join_next().await.is_some() {} };
    let _ = timeout(LAST_ANSWERS_WITHIN, rest).await;
}

struct RemovedAtEnd(Bound);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// One client, until it leaves, is silent, or breaks the rules.
async fn talk(stream: UnixStream, owner: u32, asks: UnboundedSender<Ask>, mut ended: Receiver<bool>) {
    let is_owner = stream.peer_cred().is_ok_and(|peer| may_command(peer.uid(), owner));
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut say = async |answer: Result<Answer, String>| {
        let text = answer_text(&answer);
        matches!(timeout(DEAF, write.write_all(text.as_bytes())).await, Ok(Ok(())))
    };
    if !is_owner {
        say(Err("this executor belongs to another user".to_owned())).await;
        return;
    }
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LONGEST_LINE + 1);
        let got = tokio::select! {
            biased;
            got = timeout(SILENCE, bounded.read_until(b'\n', &mut line)) => got,
            _ = ended.wait_for(|ended| *ended) => return,
        };
        match got {
            Ok(Ok(0)) | Ok(Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) => {
                say(Err(format!("no whole request within {} s", SILENCE.as_secs()))).await;
                return;
            }
        }
        if line.len() as u64 > LONGEST_LINE {
            say(Err(format!("a request has at most {LONGEST_LINE} bytes"))).await;
            return;
        }
        let answer = match Request::parse(line.trim_ascii()) {
            Ok(request) => put(&asks, request).await,
            Err(error) => Err(error),
        };
        if !say(answer).await {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// The executor's own user, and root, who could do anything anyway and is who panics at night.
const fn may_command(peer: u32, owner: u32) -> bool {
    peer == owner || peer == 0
}

/// Puts a request to the loop and waits for what it says.
async fn put(asks: &UnboundedSender<Ask>, request: Request) -> Result<Answer, String> {
    let (reply, answer) = oneshot::channel();
    let ended = || "the executor is ending".to_owned();
    asks.send(Ask { request, reply }).map_err(|_| ended())?;
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(ended()),
        Err(_) => Err(format!(
            "the executor is busy for more than {} s; an order that forbids something is carried out as soon as it is free",
            ANSWER_WITHIN.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_and_one_that_stops_inside_a_line_are_let_go() {
        let owner = {
            let (one, _other) = UnixStream::pair().unwrap();
            one.peer_cred().unwrap().uid()
        };
        for said in ["", "{\"command\":"] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (asks, mut queue) = unbounded_channel();
            let (_ending, ended) = watch::channel(false);
            let server = tokio::spawn(talk(ours, owner, asks, ended));
            let (read, mut write) = theirs.into_split();
            write.write_all(said.as_bytes()).await.unwrap();
            server.await.unwrap();
            let mut answer = String::new();
            BufReader::new(read).read_line(&mut answer).await.unwrap();
            assert!(answer.contains("no whole request within 10 s"), "{answer}");
            assert!(queue.recv().await.is_none(), "nothing reached the loop");
        }
    }

    #[tokio::test]
    async fn another_user_is_refused_and_root_is_not() {
        assert!(may_command(1_000, 1_000) && may_command(0, 1_000));
        assert!(!may_command(1_001, 1_000) && !may_command(1_000, 0));
        let (ours, theirs) = UnixStream::pair().unwrap();
        let own = ours.peer_cred().unwrap().uid();
        if own == 0 {
            return;
        }
        let (asks, mut queue) = unbounded_channel();
        let (_ending, ended) = watch::channel(false);
        let (read, mut write) = theirs.into_split();
        write.write_all(b"{\"command\":\"status\"}\n").await.unwrap();
        talk(ours, own + 1, asks, ended).await;
        let mut answer = String::new();
        BufReader::new(read).read_line(&mut answer).await.unwrap();
        assert!(answer.contains("belongs to another user"), "{answer}");
        assert!(queue.recv().await.is_none());
    }
}
