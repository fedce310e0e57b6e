//! [`PubSub`]: which of this node's clients listen to what, and the delivery of messages to
//! them. Messages arrive here in the order of the log. This module must never wait for a
//! subscriber: one that does not read is closed at its bound, and the others notice nothing.

use super::client::Client;
use crate::command::{Reply, Subscription, glob_matches};
use crate::keyspace::{Blob, EventClasses};
use crate::limits;
use crate::resp::{self, Protocol};
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Of a channel or a pattern.
type Name = Rc<[u8]>;
/// In the order in which they came.
type Listeners = Vec<Rc<Client>>;

/// What one client listens to, each with its place in the order of its subscriptions.
#[derive(Default)]
pub struct Subscriptions {
    channels: BTreeMap<Name, u64>,
    patterns: BTreeMap<Name, u64>,
    shard_channels: BTreeMap<Name, u64>,
    next: u64,
    over_since: Cell<Option<Instant>>,
}

impl Subscriptions {
    fn of(&mut self, what: Subscription) -> &mut BTreeMap<Name, u64> {
        match what {
            Subscription::Channel => &mut self.channels,
            Subscription::Pattern => &mut self.patterns,
            Subscription::ShardChannel => &mut self.shard_channels,
        }
    }

    /// Channels, patterns and shard channels.
    pub fn counts(&self) -> [usize; 3] {
        [self.channels.len(), self.patterns.len(), self.shard_channels.len()]
    }
}

/// See the module.
#[derive(Default)]
pub struct PubSub {
    channels: RefCell<HashMap<Name, Listeners>>,
    shard_channels: RefCell<HashMap<Name, Listeners>>,
    /// Sorted, so that they are told in an order.
    patterns: RefCell<BTreeMap<Name, Listeners>>,
    count: Cell<usize>,
    size_bytes: Cell<usize>,
    /// Of the messages since the last reply, for the command that published them.
    receivers: RefCell<VecDeque<usize>>,
}

impl PubSub {
    /// Whether so many more subscriptions may be made.
    pub fn has_room(&self, what: Subscription, names: &[&[u8]]) -> bool {
        let size_bytes: usize = names.iter().map(|name| name.len()).sum();
        let patterns = match what {
            Subscription::Pattern => self.patterns.borrow().len() + names.len(),
            _ => 0,
        };
        self.count.get() + names.len() <= limits::MAX_SUBSCRIPTIONS
            && self.size_bytes.get() + size_bytes <= limits::MAX_SUBSCRIPTIONS_BYTES
            && patterns <= limits::MAX_PATTERNS
    }

    /// Lets a client listen; nothing happens if it does already.
    pub fn subscribe(&self, client: &Rc<Client>, what: Subscription, name: &[u8]) {
        let mut own = client.subscriptions.borrow_mut();
        let own = own.get_or_insert_default();
        if own.of(what).contains_key(name) {
            return;
        }
        let name = self.join(client, what, name);
        self.count.set(self.count.get() + 1);
        self.size_bytes.set(self.size_bytes.get() + name.len());
        let place = own.next;
        own.next += 1;
        own.of(what).insert(name, place);
        client.subscribed.set(true);
    }

    fn join(&self, client: &Rc<Client>, what: Subscription, name: &[u8]) -> Name {
        let client = Rc::clone(client);
        if what == Subscription::Pattern {
            let mut patterns = self.patterns.borrow_mut();
            let name = patterns.get_key_value(name).map_or_else(|| name.into(), |(name, _)| Rc::clone(name));
            patterns.entry(Rc::clone(&name)).or_default().push(client);
            return name;
        }
        let mut channels = self.exact(what == Subscription::ShardChannel).borrow_mut();
        let name = channels.get_key_value(name).map_or_else(|| name.into(), |(name, _)| Rc::clone(name));
        channels.entry(Rc::clone(&name)).or_default().push(client);
        name
    }

    fn exact(&self, sharded: bool) -> &RefCell<HashMap<Name, Listeners>> {
        if sharded { &self.shard_channels } else { &self.channels }
    }

    /// Ends a subscription; nothing happens if there is none.
    pub fn unsubscribe(&self, client: &Client, what: Subscription, name: &[u8]) {
        let mut slot = client.subscriptions.borrow_mut();
        let Some(own) = slot.as_mut() else { return };
        if own.of(what).remove(name).is_none() {
            return;
        }
        self.leave(client, what, name);
        if own.counts() == [0; 3] {
            *slot = None;
            client.subscribed.set(false);
        }
    }

    fn leave(&self, client: &Client, what: Subscription, name: &[u8]) {
        self.count.set(self.count.get() - 1);
        self.size_bytes.set(self.size_bytes.get() - name.len());
        if what == Subscription::Pattern {
            let mut patterns = self.patterns.borrow_mut();
            if patterns.get_mut(name).is_some_and(|listeners| remove(listeners, client)) {
                patterns.remove(name);
            }
        } else {
            let mut channels = self.exact(what == Subscription::ShardChannel).borrow_mut();
            if channels.get_mut(name).is_some_and(|listeners| remove(listeners, client)) {
                channels.remove(name);
            }
        }
    }

