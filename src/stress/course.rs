//! The course of a run: the servers are looked at, keys deleted, clients set to work; then the end is awaited,
//! the keys are read, and all that is left is a [`Run`]. Every wait here has a bound, and Ctrl-C ends it.

use super::StressError;
use super::client::Client;
use super::connection::Dial;
use super::dice::Dice;
use super::events::{Events, Sink};
use super::faults;
use super::keys::Keys;
use super::plan::Plan;
use super::progress::Progress;
use super::record::{Ended, Happening, Losses, Run};
use super::recorder::Recorder;
use super::relay::Relay;
use super::shared::{Phase, Setting, Shared};
use super::signals::Signals;
use super::spawn::Cluster;
use super::survey::{self, Asker};
use crate::config::{Address, Pace, StressArgs, Timing};
use std::cell::RefCell;
use std::fs::File;
use std::io::BufWriter;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::{JoinSet, LocalSet};

/// How often the progress is shown, and looked at.
const LOOK_MS: u64 = 100;
/// Without any reply for so long, it is noted.
const NOTED_SILENCE: Duration = Duration::from_secs(2);
/// And for so long, at least, the run is broken off.
const MOST_SILENCE: Duration = Duration::from_secs(15);
/// What clients get to end in order, after Ctrl-C.
const INTERRUPTED_MS: u64 = 300;
/// How long servers may take to answer before the run, and after it.
const SURVEY_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that a run needs, and what it has started.
struct Course<'a> {
    args: &'a StressArgs,
    plan: Plan,
    seed: u64,
    servers: Vec<Address>,
    dial: Dial,
    timing: Timing,
    cluster: Option<Rc<RefCell<Cluster>>>,
    signals: Signals,
}

/// Carries a configuration out. Err: the run could not even begin.
pub fn run(args: &StressArgs, plan: Plan, seed: u64) -> Result<Run, StressError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StressError::Runtime)?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let signals = Signals::listen().map_err(StressError::Runtime)?;
        Course::prepare(args, plan, seed, signals)?.run().await
    });
    // A name that is still being resolved must not hold the end up.
    runtime.shutdown_background();
    outcome
}

impl<'a> Course<'a> {
    fn prepare(args: &'a StressArgs, plan: Plan, seed: u64, signals: Signals) -> Result<Self, StressError> {
        let timing = Timing::from(args.timing.unwrap_or_default());
        let cluster = match args.spawn {
            None => None,
            Some(count) => {
                let token = getrandom::u64().map_err(|error| StressError::Spawn(error.to_string()))?;
                let cluster = Cluster::start(count, args, token).map_err(StressError::Spawn)?;
                Some(Rc::new(RefCell::new(cluster)))
            }
        };
        let servers = match &cluster {
            Some(cluster) => cluster.borrow().addresses().to_vec(),
            None if args.servers.is_empty() => {
                vec![Address { host: "127.0.0.1".to_owned(), port: 6379 }]
            }
            None => args.servers.clone(),
        };
        let mut patience = Duration::from_millis(plan.reply_timeout_ms);
        if args.timing.is_some_and(|pace| pace != Pace::Fast) {
            // A slow cluster answers slowly when nothing is wrong.
            patience = patience.max(Duration::from_millis(timing.unavailable_after_ms + 1000));
        }
        let dial = Dial {
            user: args.user.clone().filter(|_| cluster.is_none()),
            password: args.password.as_ref().map(|password| password.reveal().to_owned()),
            read_mode: plan.read_mode,
            patience,
        };
        Ok(Self { args, plan, seed, servers, dial, timing, cluster, signals })
    }

