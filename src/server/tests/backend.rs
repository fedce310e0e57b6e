//! A node that is a map (where `big:N` holds N bytes), and a machine for what a map cannot do:
//! carries jobs out in order, in a task of its own.

use crate::command::{Audience, Reply, Request, hash_password};
use crate::group::{Consistency, Job, Notice, Step};
use crate::keyspace::CountingPace;
use crate::machine::{Machine, RdbWriter};
use crate::node::{Clients, MemberStatus, NodeStatus, RdbPart, RdbParts, RdbRequest, Role};
use crate::server::{Backend, ClientTable};
use crate::wire::NodeId;
use crate::wire::units::{Args, Command, Unit, Units};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tokio::sync::Notify;

/// A value and its revision.
type Item = (Vec<u8>, u64);

#[derive(Default)]
pub struct FakeBackend {
    map: RefCell<BTreeMap<Vec<u8>, Item>>,
    machine: RefCell<Machine>,
    revision: Cell<u64>,
    jobs: RefCell<VecDeque<Job>>,
    arrived: Notify,
    /// Nothing is carried out while this is set.
    pub paused: Cell<bool>,
    /// The machine carries everything out; the map is not used.
    pub has_machine: Cell<bool>,
    /// The node's clock, that reads of the machine see.
    pub wall_ms: Cell<u64>,
    /// What changes is to be told.
    pub touches: Cell<bool>,
    /// Nothing that happens is told.
    pub is_deaf: Cell<bool>,
    /// Every job is refused.
    pub full: Cell<bool>,
    pub status: RefCell<NodeStatus>,
    /// What was asked besides jobs.
    pub asked: RefCell<Vec<String>>,
    /// Steps of each job, and how new its reads have to be.
    pub seen: RefCell<Vec<(usize, Consistency)>>,
    /// Bytes for the log, of all jobs.
    pub logged_bytes: Cell<usize>,
}

impl FakeBackend {
    pub fn start(clients: Rc<ClientTable>) -> Rc<Self> {
        let member = |id: u64, match_index| MemberStatus {
            id,
            client_addr: format!("127.0.0.1:{}", 6378 + id),
            peer_addr: format!("127.0.0.1:{}", 16378 + id),
            voter: true,
            wanted: "voter",
            registered: true,
            connected: true,
            match_index,
            progress: match_index.map(|_| "replicate"),
        };
        let status = NodeStatus {
            node_id: 1,
            role: Role::Leader,
            term: 7,
            leader_id: 1,
            last_index: 50,
            applied_index: 50,
            members: vec![member(1, None), member(2, Some(50)), member(3, Some(40))],
            storage: "file",
            ..NodeStatus::default()
        };
        let backend = Rc::new(Self { status: status.into(), ..Self::default() });
        let driver = Rc::clone(&backend);
        tokio::task::spawn_local(async move {
            loop {
                driver.arrived.notified().await;
                while let Some(job) = driver.next_job() {
                    driver.carry_out(job, &clients);
                }
                clients.flush();
            }
        });
        backend
    }

    fn next_job(&self) -> Option<Job> {
        if self.paused.get() { None } else { self.jobs.borrow_mut().pop_front() }
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.jobs.borrow().len()
    }

    pub fn go_on(&self) {
        self.paused.set(false);
        self.arrived.notify_one();
    }

