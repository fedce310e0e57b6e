//! Who is at the other end of a connection, and what of the user's rights a command needs. Users
//! are replicated; each connection keeps what it last saw of its own, and is told when that
//! changes. A connection must never do what its user may not, and one that may do everything
//! must cost no more than the look at one flag.

use super::client::Client;
use super::connection::Connection;
use super::{ClientTable, Shared, acl_commands};
use crate::command::{Acl, Command, Denied, Flags, Reply, Request, Subscription, User, glob_matches};
use crate::keyspace::{Blob, Event, UserChange};
use crate::resp::Limits;
use slog::warn;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

const DEFAULT: &[u8] = b"default";
/// Clients try again.
pub const NO_USERS_YET: Reply = Reply::error("LOADING this node has yet to hear of the users of its cluster");
/// What a node may be asked before: how far it is.
const BEFORE_USERS: [&str; 5] = ["info", "ping", "quit", "raft|status", "reset"];
/// Elections that may be held until then.
const PATIENCE_ELECTIONS: u32 = 10;

fn may_come_early(row: &Command) -> bool {
    BEFORE_USERS.contains(&row.full_name)
}

const NOT_AUTHENTICATED: &str = "NOAUTH Authentication required.";

/// See the module.
pub struct Access {
    /// Nothing is to be checked.
    trusted: Cell<bool>,
    /// The user may be another than it was.
    stale: Cell<bool>,
    /// Whether the node knew its cluster's users at the last look.
    settled: Cell<bool>,
    /// Has logged in, or came when nobody had to.
    authenticated: Cell<bool>,
    /// Whoever has not logged in is the user `default`, and that needs no password.
    open: Cell<bool>,
    name: RefCell<Vec<u8>>,
    user: RefCell<Option<Arc<User>>>,
    /// The password with which it logged in before the node knew its users.
    early_password: RefCell<Option<Vec<u8>>>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            trusted: Cell::new(false),
            stale: Cell::new(true),
            settled: Cell::new(false),
            authenticated: Cell::new(false),
            open: Cell::new(false),
            name: RefCell::new(DEFAULT.to_vec()),
            user: RefCell::default(),
            early_password: RefCell::default(),
        }
    }
}

impl Access {
    /// Whether there is nothing that the connection may not do.
    pub fn is_trusted(&self) -> bool {
        self.trusted.get()
    }

    /// Whether it has to log in first.
    pub fn needs_password(&self) -> bool {
        !self.authenticated.get() && !self.open.get()
    }

    /// The name of the user.
    pub fn name(&self) -> Vec<u8> {
        self.name.borrow().clone()
    }

    /// The same, for people.
    pub fn shown_name(&self) -> String {
        String::from_utf8_lossy(&self.name.borrow()).into_owned()
    }

    fn doubt(&self) {
        self.trusted.set(false);
        self.stale.set(true);
    }

    fn concerns(&self, name: &[u8]) -> bool {
        *self.name.borrow() == name || name == DEFAULT && !self.authenticated.get()
    }
}

/// Lets `look` see the users. A node that does not know its cluster's yet goes by what it was started
/// with; `look` hears which it is.
pub fn users<T>(shared: &Shared, look: impl FnOnce(&Acl, bool) -> T) -> Option<T> {
    let mut look = Some(look);
    let mut seen = None;
    shared.backend.look(&mut |machine| {
        let Some(look) = look.take() else { return };
        let settled = machine.cluster_id().is_some();
        seen = Some(match &shared.early_users {
            Some(early) if !settled => look(early, false),
            _ => look(machine.acl(), settled),
        });
    });
    seen
}

impl Connection {
    /// Looks at the user anew, and closes the connection of one that is no more.
    pub(super) fn refresh_access(&mut self) {
        let access = &self.client.access;
        let found = users(&self.shared, |acl, settled| {
            if settled && !access.settled.replace(true) {
                let early = access.early_password.take();
                let is_right = early.is_some_and(|password| acl.authenticate(DEFAULT, &password).is_some());
                access.authenticated.set(is_right || acl.default_user().is_open());
                warn_of_password(&self.shared, acl);
            }
            access.open.set(acl.default_user().is_open());
            acl.user(&access.name.borrow()).cloned()
        });
        access.stale.set(false);
        match found.flatten() {
            Some(user) => {
                access
                    .trusted
                    .set(user.is_unrestricted() && !access.needs_password() && access.settled.get());
                *access.user.borrow_mut() = Some(user);
            }
            None => self.client.close("its user was removed"),
        }
        self.decoder_limits();
    }

    fn decoder_limits(&mut self) {
        let unauthenticated = self.client.access.needs_password();
        self.set_limits(if unauthenticated { Limits::UNAUTHENTICATED } else { Limits::AUTHENTICATED });
    }