    /// What a client listens to, in the order of its subscriptions.
    pub fn subscriptions(&self, client: &Client, what: Subscription) -> Vec<Name> {
        let mut own = client.subscriptions.borrow_mut();
        let Some(own) = own.as_mut() else { return Vec::new() };
        let mut names: Vec<_> = own.of(what).iter().map(|(name, place)| (*place, Rc::clone(name))).collect();
        names.sort_unstable_by_key(|(place, _)| *place);
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Ends all subscriptions of a client, silently.
    pub fn forget(&self, client: &Client) {
        let Some(mut own) = client.subscriptions.take() else { return };
        client.subscribed.set(false);
        for what in [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel] {
            for (name, _) in std::mem::take(own.of(what)) {
                self.leave(client, what, &name);
            }
        }
    }

    /// Channels that somebody listens to.
    pub fn channels(&self, sharded: bool, pattern: Option<&[u8]>) -> Vec<Name> {
        let channels = self.exact(sharded).borrow();
        let wanted = |name: &&Name| pattern.is_none_or(|pattern| glob_matches(pattern, name));
        let mut names: Vec<_> = channels.keys().filter(wanted).cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many listen to a channel.
    pub fn listeners(&self, sharded: bool, channel: &[u8]) -> usize {
        self.exact(sharded).borrow().get(channel).map_or(0, Vec::len)
    }

    /// Channels, patterns and shard channels that anybody listens to.
    pub fn counts(&self) -> [usize; 3] {
        [self.channels.borrow().len(), self.patterns.borrow().len(), self.shard_channels.borrow().len()]
    }

    /// Sends a message to all who listen, and tells `touch` of each; how many they are.
    pub fn publish(
        &self,
        channel: &Blob,
        message: &Blob,
        sharded: bool,
        touch: &mut dyn FnMut(&Rc<Client>),
    ) -> usize {
        let mut receivers = 0;
        let mut send = |push: &mut Push, listeners: &Listeners| {
            for client in listeners {
                push.send(client);
                touch(client);
            }
            receivers += listeners.len();
        };
        if let Some(listeners) = self.exact(sharded).borrow().get(&**channel) {
            let name = if sharded { "smessage" } else { "message" };
            let items = vec![Reply::bulk(name), Reply::Bulk(channel.clone()), Reply::Bulk(message.clone())];
            send(&mut Push::new(items), listeners);
        }
        if !sharded {
            for (pattern, listeners) in &*self.patterns.borrow() {
                if glob_matches(pattern, channel) {
                    let items =
                        [Blob::from("pmessage"), Blob::new(pattern), channel.clone(), message.clone()];
                    send(&mut Push::new(items.map(Reply::Bulk).into()), listeners);
                }
            }
        }
        receivers
    }

    /// A keyspace event is two messages, if both are wanted.
    pub fn tell_event(
        &self,
        classes: EventClasses,
        name: &str,
        db: u32,
        key: &Blob,
        touch: &mut dyn FnMut(&Rc<Client>),
    ) {
        if self.channels.borrow().is_empty() && self.patterns.borrow().is_empty() {
            return;
        }
        if classes.by_key() {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&Blob::new(&channel), &name.into(), false, touch);
        }
        if classes.by_event() {
            let channel = format!("__keyevent@{db}__:{name}");
            self.publish(&channel.into(), key, false, touch);
        }
    }

    /// Remembers how many received a message, for the next reply.
    pub fn note_receivers(&self, receivers: usize) {
        self.receivers.borrow_mut().push_back(receivers);
    }

    /// Whether [`PubSub::fill_in`] has something to put into a reply.
    pub fn has_receivers(&self) -> bool {
        !self.receivers.borrow().is_empty()
    }

    /// The reply of the command that published the messages which were noted, with their numbers.
    pub fn fill_in(&self, mut reply: Reply) -> Reply {
        let mut receivers = self.receivers.borrow_mut();
        if !receivers.is_empty() {
            fill_in(&mut reply, &mut receivers);
            receivers.clear();
        }
        reply
    }
}

fn fill_in(reply: &mut Reply, receivers: &mut VecDeque<usize>) {
    match reply {
        Reply::Receivers => *reply = Reply::Int(receivers.pop_front().unwrap_or(0) as i64),
        Reply::Array(items) => items.iter_mut().for_each(|item| fill_in(item, receivers)),
        _ => {}
    }
}

/// Whether nobody is left.
fn remove(listeners: &mut Listeners, client: &Client) -> bool {
    if let Some(at) = listeners.iter().position(|listener| listener.id == client.id) {
        listeners.remove(at);
    }
    listeners.is_empty()
}

/// One message, encoded once for each protocol that its receivers speak.
struct Push {
    reply: Reply,
    encoded: [BytesMut; 2],
}

impl Push {
    fn new(items: Vec<Reply>) -> Self {
        Self { reply: Reply::Push(items), encoded: Default::default() }
    }

    fn send(&mut self, client: &Client) {
        let protocol = client.protocol.get();
        let encoded = &mut self.encoded[usize::from(protocol == Protocol::Resp3)];
        if encoded.is_empty() {
            resp::encode(encoded, &self.reply, protocol);
        }
        client.write_with(|out| out.extend_from_slice(encoded));
        if client.unsent() > limits::SUBSCRIBER_SOFT_BUFFER_BYTES {
            check_bounds(client);
        }
    }
}

/// As Redis's `client-output-buffer-limit pubsub 32mb 8mb 60`.
fn check_bounds(client: &Client) {
    client.flush();
    let unsent_bytes = client.unsent();
    let subscriptions = client.subscriptions.borrow();
    let Some(over_since) = subscriptions.as_ref().map(|own| &own.over_since) else { return };
    let now = Instant::now();
    let over = unsent_bytes > limits::SUBSCRIBER_SOFT_BUFFER_BYTES;
    // The clock of an earlier time above the bound ran only until it was below it once.
    let since = over_since.get().filter(|_| over).unwrap_or(now);
    over_since.set(over.then_some(since));
    let patience = Duration::from_secs(limits::SUBSCRIBER_PATIENCE_S);
    if unsent_bytes > limits::MAX_SUBSCRIBER_BUFFER_BYTES || now - since > patience {
        client.cut_off();
    }
}