    async fn run(mut self) -> Result<Run, StressError> {
        let lasts = Duration::from_secs(self.plan.test_duration_seconds);
        let progress = Progress::new(lasts, !self.args.no_progress);
        let mut signals = self.signals.clone();
        let surveyed = tokio::select! {
            surveyed = self.survey(&progress) => surveyed,
            () = signals.come(1) => Err(StressError::Interrupted),
        };
        let (has_versions, keys) = surveyed.inspect_err(|_| progress.end())?;
        let began_unix_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let setting = Setting {
            servers: self.servers.clone(),
            dial: self.dial.clone(),
            has_versions,
            once: self.args.once,
            // Like no other run's: a number of an earlier one would have its reply already.
            sessions: format!("stress:{}:{began_unix_ms}:", self.seed),
            max_retries: self.plan.max_retries_server_packet_loss,
            workload: self.plan.workload.clone(),
        };
        let recorder = Recorder::new(self.plan.clients.iter().map(|client| client.name.clone()));
        let events = Events::new(self.sink()?);
        let shared = Rc::new(Shared::new(setting, recorder, keys, progress, events));
        shared.recorder.borrow_mut().begin();
        let (mut clients, relays) = self.start_clients(&shared);
        let mut ended = self.watch(&shared, &mut clients, lasts).await;
        let lasted = shared.recorder.borrow().elapsed();
        let keys = shared.keys.borrow().all();
        let (finals, unread) = self.read_finals(&shared, &keys, &ended).await;
        if let (Some(text), Ended::Whole | Ended::Full) = (unread, &ended) {
            ended = Ended::BrokeOff(text);
        }
        shared.flush();
        shared.progress.end();
        let lost = relays.iter().map(|relay| relay.losses());
        let mut run = Run {
            name: self.plan.name.clone(),
            seed: self.seed,
            began_unix_ms,
            lasted,
            servers: self.servers.iter().map(ToString::to_string).collect(),
            storage: self.cluster.as_ref().map(|cluster| cluster.borrow().storage().name().to_owned()),
            has_versions,
            once: self.args.once,
            plan: self.plan,
            history: Vec::new(),
            clients: Vec::new(),
            seconds: Vec::new(),
            marks: Vec::new(),
            losses: lost.fold(Losses::default(), |sum, lost| Losses {
                requests: sum.requests + lost.requests,
                replies: sum.replies + lost.replies,
            }),
            finals,
            ended: Ended::Whole,
        };
        shared.take_recorder().fill(&mut run, ended);
        Ok(run)
    }

    /// What the servers are; and the keys, which there are none of then.
    async fn survey(&self, progress: &Progress) -> Result<(bool, Keys), StressError> {
        if let Some(cluster) = &self.cluster {
            progress.say("the nodes are starting");
            let elections = Duration::from_millis(self.timing.unavailable_after_ms);
            let ready = survey::wait_ready(&self.servers, &self.dial, SURVEY_PATIENCE + elections).await;
            if let Some(ended) = cluster.borrow_mut().ended() {
                return Err(StressError::Spawn(ended.text + &ended.log));
            }
            ready.map_err(StressError::Spawn)?;
        }
        progress.say("looking at the servers");
        let (servers, dial) = (&self.servers, &self.dial);
        let warn = |text: &str| progress.warn(text);
        let has_versions = survey::look(servers, dial, &self.plan, self.args.once, warn).await;
        let has_versions = has_versions.map_err(StressError::Servers)?;
        let keys = Keys::new(&self.plan, self.seed);
        let mut asker = Asker::new(servers, dial, SURVEY_PATIENCE);
        let deleted = survey::delete(&keys, &mut asker).await;
        deleted.map_err(|text| StressError::Servers(format!("the keys cannot be written: {text}")))?;
        Ok((has_versions, keys))
    }

    fn sink(&self) -> Result<Sink, StressError> {
        match &self.args.log {
            _ if self.args.quiet => Ok(Sink::Nowhere),
            None => Ok(Sink::Output(String::new())),
            Some(path) => match File::create(path) {
                Ok(file) => Ok(Sink::File(BufWriter::new(file))),
                Err(source) => Err(StressError::File { path: path.clone(), source }),
            },
        }
    }

    fn start_clients(&self, shared: &Rc<Shared>) -> (JoinSet<()>, Vec<Rc<Relay>>) {
        let (mut clients, mut relays) = (JoinSet::new(), Vec::new());
        for (id, plan) in (0..).zip(&self.plan.clients) {
            let dice = Dice::new(self.seed, 2 * id + 1);
            let relay = Relay::new(plan.client_packet_loss_rate, self.plan.server_packet_loss_rate, dice);
            relays.extend(relay.clone());
            let client = Client::new(shared.clone(), id, plan.clone(), self.seed, relay);
            clients.spawn_local(client.run());
        }
        (clients, relays)
    }

