//! A write with `ONCE`: when nothing came back, the same number is sent again, to the next server, until it has
//! a reply. A number must never be used for two writes.

use super::client::{Client, End, Told};
use super::record::Kind;
use crate::history::{Call, Outcome};

impl Client {
    /// Carries a write out, once.
    pub async fn write_once(&mut self, kind: Kind, call: Call) -> End {
        self.seq += 1;
        let seq = self.seq;
        let start_ns = self.now_ns();
        let mut retries = 0;
        // Whether an attempt may have taken place.
        let mut is_open = false;
        loop {
            let told = self.ask(kind, &call, Some(seq)).await;
            let text = match told {
                Told::Lost(text) => {
                    is_open = true;
                    text
                }
                Told::Refused(text) if is_open && is_final(&text) => {
                    self.log(&call.key, format_args!("UNKNOWN after {retries} retries: {text}"));
                    self.record(kind, call, Outcome::Unknown, start_ns, false);
                    return End::Failed;
                }
                Told::Refused(text) | Told::Unreached(text) if is_open => text,
                told => {
                    if retries > 0 && matches!(told, Told::Reply(_)) {
                        let found =
                            format_args!("RECOVERED after {retries} retries: number {seq} has a reply");
                        self.log(&call.key, found);
                    }
                    self.log_failure(&call.key, &told);
                    self.record(kind, call, told.outcome(), start_ns, retries > 0);
                    return told.end();
                }
            };
            retries += 1;
            self.log(&call.key, format_args!("NETWORK ERROR {text}; retry {retries} of number {seq}"));
            self.next_server();
            if !self.pause_for_retry(kind, &call.key, retries).await {
                self.record(kind, call, Outcome::Unknown, start_ns, false);
                return End::Cancelled;
            }
        }
    }
}

/// Whether the server will never say how a number ended.
fn is_final(refusal: &str) -> bool {
    ["STALESEQ", "REPLYTOOLONG"].iter().any(|code| refusal.starts_with(code))
}