    fn carry_out(&self, job: Job, clients: &ClientTable) {
        self.seen.borrow_mut().push((job.steps.len(), job.consistency));
        self.machine.borrow().set_audience(Audience::of_caller(clients.observer().shows_scripts.get()));
        self.logged_bytes.update(|bytes| bytes + job.body.len());
        let mut units = Units::new(&job.body);
        for step in job.steps {
            let reply = match step {
                Step::Ready(reply) => reply,
                Step::Purge => panic!("only the group makes it"),
                step if self.has_machine.get() => self.by_machine(&step, &mut units),
                Step::Read(request) | Step::ReadAgain(request) => self.run(&request.args()),
                Step::Watch(request) => self.watch(&request.args()[1..]),
                Step::ReadTransaction(reads) => {
                    let watches =
                        reads.watches.iter().map(|(_, key, revision, _)| (key.as_slice(), *revision));
                    let commands: Vec<_> = reads.commands.iter().map(|command| command.args()).collect();
                    self.transaction(watches, &commands)
                }
                Step::Write | Step::Again => match units.next().unwrap().unwrap() {
                    Unit::Command(command) => self.run(&command.args),
                    Unit::Transaction(transaction) => {
                        let watches = transaction.watches.iter().map(|watch| (watch.key, watch.revision));
                        let commands: Vec<_> =
                            transaction.commands.iter().map(|command| command.args.clone()).collect();
                        self.transaction(watches, &commands)
                    }
                    // The id 9 is nobody; who is added without one becomes 4.
                    Unit::Membership(it) if it.node == 9 => Reply::error("ERR there is no node 9"),
                    Unit::Membership(it) => Reply::Int(if it.node == 0 { 4 } else { it.node as i64 }),
                    unit @ (Unit::Settings(_) | Unit::Upstream(_)) => {
                        self.machine.borrow_mut().execute(&unit)
                    }
                    unit => panic!("{unit:?}"),
                },
            };
            self.tell(job.ticket, clients);
            clients.reply(job.ticket, reply);
        }
        assert!(units.next().is_none(), "as many units as writes");
    }

    /// Time passes, and nothing is removed by it.
    pub fn set_clock(&self, now_ms: u64) {
        self.machine.borrow_mut().begin_entry(1, now_ms);
    }

    fn by_machine(&self, step: &Step, units: &mut Units<'_>) -> Reply {
        let mut machine = self.machine.borrow_mut();
        match step {
            Step::Write | Step::Again => machine.execute(&units.next().unwrap().unwrap()),
            Step::Read(request) | Step::ReadAgain(request) => self.read(&machine, request),
            Step::Watch(request) => machine.watch(request.db, &request.args()[1..], self.wall_ms.get()).0,
            Step::ReadTransaction(reads) => {
                Reply::Array(reads.commands.iter().map(|request| self.read(&machine, request)).collect())
            }
            step => panic!("{step:?}"),
        }
    }

    fn read(&self, machine: &Machine, request: &Request) -> Reply {
        machine.read_request(request, self.wall_ms.get(), 1, &mut |_, _, _| {}).0
    }

    /// The first entry of the log arrives, with a password of `default` (empty: none).
    pub fn bootstrap(&self, password: &str, clients: &ClientTable) {
        let password = if password.is_empty() { String::new() } else { hash_password(password.as_bytes()) };
        let voters = [1, 2, 3].into_iter().collect();
        let unit = Unit::Bootstrap { cluster_id: &[1; 16], hash_key: &[2; 16], voters, password: &password };
        assert_eq!(self.machine.borrow_mut().execute(&unit), Reply::Ok);
        self.tell(0, clients);
    }

    /// What the machine has to tell.
    fn tell(&self, ticket: u64, clients: &ClientTable) {
        for event in self.machine.borrow_mut().take_events().into_iter().filter(|_| !self.is_deaf.get()) {
            clients.notice(Notice { before: 0, ticket, event });
        }
    }

    /// A unit that another node has submitted.
    pub fn apply(&self, unit: &Unit<'_>, clients: &ClientTable) -> Reply {
        self.apply_by(0, unit, clients)
    }

    /// A unit of the client of this number.
    pub fn apply_by(&self, ticket: u64, unit: &Unit<'_>, clients: &ClientTable) -> Reply {
        let reply = self.machine.borrow_mut().execute(unit);
        self.tell(ticket, clients);
        clients.flush();
        reply
    }

    fn revision_of(&self, key: &[u8]) -> u64 {
        self.map.borrow().get(key).map_or(0, |item| item.1)
    }

    fn watch(&self, keys: &[&[u8]]) -> Reply {
        let pair =
            |key: &&[u8]| [Reply::Int(self.revision_of(key) as i64), Reply::Int(self.revision.get() as i64)];
        Reply::Array(keys.iter().flat_map(pair).collect())
    }