    /// Whether a command has to be held until the users of the cluster are known: not for longer than
    /// commands wait for a leader.
    pub(super) fn has_to_wait_for_users(&mut self, row: &Command) -> bool {
        if self.client.access.is_trusted() || !self.shared.config.awaits_users || may_come_early(row) {
            return false;
        }
        let patience = self.shared.config.election_timeout * PATIENCE_ELECTIONS;
        self.users_by.get_or_insert_with(|| Instant::now() + patience);
        self.waits_for_users()
    }

    /// Whether a command is held for that.
    pub(super) fn waits_for_users(&self) -> bool {
        !self.client.access.settled.get() && self.users_by.is_some_and(|by| Instant::now() < by)
    }

    /// Whether the node cannot know yet who a user is.
    pub(super) fn knows_nobody(&self, name: &[u8]) -> bool {
        let settled = users(&self.shared, |_, settled| settled) == Some(true);
        let (awaits, has_own) = (self.shared.config.awaits_users, self.shared.early_users.is_some());
        !settled && if name == DEFAULT { awaits && !has_own } else { awaits || has_own }
    }

    /// Logs in; whether the password was right.
    pub(super) fn log_in(&mut self, name: &[u8], password: &[u8]) -> bool {
        let found =
            users(&self.shared, |acl, settled| acl.authenticate(name, password).is_some().then_some(settled));
        let Some(settled) = found.flatten() else { return false };
        let access = &self.client.access;
        *access.name.borrow_mut() = name.to_vec();
        access.settled.set(settled);
        access.authenticated.set(true);
        *access.early_password.borrow_mut() = (!settled).then(|| password.to_vec());
        self.refresh_access();
        true
    }

    /// As it was when it was opened.
    pub(super) fn log_out(&mut self) {
        let access = &self.client.access;
        *access.name.borrow_mut() = DEFAULT.to_vec();
        access.settled.set(false);
        access.authenticated.set(false);
        self.refresh_access();
    }

    /// Whether the connection may make this call: an error if not. To be asked for each call of
    /// a connection that is not trusted.
    pub(super) fn authorize(&mut self, row: &'static Command, request: &Request) -> Result<(), Reply> {
        if self.client.access.stale.get() || !self.client.access.settled.get() {
            self.refresh_access();
        }
        let in_exec =
            if row.full_name == "exec" { "EXECABORT Transaction discarded because of: " } else { "" };
        let error = |text: String| Reply::error_owned(format!("{in_exec}{text}"));
        if self.client.access.needs_password() && !row.flags.has(Flags::NO_AUTH) {
            return Err(error(NOT_AUTHENTICATED.to_owned()));
        }
        if self.shared.config.awaits_users && !self.client.access.settled.get() && !may_come_early(row) {
            return Err(NO_USERS_YET);
        }
        self.permitted(row, request, self.session.multi.is_some()).map_err(|denied| match denied {
            Denied::Command(name) => {
                error(format!("NOPERM this user has no permissions to run the '{name}' command"))
            }
            Denied::Key(_) => error(
                "NOPERM this user has no permissions to access one of the keys used as arguments".into(),
            ),
            Denied::Channel(_) => error(
                "NOPERM this user has no permissions to access one of the channels used as arguments".into(),
            ),
        })?;
        self.sort_permitted(row, request)
    }

