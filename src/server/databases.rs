//! `SELECT`, and what a node that behaves as one of a Redis Cluster has of databases: only 0,
//! because clients of a cluster know no other. This module must never touch a key.

use super::connection::Connection;
use super::{Shared, info};
use crate::command::{self, Command, Reply, parse_i64};
use crate::wire::units::Args;

/// `SELECT`.
pub fn select(connection: &mut Connection, args: &Args<'_>) -> Reply {
    match selected(&connection.shared, args) {
        Ok(db) => {
            connection.session.db = db;
            connection.client.control.db.set(db);
            Reply::Ok
        }
        Err(error) => error,
    }
}

/// The database that a `SELECT` asks for.
pub fn selected(shared: &Shared, args: &Args<'_>) -> Result<u32, Reply> {
    let number = args.get(1).copied().unwrap_or_default();
    let db = command::database(number);
    let is_other = parse_i64(number).is_some_and(|number| number != 0 && i32::try_from(number).is_ok());
    if is_other && info::is_cluster(shared) { Err(not_in_cluster_mode("SELECT")) } else { db }
}

/// Whether a node that redirects refuses a command, whoever leads.
pub fn refused(row: &Command) -> Option<Reply> {
    match row.full_name {
        "move" => Some(not_in_cluster_mode("MOVE")),
        "swapdb" => Some(not_in_cluster_mode("SWAPDB")),
        _ => None,
    }
}

fn not_in_cluster_mode(name: &str) -> Reply {
    Reply::error_owned(format!("ERR {name} is not allowed in cluster mode"))
}
