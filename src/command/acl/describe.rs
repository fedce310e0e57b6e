//! Users as `ACL LIST` and `ACL GETUSER` show them. What is shown, given to `ACL SETUSER`, must make
//! the same user.

use super::known::{self, CommandSet};
use super::selector::{KeyPattern, Selector};
use super::user::User;
use crate::command::Reply;
use crate::command::row::Category;

impl User {
    /// The rules that make this user.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for flag in self.flags() {
            out.extend_from_slice(flag.as_bytes());
            out.push(b' ');
        }
        for password in &self.passwords {
            out.push(b'#');
            out.extend_from_slice(password.as_bytes());
            out.push(b' ');
        }
        describe_selector(&self.root, &mut out);
        for selector in &self.selectors {
            out.extend_from_slice(b" (");
            describe_selector(selector, &mut out);
            out.push(b')');
        }
        out
    }

    /// What `ACL GETUSER` answers.
    pub(super) fn fields(&self) -> Reply {
        let flags = self.flags().map(Reply::bulk).collect();
        let passwords = self.passwords.iter().map(Reply::bulk).collect();
        let mut fields = vec![
            (Reply::bulk("flags"), Reply::Set(flags)),
            (Reply::bulk("passwords"), Reply::Array(passwords)),
        ];
        fields.extend(selector_fields(&self.root));
        let selectors = self.selectors.iter().map(|selector| Reply::Map(selector_fields(selector)));
        fields.push((Reply::bulk("selectors"), Reply::Array(selectors.collect())));
        Reply::Map(fields)
    }

    fn flags(&self) -> impl Iterator<Item = &'static str> {
        let flags = [
            (self.enabled, "on"),
            (!self.enabled, "off"),
            (self.no_password, "nopass"),
            (self.sanitize == Some(false), "skip-sanitize-payload"),
            (self.sanitize == Some(true), "sanitize-payload"),
        ];
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name)
    }
}

fn selector_fields(selector: &Selector) -> Vec<(Reply, Reply)> {
    let keys = match selector.all_keys {
        true => b"~*".to_vec(),
        false => selector.patterns.iter().map(pattern).collect::<Vec<_>>().join(&b' '),
    };
    let channels = match selector.all_channels {
        true => b"&*".to_vec(),
        false => selector.channels.iter().map(|name| channel(name)).collect::<Vec<_>>().join(&b' '),
    };
    let fields = [("commands", commands(selector)), ("keys", keys), ("channels", channels)];
    fields.into_iter().map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect()
}

fn describe_selector(selector: &Selector, out: &mut Vec<u8>) {
    let mut put = |part: &[u8]| {
        out.extend_from_slice(part);
        out.push(b' ');
    };
    match selector.all_keys {
        true => put(b"~*"),
        false => selector.patterns.iter().for_each(|known| put(&pattern(known))),
    }
    match selector.all_channels {
        true => put(b"&*"),
        false => {
            put(b"resetchannels");
            selector.channels.iter().for_each(|name| put(&channel(name)));
        }
    }
    out.extend_from_slice(&commands(selector));
}

fn pattern(pattern: &KeyPattern) -> Vec<u8> {
    let prefix: &[u8] = match (pattern.read, pattern.write) {
        (true, false) => b"%R~",
        (false, true) => b"%W~",
        _ => b"~",
    };
    [prefix, &pattern.pattern].concat()
}

fn channel(name: &[u8]) -> Vec<u8> {
    [b"&", name].concat()
}

/// The rules that make the set of commands: all or none, then the categories that come
/// nearest, then what is left. The choice of categories is Redis's.
fn commands(selector: &Selector) -> Vec<u8> {
    let additive = !selector.commands.future;
    let mut rules = if additive { "-@all".to_owned() } else { "+@all".to_owned() };
    let mut made = if additive { CommandSet::default() } else { CommandSet::everything() };
    let mut left = selector.commands.clone();
    let mut open: Vec<Category> = Category::ALL.to_vec();
    while let Some(best) = best_category(&open, &left, additive) {
        made.change_category(best, additive);
        left.change_category(best, !additive);
        rules += if additive { " +" } else { " -" };
        rules += best.name();
        open.retain(|category| *category != best);
    }
    let mut rules = rules.into_bytes();
    for (place, known) in (0..).zip(known::all()) {
        let allowed = selector.commands.has(place);
        if allowed != made.has(place) {
            rules.extend_from_slice(if allowed { b" +" } else { b" -" });
            rules.extend_from_slice(known.name.as_bytes());
            made.change(place, allowed);
        }
        for arg in selector.first_args.get(&place).filter(|_| !allowed).into_iter().flatten() {
            rules.extend_from_slice(format!(" +{}|", known.name).as_bytes());
            rules.extend_from_slice(arg);
        }
    }
    rules
}

/// The category with the fewest commands that the set does not have (or, starting from all,
/// that it has), if most of its commands fit; of equals the largest, then the first.
fn best_category(open: &[Category], left: &CommandSet, additive: bool) -> Option<Category> {
    let mut best: Option<(Category, usize, usize)> = None;
    for &category in open {
        let (on, off) = left.count(category);
        let (same, different) = if additive { (on, off) } else { (off, on) };
        let better = best.is_none_or(|(_, least, most)| (different, most) < (least, same));
        if same > different && better {
            best = Some((category, different, same));
        }
    }
    best.map(|(category, ..)| category)
}