    /// Whether a queued call may still be made.
    pub(super) fn still_permitted(&mut self, row: &'static Command, request: &Request) -> Result<(), Reply> {
        if self.client.access.stale.get() {
            self.refresh_access();
        }
        let reason = match self.permitted(row, request, true) {
            Ok(()) => return Ok(()),
            Err(Denied::Command(_)) => "no permission to execute the command or subcommand",
            Err(Denied::Key(_)) => "no permission to touch the specified keys",
            Err(Denied::Channel(_)) => "no permission to access one of the channels used as arguments",
        };
        Err(Reply::error_owned(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. \
             This command is no longer allowed for the following reason: {reason}"
        )))
    }

    fn permitted(&self, row: &'static Command, request: &Request, in_multi: bool) -> Result<(), Denied> {
        let user = self.client.access.user.borrow();
        let Some(user) = &*user else { return Err(Denied::Command(row.full_name)) };
        let args = request.args();
        user.check(row, &args).inspect_err(|&denied| {
            let (reason, object) = match denied {
                Denied::Command(name) => ("command", name.as_bytes()),
                Denied::Key(at) => ("key", args[at]),
                Denied::Channel(at) => ("channel", args[at]),
            };
            self.note_denied(reason, in_multi, object, &self.client.access.name());
        })
    }

    /// `SORT` may look at keys that its arguments do not name.
    fn sort_permitted(&self, row: &'static Command, request: &Request) -> Result<(), Reply> {
        let user = self.client.access.user.borrow();
        match user.as_ref().and_then(|user| user.sort_refusal(row, &request.args())) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// `AUTH` failed, and `ACL LOG` is to say so.
    pub(super) fn note_failed_login(&self, command: &[u8], name: &[u8]) {
        let in_multi = self.session.multi.is_some();
        self.note_denied("auth", in_multi, command, name);
    }

    fn note_denied(&self, reason: &'static str, in_multi: bool, object: &[u8], user: &[u8]) {
        let context = if in_multi { "multi" } else { "toplevel" };
        self.shared.clients.acl_log.add(reason, context, object, user, &self.client);
    }

    /// Rights may have changed since the commands were queued.
    pub(super) fn check_queued(&mut self) {
        if self.client.access.is_trusted() {
            return;
        }
        let Some(mut multi) = self.session.multi.take() else { return };
        for queued in &mut multi.commands {
            let permitted = self.still_permitted(queued.row, &queued.request);
            queued.refused = queued.refused.take().or(permitted.err());
        }
        self.session.multi = Some(multi);
    }
}

/// The password of this start counts when a cluster is made, and not later.
fn warn_of_password(shared: &Shared, acl: &Acl) {
    let Some(password) = &shared.config.requirepass else { return };
    let is_right = !acl.default_user().has_no_password() && acl.default_user().admits(password);
    if !is_right && !shared.warned_of_password.replace(true) {
        warn!(
            shared.logger,
            "--requirepass is not the password of this cluster's user default: it counts only \
            when a cluster is made; change the password with CONFIG SET requirepass or ACL SETUSER"
        );
    }
}

impl ClientTable {
    /// Users are not what they were: whoever is connected as one of them notices. The client that
    /// has done it gets its reply first.
    pub(super) fn users_changed(&self, event: &Event, by: u64) {
        for client in self.all() {
            let access = &client.access;
            match event {
                Event::UsersReplaced => {
                    access.doubt();
                    client.wake();
                }
                Event::User { name, change: UserChange::Deleted } if *access.name.borrow() == **name => {
                    access.doubt();
                    if client.id == by {
                        client.wake();
                        continue;
                    }
                    client.close("its user was removed");
                }
                Event::User { name, change: UserChange::Changed { channels } } if access.concerns(name) => {
                    access.doubt();
                    if channels.as_ref().is_some_and(|left| self.listens_beyond(&client, left)) {
                        client.close("its user lost the right to a channel");
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the client listens to anything but these.
    fn listens_beyond(&self, client: &Rc<Client>, left: &[Blob]) -> bool {
        let any = |what: Subscription, allowed: &dyn Fn(&[u8], &[u8]) -> bool| {
            let names = self.pubsub().subscriptions(client, what);
            names.iter().any(|name| !left.iter().any(|channel| allowed(channel, name)))
        };
        any(Subscription::Pattern, &|channel, name| channel == name)
            || any(Subscription::Channel, &glob_matches)
            || any(Subscription::ShardChannel, &glob_matches)
    }
}

impl Connection {
    /// After users were replaced: closes a connection that listens to what its user may not.
    pub(super) fn check_doubts(&mut self) {
        if !self.client.access.stale.get() {
            return;
        }
        self.refresh_access();
        let user = self.client.access.user.borrow().clone();
        let Some(user) = user.filter(|user| !user.is_unrestricted()) else { return };
        for what in [Subscription::Pattern, Subscription::Channel, Subscription::ShardChannel] {
            let names = self.shared.clients.pubsub().subscriptions(&self.client, what);
            if !names.iter().all(|name| user.may_listen(name, what == Subscription::Pattern)) {
                self.client.close("its user lost the right to a channel");
            }
        }
    }
}

/// What a server goes by as long as it does not know its cluster's users.
pub fn early_users(requirepass: Option<&str>) -> Option<Acl> {
    let mut acl = Acl::default();
    acl.set_default_password(Some(requirepass?));
    Some(acl)
}

/// What a command line of an administrator's write becomes before it is queued or written: no
/// password stays in it. With an error that is to be the reply in its place.
pub fn prepared(row: &Command, request: Request) -> (Request, Result<(), Reply>) {
    if row.full_name != "acl|setuser" {
        return (request, Ok(()));
    }
    acl_commands::without_passwords(request)
}

/// Whether it is a change of who may do what, or the like.
pub fn is_admins_write(row: &Command) -> bool {
    row.flags.has(Flags::ADMIN) && row.is_write()
}