    fn transaction<'a>(
        &self,
        mut watches: impl Iterator<Item = (&'a [u8], u64)>,
        commands: &[Args<'_>],
    ) -> Reply {
        if watches.any(|(key, revision)| self.revision_of(key) != revision) {
            return Reply::NilArray;
        }
        Reply::Array(commands.iter().map(|args| self.run(args)).collect())
    }

    fn put(&self, key: &[u8], value: Vec<u8>) {
        self.revision.set(self.revision.get() + 1);
        self.map.borrow_mut().insert(key.to_vec(), (value, self.revision.get()));
    }

    fn run(&self, args: &Args<'_>) -> Reply {
        match args[0].to_ascii_lowercase().as_slice() {
            b"get" if args[1].starts_with(b"big:") => {
                let size = std::str::from_utf8(&args[1][4..]).unwrap().parse().unwrap();
                Reply::bulk(vec![b'x'; size])
            }
            b"get" => self.map.borrow().get(args[1]).map_or(Reply::Nil, |item| Reply::bulk(&item.0)),
            b"set" => {
                self.put(args[1], args[2].to_vec());
                Reply::Ok
            }
            b"incr" => {
                let old = self
                    .map
                    .borrow()
                    .get(args[1])
                    .map_or(0, |item| std::str::from_utf8(&item.0).unwrap().parse::<i64>().unwrap());
                self.put(args[1], (old + 1).to_string().into_bytes());
                Reply::Int(old + 1)
            }
            b"acl" | b"once" | b"publish" | b"replicaof" | b"spublish" => {
                let command = Command { args: args.clone(), db: 0, caller: None };
                self.machine.borrow_mut().execute(&Unit::Command(command))
            }
            name => panic!("{}", name.escape_ascii()),
        }
    }
}

impl Backend for FakeBackend {
    fn look(&self, look: &mut dyn FnMut(&Machine)) {
        look(&self.machine.borrow());
    }

    fn reload(&self) -> Result<(), String> {
        self.machine.borrow_mut().reload()
    }

    fn log_bytes(&self) -> usize {
        0
    }

    fn release_flushed(&self, tables: usize) -> bool {
        self.machine.borrow_mut().release(tables)
    }

    fn set_counting_pace(&self, pace: CountingPace) {
        self.machine.borrow_mut().set_counting_pace(pace);
    }

    fn set_touches(&self, wanted: bool) {
        self.touches.set(wanted);
        self.machine.borrow_mut().set_touches(wanted);
    }

    fn set_propagates(&self, wanted: bool) {
        self.machine.borrow_mut().set_propagates(wanted);
    }

    /// Of the machine as it is now, whatever snapshot is asked for.
    fn rdb(&self, request: RdbRequest) -> RdbParts {
        let (mut machine, mut bytes) = (self.machine.borrow_mut(), Vec::new());
        let mut writer = RdbWriter::new(request.with_keys, request.with_functions);
        writer.chunk(&machine.snapshot_begin(), &mut bytes).unwrap();
        while let Some(chunk) = machine.snapshot_next(100) {
            writer.chunk(&chunk, &mut bytes).unwrap();
        }
        writer.finish(&mut bytes).unwrap();
        let (parts, receiver) = tokio::sync::mpsc::channel(9);
        let mut all =
            vec![RdbPart::Bytes(bytes[..9].to_vec()), RdbPart::Bytes(bytes[9..].to_vec()), RdbPart::End];
        if request.sized {
            all.insert(0, RdbPart::SizeBytes(bytes.len() as u64));
        }
        all.into_iter().for_each(|part| parts.try_send(Ok(part)).unwrap());
        receiver
    }

    fn submit(&self, job: Job) -> Result<(), Job> {
        if self.full.get() {
            return Err(job);
        }
        assert!(job.steps.iter().any(|step| !matches!(step, Step::Ready(_))), "a job asks for something");
        self.jobs.borrow_mut().push_back(job);
        self.arrived.notify_one();
        Ok(())
    }

    fn status(&self) -> NodeStatus {
        self.status.borrow().clone()
    }

    fn transfer_leader(&self, node: NodeId) {
        self.asked.borrow_mut().push(format!("transfer {node}"));
    }

    fn take_snapshot(&self) {
        self.asked.borrow_mut().push("snapshot".to_owned());
    }
}