    /// Until the run ends, and its clients have: why it did.
    async fn watch(&mut self, shared: &Rc<Shared>, clients: &mut JoinSet<()>, lasts: Duration) -> Ended {
        if shared.setting.has_versions {
            tokio::task::spawn_local(faults::watch(shared.clone()));
        }
        let mut guard = Box::pin(guard(shared.clone(), self.cluster.clone()));
        let kill_every = self.args.kill_leader_every.zip(self.cluster.clone());
        let mut killer = tokio::task::spawn_local(killer(shared.clone(), kill_every, self.timing.clone()));
        let mut killed = None;
        let mut signals = self.signals.clone();
        let mut ended = loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                () = signals.come(1) => break Ended::Interrupted,
                text = &mut guard => break Ended::BrokeOff(text),
                text = &mut killer, if killed.is_none() => killed = Some(text.ok().flatten()),
            }
            if let Some(Some(text)) = &killed {
                break Ended::BrokeOff(text.clone());
            }
            if let Some(ended) = self.look(shared, lasts) {
                break ended;
            }
        };
        shared.advance(if matches!(ended, Ended::BrokeOff(_)) { Phase::Cancelled } else { Phase::Ending });
        let end_ms = match ended {
            Ended::Interrupted => INTERRUPTED_MS,
            _ => 2 * self.dial.patience.as_millis() as u64,
        };
        self.end_clients(shared, clients, end_ms, &mut ended).await;
        // A node that is away is started again, which takes no time.
        if killed.is_none()
            && let Ok(Some(text)) = killer.await
            && !matches!(ended, Ended::BrokeOff(_))
        {
            ended = Ended::BrokeOff(text);
        }
        ended
    }

    /// Shows how far the run is: why it ends now, if it does.
    fn look(&self, shared: &Shared, lasts: Duration) -> Option<Ended> {
        shared.flush();
        shared.progress.show(&shared.recorder.borrow(), lasts);
        let silence = shared.recorder.borrow().silence();
        if silence > NOTED_SILENCE && !shared.recorder.borrow().is_lost() {
            shared.happened(Happening::ServersLost);
        }
        let recorder = shared.recorder.borrow();
        if recorder.is_full() {
            return Some(Ended::Full);
        }
        let error_sleep = self.plan.clients.iter().map(|client| client.error_sleep_ms).max().unwrap_or(0);
        let patience = MOST_SILENCE.max(2 * self.dial.patience + Duration::from_millis(3 * error_sleep));
        if silence > patience {
            let text =
                format!("no server has answered for {} s: {}", silence.as_secs(), recorder.last_error());
            return Some(Ended::BrokeOff(text));
        }
        (recorder.elapsed() >= lasts).then_some(Ended::Whole)
    }

    /// Lets the clients find out what is open, for a while.
    async fn end_clients(
        &mut self,
        shared: &Rc<Shared>,
        clients: &mut JoinSet<()>,
        end_ms: u64,
        ended: &mut Ended,
    ) {
        shared.progress.say("finding out what is open");
        let all_ended = async {
            while let Some(client) = clients.join_next().await {
                // Nobody aborts it: it can only have panicked.
                client.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            }
        };
        let mut all_ended = std::pin::pin!(all_ended);
        let mut signals = self.signals.clone();
        // Ctrl-C now is a first one, or a second.
        let next = signals.count() + 1;
        tokio::select! {
            () = &mut all_ended => return,
            () = tokio::time::sleep(Duration::from_millis(end_ms)) => {}
            () = signals.come(next) => *ended = Ended::Interrupted,
        }
        shared.advance(Phase::Cancelled);
        all_ended.await;
    }

    async fn read_finals(
        &mut self,
        shared: &Rc<Shared>,
        keys: &[(super::keys::Family, std::sync::Arc<str>)],
        ended: &Ended,
    ) -> (Vec<super::record::Final>, Option<String>) {
        shared.progress.say("reading the final state");
        // Nobody answered before: it is not worth a long wait.
        let is_broken = matches!(ended, Ended::BrokeOff(_));
        let patience = if is_broken { Duration::ZERO } else { SURVEY_PATIENCE + 2 * self.dial.patience };
        let mut asker = Asker::new(&self.servers, &self.dial, patience);
        let now_ns = || shared.recorder.borrow().now_ns();
        let client = self.plan.clients.len() as u64;
        let read = survey::finals(keys, shared.setting.has_versions, &mut asker, client, now_ns);
        let mut signals = self.signals.clone();
        let next = signals.count() + 1;
        tokio::select! {
            read = read => read,
            () = signals.come(next) => (Vec::new(), Some("interrupted while the final state was read".into())),
        }
    }
}

/// Why the run cannot go on; never, as long as it can.
async fn guard(shared: Rc<Shared>, cluster: Option<Rc<RefCell<Cluster>>>) -> String {
    let ended = match cluster {
        Some(cluster) => faults::guard(shared, cluster).await,
        None => None,
    };
    match ended {
        Some(text) => text,
        None => std::future::pending().await,
    }
}

/// Kills leaders if that was asked for: why it could not go on.
async fn killer(
    shared: Rc<Shared>,
    every: Option<(Duration, Rc<RefCell<Cluster>>)>,
    timing: Timing,
) -> Option<String> {
    let (every, cluster) = every?;
    faults::kill_leaders(shared, cluster, every, timing).await.err()
}
